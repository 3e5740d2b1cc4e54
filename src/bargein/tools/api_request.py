"""Tools of type apiRequest: a request to any HTTP API (`CreateApiRequestToolDTO`)."""

import json
import re
from typing import cast
from urllib.parse import quote

import anyio
import httpx

from bargein.http_client import PrivateAddressError, answer_problem, read_bounded, read_url
from bargein.ports import ServerError, ToolCall, ToolResult
from bargein.tools.extraction import with_variables
from bargein.tools.outbound import Outbound
from bargein.tools.outcome import ToolError, arguments_of, as_text, done, failed, parsed
from bargein.tools.templates import AUTHORITY, NOT_THE_OWNERS, Templates, markup_spans
from bargein.webhooks.backoff import StatusError, with_retries
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, as_object_or_none
from bargein.wire.plans import BackoffPlan
from bargein.wire.redact import is_secret_name

DEFAULT_NAME = "api_request"
"""Name of a tool that has none."""
DEFAULT_TIMEOUT_S = 20.0
"""Default of `timeoutSeconds` of an `apiRequest` tool."""
MAX_ANSWER_BYTES = 1024 * 1024
"""The limit for the answer to an `apiRequest` tool."""
_MAX_ERROR_CHARS = 4_000
_MAX_DEPTH = 30

_BARE = re.compile(r"\{\{-?\s*([A-Za-z_][\w-]*)\s*-?\}\}")
_PARAMETER = re.compile(r"[?&]([^=&#]+)=")
_NAMED = re.compile(r"[A-Za-z_][\w-]*")


def expand_api_request(tool: JsonObject) -> JsonObject:
    """Return an apiRequest tool with the `function` declared to the model: the body's part without fixed values."""
    given, body = as_object(tool.get("function")), as_object_or_none(tool.get("body"))
    asked = None if body is None else _open_part(body, 0)
    function: JsonObject = {
        "name": tool.get("name") or DEFAULT_NAME,
        "description": tool.get("description"),
        "parameters": asked or {"type": "object", "properties": {}},
    }
    function |= {name: value for name, value in given.items() if value}
    return {**tool, "function": {name: value for name, value in function.items() if value is not None}}


async def run_api_request(tool: JsonObject, call: ToolCall, outbound: Outbound, templates: Templates) -> ToolResult:
    """Send the request that a tool describes, with retries by its `backoffPlan`.

    Raises:
        ToolError: the request cannot be built.
        ServerError: it cannot be sent, or there is no answer.
    """
    arguments = arguments_of(call)
    auth = await outbound.auth(tool)
    if (auth is not None or _has_fixed_values(tool)) and not templates.is_owners_address(str(tool.get("url") or "")):
        raise ToolError(NOT_THE_OWNERS)
    request = await _request(tool, arguments, outbound, templates)
    given = as_object_or_none(tool.get("backoffPlan"))
    plan = None if given is None else BackoffPlan.from_json(given)
    seconds = float(tool.get("timeoutSeconds") or DEFAULT_TIMEOUT_S)
    answers: list[httpx.Response] = []

    async def attempt() -> None:
        answers[:] = [await _send(outbound.client, request, auth, seconds)]
        if not answers[0].is_success:
            raise StatusError(f"the API answered {answers[0].status_code}", answers[0].status_code)

    try:
        await with_retries(plan, attempt)
    except StatusError:
        return _refusal(answers[0])
    return await _result(answers[0], tool, templates)


async def _request(tool: JsonObject, arguments: JsonObject, outbound: Outbound, templates: Templates) -> httpx.Request:
    method = str(tool.get("method") or "POST").upper()
    template = str(tool.get("url") or "")
    url = _url(template, arguments, templates)
    body = dict(arguments)
    schema: object = tool.get("body")
    if isinstance(schema, dict):
        body = cast("JsonObject", _filled(cast("JsonObject", schema), body, templates, arguments))
    body = await outbound.encrypted(tool, {**body, **templates.static_parameters(tool, arguments)})
    headers = _headers(tool.get("headers"), arguments, templates)
    try:
        if method == "GET":
            named = {name for start, end in markup_spans(template) for name in _NAMED.findall(template, start, end)}
            left = {name: as_text(value) for name, value in body.items() if name not in named and value is not None}
            return outbound.client.build_request(method, httpx.URL(url).copy_merge_params(left), headers=headers)
        if method == "DELETE" and not body:
            return outbound.client.build_request(method, url, headers=headers)
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        typed = any(name.lower() == "content-type" for name in headers)
        kind = {} if typed else {"Content-Type": "application/json"}
        return outbound.client.build_request(method, url, headers={**headers, **kind}, content=content)
    except (httpx.InvalidURL, ValueError, TypeError):
        # the error's text may quote a header
        raise ToolError("Not run: its URL or one of its headers cannot be used in a request.") from None


def _has_fixed_values(tool: JsonObject) -> bool:
    """Return whether a request has values of its settings, which may be secret.

    Those are headers, fixed parts of its body, and in the URL variables and parameters with the name of a secret.
    """
    body, parts = as_object_or_none(tool.get("body")), AUTHORITY.fullmatch(str(tool.get("url") or ""))
    rest = "" if parts is None else parts.group(2)
    return (
        bool(_headers_of(tool.get("headers")))
        or "{{" in rest
        or "{%" in rest
        or any(is_secret_name(name) for name in _PARAMETER.findall(rest))
        or bool(as_list(tool.get("parameters")))
        or (body is not None and _open_part(body, 0) != body)
    )


def _url(template: str, arguments: JsonObject, templates: Templates) -> str:
    """Return the URL of a request.

    The model's arguments never decide the host, so that a caller cannot talk a model into sending a key elsewhere: up
    to the path a template sees the call's variables only. In the path, an argument that stands alone in its markup is
    escaped, so that it stays one path segment or value.
    """
    parts = AUTHORITY.fullmatch(template)
    if parts is None:
        raise ToolError("Not run: its URL must be one of http or https with a host.")

    def bare(found: re.Match[str]) -> str:
        value: object = arguments.get(found.group(1))
        return found.group(0) if value is None else quote(as_text(value), safe="").replace("{", "%7B")

    start = templates.text(parts.group(1).strip())
    url = start + templates.text(_BARE.sub(bare, parts.group(2)), arguments)
    try:
        same = httpx.URL(start).netloc == httpx.URL(url).netloc
    except (httpx.InvalidURL, ValueError):
        raise ToolError("Not run: its URL cannot be read.") from None
    if read_url(url) is None or not same:
        raise ToolError("Not run: its URL must be one of http or https with a host.")
    return url


def _headers(schema: object, arguments: JsonObject, templates: Templates) -> dict[str, str]:
    """Return the request's headers: the fixed values of their schema, or a plain object of strings."""
    given = as_object(schema)
    properties: object = given.get("properties")
    if isinstance(properties, dict):
        filled = _filled({"type": "object", "properties": properties}, {}, templates, arguments)
        return {name: as_text(value) for name, value in cast("JsonObject", filled).items()}
    return {name: templates.text(value, arguments) for name, value in _headers_of(schema).items()}


def _headers_of(schema: object) -> dict[str, str]:
    """Return the headers of a plain object, or the names of those in a schema's properties."""
    given = as_object(schema)
    properties: object = given.get("properties")
    if isinstance(properties, dict):
        return dict.fromkeys(cast("JsonObject", properties), "")
    return {name: value for name, value in given.items() if isinstance(value, str) and name not in {"type", "title"}}


def _fixed_value(schema: JsonObject) -> object:
    """Return the fixed value of a schema (`value` or `const`); None if it has none."""
    for name in ("value", "const"):
        if schema.get(name) not in (None, ""):
            return schema[name]
    return None


def _open_part(schema: JsonObject, depth: int) -> JsonObject | None:
    """Return the part of a schema that the model fills in; None if everything is fixed."""
    if _fixed_value(schema) is not None:
        return None
    properties: object = schema.get("properties")
    if not isinstance(properties, dict) or depth >= _MAX_DEPTH:
        return schema
    kept: JsonObject = {}
    for name, part in cast("dict[str, object]", properties).items():
        left = _open_part(cast("JsonObject", part), depth + 1) if isinstance(part, dict) else None
        if left is not None:
            kept[name] = left
    if properties and not kept:
        return None
    asked: JsonObject = {**schema, "properties": kept}
    required: object = schema.get("required")
    if isinstance(required, list):
        asked["required"] = [name for name in cast("list[object]", required) if name in kept]
    return asked


def _filled(schema: JsonObject, value: object, templates: Templates, arguments: JsonObject, depth: int = 0) -> object:
    """Return a value with the fixed values of its schema added."""
    fixed = _fixed_value(schema)
    if fixed is not None:
        return templates.value(fixed, arguments)
    properties: object = schema.get("properties")
    if not isinstance(properties, dict) or depth >= _MAX_DEPTH or not (value is None or isinstance(value, dict)):
        return value
    whole = dict(cast("JsonObject", value or {}))
    for name, part in cast("dict[str, object]", properties).items():
        if not isinstance(part, dict):
            continue
        filled = _filled(cast("JsonObject", part), whole.get(name), templates, arguments, depth + 1)
        if filled is not None:
            whole[name] = filled
    return whole or cast("object", value)


async def _send(
    client: httpx.AsyncClient, request: httpx.Request, auth: httpx.Auth | None, seconds: float
) -> httpx.Response:
    """Send a request once and read its answer, within the limits of time and size."""
    again = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
    try:
        with anyio.fail_after(seconds):
            response = await client.send(again, auth=auth, stream=True, follow_redirects=False)
            try:
                content = await read_bounded(response, MAX_ANSWER_BYTES)
            finally:
                await response.aclose()
    except TimeoutError:
        raise ServerError(f"the API did not answer within {seconds:g} s", reason="timeout") from None
    except PrivateAddressError as error:
        raise ServerError(f"the API {error}", reason="refused") from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        problem = answer_problem(error)
        what = problem or f"could not be reached or closed the connection ({type(error).__name__})"
        raise ServerError(f"the API {what}", reason="invalid" if problem else "unreachable") from None
    if content is None:
        raise ServerError(f"the API answered with more than {MAX_ANSWER_BYTES} bytes", reason="invalid")
    return httpx.Response(response.status_code, headers=response.headers.multi_items(), content=content)


def _is_html(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "").lower().startswith("text/html")


def _refusal(answer: httpx.Response) -> ToolResult:
    """Return an error answer as text for the model."""
    if answer.is_redirect or answer.has_redirect_location:
        return failed(f"The API answered with a redirect (HTTP {answer.status_code}), which is not followed.")
    said = "" if _is_html(answer) else answer.text[:_MAX_ERROR_CHARS].strip()
    return failed(f"The API answered HTTP {answer.status_code}{f': {said}' if said else '.'}")


async def _result(answer: httpx.Response, tool: JsonObject, templates: Templates) -> ToolResult:
    if _is_html(answer):
        return failed("The API answered with an HTML page instead of data.")
    text = answer.text
    result = done(text or f"HTTP {answer.status_code}")
    return await with_variables(result, tool, parsed(text), dict(answer.headers), templates)

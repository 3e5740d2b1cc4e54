"""Tools of type apiRequest: a request to any HTTP API (`CreateApiRequestToolDTO`)."""

import json
import re
from typing import Any, cast
from urllib.parse import quote

import anyio
import httpx

from bargein.ports import ToolCall, ToolResult
from bargein.tools.extraction import with_variables
from bargein.tools.outbound import Outbound
from bargein.tools.outcome import ToolError, arguments_of, as_text, done, failed, parsed
from bargein.tools.templates import Templates
from bargein.wire.base import JsonObject

DEFAULT_NAME = "api_request"
"""What the model calls a tool that has no name."""
DEFAULT_TIMEOUT_S = 20.0
MOST_ANSWER_BYTES = 1024 * 1024
_MOST_ERROR_CHARS = 4_000
_DEEPEST = 30
_LONGEST_DELAY_S = 60.0

_AUTHORITY = re.compile(r"((?:[^{/]|\{(?!\{))*//(?:\{\{.*?\}\}|\{%.*?%\}|[^/?#{]|\{(?![{%]))*)(.*)", re.DOTALL)
_BARE = re.compile(r"\{\{-?\s*([A-Za-z_][\w-]*)\s*-?\}\}")
_MARKUP = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_NAMED = re.compile(r"[A-Za-z_][\w-]*")


def expand_api_request(tool: JsonObject) -> JsonObject:
    """An apiRequest tool with the `function` that the model is told of: what of the body is not settled already."""
    given = cast("JsonObject", tool.get("function") or {})
    body: object = tool.get("body")
    asked = _asked(cast("JsonObject", body), 0) if isinstance(body, dict) else None
    function: JsonObject = {
        "name": tool.get("name") or DEFAULT_NAME,
        "description": tool.get("description"),
        "parameters": asked or {"type": "object", "properties": {}},
    }
    function |= {name: value for name, value in given.items() if value}
    return {**tool, "function": {name: value for name, value in function.items() if value is not None}}


async def run_api_request(tool: JsonObject, call: ToolCall, outbound: Outbound, templates: Templates) -> ToolResult:
    """Send the request that a tool describes, again where its `backoffPlan` says so.

    Raises:
        ToolError: it cannot be sent, or nobody answers.
    """
    arguments = arguments_of(call)
    request = _request(tool, arguments, templates)
    auth = await outbound.authentication(tool)
    plan = Backoff.of(tool.get("backoffPlan"))
    seconds = float(tool.get("timeoutSeconds") or DEFAULT_TIMEOUT_S)
    attempt = 0
    while True:
        delay_s = plan.delay_s(attempt)
        try:
            answer = await _sent(outbound.client, request, auth, seconds)
        except ToolError:
            if delay_s is None:
                raise
        else:
            if answer.status_code < 300 or delay_s is None or answer.status_code in plan.excluded:
                return await _result(answer, tool, templates)
        await anyio.sleep(delay_s)
        attempt += 1


class Backoff:
    """How a request is tried again (`BackoffPlan`)."""

    def __init__(self, *, exponential: bool, most: int, base_s: float, excluded: frozenset[int]) -> None:
        self._exponential = exponential
        self._most = most
        self._base_s = base_s
        self.excluded = excluded

    @classmethod
    def of(cls, plan: object) -> "Backoff":
        """Read Vapi's JSON; without a plan nothing is tried again."""
        given = cast("JsonObject", plan) if isinstance(plan, dict) else {}
        codes = cast("list[object]", given.get("excludedStatusCodes") or [])
        return cls(
            exponential=given.get("type") == "exponential",
            most=int(given.get("maxRetries") or 0),
            base_s=float(given.get("baseDelaySeconds") or 0),
            excluded=frozenset(int(code) for code in codes if isinstance(code, int | float)),
        )

    def delay_s(self, attempt: int) -> float | None:
        """How long to wait after this attempt (from 0); None: it was the last one."""
        if attempt >= self._most:
            return None
        return min(_LONGEST_DELAY_S, self._base_s * (2**attempt if self._exponential else 1))


def _request(tool: JsonObject, arguments: JsonObject, templates: Templates) -> httpx.Request:
    method = str(tool.get("method") or "POST").upper()
    url = _url(str(tool.get("url") or ""), arguments, templates)
    schema: object = tool.get("body")
    body: object = dict(arguments)
    if isinstance(schema, dict):
        body = _filled(cast("JsonObject", schema), body, templates, arguments)
    static = templates.static_parameters(tool, arguments)
    if isinstance(body, dict):
        body = {**cast("JsonObject", body), **static}
    headers = _headers(tool.get("headers"), arguments, templates)
    try:
        if method == "GET":
            named = {name for markup in _MARKUP.findall(str(tool.get("url"))) for name in _NAMED.findall(markup)}
            left = {name: value for name, value in cast("JsonObject", body).items() if name not in named}
            query = {name: as_text(value) for name, value in left.items() if value is not None}
            return httpx.Request(method, httpx.URL(url).copy_merge_params(query), headers=headers)
        content = json.dumps(body, ensure_ascii=False).encode()
        if method == "DELETE" and not body:
            return httpx.Request(method, url, headers=headers)
        kind = {} if any(name.lower() == "content-type" for name in headers) else {"Content-Type": "application/json"}
        return httpx.Request(method, url, headers={**headers, **kind}, content=content)
    except (httpx.InvalidURL, ValueError, TypeError):
        # the error's own words may quote a header
        raise ToolError("Not run: its URL or one of its headers cannot be used in a request.") from None


def _url(template: str, arguments: JsonObject, templates: Templates) -> str:
    """The address of a request.

    The model's arguments never decide the host, so that a caller cannot talk a model into sending a key elsewhere: up
    to the path a template sees the call's variables alone. After it, an argument that stands bare in the template is
    escaped, so that it can be but the one value it is meant to be.
    """
    parts = _AUTHORITY.fullmatch(template)
    if parts is None:
        raise ToolError("Not run: its URL must be one of http or https with a host.")

    def bare(found: re.Match[str]) -> str:
        value: object = arguments.get(found.group(1))
        return found.group(0) if value is None else quote(as_text(value), safe="").replace("{", "%7B")

    start = templates.text(parts.group(1).strip())
    url = start + templates.text(_BARE.sub(bare, parts.group(2)), arguments)
    try:
        read = httpx.URL(url)
        same = httpx.URL(start).netloc == read.netloc
    except httpx.InvalidURL:
        raise ToolError("Not run: its URL cannot be read.") from None
    if read.scheme not in {"http", "https"} or not read.host or not same:
        raise ToolError("Not run: its URL must be one of http or https with a host.")
    return url


def _headers(schema: object, arguments: JsonObject, templates: Templates) -> dict[str, str]:
    """The request's headers: the values that their schema settles; a plain object of texts is taken too."""
    if not isinstance(schema, dict):
        return {}
    given = cast("JsonObject", schema)
    properties: object = given.get("properties")
    if isinstance(properties, dict):
        filled = _filled({"type": "object", "properties": properties}, {}, templates, arguments)
        return {name: as_text(value) for name, value in cast("JsonObject", filled).items()}
    plain = {name: value for name, value in given.items() if isinstance(value, str) and name not in {"type", "title"}}
    return {name: templates.text(value, arguments) for name, value in plain.items()}


def _settled(schema: JsonObject) -> object:
    """The value that a schema leaves no choice about; None if it leaves one."""
    for name in ("value", "const"):
        if schema.get(name) not in (None, ""):
            return schema[name]
    return None


def _asked(schema: JsonObject, depth: int) -> JsonObject | None:
    """The part of a schema that the model is to fill in; None if there is none."""
    if _settled(schema) is not None:
        return None
    properties: object = schema.get("properties")
    if not isinstance(properties, dict) or depth >= _DEEPEST:
        return schema
    kept: JsonObject = {}
    for name, part in cast("dict[str, object]", properties).items():
        left = _asked(cast("JsonObject", part), depth + 1) if isinstance(part, dict) else None
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
    """A value with what its schema settles put in."""
    settled = _settled(schema)
    if settled is not None:
        return templates.value(settled, arguments)
    properties: object = schema.get("properties")
    if not isinstance(properties, dict) or depth >= _DEEPEST or not (value is None or isinstance(value, dict)):
        return value
    whole = dict(cast("JsonObject", value or {}))
    for name, part in cast("dict[str, object]", properties).items():
        if not isinstance(part, dict):
            continue
        filled = _filled(cast("JsonObject", part), whole.get(name), templates, arguments, depth + 1)
        if filled is not None:
            whole[name] = filled
    return whole or cast("object", value)


async def _sent(
    client: httpx.AsyncClient, request: httpx.Request, auth: httpx.Auth | None, seconds: float
) -> httpx.Response:
    """Send a request once and read its answer, both within the time and the answer within the size that are allowed."""
    chosen: Any = httpx.USE_CLIENT_DEFAULT if auth is None else auth
    try:
        with anyio.fail_after(seconds):
            again = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
            response = await client.send(again, auth=chosen, stream=True, follow_redirects=False)
            try:
                return await _read(response)
            finally:
                await response.aclose()
    except TimeoutError:
        raise ToolError(f"The API did not answer within {seconds:g} seconds.") from None
    except httpx.HTTPError as error:
        raise ToolError(f"The API cannot be reached ({type(error).__name__}).") from None


async def _read(response: httpx.Response) -> httpx.Response:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MOST_ANSWER_BYTES:
            raise ToolError(f"The API's answer is longer than {MOST_ANSWER_BYTES} bytes.")
    kept = [(name, value) for name, value in response.headers.multi_items() if name.lower() != "content-encoding"]
    return httpx.Response(response.status_code, headers=kept, content=bytes(content))


async def _result(answer: httpx.Response, tool: JsonObject, templates: Templates) -> ToolResult:
    text = answer.text
    if 300 <= answer.status_code < 400:
        return failed(f"The API answered with a redirect (HTTP {answer.status_code}), which is not followed.")
    is_html = answer.headers.get("content-type", "").lower().startswith("text/html")
    if answer.status_code >= 400:
        said = "" if is_html else text[:_MOST_ERROR_CHARS].strip()
        return failed(f"The API answered HTTP {answer.status_code}{f': {said}' if said else '.'}")
    if is_html:
        return failed("The API answered with an HTML page instead of data.")
    body = parsed(text)
    result = done(text or f"HTTP {answer.status_code}")
    return await with_variables(result, tool, body, dict(answer.headers), templates)

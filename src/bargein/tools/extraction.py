"""Variables extracted from a tool's answer (Vapi's `variableExtractionPlan`)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import anyio
import anyio.to_thread

from bargein.ports import ToolResult
from bargein.tools.outcome import ToolError
from bargein.tools.templates import Templates, markup_spans
from bargein.wire.base import JsonObject

_KEY = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,39}")
_QUOTED_OR_DOLLAR = re.compile(r"""("[^"]*"|'[^']*')|\$(?=[\s.\[|}%])""")
_EXTRACTING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: each that renders delays the event loop, so only one does at a time."""
_BODY = "tool_response_body"
_MAX_DEPTH = 30
_MAX_ALIASES = 100


async def with_variables(
    result: ToolResult, tool: JsonObject, body: object, headers: Mapping[str, str], templates: Templates
) -> ToolResult:
    """Return a result with the variables that the tool's plan extracts, and add them to the templates' variables.

    Nothing is extracted from a failed result. The arguments are those of `extracted`.
    """
    if result.failed or not isinstance(tool.get("variableExtractionPlan"), dict):
        return result
    # on a thread: a large answer with many templates may take a few hundred milliseconds
    variables = await anyio.to_thread.run_sync(extracted, tool, body, headers, templates, limiter=_EXTRACTING)
    templates.extracted |= variables
    return replace(result, variables=variables) if variables else result


def extracted(tool: JsonObject, body: object, headers: Mapping[str, str], templates: Templates) -> JsonObject:
    """Return the variables that the tool's plan extracts from an answer.

    `schema` selects the properties of an object by name, or an array under its title. `aliases` are templates over the
    body's fields, `$` (the body), `tool.response.body` and `.headers`, the variables from `schema`, and the call's
    variables. A variable that cannot be extracted is left out; the result stays valid.

    Args:
        tool: a tool, with or without a plan.
        body: the body of the answer, as JSON.
        headers: the headers of the answer, with lower-case names.
        templates: the templates of the call.
    """
    plan: object = tool.get("variableExtractionPlan")
    if not isinstance(plan, dict):
        return {}
    variables: JsonObject = {}
    schema: object = cast("JsonObject", plan).get("schema")
    if isinstance(schema, dict):
        variables |= _selected(cast("JsonObject", schema), body)
    fields = cast("JsonObject", body) if isinstance(body, dict) else {}
    seen: JsonObject = {**fields, **variables, _BODY: body}
    seen["tool"] = {"response": {"body": body, "headers": dict(headers)}}
    aliases: object = cast("JsonObject", plan).get("aliases")
    for alias in cast("list[object]", aliases)[:_MAX_ALIASES] if isinstance(aliases, list) else []:
        made = _alias(alias, seen, templates)
        seen |= made
        variables |= made
    return variables


def _alias(alias: object, seen: JsonObject, templates: Templates) -> JsonObject:
    given = cast("JsonObject", alias) if isinstance(alias, dict) else {}
    key, template = given.get("key"), given.get("value")
    if not isinstance(key, str) or not isinstance(template, str) or not _KEY.fullmatch(key):
        return {}
    try:
        return {key: templates.text(_without_dollars(template), seen)}
    except ToolError:
        return {}


def _without_dollars(template: str) -> str:
    """Return a template with `$`, the body, as a variable that Liquid can name."""
    parts, at = list[str](), 0
    for start, end in markup_spans(template):
        named = _QUOTED_OR_DOLLAR.sub(lambda found: found.group(1) or _BODY, template[start:end])
        parts += [template[at:start], named]
        at = end
    return "".join([*parts, template[at:]])


def _selected(schema: JsonObject, body: object) -> JsonObject:
    kind = schema.get("type")
    if kind == "object" and isinstance(body, dict):
        selected = _described_part(schema, cast("JsonObject", body), 0)
        return cast("JsonObject", selected)
    name = schema.get("title") or schema.get("name")
    if isinstance(name, str) and kind != "object":
        return {name: _described_part(schema, body, 0)}
    return {}


def _described_part(schema: JsonObject, value: object, depth: int) -> object:
    """Return the part of a value that a schema describes, without properties that it does not name."""
    properties: object = schema.get("properties")
    items: object = schema.get("items")
    if depth < _MAX_DEPTH and isinstance(value, dict) and isinstance(properties, dict):
        given = cast("JsonObject", value)
        parts = cast("dict[str, object]", properties).items()
        return {
            name: _described_part(cast("JsonObject", part), given[name], depth + 1)
            if isinstance(part, dict)
            else given[name]
            for name, part in parts
            if name in given
        }
    if depth < _MAX_DEPTH and isinstance(value, list) and isinstance(items, dict):
        return [_described_part(cast("JsonObject", items), one, depth + 1) for one in cast("list[object]", value)]
    return cast("object", value)

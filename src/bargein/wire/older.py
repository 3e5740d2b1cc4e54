"""Older forms that Vapi's pages and clients still have: a request's are replaced by the newer ones that mean the same.

`model.functions` becomes function tools, `model.systemPrompt` the system message, and an older value of
`transferPlan.mode` its newer name, wherever they are in a body. What cannot be replaced stays; `find_older_problems`
says why.
"""

from collections.abc import Iterator, Mapping

from bargein.wire import contract
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_list_or_none, as_object, as_object_or_none, as_objects, as_string
from bargein.wire.retired import FREE_FORM
from bargein.wire.validation_text import ARRAY, LONGEST_NAME, OBJECT, STRING, is_unknown, unknown

TRANSFER_MODES: Mapping[str, str] = {
    "warm-transfer-with-message": "warm-transfer-say-message",
    "warm-transfer-with-summary": "warm-transfer-say-summary",
    "warm-transfer-with-twiml": "warm-transfer-twiml",
}
"""Values of `transferPlan.mode`."""

MARKS = (b"warm-transfer-with-", b'"functions"', b'"systemPrompt"')
"""A body as bytes that has none of these has none of the older forms."""

TWO_PROMPTS = "cannot be given together with a system message in messages"
_FUNCTION = ("name", "description", "parameters", "strict")
_TOOL = ("async", "messages", "server")
_FIELDS = {"server.url": "serverUrl", "server.secret": "serverUrlSecret"}
"""The fields of an older function that belong to the tool's server."""
_DEEPEST = 64


def with_newer_values(data: object) -> object:
    """Return a request's body with the newer forms; fields with the owner's own contents are not changed."""
    if (items := as_list_or_none(data)) is not None:
        return [with_newer_values(item) for item in items]
    if (fields := as_object_or_none(data)) is None:
        return data
    newer = {name: value if name in FREE_FORM else with_newer_values(value) for name, value in fields.items()}
    plan = as_object_or_none(newer.get("transferPlan"))
    mode = None if plan is None else TRANSFER_MODES.get(as_string(plan.get("mode")) or "")
    if plan is not None and mode is not None:
        newer["transferPlan"] = {**plan, "mode": mode}
    if (model := as_object_or_none(newer.get("model"))) is not None:
        newer["model"] = _with_newer_prompt(_with_tools(model))
    return newer


def find_older_problems(body: JsonObject) -> dict[str, str]:
    """Return why older forms in a body cannot be replaced: dotted path -> text."""
    return dict(_search(body, (), 0))


def _search(given: object, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    for index, item in enumerate(as_list(given)):
        yield from _search(item, (*path, str(index)), depth + 1)
    for name, value in as_object(given).items():
        if name in FREE_FORM:
            continue
        where = (*path, name)
        if name == "model":
            model = as_object(value)
            yield from _problems(_prompt_problems(model), where)
            yield from _problems(_function_problems(model), where)
        yield from _search(value, where, depth + 1)


def _problems(found: Iterator[tuple[str, str]], where: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield from ((".".join((*where, path)), text) for path, text in found)


def _with_newer_prompt(model: JsonObject) -> JsonObject:
    if "systemPrompt" not in model or any(_prompt_problems(model)):
        return model
    newer = {name: value for name, value in model.items() if name != "systemPrompt"}
    prompt = as_string(model["systemPrompt"])
    messages = as_list_or_none(model.get("messages"))
    if model.get("messages") is not None and messages is None:
        return newer  # is refused for its messages
    if prompt and prompt not in _system_messages(model):
        newer["messages"] = [{"role": "system", "content": prompt}, *(messages or ())]
    return newer


def _prompt_problems(model: JsonObject) -> Iterator[tuple[str, str]]:
    prompt: object = model.get("systemPrompt")
    if prompt is None:
        return
    if not isinstance(prompt, str):
        yield "systemPrompt", STRING
    elif prompt and (written := _system_messages(model)) and prompt not in written:
        yield "systemPrompt", TWO_PROMPTS


def _system_messages(model: JsonObject) -> list[object]:
    return [one.get("content") for one in as_objects(model.get("messages")) if one.get("role") == "system"]


def _with_tools(model: JsonObject) -> JsonObject:
    if "functions" not in model or any(_function_problems(model)):
        return model
    newer = {name: value for name, value in model.items() if name != "functions"}
    tools = as_list_or_none(model.get("tools"))
    if model.get("tools") is not None and tools is None:
        return newer  # is refused for its tools
    if functions := as_objects(model["functions"]):
        newer["tools"] = [*(tools or ()), *map(_tool_of, functions)]
    return newer


def _function_problems(model: JsonObject) -> Iterator[tuple[str, str]]:
    """Yield what is not valid in a model's `functions`, each at its place there and not at the tool's."""
    given: object = model.get("functions")
    if given is None:
        return
    functions = as_list_or_none(given)
    if functions is None:
        yield "functions", ARRAY
    for index, item in enumerate(functions or ()):
        place = f"functions.{index}"
        function = as_object_or_none(item)
        if function is None:
            yield place, OBJECT
            continue
        for name in sorted(function.keys() - {*_FUNCTION, *_TOOL, *_FIELDS.values()}):
            shown = name[:LONGEST_NAME]
            yield f"{place}.{shown}", unknown(shown)
        for path, text in contract.problems("CreateFunctionToolDTO", _tool_of(function), closed=True).items():
            yield f"{place}.{_FIELDS.get(path) or path.removeprefix('function.')}", text


def _tool_of(function: JsonObject) -> JsonObject:
    """Return an older function, whose server may stand beside its name, as a tool."""
    tool: JsonObject = {
        "type": "function",
        "function": {name: function[name] for name in _FUNCTION if name in function},
        **{name: function[name] for name in _TOOL if name in function},
    }
    if function.get("serverUrl") is not None:
        secret = {"secret": function["serverUrlSecret"]} if function.get("serverUrlSecret") is not None else {}
        tool["server"] = {"url": function["serverUrl"], **secret}
    return tool


def without_newer_form(body: JsonObject) -> list[str]:
    """Return the paths of the fields in a body's older forms that have no newer one, for exports to leave out."""
    return [path for path, text in find_older_problems(body).items() if is_unknown(text) or text == TWO_PROMPTS]

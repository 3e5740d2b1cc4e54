"""From an assistant's hooks, as the wire has them, to the engine's; and the tools that they call.

A hook that cannot be understood is left out and told to the log, as Vapi does: it costs no call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import structlog

from bargein.errors import BargeinError
from bargein.turns.hooks.plan import Action, Hook, HookOn
from bargein.turns.roles import Role
from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.call")

_TIMEOUT_S = 7.5
_MOST_IDLE = 3
_IDLE_S = 10.0
"""Vapi's defaults of `timeoutSeconds`, `triggerMaxCount` (and `idleMessageMaxSpokenCount`), `idleTimeoutSeconds`."""
_TRANSCRIBER_CONFIDENCE = 0.4
_CONFIDENCE_SPAN = 0.2
_MOST_HOOKS = 100
_MOST_ACTIONS = 20
_MOST_CHARS = 10_000
_LONGEST_S = 43_200.0
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "function": "assistant",
    "tool": "system",  # a result without a call is no message that a model accepts
}
_PLAIN: dict[str, HookOn] = {
    "assistant.speech.interrupted": "assistant.speech.interrupted",
    "customer.speech.interrupted": "customer.speech.interrupted",
    "model.response.timeout": "model.response.timeout",
}
_LOW_CONFIDENCE: HookOn = "assistant.transcriber.endpointedSpeechLowConfidence"


class HookError(BargeinError, ValueError):
    """A hook is not one; the text says why."""


@dataclass(frozen=True, slots=True)
class CompiledHooks:
    """An assistant's hooks.

    Attributes:
        hooks: as the engine has them.
        tools: what they call, by the engine's count: Vapi's JSON of a tool, or `{"toolId": …}` of a stored one.
    """

    hooks: tuple[Hook, ...]
    tools: tuple[JsonObject, ...]


def compile_hooks(assistant: JsonObject, *, log: bool = True) -> CompiledHooks:
    """Compile `hooks`, and `messagePlan.idleMessages`, which is the older way to say one of them.

    `log` writes a warning for each hook that is left out.
    """
    tools: list[JsonObject] = []
    hooks: list[Hook] = []
    for number, given in enumerate(_objects(assistant.get("hooks"))[:_MOST_HOOKS]):
        before = len(tools)
        try:
            hooks.append(_hook(given, assistant, tools))
        except (HookError, TypeError, ValueError, KeyError) as error:
            del tools[before:]
            detail = str(error) if isinstance(error, HookError) else type(error).__name__
            if log:
                _log.warning("a hook is left out", number=number, on=str(given.get("on"))[:80], reason=detail)
    idle = _idle(assistant.get("messagePlan"))
    return CompiledHooks((*hooks, *([] if idle is None else [idle])), tuple(tools))


def _hook(given: JsonObject, assistant: JsonObject, tools: list[JsonObject]) -> Hook:
    on, more = str(given.get("on")), _objects(given.get("do"))
    if not more or len(more) > _MOST_ACTIONS:
        raise HookError("it has nothing to do" if not more else "it has too much to do")
    do = tuple(_action(action, tools) for action in more)
    options, name = _object(given.get("options")), str(given.get("name") or "")[:80]
    kind, _, inline = on.partition("[")
    if kind == "customer.speech.timeout":
        return _timeout(options | _inline(inline), do, name)
    if on == "call.timeElapsed":
        seconds = _number(options, "seconds", None, least=0.0, most=_LONGEST_S)
        return Hook(on="call.timeElapsed", do=do, name=name, after_ms=round(seconds * 1000), max_count=1)
    if on == "call.ending":
        return Hook(on="call.ending", do=do, name=name, max_count=1, reasons=_reasons(given.get("filters")))
    if on == _LOW_CONFIDENCE:
        usual = _number(_object(assistant.get("transcriber")), "confidenceThreshold", _TRANSCRIBER_CONFIDENCE)
        most = _number(options, "confidenceMax", usual)
        least = _number(options, "confidenceMin", max(0.0, most - _CONFIDENCE_SPAN))
        return Hook(on=_LOW_CONFIDENCE, do=do, name=name, confidence_min=least, confidence_max=most)
    if on in _PLAIN:
        return Hook(on=_PLAIN[on], do=do, name=name)
    raise HookError("there is no such event in a call")


def _timeout(options: JsonObject, do: tuple[Action, ...], name: str) -> Hook:
    mode = options.get("triggerResetMode", "never")
    if mode not in ("never", "onUserSpeech"):
        raise HookError("triggerResetMode is never or onUserSpeech")
    seconds = _number(options, "timeoutSeconds", _TIMEOUT_S, least=1.0, most=1000.0)
    most = _number(options, "triggerMaxCount", _MOST_IDLE, least=1, most=10)
    return Hook(
        on="customer.speech.timeout",
        do=do,
        name=name,
        after_ms=round(seconds * 1000),
        max_count=int(most),
        reset_on_speech=mode == "onUserSpeech",
    )


def _inline(text: str) -> JsonObject:
    """The options that `customer.speech.timeout[property=value]` names."""
    if not text:
        return {}
    name, equals, value = text.removesuffix("]").partition("=")
    if not equals or not text.endswith("]"):
        raise HookError("its options are written [property=value]")
    return {name.strip(): value.strip() if name.strip() == "triggerResetMode" else float(value)}


def _reasons(given: object) -> tuple[tuple[str, ...], ...]:
    filters = _objects(given)
    if any(one.get("type") != "oneOf" or one.get("key") != "call.endedReason" for one in filters):
        raise HookError("a filter is oneOf on call.endedReason")
    return tuple(tuple(str(value) for value in cast("list[object]", one["oneOf"])) for one in filters)


def _action(given: JsonObject, tools: list[JsonObject]) -> Action:
    match given.get("type"):
        case "say":
            return _say(given)
        case "message.add":
            message = _object(given.get("message"))
            role, text = _ROLES.get(str(message.get("role"))), _text(message.get("content"))
            if role is None:
                raise HookError("its message has no role")
            return Action(
                kind="add", texts=(text,), role=role, respond=given.get("triggerResponseEnabled") is not False
            )
        case "tool" | "function" | "transfer":
            tools.append(_tool(given))
            return Action(kind="tool", tool=len(tools) - 1)
        case _:
            raise HookError("an action is say, tool or message.add")


def _say(given: JsonObject) -> Action:
    exact: object = given.get("exact")
    if exact is not None:
        variants = cast("list[object]", exact) if isinstance(exact, list) else [exact]
        if not variants:
            raise HookError("exact is empty")
        return Action(kind="say", texts=tuple(_text(one) for one in variants))
    prompt: object = given.get("prompt")
    if isinstance(prompt, str):
        return Action(kind="prompt", prompt=(("system", _text(prompt)),))
    messages: tuple[tuple[Role, str], ...] = tuple(
        (_ROLES[str(one.get("role"))], _text(one.get("content"))) for one in _objects(prompt)
    )
    if not messages:
        raise HookError("a say has exact or prompt")
    return Action(kind="prompt", prompt=messages)


def _tool(given: JsonObject) -> JsonObject:
    if given.get("type") == "transfer":
        return {"type": "transferCall", "destinations": [_object(given.get("destination"))]}
    if given.get("type") == "function":
        return {**given, "type": "function"}
    tool = _object(given.get("tool"))
    if tool.get("type"):
        return tool
    if not isinstance(given.get("toolId"), str):
        raise HookError("a tool action has tool or toolId")
    return {"toolId": given["toolId"]}


def _idle(plan: object) -> Hook | None:
    """The legacy `messagePlan`."""
    given = _object(plan)
    messages: object = given.get("idleMessages")
    texts = [one.strip() for one in cast("list[object]", messages if isinstance(messages, list) else [])
             if isinstance(one, str) and one.strip()]  # fmt: skip
    if not texts:
        return None
    try:
        seconds = _number(given, "idleTimeoutSeconds", _IDLE_S, least=1.0, most=1000.0)
        most = _number(given, "idleMessageMaxSpokenCount", _MOST_IDLE, least=1, most=10)
    except HookError as error:
        _log.warning("the idle messages are left out", reason=str(error))
        return None
    return Hook(
        on="customer.speech.timeout",
        do=(Action(kind="say", texts=tuple(text[:_MOST_CHARS] for text in texts)),),
        name="messagePlan",
        after_ms=round(seconds * 1000),
        max_count=int(most),
        reset_on_speech=given.get("idleMessageResetCountOnUserSpeechEnabled") is True,
    )


def with_texts(assistant: JsonObject, render: Callable[[str], str]) -> JsonObject:
    """The assistant with the texts of its hooks filled in, but for prompts: they are when they are used."""
    changed = dict(assistant)
    if _objects(assistant.get("hooks")):
        changed["hooks"] = [_filled_in(one, render) for one in _objects(assistant.get("hooks"))]
    plan = _object(assistant.get("messagePlan"))
    if isinstance(plan.get("idleMessages"), list):
        changed["messagePlan"] = {**plan, "idleMessages": _rendered(plan["idleMessages"], render)}
    return changed


def texts_of(assistant: JsonObject) -> list[str]:
    """The texts that `with_texts` fills in."""
    texts: list[str] = []

    def note(text: str) -> str:
        texts.append(text)
        return text

    with_texts(assistant, note)
    return texts


def _filled_in(hook: JsonObject, render: Callable[[str], str]) -> JsonObject:
    do: list[JsonObject] = []
    for action in _objects(hook.get("do")):
        filled = dict(action)
        if "exact" in action:
            filled["exact"] = _rendered(action["exact"], render)
        message = _object(action.get("message"))
        if isinstance(message.get("content"), str):
            filled["message"] = {**message, "content": render(message["content"])}
        do.append(filled)
    return {**hook, "do": do} if do else hook


def _rendered(given: object, render: Callable[[str], str]) -> object:
    if isinstance(given, str):
        return render(given)
    return [_rendered(one, render) for one in cast("list[object]", given)] if isinstance(given, list) else given


def static_arguments(tool: JsonObject) -> JsonObject:
    """A tool's `parameters`: arguments that no model gives."""
    return {str(one["key"]): one.get("value") for one in _objects(tool.get("parameters")) if one.get("key")}


def _objects(given: object) -> list[JsonObject]:
    found: Sequence[object] = cast("list[object]", given) if isinstance(given, list) else ()
    return [cast("JsonObject", one) for one in found if isinstance(one, dict)]


def _object(given: object) -> JsonObject:
    return cast("JsonObject", given) if isinstance(given, dict) else {}


def _text(given: object) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > _MOST_CHARS:
        raise HookError(f"a text has 1 to {_MOST_CHARS} characters")
    return given.strip()


def _number(given: JsonObject, name: str, default: float | None, *, least: float = 0.0, most: float = 1.0) -> float:
    value: object = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise HookError(f"{name} is a number from {least:g} to {most:g}")
    return float(value)

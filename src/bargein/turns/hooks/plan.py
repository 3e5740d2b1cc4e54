"""An assistant's hooks, compiled for the engine's plan (Vapi's `assistant.hooks`)."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from bargein.turns.roles import Role

HookOn = Literal[
    "assistant.speech.interrupted",
    "customer.speech.interrupted",
    "customer.speech.timeout",
    "call.ending",
    "call.timeElapsed",
    "model.response.timeout",
    "assistant.transcriber.endpointedSpeechLowConfidence",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One of a hook's `do`.

    Attributes:
        kind: say a text; say what the model answers to a prompt; add a message to the history; call a tool.
        texts: the variants of a say, which take turns; or the text of an added message.
        prompt: messages of a role and a text that the model sees after the history.
        role: the role of an added message.
        respond: the model is to answer an added message (`triggerResponseEnabled`).
        tool: index of the tool among the assistant's hook tools.
    """

    kind: Literal["say", "prompt", "add", "tool"]
    texts: tuple[str, ...] = ()
    prompt: tuple[tuple[Role, str], ...] = ()
    role: Role = "system"
    respond: bool = True
    tool: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One of `hooks`.

    Attributes:
        on: what triggers it.
        do: what it does, in order.
        name: a name for people.
        after_ms: `timeoutSeconds` or `seconds`.
        max_count: how often it triggers at most (`triggerMaxCount`); 0: without limit.
        reset_on_speech: words of the caller reset the count (`triggerResetMode: onUserSpeech`).
        reasons: for `call.ending`, the values of each filter on `call.endedReason`; all filters must match.
        confidence_min: a transcript of lower confidence is dropped, and the hook does not trigger.
        confidence_max: a transcript of at least this confidence is used as it is.
    """

    on: HookOn
    do: tuple[Action, ...] = ()
    name: str = ""
    after_ms: int = 0
    max_count: int = 0
    reset_on_speech: bool = False
    reasons: tuple[tuple[str, ...], ...] = ()
    confidence_min: float = 0.0
    confidence_max: float = 0.0


def hook_from_json(value: dict[str, Any]) -> Hook:
    """Read a hook from the JSON of `dataclasses.asdict`."""
    values = dict(value)
    values["reasons"] = tuple(tuple(cast("list[str]", one)) for one in value.get("reasons", ()))
    values["do"] = tuple(_action(one) for one in value.get("do", ()))
    return Hook(**values)


def _action(value: dict[str, Any]) -> Action:
    values = dict(value)
    values["texts"] = tuple(value.get("texts", ()))
    values["prompt"] = tuple((one[0], one[1]) for one in value.get("prompt", ()))
    return Action(**values)

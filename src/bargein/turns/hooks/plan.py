"""What an assistant's hooks ask for, as the engine's plan has it (Vapi's `assistant.hooks`)."""

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
        kind: say a text, say what the model answers to a prompt, add a message, or call a tool.
        texts: of a say: its variants, which take turns; of an added message: its one text.
        prompt: of a prompt: messages of a role and a text that the model sees after the conversation.
        role: of an added message.
        respond: of an added message: the model is to answer it (`triggerResponseEnabled`).
        tool: of a tool: which of the assistant's hook tools.
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
        do: what is then done, in order.
        name: for people.
        after_ms: `timeoutSeconds` or `seconds`.
        most: it triggers no more often than this (`triggerMaxCount`); 0: as often as it happens.
        resets: words of the caller's set the count back (`triggerResetMode: onUserSpeech`).
        reasons: of `call.ending`: each filter's values for `call.endedReason`; all filters must hold.
        confidence_min: a transcript less certain than this is dropped.
        confidence_max: one at least so certain is taken as it is.
    """

    on: HookOn
    do: tuple[Action, ...] = ()
    name: str = ""
    after_ms: int = 0
    most: int = 0
    resets: bool = False
    reasons: tuple[tuple[str, ...], ...] = ()
    confidence_min: float = 0.0
    confidence_max: float = 0.0


def hook_from_json(value: dict[str, Any]) -> Hook:
    """A hook, as `dataclasses.asdict` and JSON have left it."""
    values = dict(value)
    values["reasons"] = tuple(tuple(cast("list[str]", one)) for one in value.get("reasons", ()))
    values["do"] = tuple(_action(one) for one in value.get("do", ()))
    return Hook(**values)


def _action(value: dict[str, Any]) -> Action:
    values = dict(value)
    values["texts"] = tuple(value.get("texts", ()))
    values["prompt"] = tuple((one[0], one[1]) for one in value.get("prompt", ()))
    return Action(**values)

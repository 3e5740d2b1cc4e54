"""Evals: mock conversations with checks, and their runs against an assistant or a squad (Vapi's `/eval`)."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from bargein.patterns import PatternError, compile_literal
from bargein.wire.assistant import Assistant, AssistantOverrides
from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.errors import bad_request
from bargein.wire.json import as_object, as_object_or_none, as_objects, as_string
from bargein.wire.providers import AssistantModel
from bargein.wire.squad import Squad

MOST_MESSAGES = 500
"""The most messages of a mock conversation."""

_Text = Annotated[str, Field(max_length=1000)]


class EvalToolCall(WireModel):
    """A tool call: its name, and its arguments; without these any are meant."""

    name: Annotated[str, Field(max_length=100)]
    arguments: JsonObject | None = None


class ExactPlan(WireModel):
    """A check for a text in any case, and for tool calls with equal arguments."""

    type: Literal["exact"]
    content: _Text | None = None
    tool_calls: list[EvalToolCall] | None = None


class RegexPlan(WireModel):
    """A check for a pattern that a part of the text matches, and for tool calls whose arguments match patterns."""

    type: Literal["regex"]
    content: _Text | None = None
    tool_calls: list[EvalToolCall] | None = None


class AiPlan(WireModel):
    """A check by a model, which answers `pass` or `fail`. Without a model the assistant's own judges."""

    type: Literal["ai"]
    model: AssistantModel | None = None
    auto_include_message_history: Bool | None = None


JudgePlan = Annotated[ExactPlan | RegexPlan | AiPlan, Field(discriminator="type")]


class ContinuePlan(WireModel):
    """The continuation of the conversation after a check."""

    exit_on_failure_enabled: Bool | None = None
    content_override: _Text | None = None
    tool_calls_override: list[EvalToolCall] | None = None


class EvalMessage(WireModel):
    """A message of a mock conversation: one that is given, or with a `judgePlan` one that is made and checked."""

    role: Literal["user", "system", "assistant", "tool"]
    content: str | None = None
    tool_calls: list[EvalToolCall] | None = None
    judge_plan: JudgePlan | None = None
    continue_plan: ContinuePlan | None = None


class CreateEval(WireModel):
    """The body of `POST /eval` (Vapi's `CreateEvalDTO`)."""

    contract: ClassVar[str | None] = "CreateEvalDTO"

    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    type: Literal["chat.mockConversation"]
    messages: Annotated[list[EvalMessage], Field(min_length=1, max_length=MOST_MESSAGES)]


class EvalTarget(WireModel):
    """The assistant or squad that a run is against."""

    type: Literal["assistant", "squad"]
    assistant: Assistant | None = None
    assistant_id: str | None = None
    assistant_overrides: AssistantOverrides | None = None
    squad: Squad | None = None
    squad_id: str | None = None


class CreateEvalRun(WireModel):
    """The body of `POST /eval/run` (Vapi's `CreateEvalRunDTO`)."""

    contract: ClassVar[str | None] = "CreateEvalRunDTO"

    type: Literal["eval"]
    target: EvalTarget
    eval: CreateEval | None = None
    eval_id: str | None = None


def check_eval(body: JsonObject, within: str = "") -> None:
    """Check the messages of a mock conversation, whose types have been checked.

    Args:
        body: the eval.
        within: its path in the request, with a dot at its end.

    Raises:
        WireError: 400, naming the messages that cannot be played and the patterns that are not supported.
    """
    found = [
        f"{within}messages.{index}.{problem}"
        for index, message in enumerate(as_objects(body.get("messages")))
        for problem in _problems(message)
    ]
    if found:
        raise bad_request(*found)


def check_target(target: EvalTarget) -> None:
    """Check that a target names exactly one assistant, or exactly one squad.

    Raises:
        WireError: 400.
    """
    kind = target.type
    own = {"assistant": (target.assistant, target.assistant_id), "squad": (target.squad, target.squad_id)}
    if sum(one is not None for one in own[kind]) != 1:
        raise bad_request(f"target needs either {kind}Id or {kind}")


def _problems(message: JsonObject) -> Iterator[str]:
    plan, role = as_object(message.get("judgePlan")), str(message.get("role"))
    if not plan:
        if as_string(message.get("content")) is None and not (role == "assistant" and message.get("toolCalls")):
            yield "content should not be null or undefined"
        return
    if plan.get("type") != "ai" and plan.get("content") is None and plan.get("toolCalls") is None:
        yield "judgePlan needs content or toolCalls"
    elif plan.get("type") == "regex":
        yield from _pattern_problems(plan)


def _pattern_problems(plan: JsonObject) -> Iterator[str]:
    content = as_string(plan.get("content"))
    patterns = [] if content is None else [("content", content)]
    for index, call in enumerate(as_objects(plan.get("toolCalls"))):
        for path, pattern in patterns_of(as_object(call.get("arguments"))):
            patterns.append((".".join(("toolCalls", str(index), "arguments", *path)), pattern))
    for path, pattern in patterns:
        try:
            compile_literal(pattern)
        except PatternError as error:
            yield f"judgePlan.{path} {error}"


def patterns_of(arguments: JsonObject, within: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the texts inside expected arguments, which are patterns, each with its path."""
    for name, value in arguments.items():
        path = (*within, name)
        if isinstance(value, str):
            yield path, value
        elif (inner := as_object_or_none(value)) is not None:
            yield from patterns_of(inner, path)

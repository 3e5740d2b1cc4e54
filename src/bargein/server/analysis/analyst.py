"""The analysis of one call: its parts, each with a model, side by side."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import structlog

from bargein.call.plan.variables import Extracted, Variables
from bargein.clock import Clock
from bargein.patterns import PatternError
from bargein.ports import ChatMessage, Model, ProviderError, Role, StoreError
from bargein.server.agents.credentials import credentials_for
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.resolve import ResolvedAgent, fill_in_prompts, first_agent, parse_assistant
from bargein.server.analysis.asking import AskError, ask, ask_for_value
from bargein.server.analysis.pattern_outputs import value_of
from bargein.server.analysis.plan import Part
from bargein.server.analysis.prompts import transcript_of, values_of
from bargein.server.analysis.schemas import Schema, SchemaError
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError
from bargein.wire.json import as_object, as_string, repair_text
from bargein.wire.ownership import is_callers, leads_to_caller

LEAST_TOKENS = 2_000
"""The least `maxTokens` of a model that analyses a call: that of the assistant is for short spoken answers."""

TOTAL_S = 240.0
"""The time limit of all parts of a call together: a job must not take five minutes."""

_AT_ONCE = 4
_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "system", "assistant": "assistant"}
_NOT_FOR_TASKS = frozenset({
    "messages", "systemPrompt", "tools", "toolIds", "toolRefs", "knowledgeBase", "knowledgeBaseId",
    "emotionRecognitionEnabled", "thinking",
})  # fmt: skip
"""Fields of the assistant's model that are for its conversation alone."""
_NOT_SHOWN = frozenset({"artifact", "messages", "analysis"})
"""Fields of a call that no custom model is sent beside the prompt, which has the conversation, cut if it is long."""
_OF_ASSISTANT = ("credentials", "credentialIds", "metadata")

_SEARCHING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: each that searches delays the event loop, so only one does at a time."""

_log = structlog.get_logger("bargein.server")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a part.

    Attributes:
        value: its value; None if there is none.
        problem: why there is none, a sentence for the owner that quotes nothing of the call; None: there is one.
    """

    value: object
    problem: str | None = None


class Analyst:
    """Analyses ended calls.

    Args:
        store: where the assistants and credentials are.
        clock: the time that templates may name.
        provider_factory: makes the models.
    """

    def __init__(self, store: Store, clock: Clock, provider_factory: ProviderFactory) -> None:
        self._store = store
        self._clock = clock
        self._provider_factory = provider_factory

    async def analyse(
        self,
        call: JsonObject,
        assistant: JsonObject,
        parts: Sequence[Part],
        done: Callable[[Part, Outcome], Awaitable[None]],
    ) -> None:
        """Work on the parts of a call, several at once, and report each when it is done.

        A part that fails, or takes too long, has a problem as its outcome and stops no other.

        Args:
            call: the record of the ended call, with its words.
            assistant: the assistant that had it last, with its templates filled in.
            parts: the parts.
            done: is awaited for each part, one after the other.

        Raises:
            StoreError: the store is away; nothing is known about the parts that were not reported.
        """
        first = await first_agent(call, self._store)
        about = _About(call, assistant, first, values_of(call, assistant))
        slots, reporting = anyio.Semaphore(_AT_ONCE), anyio.Lock()
        ends_at = anyio.current_time() + TOTAL_S

        async def work(part: Part) -> None:
            async with slots:
                left_s = ends_at - anyio.current_time()
                outcome = await self._outcome(part, about, max(0.0, min(part.timeout_s, left_s)))
            async with reporting:
                await done(part, outcome)

        try:
            async with anyio.create_task_group() as tasks:
                for part in parts:
                    tasks.start_soon(work, part)
        except* StoreError as errors:
            raise errors.exceptions[0] from None

    async def _outcome(self, part: Part, about: "_About", timeout_s: float) -> Outcome:
        try:
            with anyio.fail_after(timeout_s):
                return Outcome(await self._value(part, about))
        except StoreError:
            raise
        except TimeoutError:
            problem = f"there was no answer within {timeout_s:g} s"
        except SchemaError as error:
            problem = f"its schema {error}"
        except PatternError as error:
            problem = f"its regex {error}"
        except (AskError, ProviderError, WireError) as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001  # a bug in one part costs neither the others nor the report
            frames = traceback.extract_tb(error.__traceback__)[-4:]
            places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
            _log.error("unexpected", call_id=about.call_id, part=part.name, error=type(error).__name__, at=places)
            problem = "an internal error; the server's log has it"
        fields = {"call_id": about.call_id, "part": part.name, "reason": problem}
        _log.warning("a part of a call's analysis is left out", **fields)
        return Outcome(None, problem)

    async def _value(self, part: Part, about: "_About") -> object:
        if part.output.get("type") == "regex":
            search = partial(value_of, as_string(part.output.get("regex")) or "", part.schema or {})
            return await anyio.to_thread.run_sync(search, transcript_of(about.call), limiter=_SEARCHING)
        given = _model_json(part, about.assistant)
        if part.is_owners and leads_to_caller(given):
            raise AskError("its prompt and schema are the owner's, and the model is at an address that a caller set")
        model = await self._model(given, about)
        messages = await self._messages(part, about, given)
        if part.schema is None:
            return repair_text(await ask(model, messages))
        schema = await anyio.to_thread.run_sync(Schema, part.schema, limiter=_SEARCHING)
        if part.rubric is None:
            return await ask_for_value(model, messages, schema)
        return part.rubric.write(await ask_for_value(model, messages, schema, part.rubric.read))

    async def _model(self, given: JsonObject, about: "_About") -> Model:
        """Return the model of a part, with the credentials that it would have in the assistant."""
        of_assistant = {name: about.assistant[name] for name in _OF_ASSISTANT if name in about.assistant}
        assistant_json: JsonObject = {**of_assistant, **({"model": given} if given else {})}
        assistant = parse_assistant(assistant_json)
        keys = await credentials_for(assistant_json, self._store)
        shown = {name: value for name, value in about.call.items() if name not in _NOT_SHOWN}
        return self._provider_factory.task_model(assistant, shown, keys)

    async def _messages(self, part: Part, about: "_About", model: JsonObject) -> list[ChatMessage]:
        """Return the prompt of a part with its placeholders filled in, a message of the user last.

        Raises:
            AskError: a template is not valid, or too large.
        """
        given = [(one, text) for one in part.messages if (text := as_string(one.get("content")))]
        more = {**about.values, **part.values}
        if leads_to_caller(model) and not is_callers(about.assistant):
            more["systemPrompt"] = ""  # the owner's instructions are not for a server of the caller's
        texts = [text for _, text in given]
        try:
            filled = await fill_in_prompts(texts, about.variables(), self._clock.epoch_ms(), more)
        except ValueError:
            raise AskError("the templates of its messages cannot be filled in") from None
        messages: list[ChatMessage] = []
        for (one, _), text in zip(given, filled, strict=True):
            messages.append(ChatMessage(_ROLES.get(str(one.get("role")), "user"), text))
        if not messages or messages[-1].role != "user":  # which many models demand
            messages.append(ChatMessage("user", "Respond now."))
        return messages


@dataclass(frozen=True, slots=True)
class _About:
    """A call that is analysed.

    Attributes:
        call: its record.
        assistant: the assistant that had it last.
        first: the agent that it began with, for the variables.
        values: the values of placeholders.
    """

    call: JsonObject
    assistant: JsonObject
    first: ResolvedAgent
    values: JsonObject

    @property
    def call_id(self) -> str:
        """The call's id."""
        return str(self.call.get("id"))

    def variables(self) -> Variables:
        """Return the call's variables, with those that its tools have extracted."""
        kept = as_object(as_object(self.call.get("artifact")).get("variableValues"))
        given = as_object(as_object(self.call.get("assistantOverrides")).get("variableValues"))
        found = {name: value for name, value in kept.items() if given.get(name) != value}
        return self.first.variables(Extracted(found))


def _model_json(part: Part, assistant: JsonObject) -> JsonObject:
    """Return the model of a part: the one that it names, else the assistant's own; empty: there is none."""
    own = as_object(assistant.get("model")) if part.model is None else part.model
    given = {name: value for name, value in own.items() if name not in _NOT_FOR_TASKS}
    most = given.get("maxTokens")
    if part.model is None and given:
        given["maxTokens"] = max(most, LEAST_TOKENS) if isinstance(most, int | float) else LEAST_TOKENS
    elif given:
        given.setdefault("maxTokens", LEAST_TOKENS)
    return given

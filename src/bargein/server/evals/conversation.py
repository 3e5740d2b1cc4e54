"""A mock conversation with an assistant's model, message by message, with the checks of what it answers."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from uuid import uuid4

import anyio
import anyio.to_thread

from bargein.ports import ProviderError, ToolCall
from bargein.server.agents.assemble import ReadyChatAgent
from bargein.server.chats.context import calls_json, for_model
from bargein.server.chats.tools import ChatTools
from bargein.server.evals.judge import Judge, JudgeError
from bargein.server.evals.judging import Answer, failure_of, shown_call
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list_or_none, as_object, as_objects, as_string

_MATCHING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: a pattern that takes a second must not hold several of them."""
_MOST_CHARS = 50_000
"""The most characters that are kept of an assistant's answer in an eval."""

JudgeFactory = Callable[[JsonObject], Awaitable[Judge]]
"""Makes the judge of a `judgePlan` of type `ai`. Raises `AssemblyError` if its model cannot be used here."""


@dataclass(slots=True)
class MockConversation:
    """One conversation.

    Args:
        agent: the assistant.
        judge_of: makes judges.

    Attributes:
        messages: what was said so far, as a run's result has it.
        failed: whether a check has failed.
    """

    agent: ReadyChatAgent
    judge_of: JudgeFactory
    messages: list[JsonObject] = field(default_factory=list[JsonObject])
    failed: bool = False
    _said: list[JsonObject] = field(default_factory=list[JsonObject])
    """The conversation for the model."""
    _open: list[ToolCall] = field(default_factory=list[ToolCall])
    """The tool calls of the assistant that have no result yet."""
    _tools: ChatTools = field(init=False)

    def __post_init__(self) -> None:
        self._tools = ChatTools(self.agent.tools, self.agent.tool_runner)

    async def play(self, messages: Sequence[JsonObject]) -> None:
        """Play all messages, or up to a check that fails and ends the conversation (`exitOnFailureEnabled`).

        Raises:
            ProviderError: the assistant's model failed.
            AssemblyError: the model of a judge cannot be used here.
        """
        try:
            for message in messages:
                if not await self._play(message):
                    return
        finally:
            self._tools.close()

    async def _play(self, message: JsonObject) -> bool:
        """Play one message, and return whether the conversation goes on."""
        match message.get("role"):
            case "assistant" if "judgePlan" in message:
                return await self._check_answer(message)
            case "tool" if "judgePlan" in message:
                return await self._check_tool(message)
            case "assistant":
                calls = _mock_calls(message.get("toolCalls"))
                self._add_answer(Answer(as_string(message.get("content")) or "", calls))
            case "tool":
                self._add_result(str(message.get("content") or ""))
            case role:
                one: JsonObject = {"role": role, "content": str(message.get("content") or "")}
                self._said.append(one)
                self.messages.append({**one})
        return True

    async def _check_answer(self, message: JsonObject) -> bool:
        plan, onward = as_object(message.get("judgePlan")), as_object(message.get("continuePlan"))
        answer = await self._answer()
        shown = _shown(answer)
        if plan.get("type") == "ai":
            failure = await self._verdict(plan, shown)
        else:
            failure = await anyio.to_thread.run_sync(failure_of, plan, answer, limiter=_MATCHING)
        content, calls = as_string(onward.get("contentOverride")), as_list_or_none(onward.get("toolCallsOverride"))
        kept = Answer(
            answer.text if content is None else content, answer.calls if calls is None else _mock_calls(calls)
        )
        self._say(kept)
        self.messages.append({**shown, "judge": self._judged(failure)})
        return failure is None or onward.get("exitOnFailureEnabled") is not True

    async def _check_tool(self, message: JsonObject) -> bool:
        """Run the assistant's next tool call, as a chat does, and have its result judged."""
        plan, failure = as_object(message.get("judgePlan")), None
        content = ""
        if not self._open:
            failure = "the assistant has called no tool whose result could be judged"
        else:
            (result,) = await self._tools.run(self._open[:1])
            content = str(result["content"])
            failure = await self._verdict(plan, {"role": "tool", "content": content})
        self._add_result(content, judge=self._judged(failure))
        return failure is None or as_object(message.get("continuePlan")).get("exitOnFailureEnabled") is not True

    async def _verdict(self, plan: JsonObject, last: JsonObject) -> str | None:
        judge = await self.judge_of(plan)
        said = [{name: value for name, value in one.items() if name != "judge"} for one in (*self.messages, last)]
        try:
            return None if await judge.passes(said) else "the judge answered fail"
        except JudgeError as error:
            return str(error)
        except ProviderError as error:
            return f"the judge's model failed: {error}"

    def _judged(self, failure: str | None) -> JsonObject:
        self.failed = self.failed or failure is not None
        return {"status": "pass"} if failure is None else {"status": "fail", "failureReason": failure}

    async def _answer(self) -> Answer:
        """Return the answer of the assistant's model to the conversation so far."""
        asked = for_model(self.agent.instructions, self._said)
        reply = self.agent.model.reply(asked, self._tools.declarations)
        pieces: list[str] = []
        calls: list[ToolCall] = []
        async with aclosing(cast("AsyncGenerator[str | ToolCall]", reply)) as answer:
            async for piece in answer:
                if isinstance(piece, ToolCall):
                    calls.append(piece)
                else:
                    pieces.append(piece)
                if sum(map(len, pieces)) > _MOST_CHARS:
                    break
        return Answer("".join(pieces)[:_MOST_CHARS], tuple(calls))

    def _add_answer(self, answer: Answer) -> None:
        self._say(answer)
        self.messages.append(_shown(answer))

    def _say(self, answer: Answer) -> None:
        one: JsonObject = {"role": "assistant", "content": answer.text}
        if answer.calls:
            one["tool_calls"] = calls_json(answer.calls)
        self._said.append(one)
        self._open = list(answer.calls)

    def _add_result(self, content: str, **more: JsonObject) -> None:
        """Add the result of the assistant's next tool call. One without a call is in the result alone."""
        if self._open:
            call = self._open.pop(0)
            self._said.append({"role": "tool", "tool_call_id": call.id, "content": content})
        self.messages.append({"role": "tool", "content": content, **more})


def _shown(answer: Answer) -> JsonObject:
    shown: JsonObject = {"role": "assistant", "content": answer.text}
    return {**shown, "toolCalls": [shown_call(call) for call in answer.calls]} if answer.calls else shown


def _mock_calls(given: object) -> tuple[ToolCall, ...]:
    make = partial(json.dumps, ensure_ascii=False)
    return tuple(
        ToolCall(f"call_{uuid4().hex[:24]}", str(one.get("name")), make(as_object(one.get("arguments"))))
        for one in as_objects(given)
    )

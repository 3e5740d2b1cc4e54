"""An independent observer of the tools of a random call."""

from collections import Counter

import hypothesis.strategies as st

from bargein.turns import State
from bargein.turns.commands import CloseReply, Command, Decide, Remember, RunTools, Send, StartReply, StopTool
from bargein.turns.commands import UserInterrupted as Interrupted
from bargein.turns.events import (
    AddMessage,
    DelayMessage,
    Event,
    HookToolCalled,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
)

CALLS = st.fixed_dictionaries({
    "name": st.sampled_from(["weather", "book", "endCall"]),
    "arguments": st.sampled_from(["{}", '{"city": "Berlin"}', "{broken"]),
    "start": st.booleans(),
    "blocking": st.booleans(),
    "delayed": st.sampled_from(
        [(), (DelayMessage(500, "Still at it."),), (DelayMessage(3000, "b"), DelayMessage(1000, "a"))]
    ),
    "is_async": st.sampled_from([False, False, True]),
    "timeout_ms": st.sampled_from([1000, 20_000, 60_000]),
})  # fmt: skip
ANSWERS = st.fixed_dictionaries({
    "text": st.just("It rains."),
    "failed": st.booleans(),
    "say": st.sampled_from([None, None, None, "", "Done."]),
    "system_message": st.sampled_from([None, None, "Be brief."]),
    "end_call_reason": st.sampled_from([None] * 5 + ["assistant-ended-call"]),
})  # fmt: skip


class ToolWatch:
    """Checks laws 9 to 12 against everything that happens in a call."""

    def __init__(self) -> None:
        self.asked: dict[str, ToolCallRequest] = {}
        self.turn_of: dict[str, str] = {}
        self.ran: dict[str, int] = {}
        self.results: Counter[str] = Counter()
        self.interrupted: set[str] = set()
        self.spoken: list[str] = []
        self.texts: dict[str, str] = {}
        self.unseen: set[str] = set()
        self.response_pending = False
        self.unanswered: set[str] = set()
        self.now_ms = 0
        self.by_hook: set[str] = set()
        self.explained = True  # the first reply needs no reason

    def new_calls(self, drawn: list[dict[str, object]], *, again: str | None) -> tuple[ToolCallRequest, ...]:
        """Return calls with new ids, except one that the model repeats."""
        calls: list[ToolCallRequest] = []
        for number, one in enumerate(drawn):
            call_id = again if again is not None and number == 0 else f"call_{len(self.asked) + number}"
            start = f"About {call_id}, please." if one["start"] else ""
            calls.append(ToolCallRequest(**{**one, "id": call_id, "start": start}))  # type: ignore[arg-type]
        return tuple(calls)

    def hears(self, event: Event) -> None:
        """Note an event before it is applied."""
        if isinstance(event, AddMessage) and event.respond:
            self.response_pending = True

    def observe(self, command: Command, event: Event) -> None:
        match command:
            case RunTools(turn_id, call_ids):
                for call_id in call_ids:
                    self.check_run(turn_id, call_id)
            case StopTool(call_id):
                assert call_id in self.ran
                assert not self.results[call_id], "a tool that has answered is not stopped"
            case Remember():
                self.observe_memory(command, event)
            case Send(Interrupted(turn_id)):
                self.interrupted.update([turn_id] if turn_id else [])
            case Decide("hook", why):
                self.observe_hook(why)
            case StartReply(turn_id, text, _, prompt) if not prompt:
                self.check_reply(turn_id, text)
            case CloseReply(turn_id, "spoken"):
                self.spoken.append(self.texts.get(turn_id, ""))
            case Decide("answering" | "resumed"):
                self.explained = True
            case _:
                pass

    def observe_hook(self, why: str) -> None:
        if why.startswith("model.response.timeout"):
            self.response_pending = True  # the model was asked already
        if why.startswith("call.ending"):
            self.unanswered.clear()  # the results of a call that is ending need no answer, also after a handoff

    def observe_memory(self, entry: Remember, event: Event) -> None:
        if entry.role == "user":  # an answer to the caller's words, also to those before a `say`
            self.response_pending = True
        if entry.text == "Wrap up.":  # a hook has added it, and asks for an answer
            self.response_pending = True
        if entry.tool_call_id is not None:
            self.check_result(entry.tool_call_id, entry, event)
        for called in entry.tool_calls:
            assert entry.turn_id is not None
            assert entry.turn_id not in self.interrupted, "law 9: an interrupted reply calls no tool"
            assert called.id not in self.turn_of
            assert isinstance(event, ToolsCalled | HookToolCalled)
            self.by_hook.update([called.id] if isinstance(event, HookToolCalled) else [])
            assert event.turn_id == entry.turn_id
            self.asked[called.id] = next(asked for asked in event.calls if asked.id == called.id)
            self.turn_of[called.id] = entry.turn_id
            self.unseen.update([called.id] if self.is_awaited_by_nobody(called.id) else [])

    def is_awaited_by_nobody(self, call_id: str) -> bool:
        """Return True if it is async, or equal to a running async one."""
        asked = self.asked[call_id]
        still = (self.asked[other] for other in self.ran if not self.results[other])
        same = (one for one in still if (one.name, one.arguments) == (asked.name, asked.arguments))
        return asked.is_async or any(one.is_async for one in same)

    def check_run(self, turn_id: str, call_id: str) -> None:
        asked = self.asked[call_id]
        assert self.turn_of[call_id] == turn_id
        assert turn_id not in self.interrupted, "law 9: no tool is started after user-interrupted"
        assert call_id not in self.ran, "law 10: a tool runs once"
        assert not self.results[call_id], "law 10: a tool with a result does not run"
        if asked.blocking and asked.start:
            heard = any(text and asked.start.endswith(text.strip()) for text in self.spoken)
            assert heard or self.explained, "a blocking tool runs when its message has been heard"
        for other in self.ran:
            same = (self.asked[other].name, self.asked[other].arguments) == (asked.name, asked.arguments)
            if same and self.turn_of[other] != turn_id and call_id not in self.by_hook:
                assert self.results[other], "law 10: an equal call does not run while the first one does"
        self.ran[call_id] = self.now_ms

    def check_result(self, call_id: str, entry: Remember, event: Event) -> None:
        self.results[call_id] += 1
        assert self.results[call_id] == 1, "law 11: exactly one result"
        if isinstance(event, ToolReturned) and event.call_id == call_id:
            assert call_id in self.ran
            assert (entry.text, entry.failed) == (event.text, event.failed)
            if self.is_answered(call_id) and event.say is None and event.end_call_reason is None:
                self.unanswered.add(call_id)
                self.unseen.add(call_id)
        elif not isinstance(event, ToolReturned):
            self.unseen.add(call_id)
            if "no answer within" in entry.text and self.is_answered(call_id):
                self.unanswered.add(call_id)

    def is_answered(self, call_id: str) -> bool:
        """Return True if the model is asked once it has its result."""
        return not self.asked[call_id].is_async and call_id not in self.by_hook

    def check_reply(self, turn_id: str, text: str | None) -> None:
        if text is not None:
            self.texts[turn_id] = text
            return
        assert self.explained or self.response_pending or self.unseen, (
            "law 12: a result triggers one model reply at most"
        )
        self.explained = self.response_pending = False
        self.unseen.clear()
        self.unanswered.clear()

    def check_time(self, state: State) -> None:
        self.now_ms = state.now_ms
        for call_id, since_ms in self.ran.items():
            if not self.results[call_id] and state.phase == "live":
                late_ms = state.now_ms - since_ms - self.asked[call_id].timeout_ms
                assert late_ms < 0, "law 7: no tool is awaited longer than its time limit"

    def check_history(self, state: State) -> None:
        """Check what chat models require: each call's results right behind it, and nowhere else."""
        wanted: set[str] = set()
        for entry in state.history:
            if entry.tool_calls:
                wanted = {called.id for called in entry.tool_calls}
            elif entry.tool_call_id is not None:
                assert entry.tool_call_id in wanted, "law 11: a result stands behind its call"
                wanted.discard(entry.tool_call_id)
            else:
                wanted = set()

    def check_rest(self) -> None:
        assert not self.unanswered, "law 12: every result is shown to the model"

    def check_end(self) -> None:
        for call_id in self.turn_of:
            assert self.results[call_id] == 1, "law 11: every call has its result when the call is over"

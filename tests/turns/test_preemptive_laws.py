"""The laws with preemptive replies: the other laws hold with them too, and law 18.

Seen from outside, a call with preemptive replies is one in which the model was asked at the end of the turn and all its
output so far came at that moment. The observers of the other laws are shown exactly that.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, invariant, precondition, rule

from bargein.turns import Plan, State, step
from bargein.turns.commands import (
    CloseReply,
    Command,
    JudgePause,
    KeepReply,
    ModelOutput,
    Remember,
    Send,
    StartReply,
    VoiceInput,
)
from bargein.turns.endpointing import preemptive
from bargein.turns.events import (
    Event,
    HangUp,
    PauseJudged,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
)
from bargein.turns.phrases import normalise
from tests.turns import test_laws
from tests.turns.talking import CALL_ID
from tests.turns.tool_watch import CALLS

VERDICTS = st.sampled_from([None, 0.02, 0.4, 0.5, 0.6, 0.8, 0.95, 0.95])


def turn_of(value: object) -> str | None:
    """Return the turn id of a command, a message or an event."""
    return getattr(value.message if isinstance(value, Send) else value, "turn_id", None)


class PreemptiveConversation(test_laws.Conversation):
    """A random call with preemptive replies."""

    def __init__(self) -> None:
        super().__init__()
        self.preemptive: dict[str, str] = {}
        self.open: str | None = None
        self.kept: set[str] = set()
        self.discarded: set[str] = set()
        self.came: dict[str, list[Event]] = {}
        self.in_turn = 0
        self.judging: list[JudgePause] = []

    @initialize(
        plan=test_laws.PLANS, judged=st.booleans(), risk=st.sampled_from([0.01, 0.08, 0.5]), evidence=st.just(False)
    )
    def begin(self, plan: Plan, judged: bool, risk: float, evidence: bool) -> None:
        plan = replace(
            plan, preemptive=True, adaptive_endpointing=judged, max_cutoff_risk=risk, adaptive_interruption=evidence
        )
        super().begin(replace(plan, on_punctuation_ms=500))

    # The events.

    def apply(self, event: Event) -> None:
        if self.open is not None and turn_of(event) == self.open:
            self.came[self.open].append(event)
        super().apply(event)

    @rule(gap=test_laws.GAPS, done=VERDICTS, data=st.data())
    @precondition(lambda self: self.judging)
    def pause_is_judged(self, gap: int, done: float | None, data: st.DataObject) -> None:
        """Judge mostly the last pause, sometimes an older or an unknown one."""
        number = data.draw(st.sampled_from([self.judging[-1].number] * 4 + [1, 0, 99]))
        self.feed(PauseJudged(self.now + gap, number, done))

    @rule(
        gap=test_laws.GAPS,
        texts=st.lists(
            st.sampled_from(["Hello there.", "What are your hours?", "it is four seven", "stop"]), max_size=3
        ),
        done=VERDICTS,
        complete=st.booleans(),
        piece=test_laws.SPOKEN,
        after=st.sampled_from([0, 10, 60, 300, 1000]),
        data=st.data(),
    )
    def caller_pauses(
        self,
        *,
        gap: int,
        texts: list[str],
        done: float | None,
        complete: bool,
        piece: str,
        after: int,
        data: st.DataObject,
    ) -> None:
        """Let the caller pause and go on, in one rule: otherwise few conversations have preemptive replies."""
        self.come_to_rest()
        for text in ("Hello there.", *texts):
            self.voice_starts(gap, 0)
            self.voice_stops(600, 0)
            at_ms = self.now + 20
            self.tick_until(at_ms)
            self.now = max(self.now, at_ms)
            self.hears(text, final=not complete)
            self.feed(TranscriptReceived(at_ms, text, final=not complete, complete=complete))
            if self.judging:
                self.feed(PauseJudged(self.now + 10, self.judging[-1].number, done))
            if self.open is not None and data.draw(st.sampled_from([True, True, False])):
                self.preemptive_reply_goes_on(0, piece, data)
            gap = 140
        self.feed(test_laws.Tick(self.now + after))

    @rule(
        texts=st.lists(st.sampled_from(["What are your hours?", "it is four seven"]), max_size=3),
        done=st.sampled_from([0.5, 0.6, 0.8]),
        piece=test_laws.SPOKEN,
        after=st.sampled_from([0, 60, 1000]),
        hangs_up=st.sampled_from([False] * 5 + [True]),
        data=st.data(),
    )
    def caller_pauses_at_the_end(
        self, *, texts: list[str], done: float, piece: str, after: int, hangs_up: bool, data: st.DataObject
    ) -> None:
        """The same, where a preemptive reply is likely."""
        complete = self.plan.judges_pauses  # else a final is waited for
        self.caller_pauses(gap=200, texts=texts, done=done, complete=complete, piece=piece, after=after, data=data)
        if hangs_up:
            self.feed(HangUp(self.now, "customer-ended-call"))

    def come_to_rest(self) -> None:
        """Let everything that is going on come to its end, for some seconds at most."""
        if self.voiced:
            self.voice_stops(0, 0)
        for _ in range(12):
            if self.is_at_rest() or self.state.phase != "live":
                return
            self.answer_as_a_good_shell()
            for tool in self.state.tools:
                if tool.status == "running":
                    self.feed(ToolReturned(self.now, tool.call_id, "It rains.", say=""))
            self.feed(test_laws.Tick(self.now + 300))

    @rule(gap=st.sampled_from([0, 20, 200]), text=test_laws.SPOKEN, data=st.data())
    @precondition(lambda self: self.open)
    def preemptive_reply_goes_on(self, gap: int, text: str, data: st.DataObject) -> None:
        turn = self.open
        at_ms = self.now + gap
        self.tick_until(at_ms)
        self.now = max(self.now, at_ms)
        if turn is None or turn != self.open:
            return  # it has ended meanwhile
        self.feed(ReplyToken(self.now, turn, text))
        tokens = "".join(e.text for e in self.came[turn] if isinstance(e, ReplyToken))
        if data.draw(st.booleans()) and not any(isinstance(e, SpeechRequested) for e in self.came[turn]):
            self.feed(SpeechRequested(self.now, turn, 0, 0, tokens))
            self.feed(SpeechQueued(self.now, turn, 0, 60 * len(tokens), done=True))
            self.segments[turn] = [[tokens, 0, 0]]
        match data.draw(st.sampled_from(["on", "on", "on", "tools", "ended", "failed"])):
            case "tools":
                calls = self.tools.new_calls(data.draw(st.lists(CALLS, min_size=1, max_size=2)), again=None)
                self.feed(ToolsCalled(self.now, turn, calls))
            case "ended":
                self.feed(ReplyEnded(self.now, turn))
            case "failed":
                self.feed(ReplyFailed(self.now, turn, "pipeline-error-custom-llm-llm-failed"))
            case _:
                pass

    # The observers.

    def seen(self, commands: tuple[Command, ...], event: Event) -> Iterator[tuple[Command, Event]]:
        for command in commands:
            turn = turn_of(command)
            match command:
                case StartReply(said=said) if said:
                    self.observe_preemptive(command)
                case CloseReply(outcome="discarded"):
                    assert turn == self.open, "only the open preemptive reply is discarded, and once"
                    self.open = None
                    self.discarded.add(command.turn_id)
                case KeepReply():
                    self.observe_keep(command, commands)
                    yield StartReply(command.turn_id, None), event
                case JudgePause():
                    self.judging.append(command)
                case _:
                    assert turn is None or turn != self.open, "law 18: nothing of it before the end of the turn"
                    assert turn not in self.discarded, "law 18: nothing of a discarded preemptive reply"
                    if isinstance(command, Remember) and command.role == "user":
                        self.in_turn = 0
                    yield command, self.cause(command, event)

    def cause(self, command: Command, event: Event) -> Event:
        """Return the event that was held back until the preemptive reply became the answer."""
        turn = turn_of(command)
        held = self.came.get(turn or "", [])
        if turn not in self.kept:
            held = self.came.get(self.started[-1], []) if self.started and self.started[-1] in self.kept else []
        for number, one in enumerate(held):
            wanted = (
                (isinstance(one, ReplyToken) and command == Send(ModelOutput(one.turn_id, one.text)))
                or (isinstance(one, SpeechRequested) and command == Send(VoiceInput(one.text)))
                or (isinstance(one, ToolsCalled) and isinstance(command, Remember) and command.tool_calls)
            )
            if wanted and not isinstance(event, type(one)):
                if isinstance(one, ReplyToken | SpeechRequested):
                    del held[number]
                return one
            if wanted and turn_of(event) != one.turn_id:  # type: ignore[union-attr]
                return one
        return event

    def observe_preemptive(self, command: StartReply) -> None:
        assert self.open is None, "there is one preemptive reply at a time"
        assert set(self.started) == set(self.closed), "there is none beside a reply"
        assert command.text is None
        assert not command.prompt
        assert command.turn_id not in self.started
        assert command.turn_id not in self.preemptive
        self.in_turn += 1
        assert self.in_turn <= preemptive.MAX_IN_TURN, "a turn has at most two preemptive replies"
        self.open = command.turn_id
        self.preemptive[command.turn_id] = command.said
        self.came[command.turn_id] = []

    def observe_keep(self, command: KeepReply, commands: tuple[Command, ...]) -> None:
        assert command.turn_id == self.open, "only the open preemptive reply becomes the answer"
        said = [c.text for c in commands if isinstance(c, Remember) and c.role == "user"]
        assert [normalise(text) for text in said] == [normalise(self.preemptive[command.turn_id])], (
            "it answers exactly the words that were said"
        )
        assert not any(isinstance(e, ReplyFailed) for e in self.came[command.turn_id])
        put_out = [m.text for c in commands if isinstance(c, Send) and isinstance(m := c.message, ModelOutput)]
        tokens = [e.text for e in self.came[command.turn_id] if isinstance(e, ReplyToken)]
        assert put_out == tokens or CloseReply in map(type, commands), "its text comes when it becomes the answer"
        self.kept.add(command.turn_id)
        self.open = None

    @invariant()
    def no_preemptive_reply_while_the_caller_speaks(self) -> None:
        if self.state.preemptive is not None:
            assert self.state.preemptive.turn_id == self.open
            assert self.state.reply is None
            assert not self.state.caller.voiced, "a caller who goes on speaking is not answered"

    def teardown(self) -> None:
        if not self.kept and self.discarded and self.open is None:
            self.check_no_trace()
        super().teardown()
        assert self.open is None or self.state.phase == "live", "every preemptive reply ends"

    def check_no_trace(self) -> None:
        """Check that the same call without preemptive replies has exactly the same messages."""
        state, log = State(call_id=CALL_ID), list[Command]()
        for event in self.events:
            turn: Any = turn_of(event)
            if turn in self.preemptive:
                continue
            same = event if turn is None else replace(event, turn_id=self.renumbered(turn))  # type: ignore[call-arg]
            state, commands = step(state, same, replace(self.first_plan, preemptive=False))
            log.extend(commands)
        mine = [c for c in self.log if turn_of(c) not in self.preemptive]
        told = re.sub(re.escape(CALL_ID[:24]) + "[0-9a-f]{12}", lambda m: self.renumbered(m[0]), repr(mine))
        assert told == repr(log)

    def renumbered(self, turn: str) -> str:
        """Return the id that the turn has in a call without preemptive replies: ids are numbered in order."""
        number = int(turn[24:], 16)
        return f"{turn[:24]}{number - sum(int(other[24:], 16) < number for other in self.preemptive):012x}"


PreemptiveConversation.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLawsWithPreemptiveReplies = PreemptiveConversation.TestCase

"""Laws of the end after a failure of the model or the voice, over random calls.

The assistant says once that its model has failed, if it has a voice and no hook decides what is said; whatever happens
over those words, the call ends soon, and with the reason of the failure.
"""

from dataclasses import dataclass, replace
from typing import Literal

import hypothesis.strategies as st
from hypothesis import HealthCheck, example, given, settings

from bargein.turns import Plan
from bargein.turns.commands import CallHookTool, CloseReply, Decide, EndCall, Hang, Play, StartReply
from bargein.turns.events import (
    CallFailed,
    HandoffRequested,
    HookToolCalled,
    Mute,
    Played,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    Say,
    SpeechQueued,
    SpeechRequested,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.hooks.plan import Action, Hook
from bargein.turns.hooks.triggers import CLOSING_MS, LAST_WORDS_MS
from tests.turns.talking import Call, waiting

SORRY = "I am sorry, goodbye."
SORRY_MS = 1500
MODEL, VOICE = "pipeline-error-groq-llm-failed", "pipeline-error-vapi-voice-failed"

Stage = Literal["asked", "writing", "speaking", "sounding"]
STAGES: st.SearchStrategy[Stage] = st.sampled_from(["asked", "writing", "speaking", "sounding"])
DURING = st.sampled_from(
    ["voice", "words", "say", "say over", "mute", "handoff", "plays", "late token", "fails again", "voice fails", "gap"]
)
HOOKS = st.sampled_from(
    [
        (),
        (),
        (Hook(on="call.ending", do=(Action(kind="say", texts=("A colleague will call you.",)),), name="says"),),
        (Hook(on="call.ending", do=(Action(kind="tool", tool=0),), name="tool"),),
        (Hook(on="call.ending", do=(Action(kind="tool", tool=0),), name="other", reasons=(("voicemail",),)),),
        (Hook(on="assistant.speech.interrupted", do=(Action(kind="say", texts=("Yes?",)),), name="cut"),),
    ]
)


def fail(call: Call, stage: Stage, *, by_model: bool, awaits_tool: bool = False) -> int:
    """Bring a call to a reply at a stage, let it fail, and return when it did."""
    call.start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    turn = call.reply()
    if stage != "asked":
        call.feed(ReplyToken(at_ms, turn, "Once upon a time."))
    if awaits_tool:
        request = ToolCallRequest(id="t1", name="look", arguments="{}", timeout_ms=20_000)
        call.feed(ToolsCalled(at_ms, turn, (request,)))
    if stage in ("speaking", "sounding"):
        call.feed(SpeechRequested(at_ms, turn, 0, 0, "Once upon a time."))
        call.feed(SpeechQueued(at_ms, turn, 0, 4000))
    if stage == "sounding":
        at_ms += 1500
        call.until(at_ms)
        call.feed(Played(at_ms, turn, 700))
    call.feed(ReplyFailed(at_ms, turn, MODEL if by_model else VOICE, "it broke", by_model))
    return at_ms


def sentences(call: Call) -> list[StartReply]:
    return [one for one in call.commands(StartReply) if one.text == SORRY]


def speak(call: Call, at_ms: int) -> None:
    """Give the running reply all of its audio at once."""
    reply = call.state.reply
    if reply is not None and not reply.ended and not reply.segments and reply.text:
        call.model_says(at_ms, reply.text, SORRY_MS)


@dataclass
class Over:
    """The peers after a failure: a voice that works unless it is told to fail, a caller, a client, tools."""

    call: Call
    now: int

    def act(self, what: str, gap_ms: int) -> None:
        """Let one thing happen."""
        self.now += gap_ms
        if what in ("voice", "words"):
            self.hear_caller(what)
        elif what in ("say", "say over", "mute", "handoff"):
            self.obey_client(what)
        else:
            self.generate(what)
        self.answer_hook_tools()

    def hear_caller(self, what: str) -> None:
        call = self.call
        match what:
            case "voice":
                call.feed(VoiceStarted(self.now, self.now - 1))
                self.now += 900
                call.feed(VoiceStopped(self.now, self.now - 1))
            case _:
                call.feed(TranscriptReceived(self.now, "stop, wait a second please", final=True))

    def obey_client(self, what: str) -> None:
        call = self.call
        match what:
            case "say" | "say over":
                call.feed(Say(self.now, "Please hold.", interrupts=what == "say over"))
            case "mute":
                call.feed(Mute(self.now, "assistant", on=True))
            case _:
                call.feed(HandoffRequested(self.now, 0, waiting(first_message="Hello, this is Bea.")))

    def generate(self, what: str) -> None:
        call, turn = self.call, "" if self.call.state.reply is None else self.call.state.reply.turn_id
        match what:
            case "plays":
                speak(call, self.now)
                if (reply := call.state.reply) is not None and reply.audible_ms is not None:
                    self.now += reply.audio_ms
                    call.feed(Played(self.now, reply.turn_id, reply.audio_ms, drained=True))
            case "late token":
                call.feed(ReplyToken(self.now, call.commands(StartReply)[0].turn_id, "late"))
            case "fails again" | "voice fails":
                by_model = what == "fails again"
                call.feed(ReplyFailed(self.now, turn, "pipeline-error-again-llm-failed", "again", by_model))
            case _:
                call.until(self.now)

    def answer_hook_tools(self) -> None:
        """Prepare and run hook tools at once, as the call does."""
        for command in self.call.commands(CallHookTool):
            if command.turn_id in self.call.state.pending_hook_tools:
                request = ToolCallRequest(id=command.turn_id, name="note", arguments="{}")
                self.call.feed(HookToolCalled(self.now, command.turn_id, (request,)))
                self.call.feed(ToolReturned(self.now, command.turn_id, "noted", say=""))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stage=STAGES,
    by_model=st.booleans(),
    message=st.sampled_from([SORRY, SORRY, ""]),
    hooks=HOOKS,
    awaits_tool=st.booleans(),
    during=st.lists(st.tuples(DURING, st.sampled_from([0, 100, 700, 2000])), max_size=6),
)
@example(stage="asked", by_model=True, message=SORRY, hooks=(), awaits_tool=False, during=[("handoff", 0)])
@example(stage="asked", by_model=True, message=SORRY, hooks=(), awaits_tool=False, during=[("say over", 0)])
def test_every_failure_ends_the_call_with_its_reason(
    *, stage: Stage, by_model: bool, message: str, hooks: tuple[Hook, ...], awaits_tool: bool,
    during: list[tuple[str, int]],
) -> None:  # fmt: skip
    call = Call(waiting(failure_message=message, hooks=hooks))
    failed_ms = fail(call, stage, by_model=by_model, awaits_tool=awaits_tool)
    hooked = any(hook.on == "call.ending" and not hook.reasons for hook in hooks)
    says = by_model and message != "" and not hooked
    assert len(sentences(call)) == says, "the sentence is said if nothing else is, and by a voice that works"
    assert call.messages(Hang), "clients are told at once"
    over = Over(call, failed_ms)
    over.answer_hook_tools()
    for what, gap_ms in during:
        over.act(what, gap_ms)
    taken_over = hooked and call.state.plan is not None
    call.until(failed_ms + max(CLOSING_MS, LAST_WORDS_MS, over.now - failed_ms))
    assert len(sentences(call)) == says, "the sentence is said at most once"
    if taken_over:
        return  # by a handoff of the hooks
    assert call.ended_reason() == (MODEL if by_model else VOICE), "no failure leaves a call without its end"
    [end] = call.commands(EndCall)
    assert end.detail == "it broke", "the first failure is the reason"
    ended_ms = call.when(EndCall)[0]
    if not says and not hooked:
        assert ended_ms == failed_ms, "without anything to say the call ends at once"
    assert call.log[-1] == (ended_ms, end), "nothing follows the end"
    started = [one.turn_id for one in call.commands(StartReply)]
    assert sorted(started) == sorted(one.turn_id for one in call.commands(CloseReply))
    fired = sum("call.ending" in one.why for one in call.commands(Decide) if one.what == "hook")
    assert fired == hooked, "hooks run, and once"


@settings(max_examples=60, deadline=None)
@given(stage=STAGES, voice_ms=st.sampled_from([None, 0, 300, 1400]))
def test_the_sentence_is_heard_to_its_end_and_no_voice_over_it_keeps_the_call(
    stage: Stage, voice_ms: int | None
) -> None:
    call = Call(waiting(failure_message=SORRY, num_words=0, voice_ms=100))
    at_ms = fail(call, stage, by_model=True)
    speak(call, at_ms)
    call.until(at_ms + 1)
    assert call.state.reply is not None
    assert not call.state.reply.interruptible
    if voice_ms is not None:
        call.voice(at_ms + 10 + voice_ms, at_ms + 800 + voice_ms)
        call.feed(TranscriptReceived(at_ms + 850 + voice_ms, "no, stop", final=True))
    assert call.cuts() == []
    call.until(at_ms + 4000)
    assert call.state.reply.audible_ms is not None
    call.spoken(at_ms + 4000)
    assert call.ended_reason() == MODEL
    assert ("assistant", SORRY) in call.remembered()


def test_a_voice_that_hangs_over_the_sentence_delays_the_end_by_a_limited_time() -> None:
    call = Call(waiting(failure_message=SORRY))
    at_ms = fail(call, "asked", by_model=True)
    call.until(at_ms + LAST_WORDS_MS - 1)
    assert call.ended_reason() is None
    call.until(at_ms + LAST_WORDS_MS)
    assert call.ended_reason() == MODEL


def test_a_voice_that_fails_in_the_sentence_ends_the_call_at_once_with_the_models_reason() -> None:
    call = Call(waiting(failure_message=SORRY))
    at_ms = fail(call, "asked", by_model=True)
    call.feed(ReplyFailed(at_ms + 100, call.reply(), VOICE, "no audio"))
    assert call.commands(EndCall) == [EndCall(MODEL, "it broke")]
    assert call.when(EndCall) == [at_ms + 100]


def test_a_muted_assistant_and_a_lost_transcriber_say_nothing() -> None:
    muted = Call(waiting(failure_message=SORRY)).start()
    at_ms = muted.settle(muted.user_says(100, "Hello there."))
    muted.feed(ReplyToken(at_ms, muted.reply(), "Well"))
    failed = ReplyFailed(at_ms + 10, muted.reply(), MODEL, "it broke", by_model=True)
    muted.state = replace(muted.state, assistant_muted=True)  # by a client, at this very moment
    muted.feed(failed)
    assert muted.when(EndCall) == [at_ms + 10]
    assert sentences(muted) == []
    lost = Call(waiting(failure_message=SORRY)).start()
    lost.feed(CallFailed(200, "pipeline-error-vapi-transcriber-failed", "gone"))
    assert lost.commands(StartReply) == []
    assert lost.commands(EndCall) == [EndCall("pipeline-error-vapi-transcriber-failed", "gone")]


def test_a_model_that_stalls_is_told_too() -> None:
    call = Call(waiting(failure_message=SORRY)).start()
    at_ms = call.settle(call.user_says(100, "Hello there."))
    stalled_ms = at_ms + call.plan.stall_ms
    call.until(stalled_ms)
    assert call.ended_reason() is None
    assert len(sentences(call)) == 1
    speak(call, stalled_ms)
    call.until(stalled_ms + 100)
    assert call.when(Play) == [stalled_ms]
    call.spoken(stalled_ms + SORRY_MS)
    [end] = call.commands(EndCall)
    assert (end.reason, end.detail) == (call.plan.model_failed_reason, "the model made no progress for 30 s")


def test_a_first_message_that_the_model_cannot_write_is_replaced_by_the_sentence() -> None:
    plan = Plan(first_message_mode="assistant-speaks-first-with-model-generated-message", failure_message=SORRY)
    call = Call(plan).start()
    call.feed(ReplyFailed(300, call.reply(), MODEL, "it broke", by_model=True))
    speak(call, 300)
    call.feed(ReplyEnded(310, call.reply()))
    call.until(400)
    call.spoken(2000)
    assert call.ended_reason() == MODEL
    assert call.remembered() == [("assistant", SORRY)]


def silent_end(*voices: tuple[int, int], **changes: int) -> Call:
    """Return a call in which the caller's voice is heard at these times, until it has ended by silence."""
    call = Call(waiting(silence_timeout_ms=10_000, **changes)).start()
    for from_ms, to_ms in voices:
        call.voice(from_ms, to_ms)
    return call


def test_a_transcriber_that_says_nothing_of_a_voice_is_to_blame_for_the_end_by_silence() -> None:
    call = silent_end((1000, 2600), (3000, 4400), (5000, 6100))
    call.until(10_000)
    assert call.commands(EndCall) == [
        EndCall(call.plan.transcriber_failed_reason, "the transcriber sent nothing for 4.1 s of the caller's voice")
    ]
    assert call.messages(Hang)


def test_a_voice_that_lasts_may_be_noise() -> None:
    sounding = silent_end()
    sounding.feed(VoiceStarted(1032, 1000))
    sounding.until(40_000)
    ended = silent_end((1000, 9000))
    ended.until(40_000)
    assert [one.ended_reason() for one in (sounding, ended)] == ["silence-timed-out"] * 2


def test_a_transcriber_that_says_anything_or_hears_little_is_not_to_blame() -> None:
    short = silent_end((1000, 2500), (3000, 4400), (5000, 6000))
    short.until(10_000)
    empty = silent_end((1000, 3500), (5000, 6500))
    empty.feed(TranscriptReceived(7000, "", final=True))
    empty.until(17_000)
    before = silent_end((1000, 3500), (5000, 7500), unheard_voice_ms=0)
    before.until(10_000)
    assert [one.ended_reason() for one in (short, empty, before)] == ["silence-timed-out"] * 3


def test_a_dip_in_a_voice_is_counted_once() -> None:
    call = silent_end((1000, 2900), (2950, 4900))
    call.until(10_000)
    assert call.ended_reason() == "silence-timed-out"


def test_a_voice_over_the_assistant_may_be_its_echo() -> None:
    call = Call(waiting(silence_timeout_ms=10_000, num_words=3))
    sounds_ms = call.talking(audio_ms=12_000)
    call.voice(sounds_ms + 100, sounds_ms + 4900)
    call.spoken(sounds_ms + 12_000)
    call.until(sounds_ms + 30_000)
    assert call.ended_reason() == "silence-timed-out"

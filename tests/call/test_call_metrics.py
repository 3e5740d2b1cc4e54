"""Latencies and interruptions of scripted calls, whose numbers are known beforehand."""

from typing import Any

from bargein.call.record.metrics import CallMetrics, TurnLatency
from bargein.turns import Plan, step
from bargein.turns.events import (
    AddMessage,
    CallStarted,
    Event,
    InterruptionJudged,
    Played,
    ReplyEnded,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    Tick,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from tests.turns.talking import Call, waiting


class Measured:
    """A call that is measured at each step, as a live one is."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.call = Call(plan or waiting())
        self.notified: list[tuple[str, TurnLatency | None]] = []
        self.metrics = CallMetrics(lambda what, latency: self.notified.append((what, latency)))

    def feed(self, *events: Event) -> "Measured":
        for event in events:
            done, before = len(self.call.events), self.call.state
            self.call.feed(event)
            for one in self.call.events[done:]:  # the ticks that were due before it, then it
                before, commands = step(before, one, self.call.plan)
                self.metrics.apply(before.now_ms, one, commands)
            assert before == self.call.state
        return self

    def until(self, at_ms: int) -> "Measured":
        return self.feed(Tick(at_ms))

    @property
    def turn_id(self) -> str:
        assert self.call.state.reply is not None
        return self.call.state.reply.turn_id

    def answers(self, *, text_ms: int, audio_ms: int, text: str = "It is noon. And so it is in town.") -> "Measured":
        turn_id = self.turn_id
        return self.feed(
            ReplyToken(text_ms, turn_id, text),
            SpeechRequested(text_ms + 1, turn_id, 0, 0, text),
            SpeechQueued(audio_ms, turn_id, 0, 3000, (), done=True),
            ReplyEnded(audio_ms + 1, turn_id),
        )

    def asks(self) -> "Measured":
        """Ask: the voice ends at 1000, the words come at 1240, and the turn ends 100 ms later by punctuation."""
        return self.feed(CallStarted(0), VoiceStarted(130, 100), VoiceStopped(1030, 1000)).feed(
            TranscriptReceived(1240, "What time is it?", final=True)
        )


def test_the_parts_of_a_turn_lie_end_to_end() -> None:
    measured = Measured().asks().until(1340).answers(text_ms=1640, audio_ms=1900)
    assert measured.metrics.turns == [TurnLatency(transcriber=240, endpointing=100, model=300, voice=260, turn=900)]
    assert measured.notified == [("turn", measured.metrics.turns[0])]


def test_an_answer_that_is_held_back_takes_as_long_as_it_is_heard_later() -> None:
    measured = Measured(waiting(wait_ms=1000)).asks().until(1340).answers(text_ms=1640, audio_ms=1900)
    assert not measured.metrics.turns
    measured.until(2340)
    assert measured.metrics.turns == [TurnLatency(240, 100, 300, 260, turn=1340)]


def test_words_that_came_before_the_voice_ended_cost_nothing() -> None:
    measured = Measured().feed(
        CallStarted(0),
        VoiceStarted(130, 100),
        TranscriptReceived(900, "What time is it?", final=True),
        VoiceStopped(1030, 1000),
    )
    waits_ms = measured.call.plan.transcript_timeout_ms
    measured.until(1000 + waits_ms).answers(text_ms=1100 + waits_ms, audio_ms=1200 + waits_ms).until(5000)
    (turn,) = measured.metrics.turns
    assert (turn.transcriber, turn.endpointing) == (0, waits_ms)


def test_what_answers_nobody_is_no_turn() -> None:
    plan = Plan(first_message="Hello, I am here.")
    measured = Measured(plan).feed(CallStarted(0))
    turn_id = measured.turn_id
    measured.feed(
        SpeechRequested(10, turn_id, 0, 0, "Hello, I am here."),
        SpeechQueued(20, turn_id, 0, 800, (), done=True),
        ReplyEnded(21, turn_id),
        Played(900, turn_id, 800, drained=True),
        AddMessage(1000, "user", "What time is it?"),
    )
    measured.answers(text_ms=1200, audio_ms=1300)
    assert measured.call.state.reply is not None
    assert measured.call.state.reply.audible_ms is not None
    assert measured.metrics.turns == []


def test_a_cut_counts_and_so_does_its_recovery() -> None:
    measured = Measured().asks().until(1340).answers(text_ms=1640, audio_ms=1900)
    measured.feed(Played(2500, measured.turn_id, 600), VoiceStarted(2620, 2590)).until(2800)
    assert measured.metrics.assistant_interrupted == 1
    measured.feed(VoiceStopped(2850, 2810), TranscriptReceived(3000, "", final=True)).until(8000)
    assert measured.metrics.resumed == 1
    assert measured.metrics.user_interrupted == 0
    assert [what for what, _ in measured.notified] == ["turn", "assistant-interrupted", "decided stopped", "resumed"]


def test_an_answer_that_began_in_the_callers_voice_cut_the_caller() -> None:
    measured = Measured().asks().until(1340).answers(text_ms=1640, audio_ms=1900)
    assert measured.call.state.reply is not None
    assert measured.call.state.reply.audible_ms == 1900
    measured.feed(VoiceStarted(1925, 1890))
    assert (measured.metrics.user_interrupted, measured.metrics.assistant_interrupted) == (1, 0)
    measured.until(3000)
    assert measured.metrics.assistant_interrupted == 1, "and the caller went on"


def test_an_answer_that_was_dropped_unheard_is_no_turn() -> None:
    measured = Measured().asks().until(1340)
    measured.feed(ReplyToken(1640, measured.turn_id, "It is"), VoiceStarted(1700, 1680))
    measured.feed(
        TranscriptReceived(2000, "over there", final=False),
        VoiceStopped(2300, 2270),
        TranscriptReceived(2400, "over there?", final=True),
    )
    measured.until(2500).answers(text_ms=2600, audio_ms=2700).until(2900)
    assert measured.metrics.turns == [TurnLatency(130, 100, 100, 100, turn=630)], "waitSeconds is 0.4"
    assert measured.metrics.assistant_interrupted == 1, "tokens of it were out"


def test_as_vapis_object() -> None:
    measures = CallMetrics()
    nothing: dict[str, Any] = {"turnLatencies": [], "numAssistantInterrupted": 0, "numUserInterrupted": 0}
    assert measures.to_json() == nothing
    turn = TurnLatency(transcriber=200, endpointing=100, model=300, voice=101, turn=800)
    measures.turns += [turn, turn._replace(voice=100)]
    assert measures.to_json() == nothing | {
        "turnLatencies": [
            {
                "transcriberLatency": 200,
                "endpointingLatency": 100,
                "modelLatency": 300,
                "voiceLatency": voice,
                "turnLatency": 800,
            }
            for voice in (101, 100)
        ],
        "transcriberLatencyAverage": 200,
        "endpointingLatencyAverage": 100,
        "modelLatencyAverage": 300,
        "voiceLatencyAverage": 100.5,
        "turnLatencyAverage": 800,
    }


def test_a_preemptive_reply_costs_no_time_before_the_end_of_the_turn() -> None:
    call = Measured(waiting(preemptive=True, on_punctuation_ms=800, wait_ms=0))
    call.feed(
        CallStarted(0),
        VoiceStarted(532, 500),
        VoiceStopped(1032, 1000),
        TranscriptReceived(1240, "What time is it?", final=True),
    )
    draft = call.call.state.preemptive
    assert draft is not None
    text = "It is noon."
    call.feed(
        ReplyToken(1500, draft.turn_id, text),
        SpeechRequested(1510, draft.turn_id, 0, 0, text),
    ).until(2040)
    call.feed(SpeechQueued(2140, draft.turn_id, 0, 900, (), done=True)).until(2200)
    kept, turn = call.notified
    assert kept == ("preemptive-kept", None)
    assert turn[1] == TurnLatency(transcriber=240, endpointing=800, model=0, voice=100, turn=1140)
    assert call.metrics.preemptive_kept == 1


def test_discarded_preemptive_replies_are_counted() -> None:
    call = Measured(waiting(preemptive=True, on_punctuation_ms=800))
    call.feed(
        CallStarted(0),
        VoiceStarted(532, 500),
        VoiceStopped(1032, 1000),
        TranscriptReceived(1240, "What time is it?", final=True),
    )
    call.feed(VoiceStarted(1500, 1480))
    assert call.notified == [("preemptive-discarded", None)]
    assert call.metrics.preemptive_discarded == 1
    assert call.metrics.turns == []


def cut_without_words() -> Measured:
    """Make a call whose first message was cut by a sound without words, and whose rest is prepared."""
    call = Measured(Plan(first_message="One. Two.", first_message_interruptible=True, adaptive_interruption=True))
    call.feed(CallStarted(0))
    reply = call.call.state.reply
    assert reply is not None
    call.feed(
        SpeechRequested(10, reply.turn_id, 0, 0, "One. Two."),
        SpeechQueued(20, reply.turn_id, 0, 3000, (), done=True),
        VoiceStarted(532, 500),
        InterruptionJudged(700, 500, 160, 1.0),
        VoiceStopped(1032, 1000),
    ).until(1160)
    assert call.call.state.preemptive is not None
    call.notified.clear()
    return call


def test_a_prepared_rest_that_is_kept_is_no_preemptive_reply() -> None:
    call = cut_without_words()
    call.until(1450)
    assert call.notified == [("resumed", None)]
    assert call.metrics.preemptive_kept == 0


def test_a_prepared_rest_that_is_discarded_is_no_preemptive_reply() -> None:
    call = cut_without_words()
    call.feed(TranscriptReceived(1200, "Two what?", final=True))
    assert call.call.state.preemptive is None
    assert call.notified == []
    assert call.metrics.preemptive_discarded == 0

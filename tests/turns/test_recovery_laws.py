"""The laws of recovery after false interruptions, over random calls with a voice that takes its time.

19. A reply resumes at most once for each stop, and only if no words but a backchannel came.
20. After a true interruption nothing of the interrupted reply sounds again.
21. A reply resumes at the beginning of a word, leaves out nothing, and repeats no more than 1.2 s.
22. What was resumed in the end is remembered as a whole, and nothing that was not heard.
23. The assistant resumes within its time limits once the caller is silent.
24. Nothing of a prepared reply is sent or sounds before it is kept; if it is discarded, never.
25. Each resumed reply has one `model-output` with all its text, before its `speech-update`, and these take turns.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import hypothesis.strategies as st
from hypothesis import given, settings

from bargein.turns import Plan, wake_at
from bargein.turns.commands import (
    CloseReply,
    Command,
    Decide,
    KeepReply,
    ModelOutput,
    Play,
    Remember,
    Send,
    SpeechUpdate,
    StartReply,
    StopPlayback,
    Transcript,
    UserInterrupted,
)
from bargein.turns.events import (
    Event,
    InterruptionJudged,
    Played,
    ReplyEnded,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    TextEnded,
    Tick,
    TimedWord,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.interruption.join import REPEATED_MS
from bargein.turns.interruption.recovery import PREPARE_AFTER_MS
from bargein.turns.phrases import word_spans
from tests.turns.talking import WAITING, Call, waiting

CHAR_MS = 60
"""The length of a character in the voice of these calls."""

SAID = "Which table?"

Brings = Literal["nothing", "silence", "backchannel", "words"]

WORDS = st.sampled_from(["it", "a", "ship", "Monday", "tomorrow", "seventeen", "is", "Dr", "3", "well"])
MARKS = st.sampled_from(["", "", "", ",", ".", "?", ";", " -", "!", "..."])
TEXTS = st.lists(st.builds(str.__add__, WORDS, MARKS), min_size=1, max_size=40).map(" ".join)


@dataclass(frozen=True)
class CallerVoice:
    """A voice of the caller: its onset after the one before, its length, and what the transcriber makes of it."""

    gap_ms: int
    lasts_ms: int
    brings: Brings
    words_after_ms: int


VOICES = st.lists(
    st.builds(
        CallerVoice,
        gap_ms=st.integers(150, 4000),
        lasts_ms=st.sampled_from([60, 250, 400, 700, 1500]),
        brings=st.sampled_from(["nothing", "silence", "silence", "backchannel", "words"]),
        words_after_ms=st.sampled_from([30, 140, 300, 440, 700]),
    ),
    min_size=1,
    max_size=6,
)
PLANS = st.builds(
    Plan,
    first_message_mode=st.just(WAITING),
    adaptive_interruption=st.sampled_from([True, True, True, False]),
    voice_ms=st.sampled_from([100, 200, 350]),
    backoff_ms=st.sampled_from([0, 1000, 2500]),
)


@dataclass
class Line:
    """A call with a model and a voice that answer after their time, and a caller who hears what is played."""

    plan: Plan
    text: str
    timed: bool = True
    latency_ms: int = 150
    call: Call = field(init=False)
    waiting: list[tuple[int, int, Callable[[int], list[Event]]]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    texts: dict[str, str] = field(default_factory=dict)
    playing: tuple[str, int] | None = None
    seen: int = 0
    heard_ms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.call = Call(self.plan)
        self.call.start()
        self.call.user_says(100, "Hello there.")
        self.follow()

    def at(self, at_ms: int, *events: Event) -> None:
        heapq.heappush(self.waiting, (at_ms, next(self.numbers), lambda _: list(events)))

    def run(self, until_ms: int) -> None:
        """Let time pass: every event and every timer comes with the playout position, as in a live call."""
        while True:
            due_ms = wake_at(self.call.state, self.plan)
            next_ms = min(
                self.waiting[0][0] if self.waiting else until_ms, until_ms if due_ms is None else due_ms, until_ms
            )
            self.report_playout(next_ms)
            if self.waiting and self.waiting[0][0] <= next_ms:
                for event in heapq.heappop(self.waiting)[2](next_ms):
                    self.call.feed(event)
                    self.follow()
            else:
                self.call.feed(Tick(next_ms))
                self.follow()
            if next_ms >= until_ms and not (self.waiting and self.waiting[0][0] <= until_ms):
                return

    def report_playout(self, at_ms: int) -> None:
        if self.playing is None:
            return
        turn, since_ms = self.playing
        length_ms = CHAR_MS * len(self.texts[turn])
        position_ms = min(at_ms - since_ms, length_ms)
        self.heard_ms[turn] = position_ms
        if position_ms == length_ms:
            self.playing = None
        self.call.feed(Played(at_ms, turn, position_ms, drained=position_ms == length_ms))
        self.follow()

    def follow(self) -> None:
        """Do what the commands since the last time say."""
        while self.seen < len(self.call.log):
            at_ms, command = self.call.log[self.seen]
            self.seen += 1
            match command:
                case StartReply(turn_id, text):
                    self.texts[turn_id] = self.text if text is None else text
                    self.speak(at_ms, turn_id, by_model=text is None)
                case Play(turn_id):
                    self.playing = (turn_id, at_ms)
                    self.at(at_ms + CHAR_MS * len(self.texts[turn_id]), Tick(at_ms))
                case StopPlayback():
                    self.playing = None
                case _:
                    pass

    def speak(self, at_ms: int, turn: str, *, by_model: bool) -> None:
        text = self.texts[turn]
        words = tuple(TimedWord(end, CHAR_MS * begin, CHAR_MS * end) for begin, end in word_spans(text))
        if by_model:
            self.at(at_ms, ReplyToken(at_ms, turn, text), TextEnded(at_ms, turn))
        begins_ms = at_ms + self.latency_ms
        queued = SpeechQueued(begins_ms, turn, 0, CHAR_MS * len(text), words if self.timed else (), done=True)
        self.at(begins_ms, SpeechRequested(begins_ms, turn, 0, 0, text), queued, ReplyEnded(begins_ms, turn))

    def caller_speaks(self, onset_ms: int, voice: CallerVoice) -> int:
        """Let a voice be heard, detected, judged and transcribed; return when it falls silent."""
        offset_ms = onset_ms + voice.lasts_ms
        self.at(onset_ms + 32, VoiceStarted(onset_ms + 32, onset_ms))
        if voice.lasts_ms > 180 and self.plan.adaptive_interruption:
            self.at(onset_ms + 172, InterruptionJudged(onset_ms + 172, onset_ms, 160, 0.97))
        self.at(offset_ms + 40, VoiceStopped(offset_ms + 40, offset_ms))
        text = {"silence": "", "backchannel": "Uh-huh.", "words": SAID}.get(voice.brings)
        if text is not None:
            words_ms = offset_ms + voice.words_after_ms
            self.at(words_ms, TranscriptReceived(words_ms, text, final=True))
        return offset_ms


def talked_over(line: Line, voices: list[CallerVoice]) -> Line:
    """Let the caller's voices be heard over the answer, and the call come to rest."""
    line.run(2200)
    at_ms = 2200
    for voice in voices:
        at_ms = line.caller_speaks(at_ms + voice.gap_ms, voice)
    line.run(at_ms + 2000 + CHAR_MS * len(line.text) * 2)
    return line


LINES = st.builds(
    talked_over,
    st.builds(Line, plan=PLANS, text=TEXTS, timed=st.booleans(), latency_ms=st.sampled_from([0, 20, 150, 400, 900])),
    VOICES,
)
few = settings(max_examples=100, deadline=None)


def resumptions(line: Line) -> list[tuple[str, str]]:
    """Return, for each reply that resumed another, the turn ids of the one that was cut and of its rest."""
    found = list[tuple[str, str]]()
    cut: str | None = None
    for _, command in line.call.log:
        match command:
            case Decide("resumed", _, turn_id):
                cut = turn_id
            case KeepReply(turn_id) | StartReply(turn_id, str(), prepared=False) if cut is not None:
                found.append((cut, turn_id))
                cut = None
            case StartReply() | CloseReply():
                cut = None
            case _:
                pass
    return found


@few
@given(LINES)
def test_law_19_a_reply_resumes_once_and_only_without_words(line: Line) -> None:
    resumed = [c.turn_id for c in line.call.commands(Decide) if c.what == "resumed"]
    cut = [c.turn_id for c in line.call.commands(CloseReply) if c.outcome in ("interrupted", "superseded")]
    assert len(set(resumed)) == len(resumed), "law 19: once for each stop"
    assert set(resumed) <= set(cut), "law 19: only what was cut"
    words_wait = False
    for _, command in line.call.log:
        match command:
            case Send(Transcript("user", _, text)) if text == SAID:
                words_wait = True
            case Remember("user"):
                words_wait = False
            case Decide("resumed"):
                assert not words_wait, "law 19: words are answered"
            case _:
                pass


@few
@given(LINES)
def test_law_20_after_a_true_interruption_nothing_of_the_reply_sounds(line: Line) -> None:
    rest_of = {rest: cut for cut, rest in resumptions(line)}
    answered = set[str]()
    open_cut: str | None = None
    for _, command in line.call.log:
        match command:
            case CloseReply(turn_id, "interrupted" | "superseded"):
                open_cut = turn_id
            case Remember("user") if open_cut is not None:
                answered.add(open_cut)
                open_cut = None
            case Decide("resumed"):
                open_cut = None
            case Play(turn_id):
                assert turn_id not in answered
                assert rest_of.get(turn_id) not in answered, (
                    "law 20: a caller who has said something gets an answer instead"
                )
            case _:
                pass


@few
@given(LINES)
def test_law_21_it_resumes_at_a_word_and_leaves_out_nothing(line: Line) -> None:
    remembered = {c.turn_id: c.text for c in line.call.commands(Remember) if c.role == "assistant"}
    for cut, rest in resumptions(line):
        whole, text, heard = line.texts[cut], line.texts[rest], remembered.get(cut, "")
        begin = len(whole.rstrip()) - len(text)
        assert whole.rstrip().endswith(text)
        assert begin in {start for start, _ in word_spans(whole)}, "law 21: the beginning of a word"
        assert begin <= len(heard) + 1, "law 21: nothing is left out"
        assert CHAR_MS * begin + REPEATED_MS >= CHAR_MS * len(heard), "law 21: no more than 1.2 s are repeated"


@few
@given(LINES)
def test_law_22_all_that_was_heard_is_remembered_and_no_more(line: Line) -> None:
    remembered = {c.turn_id: c.text for c in line.call.commands(Remember) if c.role == "assistant"}
    outcomes = {c.turn_id: c.outcome for c in line.call.commands(CloseReply)}
    for turn, text in remembered.items():
        assert turn is not None
        assert line.texts[turn].startswith(text)
        assert CHAR_MS * len(text) <= line.heard_ms[turn] + (0 if line.timed else CHAR_MS), (
            "law 22: nothing that was not heard"
        )
    rests = dict(resumptions(line))
    for first in set(rests) - set(rests.values()):
        reached, turn = 0, first
        while True:
            begin = len(line.texts[first].rstrip()) - len(line.texts[turn].rstrip())
            assert begin <= reached + 1, "law 22: no gap between the heard parts"
            reached = max(reached, begin + len(remembered.get(turn, "")))
            if turn not in rests:
                break
            turn = rests[turn]
        if outcomes.get(turn) == "spoken":
            assert reached == len(line.texts[first].rstrip())


@few
@given(
    text=TEXTS,
    lasts_ms=st.integers(200, 1200),
    brings=st.sampled_from(["nothing", "silence", "backchannel"]),
    latency_ms=st.integers(0, 600),
    into_ms=st.integers(0, 6000),
)
def test_law_23_it_resumes_in_time(text: str, lasts_ms: int, brings: Brings, latency_ms: int, into_ms: int) -> None:
    line = Line(waiting(adaptive_interruption=True), text, latency_ms=latency_ms)
    line.run(2200 + into_ms)
    silent_ms = line.caller_speaks(2200 + into_ms, CallerVoice(0, lasts_ms, brings, 300))
    line.run(silent_ms + 3000)
    for cut, rest in resumptions(line):
        (decided_ms,) = (t for t, c in line.call.log if isinstance(c, Decide) and c.what == "resumed")
        assert cut != rest
        limit_ms = line.plan.false_interruption_timeout_ms if brings == "nothing" else 300
        assert decided_ms == silent_ms + limit_ms
        played_ms = next((t for t, c in line.call.log if c == Play(rest)), None)
        assert played_ms == max(decided_ms, silent_ms + PREPARE_AFTER_MS + latency_ms), (
            "law 23: the voice was asked before"
        )


@few
@given(LINES)
def test_law_24_a_prepared_reply_is_hidden_until_it_is_kept(line: Line) -> None:
    hidden, over = set[str](), set[str]()
    for _, command in line.call.log:
        turn = turn_of(command)
        match command:
            case StartReply(turn_id, prepared=True):
                assert not hidden, "one at a time"
                hidden.add(turn_id)
            case KeepReply(turn_id) | CloseReply(turn_id, "discarded"):
                assert turn_id in hidden, "law 24: kept or discarded, and once"
                hidden.remove(turn_id)
                if isinstance(command, CloseReply):
                    over.add(turn_id)
            case _:
                assert turn not in hidden, "law 24: nothing of it before it is kept"
                assert turn not in over, "law 24: nothing of a discarded one"
    assert not hidden or line.call.state.false_interruption is not None


@few
@given(LINES)
def test_law_25_messages_about_a_resumed_reply_are_in_order(line: Line) -> None:
    rests = [rest for _, rest in resumptions(line)]
    outputs = [m for m in line.call.messages(ModelOutput) if m.turn_id in rests]
    assert outputs == [ModelOutput(rest, line.texts[rest]) for rest in rests]
    for rest in rests:
        mine = [c for _, c in line.call.log if turn_of(c) == rest and not isinstance(c, StartReply | KeepReply)]
        assert isinstance(getattr(mine[0], "message", None), ModelOutput), "law 25: its text comes first"
    updates = [m for m in line.call.messages(SpeechUpdate) if m.role == "assistant"]
    statuses = [m.status for m in updates]
    assert statuses == ["started", "stopped"] * (len(statuses) // 2) + ["started"] * (len(statuses) % 2)
    assert [m.turn for m in updates[::2]] == sorted({m.turn for m in updates}), (
        "law 25: every reply is a turn of its own"
    )
    cuts = [m.turn_id for m in line.call.messages(UserInterrupted)]
    assert len(set(cuts)) == len(cuts)


def turn_of(command: Command) -> str | None:
    """Return the turn id of a command or of its message."""
    return getattr(command.message if isinstance(command, Send) else command, "turn_id", None)


def test_the_laws_are_not_about_nothing() -> None:
    text = "Your table is booked, for two people at nine, and the garden is open until eleven, if it is warm."
    line = Line(waiting(adaptive_interruption=True), text)
    talked_over(line, [CallerVoice(1500, 400, "silence", 300), CallerVoice(2000, 400, "nothing", 300)])
    assert len(resumptions(line)) == 2
    assert [c.outcome for c in line.call.commands(CloseReply)] == ["interrupted", "interrupted", "spoken"]

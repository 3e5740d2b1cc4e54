"""Fallback plans: a transcriber or voice that fails is replaced by the next one, and nothing is lost or said twice."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.ports import ProviderError, SpeechChunk, SpokenWord, Voice
from bargein.providers.fallback import Candidate, Succession
from bargein.providers.fallback_transcriber import KEPT_MS, FallbackTranscriber
from bargein.providers.fallback_voice import FallbackVoice
from bargein.turns.phrases import word_spans

pytestmark = pytest.mark.anyio

WORD_MS = 100
SAYS = "one two three four five six."


def failure(words: str = "it is down") -> ProviderError:
    return ProviderError(words, ended_reason="pipeline-error-custom-voice-failed", provider="custom-voice")


@dataclass
class Reader(Voice):
    """A voice that speaks a word in 100 ms and fails after so many words of a text, or before its first audio.

    `late_words` are the words whose times it tells before their audio.
    """

    fails_after: int | None = None
    rate_hz: int = 16_000
    timed: bool = True
    late_words: int = 0
    texts: list[str] = field(default_factory=list)
    closed: int = 0
    running: int = 0

    async def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
        self.texts.append(text)
        spans = word_spans(text)
        words = [SpokenWord(end, n * WORD_MS, (n + 1) * WORD_MS) for n, (_, end) in enumerate(spans)]
        told = 0
        try:
            for number in range(len(spans)):
                if number == self.fails_after:
                    raise failure()
                until = min(len(words), number + 1 + self.late_words)
                chunk_words = tuple(words[told:until]) if self.timed else ()
                told = until
                pcm = np.full(self.rate_hz * WORD_MS // 1000, 1000, dtype=np.int16)
                yield SpeechChunk(pcm, self.rate_hz, chunk_words)
            if self.fails_after is not None and self.fails_after >= len(spans):
                raise failure()
        finally:
            self.closed += 1

    async def run(self) -> None:
        self.running += 1
        try:
            await anyio.sleep_forever()
        finally:
            self.running -= 1


def voice_of(*voices: Any, told: list[tuple[str, str]] | None = None) -> FallbackVoice:
    candidates = [Candidate(f"voice{n}", voice) for n, voice in enumerate(voices)]
    tell = None if told is None else lambda what, why: told.append((what, why))
    return FallbackVoice(candidates, call_id="call", tell=tell)


async def spoken(voice: Any, text: str = SAYS) -> tuple[list[SpokenWord], int]:
    """Return the words and the length of the audio of a text, in ms; all of it has one rate."""
    words, samples, rates = list[SpokenWord](), 0, set[int]()
    async for chunk in voice.speak(text):
        rates.add(chunk.rate_hz)
        samples += chunk.pcm.size
        words += chunk.words
        assert all(word.end_ms <= samples * 1000 // chunk.rate_hz for word in words), "a word is told with its audio"
    (rate_hz,) = rates
    return words, samples * 1000 // rate_hz


async def test_a_voice_that_fails_before_its_first_audio_is_replaced_for_good() -> None:
    told = list[tuple[str, str]]()
    broken, good = Reader(fails_after=0), Reader()
    voice = voice_of(broken, good, told=told)
    words, length_ms = await spoken(voice)
    assert ([word.char_end for word in words], length_ms) == ([end for _, end in word_spans(SAYS)], 600)
    assert told == [("fallback", "voice voice0 failed (it is down), so voice1 goes on")]
    await spoken(voice, "Again.")
    assert (broken.texts, good.texts) == ([SAYS], [SAYS, "Again."])
    assert len(told) == 1, "and once is enough"


@pytest.mark.parametrize("late_words", [0, 1, 3])
@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
async def test_the_next_voice_goes_on_behind_the_last_word(rate_hz: int, late_words: int) -> None:
    broken, good = Reader(fails_after=3, late_words=late_words), Reader(rate_hz=rate_hz)
    words, length_ms = await spoken(voice_of(broken, good))
    assert good.texts == ["four five six."]
    assert [word.char_end for word in words] == [end for _, end in word_spans(SAYS)]
    assert [word.end_ms for word in words] == [100, 200, 300, 400, 500, 600]
    assert abs(length_ms - 600) <= 1
    assert (broken.closed, good.closed) == (1, 1)


async def test_a_bug_in_a_voice_is_no_reason_to_do_without_the_next_one() -> None:
    class Buggy(Reader):
        async def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
            async for chunk in super().speak(text):
                yield chunk
                raise OverflowError("a bug")

    good = Reader()
    words, _ = await spoken(voice_of(Buggy(), good))
    assert [word.char_end for word in words] == [end for _, end in word_spans(SAYS)]
    assert good.texts == ["two three four five six."]
    with pytest.raises(ProviderError, match="voice1: the voice failed with an internal error"):
        await spoken(voice_of(Reader(fails_after=0), Buggy()))


async def test_a_voice_without_word_times_is_gone_on_behind_the_word_that_was_surely_spoken() -> None:
    broken, good = Reader(fails_after=3, timed=False), Reader()
    words, _ = await spoken(voice_of(broken, good))
    assert good.texts == ["two three four five six."], "300 ms are 4.5 characters"
    assert words[0].start_ms == 300


async def test_a_voice_that_fails_after_the_last_word_leaves_nothing_to_say() -> None:
    broken, good = Reader(fails_after=6), Reader()
    words, length_ms = await spoken(voice_of(broken, good))
    assert (good.texts, len(words), length_ms) == ([], 6, 600)
    await spoken(voice_of(broken, good), "Next.")


async def test_all_failed() -> None:
    first = ProviderError("the key is refused", ended_reason="the first reason", provider="11labs")
    told = list[tuple[str, str]]()
    with pytest.raises(ProviderError) as failed:
        await spoken(voice_of(first, Reader(fails_after=2), Reader(fails_after=0), told=told))
    assert failed.value.ended_reason == "the first reason"
    assert str(failed.value) == (
        "the voice and its fallbacks failed: voice0: the key is refused; voice1: it is down; voice2: it is down"
    )
    assert [why.split()[1] for _, why in told] == ["voice0", "voice1"]
    last = voice_of(Reader(fails_after=0), Reader(fails_after=0))
    for _ in range(2):  # the one that is left may fail again
        with pytest.raises(ProviderError, match=r"failed: voice0: it is down; voice1: it is down$"):
            await spoken(last)
    with pytest.raises(ProviderError, match="voice0: the key is refused; voice1: the key"):
        voice_of(first, first)


async def test_an_error_without_a_fallback_is_the_error_itself() -> None:
    with pytest.raises(ProviderError, match=r"^it is down$"):
        await spoken(voice_of(Reader(fails_after=1)))


async def test_closing_closes_the_voice_in_use() -> None:
    good = Reader()
    speech = voice_of(Reader(fails_after=1), good).speak(SAYS)
    for _ in range(3):
        await anext(speech)
    await speech.aclose()
    assert good.closed == 1


async def test_the_connections_of_the_voice_in_use_are_kept_ready() -> None:
    broken, good = Reader(fails_after=0), Reader()
    voice = voice_of(broken, good)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(voice.run)
        await anyio.wait_all_tasks_blocked()
        assert (broken.running, good.running) == (1, 0)
        await spoken(voice)
        await anyio.wait_all_tasks_blocked()
        assert (broken.running, good.running) == (0, 1)
        tasks.cancel_scope.cancel()
    assert good.running == 0


async def test_a_connection_that_cannot_be_kept_ready_does_not_keep_the_next_one_from_it() -> None:
    class Unready(Reader):
        async def run(self) -> None:
            raise failure()

    good = Reader()
    voice = voice_of(Unready(fails_after=0), good)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(voice.run)
        await anyio.wait_all_tasks_blocked()
        await spoken(voice)
        await anyio.wait_all_tasks_blocked()
        assert good.running == 1
        tasks.cancel_scope.cancel()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.booleans()), max_size=4), st.integers(1, 7))
def test_whatever_fails_each_word_is_spoken_in_order(failing: list[tuple[int, int, bool]], count: int) -> None:
    text = " ".join("word"[: n % 4 + 1] for n in range(count))
    voices = [Reader(fails_after=at, late_words=late, timed=timed) for at, late, timed in failing]

    async def speak() -> None:
        words, length_ms = await spoken(voice_of(*voices, Reader()), text)
        ends = [word.char_end for word in words]
        assert ends == sorted(ends)
        assert all(a.end_ms <= b.start_ms for a, b in pairwise(words))
        assert not words or words[-1].end_ms <= length_ms
        if all(timed for _, _, timed in failing):
            assert ends == [end for _, end in word_spans(text)], "none is left out, none is said twice"
            assert length_ms == count * WORD_MS

    anyio.run(speak)


# Transcribers.

Marks = list[tuple[str, int]]


@dataclass
class Listener:
    """A transcriber that keeps what it is given; it fails when it is told to."""

    lag_ms: int = 0
    ends: bool = False
    refuses: bool = False
    streams: list["Listening"] = field(default_factory=list)

    def open(self, on_transcript: Any) -> "Listening":
        if self.refuses:
            raise failure("it refuses")
        self.streams.append(Listening(on_transcript, self.ends))
        return self.streams[-1]


class Listening:
    def __init__(self, on_transcript: Any, ends: bool) -> None:
        self.on_transcript = on_transcript
        self.heard: list[int] = []
        self.marks: Marks = []
        self.questions: list[str] = []
        self._ends = ends
        self._broken = anyio.Event()

    def feed(self, customer: Any, assistant: Any) -> None:
        assert customer.size == assistant.size
        self.heard += customer.tolist()

    def expect(self, question: str) -> None:
        self.questions.append(question)

    def voice_started(self, lead_ms: int) -> None:
        self.marks.append((f"started {lead_ms}", len(self.heard) // 16))

    def voice_paused(self) -> None:
        self.marks.append(("paused", len(self.heard) // 16))

    def voice_resumed(self) -> None:
        self.marks.append(("resumed", len(self.heard) // 16))

    def voice_stopped(self) -> None:
        self.marks.append(("stopped", len(self.heard) // 16))

    def fail(self) -> None:
        self._broken.set()

    async def run(self) -> None:
        if self._ends:
            return
        await self._broken.wait()
        raise failure()


class Audio:
    """Audio whose samples are numbered by the millisecond, so that what was heard can be told."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.at_ms = 0

    def feed(self, duration_ms: int) -> None:
        for _ in range(duration_ms // 20):
            pcm = np.repeat(np.arange(self.at_ms, self.at_ms + 20, dtype=np.int16), 16)
            self.stream.feed(pcm, np.zeros(320, dtype=np.int16))
            self.at_ms += 20


def heard_ms(stream: Listening) -> tuple[int, int]:
    """Return the first and the last millisecond that a stream was given; all between were given once, in order."""
    got = stream.heard[::16]
    assert got == list(range(got[0], got[-1] + 1))
    return got[0], got[-1]


def transcriber_of(*listeners: Any) -> FallbackTranscriber:
    return FallbackTranscriber([Candidate(f"stt{n}", one) for n, one in enumerate(listeners)], call_id="call")


async def replaced(fed: Any, *, wait_s: float = 0.0) -> tuple[Listening, Listening, list[Any]]:
    """Run a call in which the first transcriber fails after `fed`; return both streams and the transcripts."""
    first, second = Listener(), Listener(lag_ms=70)
    transcripts = list[Any]()
    transcriber = transcriber_of(first, second)
    assert transcriber.lag_ms == 70

    def on_transcript(text: str, final: bool, /, *_: Any, **__: Any) -> None:
        transcripts.append((text, final))

    stream = transcriber.open(on_transcript)
    stream.expect("How are you?")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        await anyio.wait_all_tasks_blocked()
        audio = Audio(stream)
        fed(audio, first.streams[0])
        first.streams[0].fail()
        await anyio.wait_all_tasks_blocked()
        first.streams[0].on_transcript("late", True)
        audio.feed(40)
        await anyio.sleep(wait_s)
        second.streams[0].on_transcript("new", True)
        tasks.cancel_scope.cancel()
    assert second.streams[0].questions == ["How are you?"]
    assert transcripts[-1] == ("new", True)
    assert ("late", True) not in transcripts, "one that was replaced says nothing any more"
    return first.streams[0], second.streams[0], transcripts


async def test_an_utterance_is_heard_again_from_its_beginning() -> None:
    def fed(audio: Audio, _first: Listening) -> None:
        audio.feed(3000)
        audio.stream.voice_started(200)
        audio.feed(1000)
        audio.stream.voice_paused()

    _, second, _ = await replaced(fed)
    assert heard_ms(second) == (1500, 4039)
    assert second.marks == [("started 200", 1500), ("paused", 2500)]


async def test_an_utterance_that_waits_for_its_final_is_heard_again_and_asked_for() -> None:
    def fed(audio: Audio, first: Listening) -> None:
        audio.feed(2000)
        audio.stream.voice_started(200)
        audio.feed(1000)
        audio.stream.voice_stopped()
        first.on_transcript("one", True)
        audio.feed(500)
        audio.stream.voice_started(100)
        audio.feed(800)
        audio.stream.voice_paused()
        audio.stream.voice_resumed()
        audio.feed(200)
        audio.stream.voice_stopped()
        audio.feed(100)

    _, second, transcripts = await replaced(fed)
    assert heard_ms(second) == (3000, 4639), "what has had its final is not heard again"
    assert [name for name, _ in second.marks] == ["started 100", "paused", "resumed", "stopped"]
    assert transcripts == [("one", True), ("new", True)]


async def test_words_of_a_final_in_mid_utterance_are_not_heard_again() -> None:
    def fed(audio: Audio, first: Listening) -> None:
        audio.feed(1000)
        audio.stream.voice_started(0)
        audio.feed(3000)
        first.on_transcript("the first half", True)
        audio.feed(100)

    _, second, _ = await replaced(fed)
    assert heard_ms(second) == (3500, 4139)
    assert second.marks == [("started 0", 0)]


async def test_silence_is_not_played_again_for_long() -> None:
    def fed(audio: Audio, _first: Listening) -> None:
        audio.feed(1000)
        audio.stream.voice_started(0)
        audio.feed(300)
        audio.stream.voice_stopped()  # a noise: no final comes for it
        audio.feed(20_000)

    _, second, _ = await replaced(fed)
    begin, end = heard_ms(second)
    assert end - begin < 1600
    assert second.marks == []


async def test_a_long_utterance_is_played_again_in_steps_and_bounded() -> None:
    def fed(audio: Audio, _first: Listening) -> None:
        audio.stream.voice_started(0)
        audio.feed(20_000)

    _, second, _ = await replaced(fed, wait_s=3.3)
    begin, end = heard_ms(second)
    assert end == 20_039
    assert KEPT_MS - 20 <= 20_000 - begin <= KEPT_MS + 20
    assert second.marks == [("started 0", 0)]


async def test_all_transcribers_failed() -> None:
    first, last = Listener(), Listener()
    stream = transcriber_of(first, Listener(refuses=True), last).open(lambda *_, **__: None)
    failures = list[ProviderError]()

    async def run() -> None:
        try:
            await stream.run()
        except ProviderError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await anyio.wait_all_tasks_blocked()
        first.streams[0].fail()
        await anyio.wait_all_tasks_blocked()
        last.streams[0].fail()
    assert str(failures[0]) == (
        "the transcriber and its fallbacks failed: stt0: it is down; stt1: it refuses; stt2: it is down"
    )


async def test_a_transcriber_that_ends_by_itself_is_not_replaced() -> None:
    last = Listener()
    await transcriber_of(Listener(ends=True), last).open(lambda *_, **__: None).run()
    assert last.streams == []


def test_a_failure_that_was_dealt_with_replaces_nothing() -> None:
    candidates: Sequence[Candidate[str]] = [Candidate("a", "A"), Candidate("b", "B"), Candidate("c", "C")]
    succession = Succession("voice", candidates)
    assert succession.replace("A", failure()) == "B"
    assert succession.replace("A", failure()) == "B", "another text failed with the same voice"
    assert succession.part == "B"

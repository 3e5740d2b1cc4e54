import json
import re
import threading

import anyio
import numpy as np
import pytest

from bargein.audio.resample import resample
from bargein.audio.voice import UtteranceGate, VoiceGate
from bargein.ports import ProviderError
from bargein.providers.embedded import runtime
from bargein.providers.embedded.answer_grammar import WHOLE_NUMBER
from bargein.providers.embedded.moonshine_model import NO_WORDS
from bargein.providers.embedded.stt import MoonshineTranscriber
from bargein.providers.embedded.tts import HibariVoice
from bargein.providers.embedded.vad import SileroDetector
from tests.providers.embedded.conftest import at_level, until
from tests.providers.embedded.test_vad import hear_all

pytestmark = pytest.mark.anyio

FRAME = 320


@pytest.fixture(scope="module")
def transcriber():
    transcriber = MoonshineTranscriber()
    yield transcriber
    transcriber.close()


@pytest.fixture(scope="module")
def detector():
    detector = SileroDetector()
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def voice():
    voice = HibariVoice()
    yield voice
    voice.close()


async def say(voice, text):
    chunks = [c async for c in voice.speak(text)]
    return resample(np.concatenate([c.pcm for c in chunks]), 24000, 16000), [w for c in chunks for w in c.words]


def words(text):
    return re.sub(r"[^a-z' ]+", " ", text.lower().replace("-", " ")).split()


def errors(reference, hypothesis):
    row = list(range(len(hypothesis) + 1))
    for i, a in enumerate(reference, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(hypothesis, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


class Call:
    """Feeds a stream frame by frame and keeps its transcripts."""

    def __init__(self, transcriber):
        self.heard = []
        self.complete = []
        self.confidences = []
        self.stream = transcriber.open(self.on_transcript)

    def on_transcript(self, text, final, confidence=None, *, complete=False):
        assert (confidence is None) == (not text)
        self.heard.append((text, final))
        self.confidences.append(confidence)
        if complete:
            self.complete.append(text)

    def feed(self, pcm):
        for k in range(0, len(pcm), FRAME):
            self.stream.feed(pcm[k : k + FRAME], np.zeros_like(pcm[k : k + FRAME]))

    @property
    def finals(self):
        return [text for text, final in self.heard if final]

    @property
    def partials(self):
        return [text for text, final in self.heard if not final]


async def transcribe(transcriber, pcm):
    """One utterance, all at once."""
    call = Call(transcriber)
    call.stream.voice_started(0)
    call.feed(pcm)
    call.stream.voice_stopped()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    return call.finals[0]


async def as_in_a_call(transcriber, detector, pcm, hang_ms=256):
    """Let the detector find the utterances, as a call does; give their finals."""
    padded = np.concatenate([np.zeros(8000, np.int16), pcm, np.zeros(16000, np.int16)])
    probabilities = await hear_all(detector, padded, 16000)
    voice, utterances = VoiceGate(), UtteranceGate(hang_ms)
    call = Call(transcriber)
    for k, (probability, end_ms) in enumerate(probabilities):
        call.feed(padded[k * 512 : (k + 1) * 512])
        edge = utterances.push(voice.push(probability, end_ms), end_ms)
        if edge and edge.started:
            call.stream.voice_started(round(end_ms - edge.at_ms))
        elif edge:
            call.stream.voice_stopped()
    expected = len(call.stream._finals)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        await until(lambda: len(call.finals) == expected)
        tasks.cancel_scope.cancel()
    return call.finals


async def test_it_transcribes_the_embedded_voice(transcriber, voice):
    text = "I would like to book a table for two people tonight, please. Is there one by the window?"
    pcm, _ = await say(voice, text)
    assert errors(words(text), words(await transcribe(transcriber, pcm))) <= 1


async def test_audio_up_to_a_words_time_contains_the_words_up_to_it(transcriber, voice):
    """The word times of the voice, checked with the transcriber: it gets the audio up to each word's end."""
    text = "The lamp was small and yellow, but every ship on the dark water steered home by its light."
    pcm, timings = await say(voice, text)
    off = []
    for timing in timings[3:]:
        heard = await transcribe(transcriber, pcm[: (timing.end_ms + 20) * 16])
        off.append(len(words(heard)) - len(words(text[: timing.char_end])))
    assert np.mean(np.abs(off)) <= 0.6
    assert max(np.abs(off)) <= 2


@pytest.mark.timed
async def test_partials_come_while_the_caller_speaks_and_grow(transcriber, voice):
    pcm, _ = await say(voice, "Good morning, could you tell me when the next train to the airport leaves?")
    call = Call(transcriber)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        call.feed(pcm[: 100 * 16])
        call.stream.voice_started(60)
        for k in range(100 * 16, len(pcm), 240 * 16):
            call.feed(pcm[k : k + 240 * 16])
            before = len(call.heard)
            with anyio.move_on_after(0.3):  # what is not there by then was no news
                await until(lambda before=before: len(call.heard) > before)
        assert not call.finals
        call.stream.voice_stopped()
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    assert len(call.partials) >= 6
    assert words(call.partials[1])[:1] == ["good"]
    lengths = [len(words(p)) for p in call.partials]
    assert lengths[-1] >= 10
    assert np.mean(np.diff(lengths) >= 0) > 0.7
    assert words(call.finals[0])[-1] == "leaves"
    assert call.heard[-1] == (call.finals[0], True)


async def test_every_stop_gets_its_final_in_order(transcriber, voice):
    texts = ["This is the first one.", "Now comes the second.", "And here is the third."]
    call = Call(transcriber)
    for text in texts:
        pcm, _ = await say(voice, text)
        call.feed(np.zeros(4800, np.int16))
        call.feed(pcm)
        call.stream.voice_started(len(pcm) // 16)
        call.stream.voice_started(10)  # a second report has no effect
        call.stream.voice_stopped()
    call.stream.voice_stopped()  # without a start
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        await until(lambda: len(call.finals) == 4)
        tasks.cancel_scope.cancel()
    assert [words(f)[-1:] for f in call.finals] == [["one"], ["second"], ["third"], []]
    assert call.partials == []


async def test_a_final_does_not_wait_for_the_partials_of_others(transcriber, voice):
    pcm, _ = await say(voice, "Please wait, I have a question about that.")
    order = []

    async def decode(name, *, partial):
        await transcriber._decoder.decode(pcm, partial=partial)
        order.append(name)

    async with anyio.create_task_group() as tasks:
        for k in range(6):
            tasks.start_soon(lambda k=k: decode(f"partial {k}", partial=True))
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(lambda: decode("final", partial=False))
    assert order.index("final") <= 1
    assert [name for name in order if name != "final"] == [f"partial {k}" for k in range(6)]


async def test_abandoned_jobs_are_not_run(transcriber, voice):
    pcm, _ = await say(voice, "Please wait.")
    worked = []
    gate = threading.Event()
    transcriber_two = MoonshineTranscriber()

    def work(audio, abandoned):
        gate.wait(5)
        worked.append(len(audio))
        return NO_WORDS

    transcriber_two._decoder._transcribe = work
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: transcriber_two._decoder.decode(pcm[:1], partial=True))
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01):
            await transcriber_two._decoder.decode(pcm[:2], partial=True)
        tasks.start_soon(lambda: transcriber_two._decoder.decode(pcm[:3], partial=True))
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert worked == [1, 3]
    transcriber_two.close()


async def test_long_speech_is_cut_where_it_is_quiet_and_bounded(transcriber, voice):
    sentence, _ = await say(voice, "The tide was low and the harbour lay still.")
    pcm = np.concatenate([np.concatenate([sentence, np.zeros(8000, np.int16)]) for _ in range(16)])
    call = Call(transcriber)
    call.stream.voice_started(0)
    call.feed(pcm)
    assert call.stream._fed - call.stream._first <= 25 * 16000
    pieces = list(call.stream._finals)
    assert len(pieces) == len(pcm) // (24 * 16000)
    assert all(20 * 16000 <= len(p) <= 24 * 16000 for p in pieces)
    for piece in pieces:
        assert np.abs(piece[-300:]).max() < 100
    call.stream.voice_stopped()
    assert sum(len(p) for p in call.stream._finals) == len(pcm)


async def test_memory_is_bounded_in_silence(transcriber):
    call = Call(transcriber)
    call.feed(np.zeros(60 * 16000, np.int16))
    assert sum(c.size for c in call.stream._chunks) <= 2.1 * 16000


async def test_the_next_utterance_does_not_begin_in_the_last(transcriber):
    call = Call(transcriber)
    call.feed(np.ones(16000, np.int16))
    call.stream.voice_started(500)
    call.stream.voice_stopped()
    call.feed(np.ones(320, np.int16))
    call.stream.voice_started(400)
    call.stream.voice_stopped()
    first, second = call.stream._finals
    assert len(first) == 660 * 16
    assert len(second) == 100 * 16


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(16000, np.int16),
        np.random.default_rng(1).normal(0, 15, 16000).astype(np.int16),
        np.concatenate([np.zeros(8000, np.int16), np.full(200, 20000, np.int16), np.zeros(8000, np.int16)]),
        np.zeros(0, np.int16),
    ],
    ids=["silence", "hiss", "click", "nothing"],
)
async def test_sounds_without_words_give_no_words(transcriber, pcm):
    assert await transcribe(transcriber, pcm) == ""


async def test_a_missing_package_says_how_to_fix_it(monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match=r"moonshine-voice==0\.0\.73"):
        MoonshineTranscriber().open(lambda text, final: None)


async def test_a_failing_model_ends_one_call_and_no_other(voice, monkeypatch):
    transcriber = MoonshineTranscriber()
    await transcriber.warm_up()
    pcm, _ = await say(voice, "Hello there, how are you?")
    real = transcriber.model.transcribe

    def fail(samples, abandoned):
        raise RuntimeError("no stream_state")

    monkeypatch.setattr(transcriber.model, "transcribe", fail)
    call = Call(transcriber)
    call.feed(pcm)
    call.stream.voice_started(1000)
    call.stream.voice_stopped()
    with pytest.raises(ProviderError, match="RuntimeError") as caught, anyio.fail_after(5):
        await call.stream.run()
    assert caught.value.ended_reason == "pipeline-error-vapi-transcriber-failed"
    monkeypatch.setattr(transcriber.model, "transcribe", real)
    assert await transcribe(transcriber, pcm) != ""
    transcriber.close()


async def test_closing_fails_queued_jobs():
    transcriber = MoonshineTranscriber()
    begun, gate = threading.Event(), threading.Event()

    def work(audio, abandoned):
        begun.set()
        gate.wait(5)
        return NO_WORDS

    transcriber._decoder._transcribe = work
    failures = []

    async def wait():
        try:
            await transcriber._decoder.decode(np.zeros(1, np.int16), partial=True)
        except ProviderError as error:
            failures.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        assert await anyio.to_thread.run_sync(begun.wait, 5)
        threading.Timer(0.05, gate.set).start()
        await anyio.to_thread.run_sync(transcriber.close)
    assert failures == ["the embedded transcriber failed: it was shut down"]


async def test_coffee_orders_are_transcribed(transcriber, detector, clips):
    """Of what each order names (its slots; no verbatim text exists), most words are in the transcript."""
    orders = [c for c in clips if "orderDrink" in c.text]
    found = wanted = 0
    for clip in orders:
        slots = words(" ".join(json.loads(clip.text[clip.text.index("{") :]).values()))
        heard = words(" ".join(await as_in_a_call(transcriber, detector, at_level(clip.pcm(16000), -26))))
        found += sum(word in heard for word in slots)
        wanted += len(slots)
    assert len(orders) >= 12
    assert found / wanted > 0.8


async def test_commands_of_one_word_are_transcribed(transcriber, detector, clips):
    said = [c for c in clips if c.kind in {"interrupt.word", "backchannel.word"}]
    wrong = total = 0
    for clip in said:
        heard = words(" ".join(await as_in_a_call(transcriber, detector, at_level(clip.pcm(16000), -26))))
        wrong += min(1, errors(words(clip.text), heard))
        total += 1
    assert total >= 7
    assert wrong <= 1  # measured: none


async def test_coughs_and_dogs_give_few_words(transcriber, detector, clips):
    noises = [c for c in clips if c.kind.startswith("noise.") and c.kind != "noise.other_voices"]
    heard = [await as_in_a_call(transcriber, detector, c.pcm(16000)) for c in noises]
    assert len(noises) >= 9
    assert sum(any(finals) for finals in heard) / len(noises) < 0.25


async def test_in_a_pause_all_words_are_reported_and_are_the_final_if_nothing_follows(transcriber, voice):
    pcm, _ = await say(voice, "I would like to book a table for two people.")
    call = Call(transcriber)
    asked = []
    decode = call.stream._decoder.decode

    async def counted(audio, *, partial, expected):
        asked.append(partial)
        return await decode(audio, partial=partial, expected=expected)

    call.stream._decoder = type("Counted", (), {"decode": staticmethod(counted)})()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        call.feed(pcm)
        call.stream.voice_started(len(pcm) // 16)
        call.stream.voice_paused()
        call.stream.voice_paused()  # a second report has no effect
        await until(lambda: bool(call.complete))
        call.feed(np.zeros(3200, np.int16))
        before = len(asked)
        call.stream.voice_stopped()
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    assert call.complete == call.finals
    assert words(call.finals[0])[-1] == "people"
    assert len(asked) == before, "what has been made out is not made out again"


async def test_speech_that_continues_after_a_pause_is_one_utterance(transcriber, voice):
    first, _ = await say(voice, "I would like to book a table")
    second, _ = await say(voice, "for two people tonight.")
    call = Call(transcriber)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        call.feed(first)
        call.stream.voice_started(len(first) // 16)
        call.stream.voice_resumed()  # without a pause
        call.stream.voice_paused()
        call.stream.voice_resumed()
        call.feed(second)
        await anyio.wait_all_tasks_blocked()
        call.stream.voice_stopped()
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    assert not call.complete, "words decoded before the caller went on are not reported"
    assert words(call.finals[0])[-1] == "tonight"


async def test_a_pause_that_becomes_the_end_before_its_words_are_there_gives_one_final(transcriber, voice):
    pcm, _ = await say(voice, "Good morning to you.")
    call = Call(transcriber)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        call.feed(pcm)
        call.stream.voice_started(len(pcm) // 16)
        call.stream.voice_paused()
        call.stream.voice_stopped()
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    assert len(call.finals) == 1
    assert words(call.finals[0])[:2] == ["good", "morning"]
    call.stream.voice_paused()  # outside of an utterance
    call.stream.voice_resumed()


PHONE = "What is your phone number?"
SPOKEN = "theo_0.flac"
"""A telephone number: nine eight five, one four seven six zero three seven."""


def second_run(clips):
    """The digits after the first long pause of the telephone number, in silence."""
    (clip,) = [c for c in clips if c.path.name == SPOKEN]
    spans = json.loads(clip.path.with_suffix(".json").read_text())["silence_spans"]
    first, second = [span for span in spans if span["label"] in ("hold", "eot") and span["end"] - span["start"] > 0.3][
        :2
    ]
    pcm = at_level(clip.pcm(16000), -26)[round(first["end"] * 16000) : round(second["start"] * 16000)]
    quiet = np.zeros(3200, np.int16)
    return np.concatenate([quiet, pcm, quiet])


async def finals_after(transcriber, pcm, question):
    call = Call(transcriber)
    call.stream.expect(question)
    call.stream.voice_started(0)
    call.feed(pcm)
    call.stream.voice_stopped()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    return call.finals[0]


async def test_after_a_question_for_a_number_digits_are_made_out(transcriber, clips):
    """Without the question, "one four seven six zero three seven" begins with "What more better"."""
    pcm = second_run(clips)
    free = await finals_after(transcriber, pcm, "How can I help you?")
    held = await finals_after(transcriber, pcm, PHONE)
    assert not WHOLE_NUMBER.accepts(free)
    assert WHOLE_NUMBER.accepts(held)
    said = ["one", "four", "seven", "six", "zero", "three", "seven"]
    assert errors(said, words(held)) < errors(said, words(free))


@pytest.mark.parametrize(
    "text", ["I don't know.", "Just a moment, please.", "It is on my other phone.", "Why do you need that?", "No."]
)
async def test_an_answer_without_a_number_is_not_turned_into_digits(transcriber, voice, text):
    pcm, _ = await say(voice, text)
    assert errors(words(text), words(await finals_after(transcriber, pcm, PHONE))) <= 1


async def test_a_new_question_ends_the_expectation_of_the_last(transcriber, clips):
    pcm = second_run(clips)
    call = Call(transcriber)
    call.stream.expect(PHONE)
    call.stream.expect("How can I help you?")
    call.stream.voice_started(0)
    call.feed(pcm)
    call.stream.voice_stopped()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.stream.run)
        await until(lambda: bool(call.finals))
        tasks.cancel_scope.cancel()
    assert not WHOLE_NUMBER.accepts(call.finals[0])

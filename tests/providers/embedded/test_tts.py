import importlib
import socket

import anyio
import numpy as np
import pytest

from bargein.audio.pcm import level_dbfs
from bargein.ports import ProviderError
from bargein.providers.embedded import runtime, tts
from bargein.providers.embedded.tts import RATE_HZ, HibariVoice

pytestmark = pytest.mark.anyio

STORY = (
    "The keeper climbed the stairs every evening, one hundred and ninety nine of them, with a can of oil in one hand "
    "and, in the other, the small brass key that his father had given him. He never hurried."
)


@pytest.fixture(scope="module")
def voice():
    voice = HibariVoice()
    yield voice
    voice.close()


async def say(voice, text):
    chunks = [chunk async for chunk in voice.speak(text)]
    pcm = np.concatenate([c.pcm for c in chunks]) if chunks else np.zeros(0, np.int16)
    return chunks, pcm, [w for c in chunks for w in c.words]


def silences_ms(pcm):
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > np.abs(pcm.astype(int)).max() / 50)
    return loud[0] * 1000 / RATE_HZ, (len(pcm) - loud[-1]) * 1000 / RATE_HZ


@pytest.mark.parametrize(
    "text",
    [
        "Okay.",
        "It costs $12.50, Dr. Smith said at 7:30 p.m. on 3/4/2024.",
        "No. No. “Really?” she asked — twice 😀.  Call 555-1234 & ask for #5!\n\nBye.",
        "… wait",
        STORY,
    ],
)
async def test_every_word_has_its_time_in_order_and_within_the_audio(voice, text):
    chunks, pcm, words = await say(voice, text)
    assert {c.rate_hz for c in chunks} == {RATE_HZ}
    times = [t for w in words for t in (w.start_ms, w.end_ms)]
    assert times == sorted(times)
    assert times[-1] <= len(pcm) * 1000 / RATE_HZ
    assert words[-1].char_end == len(text)
    ends = [w.char_end for w in words]
    assert ends == sorted(set(ends))
    assert all(text[e - 1] != " " for e in ends)


async def test_the_words_lie_where_the_sound_is(voice):
    text = "Tell me something. Ships, stars, lanterns, and old songs; I like them all."
    _, pcm, words = await say(voice, text)
    assert len(words) == 13
    loudness = [level_dbfs(pcm[w.start_ms * 24 : w.end_ms * 24]) for w in words]
    assert min(loudness) > level_dbfs(pcm) - 10
    between = pcm[words[2].end_ms * 24 : words[3].start_ms * 24]  # between the sentences
    assert len(between) >= 120 * 24
    assert level_dbfs(between) < level_dbfs(pcm) - 25


@pytest.mark.parametrize("text", ["Okay.", "Stop!", "Sure, one moment.", "How are you today?"])
async def test_silence_around_a_sentence_is_trimmed(voice, text):
    _, pcm, words = await say(voice, text)
    lead, tail = silences_ms(pcm)
    assert 35 <= lead <= 70
    assert 115 <= tail <= 220
    assert abs(words[0].start_ms - lead) <= 40


async def test_long_sentences_come_in_pieces_the_first_a_short_one(voice):
    chunks, _, _ = await say(voice, STORY)
    assert len(chunks) == 4
    assert chunks[0].words[-1].char_end == STORY.index(" with a can")
    assert [c.words[-1].char_end for c in chunks][-2:] == [STORY.index(" He never"), len(STORY)]


async def test_text_without_punctuation_still_comes_in_pieces(voice):
    chunks, _, _ = await say(voice, "and so " * 80)
    assert len(chunks) > 3


@pytest.mark.parametrize("text", ["", " \n "])
async def test_blank_text_is_no_speech(voice, text):
    assert (await say(voice, text))[0] == []


async def test_text_that_cannot_be_spoken_ends_at_once(voice):
    (_, pcm, (word,)) = await say(voice, "😀")
    assert len(pcm) == 0
    assert (word.char_end, word.end_ms) == (1, 0)


async def test_the_same_text_sounds_the_same(voice):
    _, first, _ = await say(voice, "Hello there.")
    _, second, _ = await say(voice, "Hello there.")
    assert np.array_equal(first, second)


async def test_many_calls_may_speak_at_once(voice):
    alone = [(await say(voice, f"This is call number {k}."))[1] for k in range(5)]
    together = {}

    async def one(k):
        together[k] = (await say(voice, f"This is call number {k}."))[1]

    async with anyio.create_task_group() as tasks:
        for k in range(5):
            tasks.start_soon(one, k)
    assert all(np.array_equal(alone[k], together[k]) for k in range(5))


async def test_closing_stops_the_work(voice, monkeypatch):
    said = []
    real = tts._synthesise
    monkeypatch.setattr(tts, "_synthesise", lambda e, p, s: said.append(p.text) or real(e, p, s))
    speech = voice.speak("One. Two. Three. Four.")
    assert (await anext(speech)).words[-1].char_end == 4
    await speech.aclose()
    await say(voice, "Five.")  # whatever was queued before is done by now
    assert said == ["One. ", "Five."]


async def test_cancelling_leaves_the_voice_usable(voice):
    with anyio.move_on_after(0.001):
        await say(voice, STORY)
    assert len((await say(voice, "Still here."))[1]) > RATE_HZ / 3


async def test_a_failure_names_no_text(voice, monkeypatch):
    def fail(*args):
        raise RuntimeError("secret text")

    monkeypatch.setattr(tts, "_synthesise", fail)
    with pytest.raises(ProviderError, match=r"^the embedded voice failed: RuntimeError$") as caught:
        await say(voice, "Hello.")
    assert caught.value.ended_reason == "pipeline-error-vapi-voice-failed"


async def test_a_missing_package_says_how_to_fix_it(monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match="hibari-tts==") as caught:
        await HibariVoice().warm_up()
    assert caught.value.ended_reason == "pipeline-error-vapi-voice-failed"


async def test_warming_up_loads_all_and_downloads_nothing(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(importlib.import_module("hibari.voices"), "download", refuse)
    voice = HibariVoice()
    await voice.warm_up()
    assert voice.load().g2p._oov is not None
    voice.close()

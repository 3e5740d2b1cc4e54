"""The sounds of a caller begin with their first audible sample, at the level of a person."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bargein.audio.pcm import level_dbfs
from bargein.client.clips import levels_db
from bargein.client.errors import ClientError
from bargein.ports import SpeechChunk, SpokenWord
from bargein.testing.caller_sounds import RATE_HZ, Sounds, make_noise

pytestmark = pytest.mark.anyio


class ToneVoice:
    """A voice at 24 kHz: 100 ms of silence, and 200 ms of a tone for each word, in a chunk of its own each."""

    def __init__(self) -> None:
        self.spoken: list[str] = []

    async def speak(self, text: str) -> AsyncIterator[SpeechChunk]:
        self.spoken.append(text)
        tone = (6000 * np.sin(2 * np.pi * 400 * np.arange(4_800) / 24_000)).astype(np.int16)
        for number, _ in enumerate(text.split()):
            lead = np.zeros(0 if number else 2_400, np.int16)
            at_ms = 100 + 200 * number
            yield SpeechChunk(np.concatenate([lead, tone]), 24_000, (SpokenWord(number + 1, at_ms, at_ms + 200),))

    async def run(self) -> None: ...


async def test_speech_begins_with_its_first_audible_sample_at_the_level_of_a_person() -> None:
    voice = ToneVoice()
    sounds = Sounds(voice)
    sound = await sounds.of("one two")
    assert sound.text == sound.clip.name == "one two"
    assert (sound.clip.onset_ms, sound.clip.rate_hz) == (0, RATE_HZ)
    assert sound.clip.offset_ms == pytest.approx(400, abs=12)
    assert sound.clip.duration_ms == pytest.approx(400, abs=2)
    assert np.abs(sound.clip.pcm[:16]).max() > 30  # audible within the first millisecond
    assert level_dbfs(sound.clip.pcm) == pytest.approx(-26, abs=1)
    assert [(word.start_ms, word.end_ms) for word in sound.words] == [
        (pytest.approx(0, abs=2), pytest.approx(200, abs=2)),
        (pytest.approx(200, abs=2), pytest.approx(400, abs=2)),
    ]
    assert await sounds.speech("one two") is sound
    assert voice.spoken == ["one two"]
    with pytest.raises(ClientError, match="no sound for ''"):
        await sounds.speech("")


async def test_acknowledgements_and_the_cough_are_recordings_of_the_package() -> None:
    voice = ToneVoice()
    sounds = Sounds(voice)
    for sound in (await sounds.backchannel("Uh-huh."), await sounds.backchannel("mm-hmm"), await sounds.cough()):
        assert sound.clip.onset_ms == 0
        assert 200 < sound.clip.offset_ms < 1500
        assert levels_db(sound.clip.pcm, RATE_HZ).max() == pytest.approx(-22, abs=5)
    assert voice.spoken == []
    assert (await sounds.backchannel("I see")).text == "I see"
    assert voice.spoken == ["I see"]


async def test_a_recording_keeps_its_level_and_loses_its_lead(tmp_path: Path) -> None:
    pcm = np.concatenate([np.zeros(800), 2000 * np.sign(np.sin(2 * np.pi * 500 * np.arange(3_200) / 8_000))])
    soundfile.write(tmp_path / "a.wav", pcm.astype(np.int16), 8_000)
    sound = await Sounds(ToneVoice()).of(tmp_path / "a.wav")
    assert sound.clip.name == "a.wav"
    assert sound.clip.duration_ms == pytest.approx(400, abs=3)
    assert level_dbfs(sound.clip.pcm) == pytest.approx(-24.3, abs=0.5)
    with pytest.raises(ClientError, match="cannot read"):
        await Sounds(ToneVoice()).of(tmp_path / "none.wav")


def test_noise_has_the_level_that_was_asked_for_and_falls_with_the_frequency() -> None:
    noise = make_noise(2.0, -40.0)
    assert noise.clip.duration_ms == 2000
    assert level_dbfs(noise.clip.pcm) == pytest.approx(-40, abs=0.2)
    power = np.abs(np.fft.rfft(noise.clip.pcm.astype(float))) ** 2
    hz = np.fft.rfftfreq(noise.clip.pcm.size, 1 / RATE_HZ)
    low, high = (power[(hz > f) & (hz < 2 * f)].sum() for f in (200, 3_200))
    assert low == pytest.approx(high, rel=0.2)  # the same in each octave

"""The sounds that a caller makes: words of a voice, recordings, coughs and noise, each with a known beginning.

Every sound begins with its first audible sample, so that the time at which it is sent is the time of its onset.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread
import numpy as np

from bargein.audio.pcm import Int16Array, from_float
from bargein.audio.resample import resample
from bargein.client.clips import Clip, load_clip, make_clip
from bargein.client.errors import ClientError
from bargein.errors import BargeinError
from bargein.ports import SpokenWord, Voice

RATE_HZ = 16_000
"""The sample rate of all sounds of a caller, and of its calls."""

_FOLDER = Path(__file__).parent / "sounds"
_RECORDED = {"uh-huh": "uh-huh.flac", "uh huh": "uh-huh.flac", "mm-hmm": "mm-hmm.flac", "mhm": "mm-hmm.flac"}
_LEVEL_DBFS = -26.0
"""The level of a person at a telephone (ITU-T P.56 names -26 dBov as nominal)."""

_AUDIBLE_SHARE = 0.03
"""The share of the loudest sample from which on a sample is audible: -30 dB, as `clips.voice_span_ms` has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Something that a caller lets be heard.

    Attributes:
        text: the words, as a perfect listener would write them; empty for what is no speech.
        clip: the samples, with the beginning and the end of what is audible.
        words: the times of the words, counted from the clip's first sample; empty where they are not known.
    """

    text: str
    clip: Clip
    words: tuple[SpokenWord, ...] = ()


class Sounds:
    """Makes the sounds of one or several callers, and keeps what it has made.

    Args:
        voice: speaks the callers' words.
    """

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._spoken: dict[str, Sound] = {}

    async def warm_up(self) -> None:
        """Speak a word that nobody hears, so that the voice is loaded before it is needed."""
        with suppress(BargeinError):  # the first word that is said tells the error
            await self.speech("Hello.")

    async def of(self, what: str | Path) -> Sound:
        """Return a text as the voice speaks it, or the recording in a file.

        Raises:
            ClientError: the file cannot be read, or there is nothing to be heard.
            ProviderError: the voice failed.
        """
        return await self.recording(what) if isinstance(what, Path) else await self.speech(what)

    async def speech(self, text: str) -> Sound:
        """Return a text as the voice speaks it.

        Raises:
            ClientError: the voice says nothing to this text.
            ProviderError: the voice failed.
        """
        if text not in self._spoken:
            self._spoken[text] = await self._speak(text)
        return self._spoken[text]

    async def recording(self, path: Path, text: str = "") -> Sound:
        """Return the recording in a file (WAV, FLAC or another format of libsndfile), at the level that it has.

        Args:
            path: the file.
            text: the words in it, if there are any.

        Raises:
            ClientError: the file cannot be read, or contains only silence.
        """
        clip = await anyio.to_thread.run_sync(load_clip, path, RATE_HZ)
        return _sharp(Sound(text=text, clip=clip))

    async def backchannel(self, text: str) -> Sound:
        """Return an acknowledgement: a recording of "uh-huh" or "mm-hmm", any other by the voice.

        Raises:
            ProviderError: the voice failed.
        """
        recorded = _RECORDED.get(text.strip().lower().rstrip(".!,"))
        if recorded is None:
            return await self.speech(text)
        return _level(await self.recording(_FOLDER / recorded, text))

    async def cough(self) -> Sound:
        """Return a recording of a cough."""
        return _level(await self.recording(_FOLDER / "cough.flac"))

    async def _speak(self, text: str) -> Sound:
        chunks = [chunk async for chunk in self._voice.speak(text)]
        if not sum(chunk.pcm.size for chunk in chunks):
            raise ClientError(f"the caller's voice has no sound for {text!r}")
        rate_hz = chunks[0].rate_hz
        spoken = np.concatenate([chunk.pcm for chunk in chunks])
        pcm = await anyio.to_thread.run_sync(resample, spoken, rate_hz, RATE_HZ)
        words = tuple(word for chunk in chunks for word in chunk.words)
        return _level(_sharp(Sound(text=text, clip=make_clip(text, pcm, RATE_HZ), words=words)))


def make_noise(seconds: float, level_dbfs: float) -> Sound:
    """Return a steady noise like that of a street: its power falls by 3 dB an octave. The same each time.

    Args:
        seconds: its length.
        level_dbfs: its root-mean-square level.
    """
    size = max(2, round(seconds * RATE_HZ))
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(size))
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 50.0)), size)
    gain = 10 ** (level_dbfs / 20) / float(np.sqrt(np.mean(np.square(shaped))))
    samples = np.asarray(shaped * gain, dtype=np.float32)
    return Sound(text="", clip=make_clip(f"noise of {seconds:g} s", from_float(samples), RATE_HZ))


def _sharp(sound: Sound) -> Sound:
    """Return the sound without what comes before its first audible sample."""
    pcm = sound.clip.pcm
    first = int(np.argmax(_amplitudes(pcm) >= max(1.0, _AUDIBLE_SHARE * float(_amplitudes(pcm).max()))))
    clip = replace(make_clip(sound.clip.name, pcm[first:], RATE_HZ), onset_ms=0.0)
    cut_ms = first * 1000 // RATE_HZ
    words = tuple(
        replace(word, start_ms=max(0, word.start_ms - cut_ms), end_ms=max(0, word.end_ms - cut_ms))
        for word in sound.words
    )
    return replace(sound, clip=clip, words=words)


def _level(sound: Sound) -> Sound:
    """Return the sound at the level of a person at a telephone, measured where it is loud, without clipping."""
    pcm = sound.clip.pcm.astype(np.float32) / 32768
    loud = pcm[_amplitudes(sound.clip.pcm) >= 4 * _AUDIBLE_SHARE * 32768 * float(np.abs(pcm).max())]
    gain = 10 ** (_LEVEL_DBFS / 20) / float(np.sqrt(np.mean(loud**2)))
    gain = min(gain, 0.99 / float(np.abs(pcm).max()))
    samples = np.asarray(pcm * gain, dtype=np.float32)
    return replace(sound, clip=replace(sound.clip, pcm=from_float(samples)))


def _amplitudes(pcm: Int16Array) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.abs(pcm.astype(np.float32))

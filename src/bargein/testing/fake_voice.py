"""A fake voice: a server of Vapi's custom-voice requests that answers with a synthetic vowel for each word."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import anyio
import numpy as np

from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.wire.json import as_object

WORD_MS = 300
"""Length of each word of the fake voice, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceScript:
    """The behaviour of a fake voice.

    Attributes:
        pace: `instant` (all at once), or `realtime` (pieces of 40 ms).
        body: raw samples, or JSON frames with timings (one a word) as lines or as server-sent events.
        extra_ms: audio to add after the words.
        first_ms: delay of the first audio.
        stop_after_ms: amount of audio after which `ending` happens; None means after all of it.
        ending: `end`, `die` (the connection breaks) or `hang` (the response stays open without data).
        piece_bytes: size of the pieces of raw audio; may be odd, so that samples are cut in two.
        interval_ms: delay after each piece.
        silent: send silence of the same length as the audio.
        status: HTTP status; with any but 200 the body is a JSON error.
        content_type: header to send in place of the one that fits `body`; empty sends none.
        content: bytes to send in place of the audio.
        deaf: continue the answer after the client has disconnected.
        redirect_to: answer 307 with this location.
    """

    pace: Literal["instant", "realtime"] = "instant"
    body: Literal["raw", "ndjson", "sse"] = "raw"
    extra_ms: int = 0
    first_ms: float = 0
    stop_after_ms: int | None = None
    ending: Literal["end", "die", "hang"] = "end"
    piece_bytes: int | None = None
    interval_ms: float = 0
    silent: bool = False
    status: int = 200
    content_type: str | None = None
    content: bytes | None = None
    deaf: bool = False
    redirect_to: str | None = None


_VOICE_TYPES = {"raw": "application/octet-stream", "ndjson": "application/x-ndjson", "sse": "text/event-stream"}


class FakeVoice(HttpPeer):
    """A server of voice requests, as `CustomVoice` sends them; each word lasts `WORD_MS`.

    Args:
        script: the behaviour; may be replaced at any time.
        record: whether to keep the requests in `exchanges`.
    """

    def __init__(self, script: VoiceScript | None = None, *, record: bool = True) -> None:
        super().__init__(self._speak, record=record)
        self.script = script or VoiceScript()

    @property
    def url(self) -> str:
        """The URL, for `CustomVoice.server.url`."""
        return f"{self.origin}/voice"

    async def _speak(self, exchange: Exchange) -> None:
        script = self.script
        exchange.deaf = script.deaf
        if script.redirect_to is not None:
            return await exchange.respond(307, location=script.redirect_to)
        if script.status != 200:
            return await exchange.respond(script.status, b'{"error":"as scripted"}', content_type="application/json")
        message = as_object(as_object(exchange.body).get("message"))
        if not message:
            return await exchange.respond(400, b'{"error":"no voice-request"}', content_type="application/json")
        kind = _VOICE_TYPES[script.body] if script.content_type is None else script.content_type
        await anyio.sleep(script.first_ms / 1000)
        await exchange.start(kind or None)
        async for piece in _pieces(script, message):
            await exchange.send(piece)
        match script.ending:
            case "end":
                return await exchange.end()
            case "die":
                return await exchange.die()
            case "hang":
                return await anyio.sleep_forever()


async def _pieces(script: VoiceScript, message: dict[str, object]) -> AsyncIterator[bytes]:
    if script.content is not None:
        yield script.content
        return
    rate_hz, words = int(str(message["sampleRate"])), str(message["text"]).split()
    if script.body != "raw":
        for index, word in enumerate(words):
            yield _frame(script, word, index, rate_hz)
        return
    total_ms = len(words) * WORD_MS + script.extra_ms
    audio = speech(min(total_ms, script.stop_after_ms or total_ms), rate_hz)
    audio = bytes(len(audio)) if script.silent else audio
    realtime = script.pace == "realtime"
    size = script.piece_bytes or (rate_hz * 40 // 1000 * 2 if realtime else len(audio)) or 1
    began_s = anyio.current_time()
    for start in range(0, len(audio), size):
        if realtime:
            await anyio.sleep_until(began_s + start / 2 / rate_hz)
        yield audio[start : start + size]
        await anyio.sleep(script.interval_ms / 1000)


def _frame(script: VoiceScript, word: str, index: int, rate_hz: int) -> bytes:
    timing = {
        "words": [word],
        "wordsStartTimesMs": [index * WORD_MS],
        "wordsEndTimesMs": [(index + 1) * WORD_MS],
    }
    frame = {"audio": base64.b64encode(speech(WORD_MS, rate_hz)).decode(), "timing": timing}
    data = json.dumps(frame).encode()
    return b"data: " + data + b"\n\n" if script.body == "sse" else data + b"\n"


def speech(duration_ms: int, rate_hz: int) -> bytes:
    """Return mono 16-bit audio with the pitch and formants of a vowel, without pauses.

    It is meant for the assistant. The voice detector does not take it for speech: a caller needs a real recording.
    """
    word = _word(rate_hz)
    length = duration_ms * rate_hz // 1000 * 2
    return (word * (length // len(word) + 1))[:length]


@lru_cache(maxsize=8)
def _word(rate_hz: int) -> bytes:
    t = np.arange(rate_hz * WORD_MS // 1000) / rate_hz
    # A glottal pulse train whose pitch falls within the word, through three vowel formants
    phase = 2 * np.pi * (130 * t - 20 * t**2)
    sound = np.zeros_like(t)
    for harmonic in range(1, int(min(3800, rate_hz / 2.2) // 130)):
        hz = 125 * harmonic
        gain = sum(a / (1 + ((hz - f) / w) ** 2) for f, w, a in ((600, 90, 1.0), (1200, 110, 0.6), (2500, 160, 0.3)))
        sound += (gain + 0.01) * np.sin(harmonic * phase)
    sound *= 0.55 + 0.45 * np.sin(np.pi * t / t[-1])
    return (sound / np.abs(sound).max() * 9000).astype("<i2").tobytes()

"""A model, a voice and a transcriber on loopback that do what a test or a load needs of them, and nothing else.

They are real servers that speak Vapi's custom-provider protocols over real sockets; only their wits are scripted:

    async with FakeLlm(LlmScript(tokens=("One ", "two."))) as llm, FakeVoice() as voice:
        ...  # llm.url, voice.url
        exchange = await llm.exchange(0)

`python -m bargein.testing.fakes` serves all three, instant and without memory, prints their URLs as one line of JSON,
and ends with its standard input.
"""

import base64
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import anyio
import anyio.to_thread
import numpy as np

from bargein.testing.fake_transcriber import FakeTranscriber, Hearing, TimedReply, TranscriberScript
from bargein.testing.http_peer import Exchange, HttpPeer

__all__ = [
    "WORD_MS",
    "Exchange",
    "FakeLlm",
    "FakeTranscriber",
    "FakeVoice",
    "Hearing",
    "LlmScript",
    "TimedReply",
    "TranscriberScript",
    "VoiceScript",
    "speech",
]

WORD_MS = 300
"""Each word of the fake voice lasts this long."""

_STORY = tuple(f"{word} " for word in ("This is a sentence of ten words that never ends. " * 4).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmScript:
    """How a fake model answers.

    Attributes:
        tokens: the pieces of text, in order.
        first_token_ms: how long it thinks.
        interval_ms: the pause between tokens; 0 sends all in one packet.
        ending: `done` (finish_reason and [DONE]), `finish` (finish_reason alone), `bare-done` ([DONE] alone), `cut` (a
            well-formed body without either), `die` (the connection breaks), `hang` (nothing more comes).
        status: other than 200: answers so, with `error_code` in the body.
        tail: raw bytes sent after the tokens, before the ending.
        repeat: say the tokens again and again, without end.
        deaf: go on although the client is gone.
        redirect_to: answers 307 with this location.
        calls: tools that it calls after the tokens: name and arguments, streamed in pieces as OpenAI does.
    """

    tokens: Sequence[str] = _STORY
    first_token_ms: float = 0
    interval_ms: float = 0
    ending: Literal["done", "finish", "bare-done", "cut", "die", "hang"] = "done"
    status: int = 200
    error_code: str | None = None
    tail: bytes = b""
    repeat: bool = False
    deaf: bool = False
    redirect_to: str | None = None
    calls: Sequence[tuple[str, str]] = ()


class FakeLlm(HttpPeer):
    """A server of streaming chat completions.

    Args:
        script: how it answers, or a function of the request's body that tells; may be replaced at any time.
        record: whether to remember the exchanges.
    """

    def __init__(
        self, script: LlmScript | Callable[[dict[str, object]], LlmScript] | None = None, *, record: bool = True
    ) -> None:
        super().__init__(self._reply, record=record)
        self.script = script or LlmScript()
        self._called = 0

    @property
    def url(self) -> str:
        """The base URL, as in `CustomLLMModel.url`."""
        return f"{self.origin}/v1"

    async def _reply(self, exchange: Exchange) -> None:
        script = self.script if isinstance(self.script, LlmScript) else self.script(exchange.body)
        exchange.deaf = script.deaf
        if script.calls:
            script = replace(script, tail=script.tail + self._call_events(script.calls))
        if script.redirect_to is not None:
            await exchange.respond(307, location=script.redirect_to)
        elif script.status != 200:
            error = {"error": {"message": "as the script says", "code": script.error_code}}
            await exchange.respond(script.status, json.dumps(error).encode(), content_type="application/json")
        elif script.interval_ms == 0 and not script.first_token_ms and not script.repeat and script.ending == "done":
            whole = b"".join(_delta(token) for token in script.tokens) + script.tail + _FINISH + _DONE
            await exchange.start("text/event-stream", whole)
            await exchange.end()
        else:
            await _reply_slowly(exchange, script)

    def _call_events(self, calls: Sequence[tuple[str, str]]) -> bytes:
        events = b""
        for index, (name, arguments) in enumerate(calls):
            self._called += 1
            head = {"index": index, "id": f"call_{self._called}", "type": "function"}
            events += _calls_delta({**head, "function": {"name": name, "arguments": ""}})
            half = len(arguments) // 2
            for piece in (arguments[:half], arguments[half:]):
                events += _calls_delta({"index": index, "function": {"arguments": piece}})
        return events + _finish("tool_calls")


async def _reply_slowly(exchange: Exchange, script: LlmScript) -> None:
    await exchange.start("text/event-stream")
    await anyio.sleep(script.first_token_ms / 1000)
    while True:
        for token in script.tokens:
            await exchange.send(_delta(token))
            await anyio.sleep(script.interval_ms / 1000)
        if not script.repeat:
            break
    await exchange.send(script.tail)
    match script.ending:
        case "hang":
            await anyio.sleep_forever()
        case "die":
            await exchange.die()
        case "done" | "finish" | "bare-done" | "cut":
            await exchange.send(
                {"done": _FINISH + _DONE, "finish": _FINISH, "bare-done": _DONE, "cut": b""}[script.ending]
            )
            await exchange.end()


def _calls_delta(call: dict[str, object]) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def _delta(text: str) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _finish(reason: str) -> bytes:
    nothing: dict[str, object] = {}
    return _event({"choices": [{"index": 0, "delta": nothing, "finish_reason": reason}]})


_FINISH = _finish("stop")
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceScript:
    """How a fake voice answers.

    Attributes:
        pace: `instant`, or `realtime` in pieces of 40 ms.
        body: raw samples, or JSON frames (one a word) as lines or events.
        extra_ms: how much more it says after the words.
        first_ms: how long it thinks.
        stop_after_ms: of audio, where `ending` happens; None is after everything.
        ending: `end`, `die` (the connection breaks) or `hang` (nothing more comes).
        piece_bytes: cut raw audio into pieces of this size, also odd ones.
        status: other than 200: answers so, with JSON.
        content_type: in place of the fitting one; empty for none.
        content: in place of the audio.
        deaf: go on although the client is gone.
        redirect_to: answers 307 with this location.
    """

    pace: Literal["instant", "realtime"] = "instant"
    body: Literal["raw", "ndjson", "sse"] = "raw"
    extra_ms: int = 0
    first_ms: float = 0
    stop_after_ms: int | None = None
    ending: Literal["end", "die", "hang"] = "end"
    piece_bytes: int | None = None
    status: int = 200
    content_type: str | None = None
    content: bytes | None = None
    deaf: bool = False
    redirect_to: str | None = None


_VOICE_TYPES = {"raw": "application/octet-stream", "ndjson": "application/x-ndjson", "sse": "text/event-stream"}


class FakeVoice(HttpPeer):
    """A server of voice requests whose words last `WORD_MS` each.

    Args:
        script: how it answers; may be replaced at any time.
        record: whether to remember the exchanges.
    """

    def __init__(self, script: VoiceScript | None = None, *, record: bool = True) -> None:
        super().__init__(self._speak, record=record)
        self.script = script or VoiceScript()

    @property
    def url(self) -> str:
        """As in `CustomVoice.server.url`."""
        return f"{self.origin}/voice"

    async def _speak(self, exchange: Exchange) -> None:
        script = self.script
        exchange.deaf = script.deaf
        if script.redirect_to is not None:
            return await exchange.respond(307, location=script.redirect_to)
        if script.status != 200:
            return await exchange.respond(script.status, b'{"error":"as scripted"}', content_type="application/json")
        kind = _VOICE_TYPES[script.body] if script.content_type is None else script.content_type
        await anyio.sleep(script.first_ms / 1000)
        await exchange.start(kind or None)
        async for piece in _pieces(script, exchange.body["message"]):
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
    realtime = script.pace == "realtime"
    size = script.piece_bytes or (rate_hz * 40 // 1000 * 2 if realtime else len(audio)) or 1
    began_s = anyio.current_time()
    for start in range(0, len(audio), size):
        if realtime:
            await anyio.sleep_until(began_s + start / 2 / rate_hz)
        yield audio[start : start + size]


def _frame(script: VoiceScript, word: str, index: int, rate_hz: int) -> bytes:
    timing = {
        "words": [word],
        "wordsStartTimesMs": [index * WORD_MS],
        "wordsEndTimesMs": [(index + 1) * WORD_MS],
    }
    frame = {"audio": base64.b64encode(speech(WORD_MS, rate_hz)).decode(), "timing": timing}
    return _event(frame) if script.body == "sse" else json.dumps(frame).encode() + b"\n"


def speech(duration_ms: int, rate_hz: int) -> bytes:
    """Mono 16-bit audio with the pitch and formants of a vowel, loud throughout.

    It stands for the assistant's speech. A voice detector is not fooled by it: a caller needs a real recording.
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


async def _main() -> None:
    utterances = TranscriberScript(utterances=("Wait, stop, I have a question about that.",))
    async with (
        FakeLlm(record=False) as llm,
        FakeVoice(record=False) as voice,
        FakeTranscriber(utterances, record=False) as transcriber,
    ):
        urls = {"llm": llm.url, "voice": voice.url, "transcriber": transcriber.url}
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    anyio.run(_main)

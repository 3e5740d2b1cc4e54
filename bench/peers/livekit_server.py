"""LiveKit Agents behind the messages of Vapi's WebSocket transport that the benchmark needs, with its own turn-taking.

It runs in an environment of its own (`python -m bench.peers install`), without bargein: `python livekit_server.py
SPEECHES [best]`. It prints its URL as one line of JSON and ends with its standard input.
LiveKit's media server is left out: an `AgentSession` reads from the socket and writes to it, paced in real time as a
LiveKit room would pace it, and it can pause as a room's output can. Everything that decides about turns is LiveKit's
default, or as in `SETTINGS` with `best`. The model answers at once, the voice plays a recording whatever the text, and
the caller's words come from the benchmark.
"""

import asyncio
import json
import logging
import sys
import time
from itertools import count
from pathlib import Path

from aiohttp import WSMsgType, web
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    Agent,
    AgentSession,
    LanguageCode,
    llm,
    stt,
    tts,
    utils,
)
from livekit.agents.llm import ChatChunk, ChoiceDelta
from livekit.agents.stt import SpeechData, SpeechEvent, SpeechEventType, STTCapabilities
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

RATE_HZ = 16_000
FRAME_MS = 20
FRAME_BYTES = RATE_HZ * 2 * FRAME_MS // 1000
LEAD_S = 0.04
TEXT = " ".join(f"word{number}" for number in range(100)) + "."

BEST = sys.argv[2:] == ["best"]
SETTINGS = {
    "endpointing": {"min_delay": 0.2, "max_delay": 2.0},
    "interruption": {"min_duration": 0.25, "false_interruption_timeout": 0.8},
    "preemptive_generation": {"preemptive_tts": True},
}
"""LiveKit's own settings for quicker answers and quicker interruptions; the turn detector is the default's."""

SPEECHES = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.pcm"))]
NUMBERS = count()


class Model(llm.LLM):
    """A model that answers at once, always the same."""

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        """Return the stream of an answer."""
        return ModelStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class ModelStream(llm.LLMStream):
    """An answer of the model."""

    async def _run(self):
        self._event_ch.send_nowait(ChatChunk(id="answer", delta=ChoiceDelta(role="assistant", content=TEXT)))


class Voice(tts.TTS):
    """A voice that plays a recording at once, whatever the text."""

    def __init__(self):
        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=RATE_HZ, num_channels=1)

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        """Return the stream of the recording."""
        return VoiceStream(tts=self, input_text=text, conn_options=conn_options)


class VoiceStream(tts.ChunkedStream):
    """The audio of an answer."""

    async def _run(self, emitter):
        emitter.initialize(request_id="speech", sample_rate=RATE_HZ, num_channels=1, mime_type="audio/pcm")
        emitter.push(SPEECHES[next(NUMBERS) % len(SPEECHES)])
        emitter.flush()


class Transcriber(stt.STT):
    """A transcriber that returns the texts of the benchmark, at the times that it sends them."""

    def __init__(self):
        super().__init__(capabilities=STTCapabilities(streaming=True, interim_results=BEST))
        self.words = utils.aio.Chan()

    async def _recognize_impl(self, *_, **__):
        raise NotImplementedError("it streams")

    def stream(self, *, language=NOT_GIVEN, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        """Return the stream of a call's transcripts."""
        return TranscriberStream(stt=self, conn_options=conn_options)


class TranscriberStream(stt.RecognizeStream):
    """The transcripts of a call."""

    async def _run(self):
        async def listen():
            async for _ in self._input_ch:
                pass

        async def send():
            async for text, is_final in self._stt.words:
                said = SpeechData(text=text, language=LanguageCode("en"))
                kind = SpeechEventType.FINAL_TRANSCRIPT if is_final else SpeechEventType.INTERIM_TRANSCRIPT
                self._event_ch.send_nowait(SpeechEvent(type=kind, alternatives=[said]))

        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(send())
            await listen()
            sending.cancel()


class SocketInput(AudioInput):
    """The caller's samples from the socket."""

    def __init__(self):
        super().__init__(label="socket")
        self.frames = utils.aio.Chan()

    async def __anext__(self):
        """Return the next frame."""
        return await self.frames.__anext__()


class SocketOutput(AudioOutput):
    """Paces the assistant's samples to the socket in real time, at most 40 ms ahead; can pause."""

    def __init__(self, socket):
        super().__init__(label="socket", sample_rate=RATE_HZ, capabilities=AudioOutputCapabilities(pause=True))
        self._socket = socket
        self._queue = bytearray()
        self._paused = self._flushed = self._open = False
        self._played_s = 0.0
        self._wake = asyncio.Event()

    async def capture_frame(self, frame):
        """Queue a frame."""
        await super().capture_frame(frame)
        self._queue += bytes(frame.data)
        self._open, self._flushed = True, False
        self._wake.set()

    def flush(self):
        """End a segment of speech."""
        super().flush()
        self._flushed = True
        self._wake.set()

    def pause(self):
        """Pause the playout."""
        super().pause()
        self._paused = True

    def resume(self):
        """Continue the playout."""
        super().resume()
        self._paused = False
        self._wake.set()

    def clear_buffer(self):
        """Drop what is queued."""
        self._queue.clear()
        self._finish(interrupted=True)

    async def run(self):
        """Send queued samples until cancelled."""
        due_s = time.perf_counter()
        while True:
            if self._paused or not self._queue:
                if self._flushed and not self._queue and not self._paused:
                    self._finish(interrupted=False)
                self._wake.clear()
                await self._wake.wait()
                due_s = max(due_s, time.perf_counter())
                continue
            if self._open and self._played_s == 0:
                self.on_playback_started(created_at=time.time())  # noqa: TID251 - LiveKit counts so
            piece = bytes(self._queue[:FRAME_BYTES])
            del self._queue[:FRAME_BYTES]
            self._played_s += len(piece) / 2 / RATE_HZ
            await self._socket.send_bytes(piece)
            due_s += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_s - LEAD_S - time.perf_counter()))

    def _finish(self, *, interrupted):
        if not self._open:
            return
        played_s, self._played_s = self._played_s, 0.0
        self._open = self._flushed = False
        self.on_playback_finished(playback_position=played_s, interrupted=interrupted)


async def make_call(request):
    """Answer Vapi's `POST /call` with the socket's address."""
    body = await request.json()
    waits = body["assistant"].get("firstMessageMode") == "assistant-waits-for-user"
    address = f"ws://{request.host}/socket/{'wait' if waits else 'speak'}"
    transport = {"websocketCallUrl": address, "audioFormat": body["transport"].get("audioFormat")}
    return web.json_response({"id": f"livekit-{next(NUMBERS)}", "transport": transport}, status=201)


async def talk(request):
    """Run a call."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    audio_in, audio_out, transcriber = SocketInput(), SocketOutput(socket), Transcriber()
    settings = {"turn_handling": SETTINGS, "aec_warmup_duration": None} if BEST else {}
    session = AgentSession(stt=transcriber, llm=Model(), tts=Voice(), **settings)
    session.input.audio, session.output.audio = audio_in, audio_out
    async with asyncio.TaskGroup() as tasks:
        pacing = tasks.create_task(audio_out.run())
        await session.start(Agent(instructions="Talk."))
        if request.match_info["mode"] == "speak":
            session.generate_reply()
        try:
            await _receive(socket, audio_in, transcriber)
        finally:
            await session.aclose()
            pacing.cancel()
    return socket


async def _receive(socket, audio_in, transcriber):
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            audio_in.frames.send_nowait(rtc.AudioFrame(message.data, RATE_HZ, 1, len(message.data) // 2))
        elif message.type is WSMsgType.TEXT:
            received = json.loads(message.data)
            if received["type"] == "heard":
                transcriber.words.send_nowait((received["text"], received["final"]))
            elif received["type"] == "end-call":
                break
    await socket.close()


async def main():
    """Serve until the standard input ends."""
    logging.basicConfig(level=logging.ERROR)
    app = web.Application()
    app.add_routes([web.post("/call", make_call), web.get("/socket/{mode}", talk)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())

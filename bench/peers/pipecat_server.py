"""Pipecat behind the messages of Vapi's WebSocket transport that the benchmark needs, with its own turn-taking.

It runs in an environment of its own (`python -m bench.peers install`), without bargein: `python pipecat_server.py
SPEECHES [best]`. It prints its URL as one line of JSON and ends with its standard input.
Each call gets a pipeline as Pipecat's quickstart builds it: its Silero, its smart-turn, the user aggregator's default
strategies; with `best`, its minimum of words before an interruption, and a shorter wait of smart-turn. The model
answers at once, the voice plays a recording whatever the text, and the caller's words come from the benchmark: nothing
but Pipecat's turn-taking is measured.
"""

import asyncio
import json
import os
import socket
import sys
from itertools import count
from pathlib import Path

os.environ.setdefault("LOGURU_LEVEL", "ERROR")

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from loguru import logger
from pipecat.audio.turn.smart_turn.base_smart_turn import SmartTurnParams
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMRunFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import MinWordsUserTurnStartStrategy
from pipecat.turns.user_stop import TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 16_000
PIECE_BYTES = RATE_HZ * 2 * 40 // 1000
TEXT = " ".join(f"word{number}" for number in range(100)) + "."

BEST = sys.argv[2:] == ["best"]
LEAST_WORDS = 2
SMART_TURN_WAITS_S = 1.5

SPEECHES = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.pcm"))]
NUMBERS = count()


class Wire(FrameSerializer):
    """Sends samples unchanged and an interruption as `user-interrupted`; reads `heard` as a final transcript."""

    async def serialize(self, frame):
        """Return the message of a frame; None for frames that are not sent."""
        if isinstance(frame, OutputAudioRawFrame):
            return frame.audio
        if isinstance(frame, InterruptionFrame):
            return json.dumps({"type": "user-interrupted"})
        return None

    async def deserialize(self, data):
        """Return the frame of a message; None for messages that are not used."""
        if isinstance(data, bytes):
            return InputAudioRawFrame(audio=data, sample_rate=RATE_HZ, num_channels=1)
        message = json.loads(data)
        if message["type"] == "heard":
            if not message["final"]:
                return InterimTranscriptionFrame(message["text"], "caller", "")
            return TranscriptionFrame(message["text"], "caller", "", finalized=True)
        return None


class Model(FrameProcessor):
    """A model that answers at once, always the same."""

    async def process_frame(self, frame, direction):
        """Answer a context; pass other frames on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            await self.push_frame(LLMFullResponseStartFrame())
            await self.push_frame(LLMTextFrame(TEXT))
            await self.push_frame(LLMFullResponseEndFrame())
        else:
            await self.push_frame(frame, direction)


class Voice(TTSService):
    """A voice that plays a recording at once, whatever the text."""

    def __init__(self):
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=RATE_HZ,
            settings=TTSSettings(model=None, voice=None, language=None),
        )

    async def run_tts(self, text, context_id):
        """Yield the recording in pieces of 40 ms."""
        speech = SPEECHES[next(NUMBERS) % len(SPEECHES)]
        for at in range(0, len(speech), PIECE_BYTES):
            yield TTSAudioRawFrame(speech[at : at + PIECE_BYTES], RATE_HZ, 1, context_id=context_id)


def strategies():
    """Return Pipecat's own strategies against backchannels, and for quicker answers to what seems unfinished."""
    turn = LocalSmartTurnAnalyzerV3(params=SmartTurnParams(stop_secs=SMART_TURN_WAITS_S))
    return {
        "user_turn_strategies": UserTurnStrategies(
            start=[MinWordsUserTurnStartStrategy(min_words=LEAST_WORDS)],
            stop=[TurnAnalyzerUserTurnStopStrategy(turn_analyzer=turn)],
        )
    }


app = FastAPI()


@app.post("/call", status_code=201)
async def make_call(request: Request):
    """Answer Vapi's `POST /call` with the socket's address."""
    body = await request.json()
    audio = body["transport"].get("audioFormat")
    first = body["assistant"].get("firstMessageMode") == "assistant-waits-for-user"
    address = f"ws://{request.headers['host']}/socket/{'wait' if first else 'speak'}"
    return {"id": f"pipecat-{next(NUMBERS)}", "transport": {"websocketCallUrl": address, "audioFormat": audio}}


@app.websocket("/socket/{mode}")
async def talk(websocket: WebSocket, mode: str):
    """Run a call."""
    await websocket.accept()
    transport = FastAPIWebsocketTransport(
        websocket=websocket,
        params=FastAPIWebsocketParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=RATE_HZ,
            audio_out_sample_rate=RATE_HZ,
            serializer=Wire(),
        ),
    )
    context = LLMContext([{"role": "system", "content": "Talk."}])
    params = LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer(), **({} if not BEST else strategies()))
    pair = LLMContextAggregatorPair(context, user_params=params)
    worker = PipelineWorker(
        Pipeline([transport.input(), pair.user(), Model(), Voice(), transport.output(), pair.assistant()]),
        enable_rtvi=False,
    )

    @transport.event_handler("on_client_connected")
    async def connected(*_):
        if mode == "speak":
            await worker.queue_frames([LLMRunFrame()])

    @transport.event_handler("on_client_disconnected")
    async def gone(*_):
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


async def main():
    """Serve until the standard input ends."""
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws_max_size=2**24))
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = server.force_exit = True


if __name__ == "__main__":
    asyncio.run(main())

"""The model and the voice of the benchmark, instant and in a process of their own: the assistant talks without a pause.

`python -m bench.interruption.peers SPEECHES` prints their URLs as one line of JSON and ends with its standard input.
"""

import json
import sys
from itertools import count
from pathlib import Path

import anyio
import anyio.to_thread
import numpy as np
import soxr

from bench.fakes import FakeLlm, LlmScript
from bench.http_peer import Exchange, HttpPeer
from bench.interruption.conditions import RATE_HZ

_PIECE_BYTES = 64_000
_WORDS = 90


class RecordedVoice(HttpPeer):
    """A custom voice that answers every request with recorded speech, whatever the text.

    Args:
        speeches: a folder of raw 16-bit samples at 16 kHz.
    """

    def __init__(self, speeches: Path) -> None:
        super().__init__(self._speak, record=False)
        self._speeches = [np.frombuffer(path.read_bytes(), "<i2") for path in sorted(speeches.glob("*.pcm"))]
        self._at_rate: dict[tuple[int, int], bytes] = {}
        self._numbers = count()

    @property
    def url(self) -> str:
        """As in `CustomVoice.server.url`."""
        return f"{self.origin}/voice"

    async def _speak(self, exchange: Exchange) -> None:
        rate_hz = int(exchange.body["message"]["sampleRate"])
        pcm = self._pcm(next(self._numbers) % len(self._speeches), rate_hz)
        await exchange.start("application/octet-stream")
        for at in range(0, len(pcm), _PIECE_BYTES):
            await exchange.send(pcm[at : at + _PIECE_BYTES])
        await exchange.end()

    def _pcm(self, number: int, rate_hz: int) -> bytes:
        if (number, rate_hz) not in self._at_rate:
            speech = self._speeches[number]
            sound = speech if rate_hz == RATE_HZ else soxr.resample(speech, RATE_HZ, rate_hz)
            self._at_rate[number, rate_hz] = sound.astype("<i2").tobytes()
        return self._at_rate[number, rate_hz]


async def _main(speeches: Path) -> None:
    # One sentence, so that the voice is asked once; no phrase in it means anything to anybody.
    tokens = tuple(f"word{number} " for number in range(_WORDS))
    async with FakeLlm(LlmScript(tokens=tokens), record=False) as llm, RecordedVoice(speeches) as voice:
        print(json.dumps({"llm": llm.url, "voice": voice.url}), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    anyio.run(_main, Path(sys.argv[1]), backend_options={"use_uvloop": True})

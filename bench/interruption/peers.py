"""The model and the voice of the benchmark, in a process of their own: they answer at once and without pauses.

`python -m bench.interruption.peers SPEECHES [WORDS]` prints their URLs as one line of JSON and ends with its standard
input. An answer has 100 words, or `WORDS`.
"""

import json
import re
import sys
from pathlib import Path
from zlib import crc32

import anyio
import anyio.to_thread
import numpy as np
import soxr

from bargein.audio.pcm import Int16Array
from bargein.testing import FakeLlm, LlmScript
from bargein.testing.http_peer import Exchange, HttpPeer
from bench.interruption.conditions import RATE_HZ, SPEECH_MS, WORD_MS

_PIECE_BYTES = 64_000
_WORD = re.compile(r"word(\d+)")


class RecordedVoice(HttpPeer):
    """A custom voice that speaks `word0 word1 …` with a fixed length of recorded speech for each word.

    A request for the words from the seventh on is answered with the recording from there, so that an assistant that
    continues after a false interruption continues audibly where its text does.

    Args:
        speeches: folder of raw 16-bit samples at 16 kHz; each call uses one of them.
    """

    def __init__(self, speeches: Path) -> None:
        super().__init__(self._speak, record=False)
        self._speeches = [np.frombuffer(path.read_bytes(), "<i2") for path in sorted(speeches.glob("*.pcm"))]
        self._at_rate: dict[tuple[int, int], Int16Array] = {}

    @property
    def url(self) -> str:
        """The URL, for `CustomVoice.server.url`."""
        return f"{self.origin}/voice"

    async def _speak(self, exchange: Exchange) -> None:
        message = exchange.body["message"]
        rate_hz, words = int(message["sampleRate"]), [int(number) for number in _WORD.findall(message["text"])]
        call_id = str(message["call"]["id"]) if "call" in message else ""
        sound = self._sound(crc32(call_id.encode()) % len(self._speeches), rate_hz)
        first, last = (words[0], words[-1] + 1) if words else (0, 1)
        pcm = sound[first * WORD_MS * rate_hz // 1000 : last * WORD_MS * rate_hz // 1000].tobytes()
        await exchange.start("application/octet-stream")
        for at in range(0, len(pcm), _PIECE_BYTES):
            await exchange.send(pcm[at : at + _PIECE_BYTES])
        await exchange.end()

    def _sound(self, number: int, rate_hz: int) -> Int16Array:
        if (number, rate_hz) not in self._at_rate:
            speech = self._speeches[number]
            sound = speech if rate_hz == RATE_HZ else soxr.resample(speech, RATE_HZ, rate_hz)
            self._at_rate[number, rate_hz] = sound.astype("<i2")
        return self._at_rate[number, rate_hz]


async def _main(speeches: Path, words: int = SPEECH_MS // WORD_MS) -> None:
    # A single sentence makes a single request for speech. Its words have no meaning for any rule of a server.
    tokens = tuple(f"word{number} " for number in range(words))
    async with FakeLlm(LlmScript(tokens=tokens), record=False) as llm, RecordedVoice(speeches) as voice:
        print(json.dumps({"llm": llm.url, "voice": voice.url}), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    anyio.run(_main, Path(sys.argv[1]), *map(int, sys.argv[2:]), backend_options={"use_uvloop": True})

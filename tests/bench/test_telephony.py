"""The benchmark of telephone calls counts what it says it counts."""

from types import SimpleNamespace

import numpy as np
from bench.telephony.__main__ import _problems
from bench.telephony.measure import HEAD, Figures, _heard

from tests.carriers.loopback import Played


def test_what_is_heard_after_a_clear_is_the_rest_of_the_frame_that_sounds() -> None:
    sound, silence = np.ones(160, np.int16), np.zeros(0, np.int16)
    heard = [Played(1000, sound), Played(1020, sound), Played(1040, silence), Played(1300, sound)]
    phone = SimpleNamespace(heard=heard, rate_hz=8000)
    assert _heard(phone, 1025) == 15  # type: ignore[arg-type]
    assert _heard(phone, 1040) == 0  # type: ignore[arg-type]


def test_what_is_over_its_target_is_named() -> None:
    good = Figures("a", [200, 210, 600], [0, 0, 0], [4, 20, 0], [180, 180, 180])
    assert _problems(good) == []
    bad = Figures("b", [300], [2], [60], [180])
    assert len(_problems(bad)) == 3
    assert all(problem.startswith("b: ") for problem in _problems(bad))
    assert len(good.line().split()) == 8
    assert len(HEAD) == len(good.line())

"""The measurement of what follows a false interruption, on real sounds and a simulated clock."""

import numpy as np
import pytest
from training.interruption_classifier.recovery import Recovery, measure, recovery_scenes, sound_end_ms, summary

from tests.speech import SPEECH

COUGH, OKAY = "noise/cough_bmc_S9.flac", "backchannel/tts_flite_rms_okay.flac"


def test_it_resumes_soon_and_at_a_clause_or_a_word() -> None:
    chosen = [one for one in recovery_scenes(SPEECH, ["noise", "listening"], 1) if one[1].clip in (COUGH, OKAY)]
    found = measure(SPEECH, chosen, plan=None, voice_ms=150, verbose=False)
    assert sorted(group for group, _, _ in found) == ["backchannel", "noise.cough"]
    for _, recovery, back_ms in found:
        assert recovery.resumed
        assert recovery.text
        assert not recovery.asked_again
        assert recovery.repeated_words is not None
        assert 0 <= recovery.repeated_words <= 4
        assert back_ms is not None
        assert back_ms <= 600
    figures = summary(found)["all false"]
    assert figures["stops"] == figures["resumed"] == 2
    assert figures["words left out"] == 0


@pytest.mark.parametrize(
    ("heard", "text", "repeated", "at_clause"),
    [
        ("w000 w001 w002 w003, w004", "w005 w006 w007,", 0, False),
        ("w000 w001 w002 w003, w004", "w004 w005 w006 w007,", 1, True),
        ("w000 w001 w002 w003, w004", "w006 w007,", -1, False),
        ("", "w000", 0, True),
        ("w000", None, None, False),
    ],
)
def test_words_that_are_heard_twice_or_left_out(
    heard: str, text: str | None, repeated: int | None, at_clause: bool
) -> None:
    recovery = Recovery(cut_ms=1, resumed=1, heard=heard, text=text)
    assert recovery.repeated_words == repeated
    assert recovery.joins_at_clause is at_clause


def test_where_a_sound_ends() -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[3200:4800] = 0.5
    assert sound_end_ms(samples) == 300

import numpy as np
import pytest

from bargein.providers.embedded.plausibility import (
    Sound,
    filter_transcript,
    is_plausible_answer,
    may_contain_words,
    measure,
)

SHORT = Sound(400, -25)
LONG = Sound(2500, -25)


def tone(ms, amplitude):
    return (amplitude * np.sin(np.arange(16 * ms) * 0.3)).astype(np.int16)


def test_sound_is_measured_near_its_loudest():
    audio = np.concatenate([tone(500, 30), tone(300, 8000), tone(500, 30)])
    sound = measure(audio)
    assert sound.sound_ms == 300
    assert sound.level_dbfs == pytest.approx(-15.3, abs=0.2)


@pytest.mark.parametrize("audio", [np.zeros(0, np.int16), np.zeros(8000, np.int16), np.full(8000, 5, np.int16)])
def test_silence_contains_no_sound(audio):
    assert measure(audio).sound_ms == 0
    assert not may_contain_words(measure(audio))


@pytest.mark.parametrize(("sound", "worth"), [(Sound(100, -20), False), (Sound(400, -60), False), (SHORT, True)])
def test_a_sound_that_is_too_short_or_faint_contains_no_word(sound, worth):
    assert may_contain_words(sound) is worth


@pytest.mark.parametrize(
    ("text", "log_probability", "sound", "believed"),
    [
        ("Stop!", -0.2, SHORT, "Stop!"),
        ("Pep.", -0.8, SHORT, ""),
        ("May I have a latte?", -0.8, LONG, "May I have a latte?"),
        ("This is the first time.", -1.3, LONG, ""),
        ("♪♪", -0.1, LONG, ""),
        ("♪ Hey now ♪", -0.1, LONG, "Hey now"),
        ("...", -0.1, SHORT, ""),
        ("大家叫", -0.1, LONG, ""),
        ("© transcript", -0.1, LONG, ""),
        ("You", -0.1, Sound(160, -30), ""),
        ("You", -0.5, SHORT, ""),
        ("You.", -0.1, SHORT, "You."),
        ("Thank you.", -0.9, LONG, "Thank you."),
        ("Aha!", -0.3, SHORT, "uh-huh"),
        ("Mama.", -0.3, SHORT, "mm-hmm"),
        ("Mama.", -0.3, LONG, "Mama."),
        ("I. C.", -0.3, SHORT, "I see"),
        ("Go, go, go, go, go,", -0.3, SHORT, "Go."),
        ("No, no, no.", -0.3, Sound(900, -20), "No, no, no."),
        ("Let's go now, please", -0.3, SHORT, "Let's go now, please"),
        ("Café, s'il vous plaît — 5 €", -0.3, LONG, "Café, s'il vous plaît — 5 €"),
    ],
)
def test_transcripts_are_filtered_by_plausibility(text, log_probability, sound, believed):
    assert filter_transcript(text, log_probability, sound) == believed


def test_an_answer_with_a_number_may_be_less_certain():
    assert is_plausible_answer(-1.5)
    assert not is_plausible_answer(-1.7)

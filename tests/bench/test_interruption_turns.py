"""The turns of the interruption benchmark: their kinds, the synthetic voices, the words that others are told."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bench.interruption import synthetic as voices
from bench.interruption.answers import GROUPS, answer_turns, answers, figures, group_of
from bench.interruption.choice import Options, chosen
from bench.interruption.column import languages
from bench.interruption.conditions import CLEAN
from bench.interruption.contenders import Contender
from bench.interruption.endings import Ending, Turn, play_turn
from bench.interruption.material import load
from bench.interruption.phrases import LANGUAGES, LONG, PAUSES, SHORT, VOICES, WORDS
from bench.interruption.run import _transcribed
from bench.interruption.scenes import scenes
from bench.interruption.synthetic import PREFIX, Spoken, path_of, trimmed, wanted
from bench.interruption.words import AFTER_MS, partial_words
from training.end_of_turn import corpus as ends
from training.interruption_classifier import corpus

from bargein.client.errors import RefusedError
from bargein.client.server_api import Server
from bargein.clock import LoopClock
from tests.bench.collection import make
from tests.bench.known import KnownServer

WORD = Turn(kind="turn.word", clip="a", heard=(), begin_ms=100, end_ms=700, group="one word")
PAUSED = Turn(
    kind="eot.digits", clip="d", heard=((1300, "one two"), (2300, "three")), begin_ms=100, end_ms=1900,
    holds=((300, 500), (900, 1400)),
)  # fmt: skip


@pytest.fixture
def voiced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Tones in place of synthetic voices, in a folder of their own."""
    monkeypatch.setattr(voices, "FOLDER", tmp_path / "synthetic")
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 16_000)
    silence = np.zeros(1_600)
    monkeypatch.setattr(voices, "_speech", lambda *_: np.concatenate((silence, tone, silence)).astype(np.float32))
    voices.synthetic.cache_clear()
    yield tmp_path / "synthetic"
    voices.synthetic.cache_clear()


def test_a_recording_has_the_pauses_that_it_declares(voiced: Path) -> None:
    rows = {row["transcript_or_label"]: row for row in voices.synthetic()}
    row = rows["I'd like, um, two."]
    spec = json.loads(path_of(Path("nowhere"), row["path"]).with_suffix(".json").read_text(encoding="utf-8"))
    samples, rate_hz = soundfile.read(path_of(Path("nowhere"), row["path"]))
    assert path_of(Path("x"), "interrupt/a.wav") == Path("x/interrupt/a.wav")
    assert row["path"].startswith(PREFIX)
    assert [(round(s["start"], 2), round(s["end"], 2)) for s in spec["silence_spans"]] == [(0.6, 1.2), (1.7, 2.5)]
    assert spec["turn_end"] == pytest.approx(samples.size / rate_hz, abs=0.001) == pytest.approx(3.0, abs=0.01)
    for hold in spec["silence_spans"]:
        assert not np.any(samples[int(hold["start"] * rate_hz) + 2 : int(hold["end"] * rate_hz) - 2])
    assert [word["word"] for word in spec["words"]] == ["I'd", "like,", "um,", "two."]
    first = path_of(Path(), row["path"]).stat().st_mtime_ns
    voices.synthetic.cache_clear()
    voices.synthetic()
    assert path_of(Path(), row["path"]).stat().st_mtime_ns == first, "a recording is made once"


def test_without_espeak_its_voices_are_left_out(voiced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices.shutil, "which", lambda _: None)
    found = voices.synthetic()
    assert found
    assert {row["speaker"].split()[0] for row in found} == {"hibari"}
    assert {row["language"] for row in found} == {"en"}


def test_the_silence_around_speech_is_cut_off() -> None:
    loud = np.full(100, 0.4, dtype=np.float32)
    quiet = np.full(50, 0.4 * 10 ** (-36 / 20), dtype=np.float32)
    assert trimmed(np.concatenate((quiet, loud, quiet))).size == 100


def test_every_synthetic_recording_has_a_name_of_its_own() -> None:
    names = [spoken.name for spoken in wanted()]
    assert len(names) == len(set(names)) > 300
    assert (
        Spoken("turn.word", ("hibari", "1.0"), ("No.",)).name != Spoken("turn.word", ("hibari", "1.1"), ("No.",)).name
    )
    assert all(len(pieces) == len(pauses_s) + 1 for pieces, pauses_s in PAUSES)
    assert len({language.tag for language in LANGUAGES}) == len(LANGUAGES) >= 10


def test_no_phrase_of_the_benchmark_is_trained_on() -> None:
    """The texts and voices that both trainings speak."""
    mine = {_plain(text) for text in (*WORDS, *SHORT, *LONG, *(" ".join(pieces) for pieces, _ in PAUSES))}
    assert len(mine) == len(WORDS) + len(SHORT) + len(LONG) + len(PAUSES), "each phrase once"
    assert not mine & {_plain(text) for text in (*corpus.BACKCHANNEL_TEXTS, *corpus.INTERRUPTION_TEXTS)}
    turns, voices_of_turns = (_module(f"training.end_of_turn.{name}") for name in ("phrases", "voices"))
    if turns is not None:
        assert not mine & {_plain(" ".join(phrase.pieces)) for phrase in turns.phrases(200)}
    spoken = () if voices_of_turns is None else (*voices_of_turns.VOICES, *voices_of_turns.HELD_OUT_VOICES)
    trained = {part for voice in (*getattr(ends, "_VOICES", ()), *spoken) for part in voice if voice[0] != "hibari"}
    trained |= {voice + variant for voice in corpus._ESPEAK_VOICES for variant in corpus._ESPEAK_VARIANTS}
    assert not {name for _, name, *_ in VOICES} & trained


def _module(name: str) -> Any:
    """Return a module of the training; None if there is none of the name."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _plain(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalpha() or letter == " ")


def test_recordings_of_people_are_sorted_by_words_and_by_length(tmp_path: Path) -> None:
    folder = make(tmp_path)
    found = {turn.clip: turn for turn in answer_turns(folder, (), ("turns",), 1.0)}
    assert {clip: turn.group for clip, turn in found.items()} == {
        "interrupt/tone.wav": "short sentence",  # 0.75 s
        "interrupt/word.wav": "one word",
        "assistant/a.wav": "long sentence",  # a prompt that is short enough to have no pause
        "eot_digits/a.wav": "with pauses",
    }
    assert found["eot_digits/a.wav"].holds
    assert not any(turn.is_synthetic for turn in found.values())
    both = answer_turns(folder, (), ("turns", "endings"), 1.0)
    assert "eot_digits/a.wav" not in {turn.clip for turn in both}, "the part `endings` plays it"
    assert answer_turns(folder, (), ("command",), 1.0) == []
    assert answer_turns(folder, (), ("turns",), 0.0) == []
    manifest = folder / "MANIFEST.tsv"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace("1.0\tinterrupt/word.wav", "1.0\ta wine glass"), encoding="utf-8"
    )
    again = {turn.clip: turn.group for turn in answer_turns(folder, (), ("turns",), 1.0)}
    assert again["interrupt/word.wav"] == "short sentence"


def test_synthetic_turns_belong_to_their_part(tmp_path: Path, voiced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices.shutil, "which", lambda _: "/usr/bin/espeak-ng")
    (tmp_path / "people").mkdir()
    folder = make(tmp_path / "people")
    english = [turn for turn, _ in chosen(Options(data=folder, parts=("turns",)), 1.0)[1] if turn.is_synthetic]
    assert {turn.group for turn in english} == set(GROUPS)
    assert {turn.language for turn in english} == {"en"}
    wanted_scenes, said = chosen(Options(data=folder, parts=("languages",)), 1.0)
    assert {turn.language for turn, _ in said} == {language.tag for language in LANGUAGES}
    assert {scene.language for scene in wanted_scenes} == {language.tag for language in LANGUAGES}
    assert {scene.part for scene in wanted_scenes} == {"command", "word", "listening"}
    assert {scene.study for scene in wanted_scenes} == {"languages"}
    people = chosen(Options(data=folder, parts=("turns", "languages"), synthetic=False), 1.0)
    assert not people[0]
    assert not [turn for turn, _ in people[1] if turn.is_synthetic]
    groups = [(s.study, s.language) for s in scenes(folder, ("languages",), 1.0, 1, synthetic=voices.synthetic())]
    assert len([1 for a, b in pairwise(groups) if a != b]) == len(set(groups)) - 1, "one group each"
    material = load(folder, wanted_scenes[:1], [english[0].clip])
    assert material.clips[english[0].clip, CLEAN.name].size > 8_000


def ending(starts_ms: tuple[float, ...], turn: Turn = WORD) -> Ending:
    return Ending(turn=turn, policy="default", starts_ms=starts_ms)


def test_a_turn_without_an_answer_counts_as_answered_late() -> None:
    some = [ending((1_100,)), ending((1_300,)), ending((2_300,)), ending(())]
    found = figures(some)
    assert found["p50_ms"]["value"] == 1_100
    assert found["p95_ms"]["value"] == pytest.approx(1_600 + 0.85 * 3_400)
    assert found["slow"]["value"] == 0.5
    assert found["unanswered"] == 1
    assert found["cut_off"]["value"] == 0
    cut = figures([ending((400, 1_500)), ending((900,))])
    assert (cut["turns"], cut["cut_off"]["value"], cut["p50_ms"]["value"]) == (2, 0.5, 200), "no time of one cut off"


def test_the_kinds_of_turns_are_counted_apart() -> None:
    spoken = replace(WORD, is_synthetic=True)
    spanish = replace(spoken, language="es")
    sweep = replace(ending((800,), PAUSED), policy="vapi")
    found = answers(
        [ending((1_000,)), ending((1_200,), spoken), ending((2_300,), PAUSED), ending((5_000,), spanish), sweep]
    )
    assert list(found) == ["one word", "with pauses"]
    assert found["one word"]["people"]["p50_ms"]["value"] == 300
    assert found["one word"]["synthetic"]["p50_ms"]["value"] == 500
    assert found["with pauses"]["people"]["turns"] == 1, "of the sweep of plans only the default counts"
    assert group_of(PAUSED) == "with pauses"
    assert group_of(replace(PAUSED, kind="eot.wait")) == ""
    by_language = languages([], [ending((1_000,)), ending((5_000,), spanish)])
    assert list(by_language) == ["es"]
    assert by_language["es"]["answers"]["p50_ms"]["value"] == 4_300


def test_partial_words_come_one_by_one_while_they_are_spoken() -> None:
    assert partial_words("stop that now", 100, 1_000) == [
        (400 + AFTER_MS, "stop"), (700 + AFTER_MS, "stop that"), (1_000 + AFTER_MS, "stop that now"),
    ]  # fmt: skip
    assert partial_words("", 0, 1_000) == []
    assert [text for _, text in PAUSED.partials] == ["one", "one two", "three"]
    finals = [at_ms for at_ms, _ in PAUSED.heard]
    assert [at_ms < finals[number == 2] for number, (at_ms, _) in enumerate(PAUSED.partials)] == [True] * 3


@pytest.mark.anyio
@pytest.mark.parametrize("partials", [False, True])
async def test_partial_words_are_sent_to_those_who_want_them(tmp_path: Path, *, partials: bool) -> None:
    folder = make(tmp_path)
    (turn,) = answer_turns(folder, (), ("turns",), 1.0)[-1:]
    async with KnownServer(talks=False) as server:
        await play_turn(
            turn, "default", at=Server(url=server.url), assistant={}, clock=LoopClock(),
            material=load(folder, [], [turn.clip]), oracle=True, partials=partials,
        )  # fmt: skip
        said = [m for m in server.calls[0].said if m["type"] == "heard"]
    finals = [m["text"] for m in said if m["final"]]
    assert finals == ["one two", "three"]
    assert [m["text"] for m in said if not m["final"]] == (["one", "one two", "three"] if partials else [])


@pytest.mark.anyio
async def test_calls_name_the_languages_that_the_server_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    material = load(make(tmp_path), [])
    async with KnownServer() as server:
        contender = Contender(name="known", version="1", server=Server(url=server.url), assistant={"name": "x"})
        assert await _transcribed(contender, material, {"en", "es"}) == {"es"}
        assert server.assistants[-1] == {"name": "x", "transcriber": {"provider": "vapi", "language": "es"}}
        assert len(server.assistants) == 1, "English is the default"

        def refused(*_: object, **__: object) -> object:
            raise RefusedError("no such language", status=400)

        monkeypatch.setattr("bench.interruption.run.calling", refused)
        assert await _transcribed(contender, material, {"es"}) == frozenset()

"""The repository's recordings: all are listed and credited, small together, and of every kind."""

import json
import re
from fnmatch import fnmatch

import soundfile

from tests.speech import SPEECH, manifest

LARGEST_BYTES = 4_000_000
KINDS = {"assistant", "backchannel", "eot", "interrupt", "noise", "rir", "speech"}
LICENCES = {
    "Apache-2.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "MIT", "public-domain",
    "unencumbered",
}  # fmt: skip
"""Licences that allow anybody to redistribute a recording, also commercially."""


def credited() -> list[list[str]]:
    """Return the rows of the table of CREDITS.md: a pattern of paths, author, licence, source."""
    lines = (SPEECH / "CREDITS.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [[row[0].strip("`"), *row[1:]] for row in rows]


def test_every_recording_is_listed_and_is_as_the_manifest_says() -> None:
    there = {path.relative_to(SPEECH).as_posix() for path in SPEECH.rglob("*.flac")}
    listed = {row["path"]: row for row in manifest()}
    assert set(listed) == there
    for path, row in listed.items():
        about = soundfile.info(SPEECH / path)
        assert (about.channels, about.samplerate) == (1, int(row["sample_rate"])), path
        assert abs(about.duration - float(row["duration_s"])) < 0.01, path
        for mark in ("energy_onset_s", "speech_onset_s"):
            assert not row[mark] or 0 <= float(row[mark]) < about.duration, path
        if row["extra"]:
            assert json.loads((SPEECH / row["extra"]).read_text(encoding="utf-8"))["turn_end"] < about.duration


def test_every_recording_has_its_author_source_and_a_licence_that_lets_it_be_passed_on() -> None:
    text = (SPEECH / "CREDITS.md").read_text(encoding="utf-8")
    used: set[str] = set()
    for row in manifest():
        ((pattern, author, licence, source),) = [one for one in credited() if fnmatch(row["path"], one[0])]
        used.add(pattern)
        assert author
        assert source
        assert licence == row["licence"]
        assert licence in LICENCES
        assert f"\n- {licence}: " in text
        assert row["source"]
    assert used == {pattern for pattern, *_ in credited()}
    for path in re.findall(r"\]\((LICENSES/[^)]+)\)", text):
        assert (SPEECH / path).is_file()


def test_they_are_few_and_small() -> None:
    assert 40 <= len(manifest()) <= 50
    assert sum(path.stat().st_size for path in SPEECH.rglob("*") if path.is_file()) < LARGEST_BYTES


def test_there_are_some_of_every_kind() -> None:
    classes = [row["class"] for row in manifest()]
    assert {name.partition(".")[0] for name in classes} == KINDS
    assert classes.count("interrupt.command") >= 12
    assert classes.count("interrupt.word") >= 5
    assert len({name for name in classes if name.startswith("noise.")}) >= 10
    assert max(float(row["duration_s"]) for row in manifest() if row["class"] == "assistant.speech") > 30

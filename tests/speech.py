"""The recordings of real speech and noise that the tests use, with their manifest."""

import csv
from pathlib import Path

SPEECH = Path(__file__).resolve().parent / "data" / "speech"
"""The folder of the recordings. Its MANIFEST.tsv lists them, its CREDITS.md names their authors and licences."""


def manifest() -> list[dict[str, str]]:
    """Return the rows of the manifest, in the order of the paths."""
    with (SPEECH / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

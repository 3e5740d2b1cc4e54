"""The default folder of recordings of the benchmarks."""

from pathlib import Path

SPEECH = Path(__file__).resolve().parents[1] / "tests" / "data" / "speech"
"""A small collection, enough to see that a benchmark runs. Published figures come from a larger one."""

HELP = "a folder of recordings with a MANIFEST.tsv (tests/data/speech)"
"""Help text of `--data`."""

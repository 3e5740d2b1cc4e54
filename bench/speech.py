"""Where the benchmarks find recordings of speech and noise when no other folder is given."""

from pathlib import Path

SPEECH = Path(__file__).resolve().parents[1] / "tests" / "data" / "speech"
"""A small collection, enough to see that a benchmark runs. Figures that are published come from a larger one."""

HELP = "a folder of recordings with a MANIFEST.tsv (tests/data/speech)"
"""What `--data` is said to be on the command line."""

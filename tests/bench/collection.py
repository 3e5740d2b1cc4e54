"""A small collection of recordings, with tones in place of voices."""

import csv
import json
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000
ROWS = [
    ("interrupt/tone.wav", "interrupt.command", 0.15, 0.9),
    ("interrupt/word.wav", "interrupt.word", 0.1, 0.5),
    ("backchannel/yes.wav", "backchannel.word", 0.1, 0.4),
    ("noise/rain.wav", "noise.rain", 0.0, 0.0),
    ("assistant/a.wav", "assistant.speech", 0.1, 0.9),
    ("eot_digits/a.wav", "eot.digits", 0.0, 0.0),
    ("eot_read/a.wav", "speech.read", 0.1, 0.8),
]


def make(folder: Path) -> Path:
    t = np.arange(RATE_HZ) / RATE_HZ
    for path, _, onset, offset in ROWS:
        (folder / path).parent.mkdir(exist_ok=True)
        tone = np.where((t >= onset) & (t < (offset or 1)), 0.3 * np.sin(2 * np.pi * 440 * t), 0)
        soundfile.write(folder / path, tone, RATE_HZ)
    holds = [{"label": "hold", "start": 0.3, "end": 0.5}, {"label": "hold", "start": 0.9, "end": 1.4}]
    words = [{"word": word, "start": start} for word, start in (("one", 0.1), ("two", 0.5), ("three", 1.4))]
    spans = [*holds, {"label": "eot", "start": 1.9, "end": 3.0}]
    spec = {"turn_end": 1.9, "silence_spans": spans, "words": words}
    (folder / "eot_digits/a.json").write_text(json.dumps(spec), encoding="utf-8")
    with (folder / "MANIFEST.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        names = ["path", "class", "duration_s", "transcript_or_label", "energy_onset_s"]
        table.writerow([*names, "speech_onset_s", "speech_offset_s"])
        for path, kind, onset, offset in ROWS:
            label = "[intent label, not verbatim]" if kind == "interrupt.command" else path
            table.writerow([path, kind, 1.0, label, onset or "", onset or "", offset or ""])
    return folder

"""The benchmark's synthetic voices: a collection of their recordings, in the form of the collections of people.

Each recording is made once and kept in `.synthetic/`. espeak-ng speaks most of them; hibari, which is installed with
the server, the others. Without espeak-ng its recordings are left out.
"""

import csv
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import anyio
import numpy as np
import soundfile
import soxr

from bargein.audio import pcm
from bargein.audio.pcm import Float32Array
from bargein.providers.embedded.tts import RATE_HZ as HIBARI_HZ
from bargein.providers.embedded.tts import HibariVoice
from bench.interruption.conditions import RATE_HZ
from bench.interruption.phrases import LANGUAGES, LONG, PAUSES, SHORT, SPEAKERS, VOICES, WORDS

FOLDER = Path(__file__).resolve().parents[2] / ".synthetic"
"""Folder of the collection."""

PREFIX = "synthetic/"
"""A path in the manifest that begins with this is one within `FOLDER`; others are within the collection of people."""

_LEAD_S = 0.1
_BELOW_PEAK = 10 ** (-35 / 20)
_LEVEL = 0.05
_COLUMNS: tuple[str, ...] = (
    "path", "class", "duration_s", "transcript_or_label", "speaker", "energy_onset_s", "speech_onset_s",
    "speech_offset_s", "language",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording to make.

    Attributes:
        kind: class in the manifest.
        voice: program, voice and pace.
        pieces: the text between the pauses.
        pauses_s: length of each pause.
        language: language of the text.
    """

    kind: str
    voice: tuple[str, str, str] | tuple[str, str]
    pieces: tuple[str, ...]
    pauses_s: tuple[float, ...] = ()
    language: str = "en"

    @property
    def name(self) -> str:
        """The name of the file without its suffix."""
        said = repr((self.voice, self.pieces, self.pauses_s))
        return f"{self.kind}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def path_of(data: Path, clip: str) -> Path:
    """Return the file of a clip: of the synthetic voices, or of the collection `data`."""
    return FOLDER / clip.removeprefix(PREFIX) if clip.startswith(PREFIX) else data / clip


@cache
def synthetic() -> tuple[dict[str, str], ...]:
    """Return the rows of the manifest of the synthetic voices, and make the recordings that are missing.

    The paths begin with `PREFIX`. The columns are those of the collections' manifests, and `language`.
    """
    FOLDER.mkdir(exist_ok=True)
    programs = {"hibari": True, "espeak-ng": shutil.which("espeak-ng") is not None}
    found = tuple(_row(spoken) for spoken in wanted() if programs[spoken.voice[0]])
    with (FOLDER / "MANIFEST.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, _COLUMNS, delimiter="\t", extrasaction="ignore")
        table.writeheader()
        table.writerows(found)
    return found


def wanted() -> Iterator[Spoken]:
    """Yield all recordings of the collection."""
    for kind, texts in (("turn.word", WORDS), ("turn.short", SHORT), ("turn.long", LONG)):
        yield from (Spoken(kind, VOICES[number % len(VOICES)], (text,)) for number, text in enumerate(texts))
    for number, (pieces, pauses_s) in enumerate(PAUSES):
        yield Spoken("turn.pauses", VOICES[number % len(VOICES)], pieces, pauses_s)
    for language in LANGUAGES:
        for kind, texts in (
            ("language.command", language.commands),
            ("language.word", language.words),
            ("language.listening", language.backchannels),
            ("language.answer", language.answers),
        ):
            for speaker in SPEAKERS:
                voice = ("espeak-ng", f"{language.voice}+{speaker}", "155")
                yield from (Spoken(kind, voice, (text,), language=language.tag) for text in texts)


def _row(spoken: Spoken) -> dict[str, str]:
    spans = FOLDER / f"{spoken.name}.json"
    if not spans.exists():
        _make(spoken, spans)
    spec = json.loads(spans.read_text(encoding="utf-8"))
    begin_s, end_s = spec["words"][0]["start"], spec["turn_end"]
    return {
        "path": f"{PREFIX}{spoken.name}.wav",
        "class": spoken.kind,
        "duration_s": str(spec["duration"]),
        "transcript_or_label": " ".join(spoken.pieces),
        "speaker": " ".join(spoken.voice),
        "energy_onset_s": str(begin_s),
        "speech_onset_s": str(begin_s),
        "speech_offset_s": str(end_s),
        "language": spoken.language,
    }


def _make(spoken: Spoken, spans: Path) -> None:
    """Write a recording, and its spans as in the collections: words (a piece each), pauses, the end of the turn."""
    parts = [np.zeros(round(_LEAD_S * RATE_HZ), dtype=np.float32)]
    words: list[dict[str, float | str]] = []
    holds: list[dict[str, float | str]] = []
    at_s = _LEAD_S
    for number, piece in enumerate(spoken.pieces):
        if number:
            pause_s = spoken.pauses_s[number - 1]
            parts.append(np.zeros(round(pause_s * RATE_HZ), dtype=np.float32))
            holds.append({"label": "hold", "start": at_s, "end": round(at_s + pause_s, 4)})
            at_s = round(at_s + pause_s, 4)
        said = trimmed(_speech(spoken.voice, piece))
        parts.append(said)
        words.extend({"word": word, "start": at_s} for word in piece.split())
        at_s = round(at_s + said.size / RATE_HZ, 4)
    soundfile.write(spans.with_suffix(".wav"), np.clip(np.concatenate(parts), -1, 1), RATE_HZ)
    spec = {"turn_end": at_s, "duration": at_s, "silence_spans": holds, "words": words}
    spans.write_text(json.dumps(spec), encoding="utf-8")  # last: a recording without it is made again


def trimmed(samples: Float32Array) -> Float32Array:
    """Return speech without what is 35 dB below its peak before and after it, at the level of all others."""
    loud = np.flatnonzero(np.abs(samples) > _BELOW_PEAK * np.abs(samples).max())
    said = samples[loud[0] : loud[-1] + 1]
    return (said / (np.sqrt(np.mean(np.square(said))) + 1e-6) * _LEVEL).astype(np.float32)


def _speech(voice: tuple[str, ...], text: str) -> Float32Array:
    if voice[0] == "hibari":
        samples, rate_hz = anyio.run(_hibari_says, text), round(HIBARI_HZ * float(voice[1]))
    else:
        path = FOLDER / "piece.wav"
        command = [voice[0], "-v", voice[1], "-s", voice[2], "-w", str(path), text]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        samples, rate_hz = soundfile.read(path, dtype="float32")
        path.unlink()
    return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), dtype=np.float32)


async def _hibari_says(text: str) -> Float32Array:
    return np.concatenate([pcm.to_float(chunk.pcm) async for chunk in _hibari().speak(text)])


@cache
def _hibari() -> HibariVoice:
    return HibariVoice()

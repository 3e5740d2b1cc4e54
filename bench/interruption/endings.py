"""The end of a turn: whether the assistant answers into a pause, and how soon it answers when the caller is done."""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np
import soundfile

from bargein.client.server_api import Server
from bargein.clock import Clock
from bargein.wire.base import JsonObject
from bench.interruption.caller import Material, SilentError, calling
from bench.interruption.conditions import CLEAN
from bench.interruption.scenes import draw, rows, words_of
from bench.interruption.words import partial_words

_BEFORE_MS = 1_000
WAIT_MS = 5_000
"""Longest time that an answer is waited for."""

_TAKES_WITHIN_MS = 3_000
_HEARD_AFTER_MS = 400
_TICK_S = 0.01
_DONE_KINDS = ("eot.digits", "speech.read", "eot.complete")


def _pauses(on_punctuation_s: float, on_no_punctuation_s: float, on_number_s: float) -> JsonObject:
    return {
        "waitSeconds": 0,
        "transcriptionEndpointingPlan": {
            "onPunctuationSeconds": on_punctuation_s,
            "onNoPunctuationSeconds": on_no_punctuation_s,
            "onNumberSeconds": on_number_s,
        },
    }


def _waits(function: str) -> JsonObject:
    return {"waitSeconds": 0, "smartEndpointingPlan": {"provider": "livekit", "waitFunction": function}}


POLICIES: dict[str, JsonObject | None] = {
    "default": None,
    "waitSeconds 0.3": {"waitSeconds": 0.3},
    "waitSeconds 0.6": {"waitSeconds": 0.6},
    "vapi": {"smartEndpointingPlan": {"provider": "vapi"}},
    "livekit": {"smartEndpointingPlan": {"provider": "livekit"}},
    "wait steep to 2 s": _waits("2000 / (1 + exp(-10 * (x - 0.5)))"),
    "wait steep to 2.5 s": _waits("2500 / (1 + exp(-10 * (x - 0.5)))"),
    "wait 2 s * x": _waits("2000 * x"),
    "pauses 0.1/1.5/0.5": _pauses(0.1, 1.5, 0.5),
}
"""Values of `startSpeakingPlan` to compare; the first uses the server's default.

The names that begin with "wait" have a `waitFunction`; the steep ones are a logistic curve in x, as Vapi suggests for
quick answers. The others have the pauses of a `transcriptionEndpointingPlan` in seconds: after punctuation, after none,
and after a number, with Vapi's default of the last.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn of a caller.

    Attributes:
        kind: class of the clip.
        clip: path of the recording within the collection.
        heard: times and words of a perfect transcriber that sends words after 400 ms of silence.
        begin_ms: start of the voice.
        end_ms: end of the turn.
        holds: pauses within the turn, in which no answer is due; empty where they are not known.
        group: one of `answers.GROUPS`; empty: it belongs to none of them.
        language: language of the turn.
        is_synthetic: whether a synthetic voice speaks it.
    """

    kind: str
    clip: str
    heard: tuple[tuple[float, str], ...]
    begin_ms: float
    end_ms: float
    holds: tuple[tuple[float, float], ...] = ()
    group: str = ""
    language: str = "en"
    is_synthetic: bool = False

    @property
    def partials(self) -> list[tuple[float, str]]:
        """Times and texts of the partial transcripts: of each piece between two pauses that are long enough."""
        begins = [self.begin_ms, *(end for begin, end in self.holds if end - begin >= _HEARD_AFTER_MS)]
        return [
            partial
            for begin_ms, (final_ms, text) in zip(begins, self.heard, strict=False)
            for partial in partial_words(text, begin_ms, final_ms - _HEARD_AFTER_MS)
            if partial[0] < final_ms
        ]

    @property
    def done(self) -> bool:
        """True if the caller has finished at the end, so that an answer is due."""
        return self.kind in _DONE_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The result of a turn. Times are milliseconds from the start of the clip, on the caller's clock.

    Attributes:
        turn: the turn.
        policy: name in `POLICIES`.
        starts_ms: start of each of the assistant's utterances.
        late_ms: largest delay of the caller's own frames.
    """

    turn: Turn
    policy: str
    starts_ms: tuple[float, ...]
    late_ms: float = 0.0

    @property
    def cut_off(self) -> bool:
        """True if the assistant began to speak in a pause of the turn (where pauses are not known: before its end)."""
        holds = self.turn.holds or ((self.turn.begin_ms, self.turn.end_ms),)
        return any(begin <= at_ms < end for at_ms in self.starts_ms for begin, end in holds)

    @property
    def dead_air_ms(self) -> float | None:
        """Time from the turn's end to the first sound of the answer; None without an answer."""
        return next((at_ms - self.turn.end_ms for at_ms in self.starts_ms if at_ms >= self.turn.end_ms), None)

    @property
    def taken(self) -> bool:
        """True if the assistant answered the turn, at any time."""
        return any(at_ms <= self.turn.end_ms + _TAKES_WITHIN_MS for at_ms in self.starts_ms)


def turns(data: Path, share: float) -> list[Turn]:
    """Return the turns of a collection, from the JSON beside a recording, or else the manifest's end of speech."""
    found: list[Turn] = []
    for row in rows(data):
        kind = row["class"]
        if (kind.startswith("eot.") or kind == "speech.read") and draw(row["path"], "share") < share:
            spans = (data / row["path"]).with_suffix(".json")
            found.append(with_spans(row, spans) if spans.exists() else plain(row, data))
    return found


def with_spans(row: dict[str, str], spans: Path) -> Turn:
    """Return a turn whose words and pauses are listed in a JSON file beside its recording."""
    spec: JsonObject = json.loads(spans.read_text(encoding="utf-8"))
    holds = tuple(
        (1000 * span["start"], 1000 * span["end"]) for span in spec["silence_spans"] if span["label"] == "hold"
    )
    words: list[JsonObject] = spec["words"]
    end_ms = 1000 * float(spec["turn_end"])
    heard: list[tuple[float, str]] = []
    for begin_ms, until_ms in (*holds, (end_ms, float("inf"))):
        if until_ms - begin_ms >= _HEARD_AFTER_MS:
            sent = sum(len(text.split()) for _, text in heard)
            said = [word["word"] for word in words if 1000 * word["start"] < begin_ms]
            heard.append((begin_ms + _HEARD_AFTER_MS, " ".join(said[sent:])))
    begin_ms = 1000 * min(word["start"] for word in words)
    return Turn(kind=row["class"], clip=row["path"], heard=tuple(heard), begin_ms=begin_ms, end_ms=end_ms, holds=holds)


def plain(row: dict[str, str], data: Path) -> Turn:
    """Return a turn whose end is that of the manifest, and whose pauses are not known."""
    length_ms = 1000 * soundfile.info(data / row["path"]).duration
    begin_ms, end_ms = 1000 * float(row["speech_onset_s"] or 0), 1000 * float(row["speech_offset_s"] or 0)
    end_ms = min(end_ms or length_ms, length_ms)
    text = "" if row["class"] == "eot.backchannel" else words_of(row.get("transcript_or_label", ""))
    heard = ((end_ms + _HEARD_AFTER_MS, text),) if text else ()
    return Turn(kind=row["class"], clip=row["path"], heard=heard, begin_ms=begin_ms, end_ms=end_ms)


async def play_turn(
    turn: Turn, policy: str, *, at: Server, assistant: JsonObject, clock: Clock, material: Material, oracle: bool,
    partials: bool = False,
) -> Ending:  # fmt: skip
    """Play a turn to an assistant that waits for the caller, and observe when it begins to speak.

    Raises:
        OSError, TimeoutError, ClientError: the call could not be made.
        SilentError: the server ended the call.
    """
    plan = POLICIES[policy]
    listening = assistant | {"firstMessageMode": "assistant-waits-for-user"}
    if plan is not None:
        listening |= {"startSpeakingPlan": plan}
    clip = material.clips[turn.clip, CLEAN.name]
    async with calling(at, listening, clock, material, CLEAN, oracle=oracle, partials=partials) as call:
        begin_ms = clock.monotonic_ms() + _BEFORE_MS
        call.say(begin_ms, clip)
        end_ms, heard, spoken = begin_ms + turn.end_ms, deque(turn.heard), deque(turn.partials)
        while (now_ms := clock.monotonic_ms()) < end_ms + WAIT_MS:
            while spoken and now_ms >= begin_ms + spoken[0][0]:
                call.send_words(spoken.popleft()[1], is_final=False)
            if heard and now_ms >= begin_ms + heard[0][0]:
                call.send_words(heard.popleft()[1])
            if any(start_ms >= end_ms for start_ms, _ in call.playback.stretches):
                break
            if call.over:
                raise SilentError(f"the server ended the call ({turn.clip})")
            await anyio.sleep(_TICK_S)
        starts = tuple(start_ms - begin_ms for start_ms, _ in call.playback.stretches)
        return Ending(turn=turn, policy=policy, starts_ms=starts, late_ms=call.worst_late_ms(begin_ms, now_ms))


@dataclass(frozen=True, slots=True)
class Point:
    """Cut-offs and dead air of a policy.

    Attributes:
        policy: name of the policy.
        cut_offs: share of turns that were cut off.
        dead_air_ms: median of the dead air; None without any answer.
        turns: number of turns.
        unanswered: share of turns without an answer within five seconds.
    """

    policy: str
    cut_offs: float
    dead_air_ms: float | None
    turns: int
    unanswered: float


def points(endings: Sequence[Ending]) -> list[Point]:
    """Return a point for each policy, over the English turns that are done at their end, quickest first."""
    found: list[Point] = []
    for policy in dict.fromkeys(ending.policy for ending in endings):
        mine = [e for e in endings if e.policy == policy and e.turn.kind in ("eot.digits", "speech.read")]
        if not mine:
            continue
        waits = [e.dead_air_ms for e in mine if e.dead_air_ms is not None]
        found.append(
            Point(
                policy,
                float(np.mean([e.cut_off for e in mine])),
                float(np.median(waits)) if waits else None,
                len(mine),
                float(np.mean([not e.starts_ms for e in mine])),
            )
        )
    return sorted(found, key=lambda point: point.dead_air_ms if point.dead_air_ms is not None else 1e9)


def cut_offs_at(found: Sequence[Point], dead_air_ms: float) -> float | None:
    """Return the lowest share of cut-off turns at a median dead air, interpolated between policies."""
    return _lowest([(p.dead_air_ms, p.cut_offs) for p in found if p.dead_air_ms is not None], dead_air_ms)


def dead_air_at(found: Sequence[Point], cut_offs: float) -> float | None:
    """Return the lowest median dead air in ms at a share of cut-off turns, interpolated between policies."""
    return _lowest([(p.cut_offs, p.dead_air_ms) for p in found if p.dead_air_ms is not None], cut_offs)


def _lowest(pairs: Sequence[tuple[float, float]], x: float) -> float | None:
    """Return the lowest y at x or left of it, on the lower left hull of points, with straight lines between them."""
    best: list[tuple[float, float]] = []
    for pair in sorted(pairs):
        if not best or pair[1] < best[-1][1]:
            best.append(pair)
    if not best or x < best[0][0]:
        return None
    return float(np.interp(x, [pair[0] for pair in best], [pair[1] for pair in best]))

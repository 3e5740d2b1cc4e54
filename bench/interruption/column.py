"""A column of the report: all figures of one server, and every outcome."""

from collections.abc import Sequence

from bargein.wire.base import JsonObject
from bench.interruption.answers import answers, figures, group_of
from bench.interruption.endings import Ending, cut_offs_at, dead_air_at, points
from bench.interruption.figures import paired, summary
from bench.interruption.playback import LATE_MS, Outcome, false_stop
from bench.interruption.scenes import PLANS, STUDIES

_BUSY = 0.85
_MOST_LATE = 0.02


def column_of(outcomes: Sequence[Outcome], endings: Sequence[Ending], cores_used: float) -> JsonObject:
    """Return the figures of a server.

    Args:
        outcomes: outcomes of all scenes.
        endings: results of all turns.
        cores_used: processor time of the server per second.
    """
    studies = {name: [o for o in outcomes if o.scene.study == name] for name in STUDIES}
    found = points([ending for ending in endings if ending.turn.group == ""])
    by_default = next((point for point in found if point.policy == "default"), None)
    late = sum(o.late_ms > LATE_MS for o in outcomes) + sum(e.late_ms > LATE_MS for e in endings)
    column: JsonObject = {
        "cores_used": round(cores_used, 2),
        "worst_late_ms": round(max((o.late_ms for o in (*outcomes, *endings)), default=0.0), 1),
        "ran_dry_ms_per_scene": round(sum(o.dry_ms for o in outcomes) / max(1, len(outcomes)), 1),
        "late_share": round(late / max(1, len(outcomes) + len(endings)), 4),
        "figures": summary(studies["main"]),
        "answers": answers(endings),
        "explicit": summary(studies["explicit"]),
        "phone": summary(studies["phone"]),
        "languages": languages(studies["languages"], endings),
        "telephone": paired(studies["telephone"]),
        "double": paired(studies["double"]),
        "plans": _plans(studies["plans"]),
        "endings": {
            "points": [
                {
                    "policy": p.policy,
                    "cut_offs": round(p.cut_offs, 4),
                    "dead_air_ms": None if p.dead_air_ms is None else round(p.dead_air_ms),
                    "turns": p.turns,
                    "unanswered": round(p.unanswered, 4),
                }
                for p in found
            ],
            "cut_offs_at_300_ms": cut_offs_at(found, 300),
            "cut_offs_at_600_ms": cut_offs_at(found, 600),
            "dead_air_at_5_percent_ms": dead_air_at(found, 0.05),
            "dead_air_at_10_percent_ms": dead_air_at(found, 0.10),
            "default_cut_offs": None if by_default is None else by_default.cut_offs,
            "default_dead_air_ms": None if by_default is None else by_default.dead_air_ms,
            "takes_the_turn": _answered_turns(endings),
        },
        "outcomes": [_as_json(outcome) for outcome in outcomes],
        "turns": [_ending_as_json(ending) for ending in endings],
    }
    column["real_time"] = column["late_share"] < _MOST_LATE and cores_used < _BUSY
    return column


def languages(outcomes: Sequence[Outcome], endings: Sequence[Ending]) -> JsonObject:
    """Return the figures of each language but English: interruptions, backchannels, answers of one word."""
    others = [ending for ending in endings if ending.turn.language != "en"]
    tags = [*(outcome.scene.language for outcome in outcomes), *(ending.turn.language for ending in others)]
    found: JsonObject = {}
    for tag in sorted({*tags}):
        said = [ending for ending in others if ending.turn.language == tag]
        found[tag] = summary([outcome for outcome in outcomes if outcome.scene.language == tag])
        if said:
            found[tag]["answers"] = figures(said)
    return found


def _plans(outcomes: Sequence[Outcome]) -> list[JsonObject]:
    """Return the results of each plan with the same clips: a point of the trade-off each."""
    rows: list[JsonObject] = []
    for plan in PLANS:
        figures = summary([o for o in outcomes if o.scene.plan == plan])
        if "command" in figures and "listening" in figures:
            rows.append({
                "plan": plan or "default",
                "recall": figures["command"]["recall"],
                "stop_p50_ms": figures["command"]["stop_p50_ms"],
                "listening": figures["listening"]["stopped"],
            })  # fmt: skip
    return rows


def _answered_turns(endings: Sequence[Ending]) -> JsonObject:
    """Count, by kind of turn, those that the assistant answered by default, and all of them.

    An answer counts within three seconds of the end of the turn.
    """
    counts: JsonObject = {}
    for ending in endings:
        if ending.policy == "default" and not ending.turn.group:
            taken, all_of = counts.get(ending.turn.kind, (0, 0))
            counts[ending.turn.kind] = [taken + ending.taken, all_of + 1]
    return counts


def _as_json(outcome: Outcome) -> JsonObject:
    scene = outcome.scene
    times = {
        name: getattr(outcome, name)
        for name in ("stop_ms", "message_ms", "gap_ms", "resumed_ms", "skipped_words", "exposed_ms")
    }
    return {
        "part": scene.part,
        "study": scene.study,
        "kind": scene.kind,
        "clip": scene.clip,
        "condition": scene.condition.name,
        "language": scene.language,
        "plan": scene.plan,
        "inject_ms": scene.inject_ms,
        **{name: None if value is None else round(value, 1) for name, value in times.items()},
        "early": outcome.early,
        "void": outcome.void,
        "false_stop": not scene.is_true and false_stop(outcome),
        "late_ms": round(outcome.late_ms, 1),
    }


def _ending_as_json(ending: Ending) -> JsonObject:
    return {
        "clip": ending.turn.clip,
        "kind": ending.turn.kind,
        "policy": ending.policy,
        "group": group_of(ending.turn),
        "language": ending.turn.language,
        "synthetic": ending.turn.is_synthetic,
        "starts_ms": [round(at_ms) for at_ms in ending.starts_ms],
        "end_ms": round(ending.turn.end_ms),
        "cut_off": ending.cut_off,
        "dead_air_ms": None if ending.dead_air_ms is None else round(ending.dead_air_ms),
    }

"""The report: text for a terminal, Markdown for the docs, and a page of HTML without scripts."""

from collections.abc import Sequence
from html import escape

from bargein.wire.base import JsonObject
from bench.interruption.answers import GROUPS
from bench.interruption.plots import pictures
from bench.interruption.targets import shown, table

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c1b22}
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}
td,th{padding:.35rem .6rem;border-bottom:1px solid #ddd;text-align:left}
svg{width:100%;height:auto}.no{color:#b3261e}.yes{color:#0f8a74}"""

Rows = Sequence[Sequence[str]]


def caveats(report: JsonObject) -> list[str]:
    """Return how the servers were measured, and what is not valid."""
    when = report["at"][:16].replace("T", " ")
    how = f"a share of {report['share']:g} of the clips, {report['calls_at_once']} calls at once"
    lines = [f"{when} UTC, {report['machine']}, {how}; 95 % intervals by bootstrap over clips"]
    for name, column in report["columns"].items():
        void = sum(outcome["void"] for outcome in column["outcomes"])
        lines.append(
            f"{name}: {len(column['outcomes'])} scenes, {void} of them void, {len(column['turns'])} turns; "
            f"{column['late_share']:.1%} late, {column['cores_used']:g} of its core in use, "
            f"{column['callers_cores']:g} of the callers'"
            + ("" if column["real_time"] else ": NOT in real time, its times are not valid")
            + (f", {len(column['lost'])} scenes could not be played" if column["lost"] else "")
            + (f", {column['left_out']} left out for want of time" if column["left_out"] else "")
            + (f", {column['left_silent']} calls left silent" if column["left_silent"] else "")
        )
        if column["settings"]:
            lines.append(f"{name} is set to: {column['settings']}")
    return lines


def tables(report: JsonObject) -> dict[str, Rows]:
    """Return all tables that the report has data for, by title; the first row of each is its head."""
    found: dict[str, Rows] = {"Targets": table(report)}
    if any(column["answers"] for column in report["columns"].values()):
        found["Turns by their kind"] = answer_rows(report)
    for name, column in report["columns"].items():
        against = "against the clean one, on the same clips"
        if column["telephone"]:
            found[f"{name}: what a line changes, {against}"] = _differences(column["telephone"])
        if column["double"]:
            found[f"{name}: what an echo changes for commands, {against}"] = _differences(column["double"])
        if column["languages"]:
            found[f"{name}: by language, synthetic voices"] = _languages(column["languages"], column["transcribed"])
        if column["endings"]["points"]:
            found[f"{name}: the end of a turn"] = _endings(column["endings"])
    if any(_recovers(column) for column in report["columns"].values()):
        found["After a false stop"] = _recovery(report)
    return found


def _languages(languages: JsonObject, transcribed: Sequence[str]) -> Rows:
    rows = [
        [
            "language", "interruptions", "stopped within 2 s", "onset to silence, p50", "p95", "backchannels",
            "that stop it", "turns of one word", "end to answer, p50", "p95", "words by",
        ]
    ]  # fmt: skip
    for tag, found in languages.items():
        row = [tag]
        for part, names in (
            ("true", (("trials", ""), ("recall", "share"), ("stop_p50_ms", "ms"), ("stop_p95_ms", "ms"))),
            ("listening", (("trials", ""), ("stopped", "share"))),
            ("answers", (("turns", ""), ("p50_ms", "ms"), ("p95_ms", "ms"))),
        ):
            there: JsonObject = found.get(part, {})
            row += [
                "-" if name not in there else shown(there[name], form, interval=False) if form else str(there[name])
                for name, form in names
            ]
        rows.append([*row, "its own transcriber" if tag in transcribed else "the default"])
    return rows


def _differences(rows: Sequence[JsonObject]) -> Rows:
    head = ["line", "pairs", "recall", "onset to silence, mean", "median", "backchannels that stop it"]
    return [head] + [
        [
            row["condition"],
            str(row["trials"]),
            _difference(row["recall"], "share"),
            _difference(row["stop_ms"], "ms"),
            _difference(row["stop_median_ms"], "ms"),
            _difference(row["listening"], "share"),
        ]
        for row in rows
    ]


def _difference(figure: JsonObject, form: str) -> str:
    if figure["value"] is None:
        return "-"
    return ("+" if figure["value"] > 0 else "") + shown(figure, form)


def _endings(endings: JsonObject) -> Rows:
    rows = [["policy", "turns", "cut off", "dead air, median", "no answer in 5 s"]]
    for p in endings["points"]:
        waits = "-" if p["dead_air_ms"] is None else f"{p['dead_air_ms']} ms"
        rows.append([p["policy"], str(p["turns"]), f"{p['cut_offs']:.1%}", waits, f"{p['unanswered']:.1%}"])
    for name, key, form in (
        ("cut-offs at 300 ms", "cut_offs_at_300_ms", "share"),
        ("cut-offs at 600 ms", "cut_offs_at_600_ms", "share"),
        ("dead air at 5 % cut-offs", "dead_air_at_5_percent_ms", "ms"),
        ("dead air at 10 % cut-offs", "dead_air_at_10_percent_ms", "ms"),
    ):
        value = endings[key]
        figure = "no policy reaches it" if value is None else shown({"value": value, "low": None, "high": None}, form)
        rows.append([name, "", *(("", figure) if form == "ms" else (figure, "")), ""])
    if endings["takes_the_turn"]:
        counts = [f"{kind} {taken} of {all_of}" for kind, (taken, all_of) in endings["takes_the_turn"].items()]
        rows.append(["turns taken by default", "", ", ".join(counts), "", ""])
    return rows


def _recovers(column: JsonObject) -> bool:
    return any(part in column["figures"] for part in ("listening", "noise"))


def _recovery(report: JsonObject) -> Rows:
    head = [
        "",
        "stops",
        "speaks again",
        "within 600 ms of the caller's silence",
        "within 1 s",
        "silent for, p50 / p95",
        "words left out",
    ]
    rows = [head]
    for name, column in report["columns"].items():
        for part in ("listening", "noise"):
            found = column["figures"].get(part, {}).get("recovery")
            if found:
                counts = [str(found[key]) for key in ("stops", "went_on", "within_600_ms", "within_1000_ms")]
                gaps = "-" if found["gap_p50_ms"] is None else f"{found['gap_p50_ms']} / {found['gap_p95_ms']} ms"
                left_out = found["skipped_words_p50"]
                words = "-" if left_out is None else f"{left_out:+.1f}"
                rows.append([f"{name}, {part}", *counts, gaps, words])
    return rows


def answer_rows(report: JsonObject) -> Rows:
    """Return the figures of each kind of turn: a row for each server."""
    rows = [
        [
            "turn", "voices", "server", "turns", "cut off", "end to answer, p50", "p95", "after 1.5 s", "no answer",
        ]
    ]  # fmt: skip
    for group in GROUPS:
        for who in ("people", "synthetic"):
            for name, column in report["columns"].items():
                found: JsonObject | None = column["answers"].get(group, {}).get(who)
                if found is not None:
                    cells = [
                        shown(found[key] if found[key]["value"] is not None else None, form)
                        for key, form in (("cut_off", "share"), ("p50_ms", "ms"), ("p95_ms", "ms"), ("slow", "share"))
                    ]
                    rows.append([group, who, name, str(found["turns"]), *cells, str(found["unanswered"])])
    return rows


def as_text(report: JsonObject) -> str:
    """Return the report for a terminal."""
    lines = [f"  {line}" for line in caveats(report)]
    for title, rows in tables(report).items():
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        lines += ["", f"  {title}"]
        lines += [
            "    " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
    return "\n".join(lines) + "\n"


def as_markdown(rows: Rows) -> str:
    """Return a table for the docs."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def as_html(report: JsonObject) -> str:
    """Return the report as a page."""
    body = [f"<h1>bargein {escape(report['bargein'])}: interruptions</h1>"]
    body += [f"<p>{escape(line)}.</p>" for line in caveats(report)]
    drawn = pictures(report)
    for title, rows in tables(report).items():
        head, *rest = ["".join(f"<td>{escape(cell)}" for cell in row) for row in rows]
        text = "".join(f"<tr>{row}" for row in rest)
        text = text.replace("<td>no<", "<td class=no>no<").replace("<td>yes<", "<td class=yes>yes<")
        body.append(f"<h2>{escape(title)}</h2><table><tr>{head.replace('<td>', '<th>')}{text}</table>")
        if title == "Targets":
            body += drawn.values()
    page = f"<!doctype html><meta charset=utf-8><title>bargein: interruptions</title><style>{_STYLE}</style>"
    return page + "\n".join(body) + "\n"

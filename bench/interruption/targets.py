"""The targets of the server, and whether it meets them."""

from dataclasses import dataclass
from typing import cast

from bargein.wire.base import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A row of the table.

    Attributes:
        name: quantity that is measured.
        path: path of the figure in a column's JSON.
        bound: value to reach.
        at_least: whether the bound is a lower one; otherwise it is an upper one.
        form: `share`, `ms`, `rate` (a minute) or `count`.
    """

    name: str
    path: tuple[str, ...]
    bound: float
    at_least: bool = False
    form: str = "share"


def _turns(group: str, says: str, p50_ms: float, p95_ms: float) -> tuple[Target, ...]:
    """Return the rows of a kind of turn, of people and of synthetic voices."""
    rows: list[Target] = []
    for who, note in (("people", ""), ("synthetic", " (synthetic)")):
        name, path = f"turn {says}{note}", ("answers", group, who)
        rows += [
            Target(name=f"{name}: end to answer, p50", path=(*path, "p50_ms"), bound=p50_ms, form="ms"),
            Target(name=f"{name}: end to answer, p95", path=(*path, "p95_ms"), bound=p95_ms, form="ms"),
            Target(name=f"{name}: answered after 1.5 s", path=(*path, "slow"), bound=0),
        ]
    return tuple(rows)


def _with_pauses(who: str, note: str) -> tuple[Target, ...]:
    name, path = f"turn with pauses{note}", ("answers", "with pauses", who)
    return (
        Target(name=f"{name}: cut off", path=(*path, "cut_off"), bound=0.05),
        Target(name=f"{name}: end to answer, p50", path=(*path, "p50_ms"), bound=500, form="ms"),
        Target(name=f"{name}: end to answer, p95", path=(*path, "p95_ms"), bound=1_220, form="ms"),
    )


TARGETS = (
    *_turns("one word", "of one word", 500, 800),
    *_turns("short sentence", "of a short sentence", 500, 800),
    *_turns("long sentence", "of a long sentence", 450, 800),
    *_with_pauses("people", ""),
    *_with_pauses("synthetic", " (synthetic)"),
    Target(name="true interruptions stopped within 2 s", path=("figures", "true", "recall"), bound=1.0, at_least=True),
    Target(name="commands, stopped within 2 s", path=("figures", "command", "recall"), bound=1.0, at_least=True),
    Target(name="commands, onset to silence, p50", path=("figures", "command", "stop_p50_ms"), bound=250, form="ms"),
    Target(name="commands, onset to silence, p95", path=("figures", "command", "stop_p95_ms"), bound=450, form="ms"),
    Target(name="one word, stopped within 2 s", path=("figures", "word", "recall"), bound=1.0, at_least=True),
    Target(name="one word, onset to silence, p50", path=("figures", "word", "stop_p50_ms"), bound=280, form="ms"),
    Target(name="one word, onset to silence, p95", path=("figures", "word", "stop_p95_ms"), bound=380, form="ms"),
    Target(name="backchannels that stop it", path=("figures", "listening", "stopped"), bound=0.05),
    Target(
        name="noise, stops a minute of speech", path=("figures", "noise", "stops_per_minute"), bound=0.05, form="rate"
    ),
    Target(name="own echo at -20 dB, stops", path=("figures", "echo", "stops"), bound=0, form="count"),
    Target(name="voiceSeconds 0.2, p50", path=("explicit", "command", "stop_p50_ms"), bound=225, form="ms"),
    Target(name="voiceSeconds 0.2, p95", path=("explicit", "command", "stop_p95_ms"), bound=280, form="ms"),
    Target(name="end of turn, cut-offs at 300 ms dead air", path=("endings", "cut_offs_at_300_ms"), bound=0.1),
    Target(
        name="end of turn, dead air at 5 % cut-offs", path=("endings", "dead_air_at_5_percent_ms"), bound=550, form="ms"
    ),
)

EXTRAS = (
    ("backchannels by people, share that stops it", ("figures", "listening", "people"), "share"),
    ("telephone, commands, stopped within 2 s", ("phone", "command", "recall"), "share"),
    ("telephone, commands, onset to silence, p50", ("phone", "command", "stop_p50_ms"), "ms"),
    ("telephone, commands, onset to silence, p95", ("phone", "command", "stop_p95_ms"), "ms"),
    ("telephone, one word, stopped within 2 s", ("phone", "word", "recall"), "share"),
    ("telephone, one word, onset to silence, p50", ("phone", "word", "stop_p50_ms"), "ms"),
    ("telephone, one word, onset to silence, p95", ("phone", "word", "stop_p95_ms"), "ms"),
    ("telephone, backchannels that stop it", ("phone", "listening", "stopped"), "share"),
    ("noise, share of clips that stop it", ("figures", "noise", "stopped"), "share"),
    ("minutes of own echo heard", ("figures", "echo", "minutes"), "rate"),
    ("end of turn by default, cut-offs", ("endings", "default_cut_offs"), "share"),
    ("end of turn by default, dead air p50", ("endings", "default_dead_air_ms"), "ms"),
)
"""Figures in the table without a target. Telephone: 8 kHz mu-law, 300 to 3400 Hz."""


def figure_at(column: JsonObject, path: tuple[str, ...]) -> JsonObject | None:
    """Return a figure of a column as value, low and high; None if it was not measured."""
    within = column
    for name in path[:-1]:
        within = cast("JsonObject", within.get(name) or {})
    found = within.get(path[-1])
    if found is None:
        return None
    figure = cast("JsonObject", found) if isinstance(found, dict) else {"value": found, "low": None, "high": None}
    return None if figure["value"] is None else figure


def met(target: Target, figure: JsonObject | None) -> bool | None:
    """Return whether the figure meets the target; None without a figure."""
    if figure is None:
        return None
    return figure["value"] >= target.bound if target.at_least else figure["value"] <= target.bound


def shown(figure: JsonObject | None, form: str, *, interval: bool = True) -> str:
    """Return a figure as text."""
    if figure is None:
        return "-"
    low, high = figure["low"], figure["high"]
    spread = f" ({_number(low, form)} to {_number(high, form)})" if interval and low is not None else ""
    return _number(figure["value"], form) + spread + {"ms": " ms"}.get(form, "")


def bound_shown(target: Target) -> str:
    """Return the target as text."""
    return ("≥ " if target.at_least else "≤ ") + _number(target.bound, target.form) + {"ms": " ms"}.get(target.form, "")


def _number(value: float, form: str) -> str:
    if form == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if form == "rate" else f"{value:.0f}"


def table(report: JsonObject, *, short: bool = False) -> list[list[str]]:
    """Return rows of text: name, target, a cell for each server, and whether the first server meets the target.

    Args:
        report: the report of a run.
        short: without intervals, and without the figures that have no target.
    """
    columns: JsonObject = report["columns"]
    first = next(iter(columns))
    body = [["", "target", *(f"{name} {column['version']}".strip() for name, column in columns.items()), "met"]]
    for target in TARGETS:
        figures = {name: figure_at(column, target.path) for name, column in columns.items()}
        if all(figure is None for figure in figures.values()):
            continue
        verdict = {True: "yes", False: "no", None: "-"}[met(target, figures[first])]
        cells = [shown(figure, target.form, interval=not short) for figure in figures.values()]
        body.append([target.name, bound_shown(target), *cells, verdict])
    for name, path, form in () if short else EXTRAS:
        cells = [shown(figure_at(column, path), form) for column in columns.values()]
        if any(cell != "-" for cell in cells):
            body.append([name, "", *cells, ""])
    return _joined(body) if short else body


def _joined(rows: list[list[str]]) -> list[list[str]]:
    """Return a table in which a median and the 95th percentile that follows it share a row."""
    found: list[list[str]] = []
    for row in rows:
        before = found[-1] if found else [""]
        if row[0].endswith("p95") and before[0] == f"{row[0].removesuffix('p95')}p50":
            cells = [
                cell if cell == other and cell in ("-", "yes", "no") else f"{cell} / {other}"
                for cell, other in zip(before[1:], row[1:], strict=True)
            ]
            found[-1] = [f"{before[0]} / p95", *cells]
        else:
            found.append(row)
    return found

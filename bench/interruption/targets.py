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


TARGETS = (
    Target(name="true interruptions stopped within 2 s", path=("figures", "true", "recall"), bound=0.99, at_least=True),
    Target(name="commands, onset to silence, p50", path=("figures", "command", "stop_p50_ms"), bound=350, form="ms"),
    Target(name="commands, onset to silence, p95", path=("figures", "command", "stop_p95_ms"), bound=500, form="ms"),
    Target(name="one word, stopped within 2 s", path=("figures", "word", "recall"), bound=0.97, at_least=True),
    Target(name="one word, onset to silence, p50", path=("figures", "word", "stop_p50_ms"), bound=400, form="ms"),
    Target(name="backchannels that stop it", path=("figures", "listening", "stopped"), bound=0.07),
    Target(
        name="noise, stops a minute of speech", path=("figures", "noise", "stops_per_minute"), bound=0.1, form="rate"
    ),
    Target(name="own echo at -20 dB, stops", path=("figures", "echo", "stops"), bound=0, form="count"),
    Target(name="voiceSeconds 0.2, p50", path=("explicit", "command", "stop_p50_ms"), bound=240, form="ms"),
    Target(name="voiceSeconds 0.2, p95", path=("explicit", "command", "stop_p95_ms"), bound=300, form="ms"),
    Target(name="end of turn, cut-offs at 300 ms dead air", path=("endings", "cut_offs_at_300_ms"), bound=0.1),
    Target(
        name="end of turn, dead air at 5 % cut-offs", path=("endings", "dead_air_at_5_percent_ms"), bound=550, form="ms"
    ),
)

EXTRAS = (
    ("noise, share of clips that stop it", ("figures", "noise", "stopped"), "share"),
    ("minutes of own echo heard", ("figures", "echo", "minutes"), "rate"),
    ("end of turn by default, cut-offs", ("endings", "default_cut_offs"), "share"),
    ("end of turn by default, dead air p50", ("endings", "default_dead_air_ms"), "ms"),
)
"""Figures in the table without a target."""


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


def table(report: JsonObject) -> list[list[str]]:
    """Return rows of text: name, target, a cell for each server, and whether the first server meets the target."""
    columns: JsonObject = report["columns"]
    first = next(iter(columns))
    body = [["", "target", *(f"{name} {column['version']}".strip() for name, column in columns.items()), "met"]]
    for target in TARGETS:
        figures = {name: figure_at(column, target.path) for name, column in columns.items()}
        if all(figure is None for figure in figures.values()):
            continue
        verdict = {True: "yes", False: "no", None: "-"}[met(target, figures[first])]
        cells = [shown(figure, target.form) for figure in figures.values()]
        body.append([target.name, bound_shown(target), *cells, verdict])
    for name, path, form in EXTRAS:
        cells = [shown(figure_at(column, path), form) for column in columns.values()]
        if any(cell != "-" for cell in cells):
            body.append([name, "", *cells, ""])
    return body

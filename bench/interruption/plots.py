"""The report's charts as SVG, without a library: axes, bars, lines and points."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from bargein.wire.base import JsonObject

WIDTH, HEIGHT = 720, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 48, 48
COLOURS = ("#5b57c9", "#d9531e", "#0f8a74", "#e8a13a", "#5fb3a1", "#8a8794")
_MOST_MS, _BIN_MS = 1_200, 50
_MOST_WAIT_MS = 3_000
_SHORT_TURNS = ("one word", "short sentence")
_KINDS = {
    "backchannel.tts": "mm-hm, TTS",
    "backchannel.word": "yes, said",
    "backchannel.natural_candidate": "mm-hm, real",
}


class Chart:
    """A frame with two axes; coordinates are in the axes' units.

    Args:
        title: title above the frame.
        x: name and range of the horizontal axis.
        y: name and range of the vertical axis.
        names: meanings of the colours, in their order.
    """

    def __init__(
        self, title: str, x: tuple[str, float, float], y: tuple[str, float, float], names: Sequence[str] = ()
    ) -> None:
        self._x, self._y = x, y
        self._parts: list[str] = []
        self._text(_LEFT, 20, title, size=15, weight=600)
        for number, name in enumerate(names):
            at = _LEFT + 125 * number
            self._parts.append(
                f'<rect x="{at}" y="30" width="10" height="10" fill="{COLOURS[number % len(COLOURS)]}"/>'
            )
            self._text(at + 15, 39, name)
        self._axes()

    def svg(self) -> str:
        """Return the chart as SVG."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
        return head + f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>' + "".join(self._parts) + "</svg>"

    def bar(self, left: float, right: float, height: float, colour: str) -> None:
        """Draw a bar from the horizontal axis."""
        top = self._at_y(height)
        self._parts.append(
            f'<rect x="{self._at_x(left):.1f}" y="{top:.1f}" width="{self._at_x(right) - self._at_x(left):.1f}" '
            f'height="{HEIGHT - _BOTTOM - top:.1f}" fill="{colour}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        """Draw a line through points."""
        places = " ".join(f"{self._at_x(x):.1f},{self._at_y(y):.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def point(self, x: float, y: float, colour: str, label: str = "") -> None:
        """Draw a point with a label."""
        at_x, at_y = self._at_x(x), self._at_y(y)
        self._parts.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="5" fill="{colour}"/>')
        # A label that would exceed the frame is drawn to the left of its point.
        late = at_x > WIDTH * 0.7
        self._text(at_x - 8 if late else at_x + 8, at_y - 5, label, size=11, anchor="end" if late else "start")

    def mark(self, x: float, label: str) -> None:
        """Write a name below the axis."""
        self._text(self._at_x(x), HEIGHT - _BOTTOM + 16, label, size=11, anchor="middle")

    def bound(self, *, x: float | None = None, y: float | None = None) -> None:
        """Draw a dashed line at a target."""
        x1, x2 = (self._at_x(x),) * 2 if x is not None else (_LEFT, WIDTH - _RIGHT)
        y1, y2 = (self._at_y(y),) * 2 if y is not None else (_TOP, HEIGHT - _BOTTOM)
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#1c1b22" stroke-dasharray="4 4"/>'
        )

    def ticks(self, *, x: Sequence[float] = (), y: Sequence[float] = (), form: str = "g") -> None:
        """Write numbers along the axes."""
        for value in x:
            self._text(self._at_x(value), HEIGHT - _BOTTOM + 16, f"{value:g}", size=11, anchor="middle")
        for value in y:
            at = self._at_y(value)
            self._text(_LEFT - 8, at + 4, f"{value:{form}}", size=11, anchor="end")
            self._parts.append(
                f'<line x1="{_LEFT}" y1="{at:.1f}" x2="{WIDTH - _RIGHT}" y2="{at:.1f}" stroke="#e4e2ea"/>'
            )

    def _axes(self) -> None:
        base = HEIGHT - _BOTTOM
        self._parts.append(f'<line x1="{_LEFT}" y1="{base}" x2="{WIDTH - _RIGHT}" y2="{base}" stroke="#1c1b22"/>')
        self._text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 10, self._x[0], anchor="middle")
        middle = (_TOP + base) / 2
        self._parts.append(
            f'<text x="16" y="{middle}" font-size="12" fill="#1c1b22" text-anchor="middle" '
            f'transform="rotate(-90 16 {middle})">{escape(self._y[0])}</text>'
        )

    def _text(self, x: float, y: float, text: str, *, size: int = 12, weight: int = 400, anchor: str = "start") -> None:
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="#1c1b22" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def _at_x(self, value: float) -> float:
        return _place(value, self._x, _LEFT, WIDTH - _RIGHT)

    def _at_y(self, value: float) -> float:
        return _place(value, self._y, HEIGHT - _BOTTOM, _TOP)


def _place(value: float, axis: tuple[str, float, float], low: float, high: float) -> float:
    _, least, most = axis
    return low + (min(max(value, least), most) - least) / (most - least) * (high - low)


def pictures(report: JsonObject) -> dict[str, str]:
    """Return all charts that the report has data for, by name."""
    columns: JsonObject = report["columns"]
    drawn = {
        "latency": _latency(columns),
        "answers": _answers(columns),
        "false-stops": _false_stops(columns),
        "trade-off": _trade_off(columns),
        "endings": _endings(columns),
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _latency(columns: Mapping[str, JsonObject]) -> str:
    """Draw the share of interruptions that were stopped by a time: bars for the first server, lines for all."""
    stops = {name: _true_stops(column) for name, column in columns.items()}
    if not any(stops.values()):
        return ""
    chart = Chart(
        "From the onset of a true interruption to silence",
        ("ms", 0, _MOST_MS),
        ("share of interruptions", 0, 1),
        [*stops],
    )
    chart.ticks(x=range(0, _MOST_MS + 1, 200), y=(0, 0.25, 0.5, 0.75, 1), form=".0%")
    first = next(iter(stops.values()))
    for from_ms in range(0, _MOST_MS, _BIN_MS):
        count = sum(ms is not None and from_ms <= ms < from_ms + _BIN_MS for ms in first)
        if count:
            chart.bar(from_ms + 2, from_ms + _BIN_MS - 2, count / len(first), "#c9c7ee")
    for colour, mine in zip(COLOURS, stops.values(), strict=False):
        times = np.array([np.inf if ms is None else ms for ms in mine])
        chart.line(
            [(ms, float(np.mean(times <= ms))) for ms in range(0, _MOST_MS + 1, 10)] if len(times) else [], colour
        )
    return chart.svg()


def _true_stops(column: JsonObject) -> list[float | None]:
    return [
        None if o["early"] else o["stop_ms"]
        for o in column["outcomes"]
        if o["study"] == "main" and o["part"] in ("command", "word") and not o["void"]
    ]


def _answers(columns: Mapping[str, JsonObject]) -> str:
    """Draw the share of turns of a word or a short sentence that were answered by a time."""
    waits = {name: _short_waits(column) for name, column in columns.items()}
    if not any(waits.values()):
        return ""
    chart = Chart(
        "From the end of a word or a short sentence to the answer",
        ("ms", 0, _MOST_WAIT_MS),
        ("share of turns", 0, 1),
        [*waits],
    )
    chart.ticks(x=range(0, _MOST_WAIT_MS + 1, 500), y=(0, 0.25, 0.5, 0.75, 1), form=".0%")
    chart.bound(x=500)
    for colour, mine in zip(COLOURS, waits.values(), strict=False):
        times = np.array(mine)
        steps = range(0, _MOST_WAIT_MS + 1, 20)
        chart.line([(ms, float(np.mean(times <= ms))) for ms in steps] if mine else [], colour)
    return chart.svg()


def _short_waits(column: JsonObject) -> list[float]:
    return [
        float("inf") if turn["dead_air_ms"] is None or turn["cut_off"] else turn["dead_air_ms"]
        for turn in column["turns"]
        if turn["group"] in _SHORT_TURNS and turn["language"] == "en" and turn["policy"] == "default"
    ]


def _false_stops(columns: Mapping[str, JsonObject]) -> str:
    """Draw the share of clips that stop the assistant, by class; classes that stop none are combined."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for name, column in columns.items():
        for part in ("listening", "noise"):
            for kind, (stops, trials) in column["figures"].get(part, {"by_kind": {}})["by_kind"].items():
                counts.setdefault(kind, {})[name] = (stops, trials)
    kinds = [kind for kind, by_name in counts.items() if any(stops for stops, _ in by_name.values())]
    if not counts:
        return ""
    quiet = [kind for kind in counts if kind not in kinds]
    if quiet:
        counts["none of these"] = {
            name: (0, sum(counts[kind].get(name, (0, 0))[1] for kind in quiet)) for name in columns
        }
        kinds.append("none of these")
    chart = Chart("What stops the assistant that should not", ("", 0, len(kinds)), ("share of clips", 0, 1), [*columns])
    chart.ticks(y=(0, 0.25, 0.5, 0.75, 1), form=".0%")
    for at, kind in enumerate(kinds):
        for number, name in enumerate(columns):
            stops, trials = counts[kind].get(name, (0, 0))
            width = 0.8 / len(columns)
            chart.bar(
                at + 0.1 + number * width,
                at + 0.1 + (number + 0.9) * width,
                stops / max(1, trials),
                COLOURS[number % len(COLOURS)],
            )
        label = _KINDS.get(kind, kind.replace("noise.", "").replace("_", " "))
        chart.mark(at + 0.5, label[:9] + "." if len(label) > 10 and len(kinds) > 8 else label)
    return chart.svg()


def _trade_off(columns: Mapping[str, JsonObject]) -> str:
    """Draw each plan and each server's default: time to stop for a command, against stops for backchannels."""
    found: list[tuple[float | None, float | None, str, str]] = []
    for colour, (name, column) in zip(COLOURS, columns.items(), strict=False):
        for row in column["plans"]:
            label = str(row["plan"]).replace('"', "").strip("{}").replace("numWords: 0, ", "")
            found.append((row["listening"]["value"], row["stop_p50_ms"]["value"], colour, label))
        figures = column["figures"]
        if "command" in figures and "listening" in figures and not column["plans"]:
            stop, backchannels = figures["command"]["stop_p50_ms"]["value"], figures["listening"]["stopped"]["value"]
            found.append((backchannels, stop, colour, name))
    points = [(x, y, colour, label) for x, y, colour, label in found if x is not None and y is not None]
    if len(points) < 2:
        return ""
    most = max(800.0, *(y for _, y, _, _ in points))
    chart = Chart(
        "The trade-off: lower and further left is better",
        ("backchannels that stop it, %", 0, 100),
        ("command to silence, p50, ms", 0, most),
        [*columns],
    )
    chart.ticks(x=range(0, 101, 20), y=range(0, int(most) + 1, 200))
    chart.bound(x=5)
    chart.bound(y=250)
    for x, y, colour, label in points:
        chart.point(100 * x, y, colour, label)
    return chart.svg()


def _endings(columns: Mapping[str, JsonObject]) -> str:
    """Draw each endpointing policy: turns that are cut off against dead air."""
    points = [
        (point["dead_air_ms"], point["cut_offs"], colour, point["policy"])
        for colour, column in zip(COLOURS, columns.values(), strict=False)
        for point in column["endings"]["points"]
        if point["dead_air_ms"] is not None
    ]
    if not points:
        return ""
    most = max(1_500.0, *(x for x, _, _, _ in points))
    chart = Chart(
        "The end of a turn: lower and further left is better", ("dead air, median ms", 0, most),
        ("turns cut off, %", 0, 100), [*columns],
    )  # fmt: skip
    chart.ticks(x=range(0, int(most) + 1, 300), y=range(0, 101, 20))
    chart.bound(y=10)
    for x, y, colour, label in points:
        chart.point(x, 100 * y, colour, label)
    return chart.svg()

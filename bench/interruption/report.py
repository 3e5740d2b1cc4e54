"""The report as one page without any script: a table, how late the stops were, and what stopped it that should not."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from bargein.wire.base import JsonObject

_WIDTH, _HEIGHT, _MOST_MS = 640, 200, 1200
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1c1b22}
table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem;border-bottom:1px solid #ddd;text-align:left}
svg{width:100%;height:auto;background:#faf9f6}caption{text-align:left;font-weight:600;padding:.5rem 0}"""


def write_html(path: Path, report: JsonObject) -> None:
    """Write the page."""
    figures: JsonObject = report["figures"]
    body = [
        f"<h1>bargein {escape(report['bargein'])}: how it yields</h1>",
        f"<p>{escape(report['at'])}, {figures['trials']} scenes, {figures['void']} void.</p>",
        f"<p>{report['calls_at_once']} calls at once; plan: {escape(str(report['plan'] or 'the default'))}.</p>",
        _true_table(figures),
        _false_table(figures),
        *(_latencies(part, report["outcomes"]) for part in ("command", "word") if part in figures),
        _trade_off(report["outcomes"]),
    ]
    page = f"<!doctype html><meta charset=utf-8><title>bargein: interruptions</title><style>{_STYLE}</style>"
    path.write_text(page + "\n".join(body) + "\n", encoding="utf-8")


def _interval(figure: JsonObject, form: str) -> str:
    if figure["value"] is None:
        return "-"
    spread = "" if figure["low"] is None else f" <small>({figure['low']:{form}} to {figure['high']:{form}})</small>"
    return f"{figure['value']:{form}}{spread}"


def _true_table(figures: JsonObject) -> str:
    rows = "".join(
        f"<tr><td>{part}<td>{told['trials']}<td>{_interval(told['recall'], '.3f')}"
        f"<td>{_interval(told['stop_p50_ms'], '.0f')}<td>{_interval(told['stop_p95_ms'], '.0f')}"
        for part in ("command", "word")
        if (told := figures.get(part))
    )
    head = "<tr><th>part<th>trials<th>stopped within 2 s<th>onset to silence p50, ms<th>p95, ms"
    return f"<table><caption>People who take the floor</caption>{head}{rows}</table>"


def _false_table(figures: JsonObject) -> str:
    rows = "".join(
        f"<tr><td>{part}<td>{told['trials']}<td>{_interval(told['stopped'], '.3f')}<td>{told['stops_per_minute']}"
        f"<td>{escape(', '.join(f'{k} {v[0]}/{v[1]}' for k, v in told['by_kind'].items() if v[0]) or '-')}"
        for part in ("listening", "noise", "echo")
        if (told := figures.get(part))
    )
    head = "<tr><th>part<th>trials<th>stopped<th>stops a minute<th>by what"
    return f"<table><caption>What should not stop it</caption>{head}{rows}</table>"


def _latencies(part: str, outcomes: Sequence[JsonObject]) -> str:
    """How many stops came within each 50 ms."""
    stops = [o["stop_ms"] for o in outcomes if o["part"] == part and o["stop_ms"] is not None and not o["void"]]
    counts, _ = np.histogram(np.clip(stops, 0, _MOST_MS - 1), bins=_MOST_MS // 50, range=(0, _MOST_MS))
    most, step = max(1, int(counts.max(initial=1))), _WIDTH / len(counts)
    bars = "".join(
        f"<rect x='{n * step:.1f}' y='{_HEIGHT - 20 - 160 * count / most:.1f}' width='{step - 2:.1f}' "
        f"height='{160 * count / most:.1f}' fill='#5b57c9'/>"
        for n, count in enumerate(counts)
    )
    marks = "".join(
        f"<text x='{ms * _WIDTH / _MOST_MS:.0f}' y='{_HEIGHT - 4}' font-size='11'>{ms}</text>"
        for ms in range(0, _MOST_MS, 200)
    )
    return f"<h2>{part}: onset to silence, ms</h2><svg viewBox='0 0 {_WIDTH} {_HEIGHT}'>{bars}{marks}</svg>"


def _trade_off(outcomes: Sequence[JsonObject]) -> str:
    """For each time a listener might wait: how many true interruptions, and how many false ones, it would have seen."""
    groups = {
        "true": ([o for o in outcomes if o["part"] in ("command", "word") and not o["void"]], "#0f8a74"),
        "listening aloud": ([o for o in outcomes if o["part"] == "listening" and not o["void"]], "#d9531e"),
        "noise": ([o for o in outcomes if o["part"] == "noise" and not o["void"]], "#8a8794"),
    }
    lines = ""
    for number, (name, (mine, colour)) in enumerate(groups.items()):
        if not mine:
            continue
        stops = [o["stop_ms"] if o["stop_ms"] is not None else o["message_ms"] for o in mine]
        times = np.array([np.inf if ms is None else ms for ms in stops])
        points = " ".join(
            f"{ms * _WIDTH / _MOST_MS:.1f},{_HEIGHT - 20 - 160 * np.mean(times <= ms):.1f}"
            for ms in range(0, _MOST_MS + 1, 20)
        )
        lines += f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>"
        lines += f"<text x='10' y='{16 + 16 * number}' font-size='12' fill='{colour}'>{name}</text>"
    return f"<h2>Share stopped by then</h2><svg viewBox='0 0 {_WIDTH} {_HEIGHT}'>{lines}</svg>"

"""Writes a report into a folder of its own, or its pictures and tables into the docs of a checkout.

`python -m bench.interruption.publish FIGURES.json… --into CHECKOUT` does the latter with earlier measurements.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from bargein.wire.base import JsonObject
from bench.interruption.plots import pictures
from bench.interruption.report import answer_rows, as_html, as_markdown, caveats, tables
from bench.interruption.targets import table

_STUDIES = ("figures", "answers", "explicit", "phone", "languages", "endings", "plans", "double", "telephone")
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
_ALT = {
    "latency": "Share of true interruptions after which the assistant is silent, by milliseconds since their onset",
    "answers": "Share of turns of a word or a short sentence that are answered, by milliseconds since their end",
    "false-stops": "Share of backchannels and noises that stop the assistant, by class",
    "trade-off": "Plans and servers: time from a command to silence against backchannels that stop the assistant",
    "endings": "Policies and servers: turns cut off against dead air",
}


def write(report: JsonObject, folder: Path) -> None:
    """Write figures.json, report.html, an SVG for each picture, and the tables in Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(as_html(report), encoding="utf-8")
    for name, svg in pictures(report).items():
        (folder / f"interruption-{name}.svg").write_text(svg + "\n", encoding="utf-8")
    (folder / "figures.md").write_text(_in_words(report, ""), encoding="utf-8")


def publish(report: JsonObject, checkout: Path) -> None:
    """Write pictures into docs/images, and replace the text between the markers of the pages.

    The pages are README.md, the measurements of interruption and of endpointing, and the comparison. A page without the
    markers is not changed.
    """
    images = checkout / "docs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, svg in pictures(report).items():
        (images / f"interruption-{name}.svg").write_text(svg + "\n", encoding="utf-8")
    _between(checkout / "docs" / "measurements" / "interruption.md", _in_words(report, "../images/"))
    short = "\n".join([as_markdown(table(report, short=True)), "", *_notes(report)])
    _between(checkout / "README.md", short)
    _between(checkout / "docs" / "comparison.md", short)
    _between(checkout / "docs" / "measurements" / "endpointing.md", _endpointing(report))


def _between(page: Path, text: str) -> None:
    if not page.exists():
        return
    before = page.read_text(encoding="utf-8")
    marked = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not marked.search(before):
        print(f"  {page.name}: no {BEGIN} … {END} in it")
        return
    page.write_text(marked.sub(lambda _: f"{BEGIN}\n{text}\n{END}", before, count=1), encoding="utf-8")


def _targets(report: JsonObject) -> list[str]:
    return [as_markdown(tables(report)["Targets"]), "", *_notes(report)]


def _notes(report: JsonObject) -> list[str]:
    return [f"- {line}." for line in caveats(report)]


def _endpointing(report: JsonObject) -> str:
    lines = [as_markdown(answer_rows(report)), "", *_notes(report)]
    for title, rows in tables(report).items():
        if title.endswith("the end of a turn"):
            lines += ["", f"**{title[0].upper()}{title[1:]}**", "", as_markdown(rows)]
    return "\n".join(lines)


def _in_words(report: JsonObject, images: str) -> str:
    lines = _targets(report)
    lines += ["", *(f"![{_ALT[name]}]({images}interruption-{name}.svg)\n" for name in pictures(report))]
    for title, rows in tables(report).items():
        if title != "Targets":
            lines += [f"**{title[0].upper()}{title[1:]}**", "", as_markdown(rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def merged(reports: Sequence[JsonObject]) -> JsonObject:
    """Return the first report, completed from the others with studies that it did not measure."""
    first, *others = reports
    for other in others:
        for name, column in other["columns"].items():
            mine: JsonObject = first["columns"].setdefault(name, column)
            for study in _STUDIES:
                if not _measured(mine, study) and _measured(column, study):
                    mine[study] = column[study]
                    if study == "languages":
                        mine["transcribed"] = column["transcribed"]
    return first


def _measured(column: JsonObject, study: str) -> bool:
    figures = column[study]
    if study in ("figures", "explicit", "phone"):
        return figures["trials"] > 0
    return bool(figures["points"] if study == "endings" else figures)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.interruption.publish", description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="figures.json of one or several runs")
    parser.add_argument("--into", type=Path, required=True, help="a checkout of bargein")
    given = parser.parse_args(arguments)
    publish(merged([json.loads(path.read_text(encoding="utf-8")) for path in given.reports]), given.into)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

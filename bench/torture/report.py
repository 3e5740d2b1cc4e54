"""Results of the parts: figures, broken promises, the table in Markdown, and the block of docs/reliability.md."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

BEGIN, END = "<!-- torture -->", "<!-- /torture -->"
"""The markers in a page between which `publish` writes."""


@dataclass(kw_only=True)
class PartResult:
    """The result of one part.

    Attributes:
        part: its name, such as `kill`.
        setting: under what it ran, such as `postgres`; empty if there is one setting only.
        figures: counts and times by name, in the order of the table.
        broken: one line for each broken promise; empty if all were kept.
        tables: further tables by title, each a list of rows whose first is the head.
        void: the reason why the part says nothing, such as a program that is missing; None if it ran.
        seconds: how long it took.
        command: the command that ran it.
        date: the day on which it ran.
    """

    part: str
    setting: str = ""
    figures: dict[str, str | int | float] = field(default_factory=dict[str, "str | int | float"])
    broken: list[str] = field(default_factory=list[str])
    tables: dict[str, list[list[str]]] = field(default_factory=dict[str, "list[list[str]]"])
    void: str | None = None
    seconds: float = 0.0
    command: str = ""
    date: str = ""

    @property
    def title(self) -> str:
        """Name of the part with its setting."""
        return f"{self.part} ({self.setting})" if self.setting else self.part


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table; the first row is its head."""
    head, *rest = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(results: Sequence[PartResult]) -> str:
    """Return the table of all parts, their further tables, and the broken promises, as Markdown."""
    rows = [["part", "promises", "figures", "seconds"]]
    for result in results:
        verdict = f"not run: {result.void}" if result.void else "kept" if not result.broken else "**broken**"
        figures = ", ".join(f"{name} {_number(value)}" for name, value in result.figures.items())
        rows.append([result.title, verdict, figures, f"{result.seconds:.0f}"])
    parts = [markdown(rows)]
    for result in results:
        for title, table in result.tables.items():
            parts += [f"**{result.title}: {title}**", markdown(table)]
    broken = [f"- {result.title}: {line}" for result in results for line in result.broken]
    if broken:
        parts += ["**Broken promises**", "\n".join(broken)]
    return "\n\n".join(parts)


def _number(value: str | float) -> str:
    return f"{value:,.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def write_json(results: Sequence[PartResult], path: Path) -> None:
    """Write the results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> list[PartResult]:
    """Read results that `write_json` wrote."""
    return [PartResult(**result) for result in json.loads(path.read_text(encoding="utf-8"))]


def publish(results: Sequence[PartResult], page: Path) -> None:
    """Replace the text between the markers of a page with these results.

    Raises:
        ValueError: the page lacks the markers.
    """
    before = page.read_text(encoding="utf-8")
    marked = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not marked.search(before):
        raise ValueError(f"{page} has no {BEGIN} … {END}")
    runs = dict.fromkeys((result.date, result.command) for result in results)
    commands = "\n".join(f"{command}  # {date}" for date, command in runs)
    text = f"```sh\n{commands}\n```\n\n{summary(results)}"
    page.write_text(marked.sub(lambda _: f"{BEGIN}\n{text}\n{END}", before, count=1), encoding="utf-8")

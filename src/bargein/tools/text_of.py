"""Extraction of the text of an uploaded file in a process of its own: `python -m bargein.tools.text_of PATH KIND`.

Libraries that read PDF and Word are large and slow, and their input is not trusted. In a process with limits on time
and memory a broken file costs no call anything. The text goes to standard output as UTF-8, with form feeds between
pages; an error goes to standard error in one line, with exit code 3.
"""

import csv
import importlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

from typing_extensions import override

from bargein.errors import BargeinError
from bargein.wire.json import read_json, repair_text

MAX_CHARS = 4_000_000
"""Characters that are read of one file: about two thousand pages."""
MAX_MEMORY_BYTES = 1 << 30
"""The memory of the process that reads an uploaded file."""
CANNOT_READ = 3

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th",
    "title", "tr", "ul",
})  # fmt: skip
_BLANKS = re.compile(r"\s+")
_HIDDEN = frozenset({"script", "style", "template", "noscript", "svg"})


class UnreadableError(BargeinError):
    """A file has no readable text; the message says why."""


def kind_of(name: str, mimetype: str) -> str | None:
    """Return the kind of a file, by its name or else its type; None if this server cannot read it."""
    by_name = _BY_ENDING.get(Path(name).suffix.lower())
    if by_name is not None:
        return by_name
    plain = mimetype.partition(";")[0].strip().lower()
    return _BY_TYPE.get(plain) or ("text" if plain.startswith("text/") else None)


def read(path: Path, kind: str) -> str:
    """Return the text of a file.

    Raises:
        UnreadableError: it has no readable text.
    """
    return _bounded(_READERS[kind](path))


def _bounded(pieces: Iterator[str]) -> str:
    found: list[str] = []
    size = 0
    for piece in pieces:
        found.append(piece[: MAX_CHARS - size])
        size += len(found[-1])
        if size >= MAX_CHARS:
            break
    return "".join(found)


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _text(path: Path) -> Iterator[str]:
    yield _decoded(path)


def _csv(path: Path) -> Iterator[str]:
    """Yield each row as a line that names its columns, so that it can be understood by itself."""
    text = _decoded(path)
    csv.field_size_limit(MAX_CHARS)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:10_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = csv.reader(io.StringIO(text, newline=""), dialect)
        header = [name.strip() for name in next(rows, list[str]())]
        for row in rows:
            named = zip(header + [""] * len(row), row, strict=False)
            yield "; ".join(f"{name}: {cell.strip()}" if name else cell.strip() for name, cell in named) + "\n\n"
    except csv.Error as error:
        raise UnreadableError(f"it is not CSV: {error}") from None


def _json(path: Path) -> Iterator[str]:
    try:
        value = read_json(_decoded(path))
    except ValueError:
        raise UnreadableError("it is not JSON") from None
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield json.dumps(item, ensure_ascii=False) + "\n\n"
    else:
        yield json.dumps(value, ensure_ascii=False, indent=1)


def _html(path: Path) -> Iterator[str]:
    reader = _Html()
    reader.feed(_decoded(path))
    reader.close()
    yield from reader.pieces


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.pieces.append("\n\n" if tag in {"p", "h1", "h2", "h3", "h4", "div", "table", "section"} else "\n")

    @override
    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN and self._hidden > 0
        if tag in _BLOCKS:
            self.pieces.append("\n")

    @override
    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(_BLANKS.sub(" ", data))


def _pdf(path: Path) -> Iterator[str]:
    pypdf = _library("pypdf")
    try:
        pages = pypdf.PdfReader(path).pages
        for page in pages:
            yield page.extract_text() + "\f"
    except Exception as error:  # noqa: BLE001  # the library raises many kinds of errors on a broken file
        raise UnreadableError(f"it cannot be read as PDF ({type(error).__name__})") from None


def _docx(path: Path) -> Iterator[str]:
    docx = _library("docx")
    try:
        for block in docx.Document(str(path)).iter_inner_content():
            rows = getattr(block, "rows", None)
            if rows is None:
                yield block.text + "\n\n"
            else:
                yield from (" | ".join(cell.text for cell in row.cells) + "\n" for row in rows)
                yield "\n"
    except Exception as error:  # noqa: BLE001  # as above
        raise UnreadableError(f"it cannot be read as a Word document ({type(error).__name__})") from None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UnreadableError(
            "PDF and Word need the extra `files` of the package: pip install 'bargein[files]'"
        ) from None


_READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "text": _text, "csv": _csv, "json": _json, "html": _html, "pdf": _pdf, "docx": _docx,
}  # fmt: skip
_BY_ENDING = {
    ".txt": "text", ".md": "text", ".markdown": "text", ".log": "text", ".rst": "text", ".yaml": "text", ".yml": "text",
    ".xml": "text", ".jsonl": "text", ".csv": "csv", ".tsv": "csv", ".json": "json", ".html": "html", ".htm": "html",
    ".pdf": "pdf", ".docx": "docx",
}  # fmt: skip
_BY_TYPE = {
    "application/pdf": "pdf", "application/json": "json", "text/csv": "csv", "text/html": "html",
    "application/xhtml+xml": "html", "application/xml": "text", "application/yaml": "text",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Read the file that the arguments name, and return the exit code."""
    path, kind = arguments
    _limit_memory()
    try:
        text = read(Path(path), kind)
    except (UnreadableError, OSError, MemoryError, RecursionError) as error:
        why = str(error) if isinstance(error, UnreadableError) else f"it cannot be read ({type(error).__name__})"
        sys.stderr.write(why)
        return CANNOT_READ
    sys.stdout.buffer.write(repair_text(text).encode("utf-8"))
    return 0


def _limit_memory() -> None:
    try:
        resource = importlib.import_module("resource")  # not available on Windows
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

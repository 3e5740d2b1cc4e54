"""Pages of documentation that `bargein docs` prints: from the installed wheel, or from a checkout."""

from dataclasses import dataclass
from pathlib import Path

from bargein.errors import BargeinError

SECTIONS = ("", "guides", "reference", "measurements")
"""Folders of pages, in the order in which they are listed and in which a page is looked for by its last name."""

_INDEX = "README"
_PACKAGE = Path(__file__).resolve().parent


class DocumentationError(BargeinError):
    """A page that does not exist, or an installation without documentation; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of documentation.

    Attributes:
        name: path below the documentation's folder, without `.md`: `guides/telephony`.
        title: first heading of the page.
        path: file that holds the page, in Markdown.
    """

    name: str
    title: str
    path: Path


def list_pages(folder: Path | None = None) -> list[Page]:
    """List all pages: the index first, then by section and name.

    Args:
        folder: where the pages are; by default, those of the wheel or the checkout that this module belongs to.

    Raises:
        DocumentationError: there are no pages.
    """
    root = folder or _find_folder()
    found = [
        Page(name=path.relative_to(root).with_suffix("").as_posix(), title=_read_title(path), path=path)
        for section in SECTIONS
        for path in sorted((root / section).glob("*.md"), key=lambda path: (path.stem != _INDEX, path.stem))
    ]
    if not found:
        raise DocumentationError(f"there is no documentation in {root}")
    return found


def find_page(name: str, folder: Path | None = None) -> Page:
    """Find a page by its name or the last part of it: `telephony` finds `guides/telephony`.

    Args:
        name: as `list_pages` names it; `docs/` before it and `.md` after it are ignored.
        folder: as in `list_pages`.

    Raises:
        DocumentationError: there is no such page.
    """
    wanted = name.removeprefix("docs/").removesuffix(".md").strip("/").lower()
    pages = list_pages(folder)
    for page in pages:
        if page.name.lower() == wanted:
            return page
    for page in pages:
        if page.name.lower().rpartition("/")[2] == wanted:
            return page
    raise DocumentationError(f"there is no page {name}; `bargein docs` lists the pages")


def _find_folder() -> Path:
    """Return the folder of the wheel (`bargein/docs`), or else that of the checkout (`docs` beside `src`)."""
    shipped = _PACKAGE / "docs"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1] / "docs"


def _read_title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)

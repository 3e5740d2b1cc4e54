"""The pages of the documentation: links, names of pages in messages, the wheel, and `bargein docs`."""

import ast
import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bargein import documentation
from bargein.cli import app
from bargein.documentation import DocumentationError, find_page, list_pages
from bargein.wire import contract
from bargein.wire.assistant import Assistant
from bargein.wire.errors import parse_request
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "SECURITY.md",
    REPOSITORY / "clients" / "daily-js" / "README.md",
    REPOSITORY / "tests" / "README.md",
    *sorted((REPOSITORY / "src").rglob("README.md")),
    *sorted(DOCS.rglob("*.md")),
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
NAMED_PAGE = re.compile(r"`bargein docs ([a-z][\w/-]*)`")
NAMED_FILE = re.compile(r"\bdocs/[\w/-]+\.md\b")
CODE = [
    path
    for folder in ("src", "bench", "dev", "tests", "training")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
]

UNWRITTEN = {DOCS / "engine.md"}
"""The page that is generated later than the pages with links to it."""


def source_texts() -> list[str]:
    """Return every string of the server's code, with the literal parts of f-strings, and its page."""
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((REPOSITORY / "src").rglob("*.py"))]
    constants = [node.value for module in modules for node in ast.walk(module) if isinstance(node, ast.Constant)]
    scripts = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.js")]
    return [text for text in constants if isinstance(text, str)] + scripts


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken: list[str] = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if path in UNWRITTEN:
            continue
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    linked = {(DOCS / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    assert [name_of(page) for page in sorted(DOCS.rglob("*.md")) if page != index and page not in linked] == []


def test_every_page_that_a_message_or_a_page_names_exists() -> None:
    named = [(path, name) for path in [*CODE, *PAGES] for name in NAMED_PAGE.findall(path.read_text(encoding="utf-8"))]
    assert len(named) > 3
    assert any(path.is_relative_to(REPOSITORY / "src") for path, _ in named)
    for path, name in named:
        assert find_page(name, DOCS).path.is_file(), f"{name_of(path)} names {name}"


def test_every_page_that_the_code_names_by_its_file_exists() -> None:
    wrong = [
        f"{name_of(path)}: {file}"
        for path in CODE
        for file in NAMED_FILE.findall(re.sub(r"https?://\S+", "", path.read_text(encoding="utf-8")))
        if not (REPOSITORY / file).is_file() and REPOSITORY / file not in UNWRITTEN
    ]
    assert wrong == []


def test_no_message_names_a_page_by_its_file_which_a_wheel_has_elsewhere() -> None:
    """A message is a string that is shown; a docstring or a comment is read in the checkout."""
    shown = re.compile(r"""["'][^"'\n]*\bdocs/[\w/-]+\.md""")
    found = [
        f"{name_of(path)}: {line.strip()}"
        for path in sorted((REPOSITORY / "src").rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if shown.search(line) and '"""' not in line
    ]
    assert found == []


def test_troubleshooting_has_every_reason_for_which_the_server_ends_a_call() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    given = set(source_texts()) & set(contract.definitions()["EndedReason"]["enum"])
    assert len(given) > 40
    assert sorted(reason for reason in given if f"`{reason}`" not in page) == []


def test_troubleshooting_quotes_messages_that_the_code_has() -> None:
    """In the first column of its tables; `…` stands for text that varies."""
    rows = [line for line in (DOCS / "troubleshooting.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    quoted = [quote for row in rows for quote in re.findall(r"`([^`]+)`", row.split("|")[1]) if " " in quote]
    assert len(quoted) > 60
    code = "\n".join(source_texts())
    # A validator's message begins with the variable's name, which the loader puts before it.
    parts = [part.strip() for quote in quoted for part in re.sub(r"^[A-Z_]+ ", "", quote).split("…")]
    assert [part for part in parts if part not in code] == [], "the message was changed: change the page too"


def test_the_wheel_contains_every_page() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "docs" in wheel["only-include"]
    assert wheel["sources"]["docs"] == "bargein/docs"
    left_out = [
        name_of(page)
        for page in DOCS.rglob("*.md")
        for pattern in wheel["exclude"]
        if fnmatch(name_of(page), pattern) or name_of(page).startswith(f"{pattern}/")
    ]
    assert left_out == []


def test_a_wheels_own_pages_are_used_before_those_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "bargein"
    (package / "docs" / "guides").mkdir(parents=True)
    (package / "docs" / "guides" / "telephony.md").write_text("# Telephones\n", encoding="utf-8")
    monkeypatch.setattr(documentation, "_PACKAGE", package)
    assert [(page.name, page.title) for page in list_pages()] == [("guides/telephony", "Telephones")]


def test_an_installation_without_pages_says_so(tmp_path: Path) -> None:
    with pytest.raises(DocumentationError, match="there is no documentation in"):
        list_pages(tmp_path)


def test_pages_are_listed_with_their_titles() -> None:
    pages = list_pages()
    assert pages[0].name == "README"
    assert {page.path for page in pages} == set(DOCS.rglob("*.md"))
    shown = CliRunner().invoke(app, ["docs"])
    assert shown.exit_code == 0
    for page in pages:
        assert re.search(rf"^  {page.name} +{re.escape(page.title)}$", shown.output, re.MULTILINE)


@pytest.mark.parametrize("name", ["telephony", "guides/telephony", "docs/guides/telephony.md", "Guides/Telephony"])
def test_a_page_is_printed_by_its_name(name: str) -> None:
    shown = CliRunner().invoke(app, ["docs", name])
    assert shown.exit_code == 0
    assert shown.output.strip() == (DOCS / "guides" / "telephony.md").read_text(encoding="utf-8").strip()


def test_an_unknown_page_is_refused() -> None:
    shown = CliRunner().invoke(app, ["docs", "nowhere"])
    assert shown.exit_code == 2
    assert "there is no page nowhere; `bargein docs` lists the pages" in shown.output


def code_of(page: Path) -> str:
    """Return the code of a page: blocks and spans."""
    text = page.read_text(encoding="utf-8")
    return "\n".join([*re.findall(r"```\w*\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_request_with_a_body_says_that_it_is_json(page: Path) -> None:
    """curl sends a form by default, which the server refuses."""
    requests = re.findall(r"\bcurl (?:[^\n]*\\\n)*[^\n]*", code_of(page))
    assert [one for one in requests if " -d " in one and "Content-Type: application/json" not in one] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    shown = re.findall(r"(?:^|bin/|\$ )bargein ([a-z]+)", code_of(page), re.MULTILINE)
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert set(shown) <= known | {group.name for group in app.registered_groups}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    named = set(re.findall(r"python -m ((?:bench|dev|training)[\w.]*)", page.read_text(encoding="utf-8")))
    paths = {REPOSITORY / name.replace(".", "/") for name in named}
    assert [
        str(path) for path in paths if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists())
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_of_the_environment_that_a_page_names_is_read(page: Path) -> None:
    named = set(
        re.findall(r"\b(?:BARGEIN|TWILIO|TELNYX|VONAGE|OPENAI)_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8"))
    )
    code = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "src").rglob("*.py"))
    assert sorted(name for name in named if name not in code) == []


def json_blocks(page: Path) -> list[str]:
    return re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if json_blocks(page)], ids=name_of)
def test_every_json_example_is_json(page: Path) -> None:
    for block in json_blocks(page):
        assert isinstance(json.loads(block), dict)


def test_the_assistants_of_the_tutorial_are_valid() -> None:
    blocks = json_blocks(DOCS / "tutorial.md")
    assert len(blocks) > 1
    for block in blocks:
        assert parse_request(Assistant, json.loads(block)).model is not None

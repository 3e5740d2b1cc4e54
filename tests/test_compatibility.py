"""`docs/reference/compatibility.md` is current, and each test that it names exists and proves its row."""

import ast
from functools import cache
from pathlib import Path

import pytest
from dev import evidence
from dev.compatibility import ROOT, TARGET, UNPROVEN, page

from bargein.wire.client_messages import CLIENT_MESSAGES

NAMED = [
    (kind, test)
    for table in (evidence.CLIENT, evidence.SERVER, evidence.INBOUND, evidence.TOOLS)
    for kind, test in table.items()
]


def test_the_page_is_current() -> None:
    assert TARGET.read_text() == page(), "run `make compatibility`"


def test_each_message_that_is_sent_to_clients_has_its_test() -> None:
    assert set(CLIENT_MESSAGES) <= set(evidence.CLIENT)


def test_every_row_has_a_proof() -> None:
    assert UNPROVEN not in page()


@cache
def module(path: Path) -> tuple[str, ast.Module]:
    text = path.read_text()
    return text, ast.parse(text)


def source(test: str) -> str:
    """Return the text of a test with its decorators, and the texts of the names that it uses of its module."""
    file, *names = test.split("::")
    text, tree = module(ROOT / file)
    body: list[ast.stmt] = tree.body
    found: ast.stmt = ast.Pass()
    for name in names:
        found = next(node for node in body if getattr(node, "name", None) == name)
        body = getattr(found, "body", [])
    decorators = " ".join(ast.get_source_segment(text, one) or "" for one in getattr(found, "decorator_list", []))
    used = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
    helpers = [
        ast.get_source_segment(text, node) or ""
        for node in tree.body
        if used & {getattr(node, "name", ""), *(getattr(target, "id", "") for target in getattr(node, "targets", ()))}
    ]
    return "\n".join([decorators, ast.get_source_segment(text, found) or "", *helpers])


@pytest.mark.parametrize(("kind", "test"), NAMED, ids=[f"{kind} {test.rpartition('::')[2]}" for kind, test in NAMED])
def test_the_test_of_a_row_exists_and_names_it(kind: str, test: str) -> None:
    text = source(test)
    assert "assert" in text
    through = [
        name for name, of in evidence.LISTS.items() if of == test and f"set({name})" in text.replace("{*", "set(")
    ]
    if through:
        assert kind in CLIENT_MESSAGES or f'"{kind}"' in text
        return
    assert f'"{kind}"' in text, f"{test} does not name {kind}"


def row(start: str) -> str:
    return next(line for line in page().splitlines() if line.startswith(f"| {start} |"))


def test_a_field_that_a_function_beside_the_types_reads_works() -> None:
    assert "works in outbound telephone calls" in row("`voicemailDetection`")
    assert "a summary" in row("`analysisPlan`")


def test_a_provider_that_nobody_can_call_is_refused() -> None:
    assert "refused at once" in row("part")
    _, _, works, refused, _ = row("transcriber").split("|")
    assert "`vapi`" in works
    assert refused.strip() == "`talkscriber`"

"""`docs/providers.md` is current; every provider of Vapi's types is in it, with what it is tested against."""

import re
from typing import get_args

import pytest
from dev.providers import ROOT, TARGET, evidence, fields, page

from bargein.providers.interface import PartName
from bargein.providers.registry import RETIRED, served, vendor_of
from bargein.wire import contract

PARTS = get_args(PartName)
SERVED = [(name, provider) for name in PARTS for provider in served(name)]


def known(name: str) -> set[str]:
    """Return the providers of Vapi's types of a part."""
    members = contract.definitions()["CreateAssistantDTO"]["properties"][name]["oneOf"]
    schemas = [contract.definitions()[member["$ref"].rpartition("/")[2]] for member in members]
    return {schema["properties"]["provider"]["enum"][0] for schema in schemas}


def row(name: str, provider: str) -> str:
    section = page().partition(f"## {name.capitalize()}s\n")[2].partition("\n## ")[0]
    return next(line for line in section.splitlines() if line.startswith(f"| `{provider}` |"))


def test_the_page_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "run `make providers`"


@pytest.mark.parametrize("name", PARTS)
def test_every_provider_of_vapis_types_is_served_or_refused(name: PartName) -> None:
    assert set(served(name)) | set(RETIRED.get(name, {})) == known(name)
    assert set(served(name)) & set(RETIRED.get(name, {})) == set()


@pytest.mark.parametrize(("name", "provider"), SERVED, ids=["-".join(one) for one in SERVED])
def test_every_provider_has_something_that_it_is_tested_against(name: PartName, provider: str) -> None:
    vendor = vendor_of(name, provider)
    assert vendor is not None
    assert evidence(name, provider, vendor)


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(\.\./([^)]*)\)", page())
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_a_field_is_used_if_its_vendor_reads_it_and_else_kept() -> None:
    used, kept = fields("model", "groq")
    assert {"model", "temperature", "maxTokens", "messages", "tools"} <= set(used)
    assert {"emotionRecognitionEnabled", "knowledgeBase"} <= set(kept)
    assert set(used) & set(kept) == set()
    assert "`temperature`" in row("model", "groq").split("|")[5]
    assert "`knowledgeBase`" in row("model", "groq").split("|")[6]


def test_no_row_says_that_a_vendor_was_called_before_there_is_a_recording() -> None:
    assert "not yet called for real" in row("voice", "11labs")
    assert "not yet called for real" in row("transcriber", "deepgram")

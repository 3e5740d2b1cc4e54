"""The list of vendors is complete, and nothing outside a vendor's folder names that vendor."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bargein.configuration import extension_sections
from bargein.providers.interface import BUILT_IN, PartName, VendorSpec
from bargein.providers.registry import MODELS, TRANSCRIBERS, VENDORS, VOICES
from bargein.wire import contract
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "src" / "bargein"
PROVIDERS = PACKAGE / "providers"
FOLDERS = sorted(path.parent.name for path in PROVIDERS.glob("*/__init__.py"))
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))

SERVED: dict[PartName, Any] = {"transcriber": TRANSCRIBERS, "model": MODELS, "voice": VOICES}

VAPIS_OWN = {
    "providers/chat_vendor.py": "models of one family think, whoever serves them; a vendor has the name of its family",
    "call/clients/messages.py": "Vapi names custom-voice as the source of assistant.speechStarted",
    "providers/chat_chunks.py": "servers that are compatible with OpenAI's send usage in a field with a vendor's name",
    "providers/model_server.py": "a header that is no secret has the name of a vendor",
    "tools/kinds.py": "types of Vapi's tools have the names of vendors' products",
    "carriers/telnyx/__init__.py": "its credential has the fields of Vapi's type for the credential of openai",
    "testing/agents.py": "Vapi names custom-llm as the model of an owner's own server, which a test's model is",
    "testing/plugin.py": "callers of tests speak with the embedded voice, which needs no key",
}
"""Modules that name a provider because Vapi's protocol singles it out, or its models."""


def test_every_folder_is_a_vendor_that_is_listed() -> None:
    assert sorted(vendor.name for vendor in VENDORS) == FOLDERS


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_vendor_is_whole(vendor: VendorSpec) -> None:
    module = importlib.import_module(f"bargein.providers.{vendor.name}")
    assert module.VENDOR is vendor
    assert module.__doc__
    assert vendor.transcribers or vendor.models or vendor.voices
    assert vendor.extra is None or vendor.extra in PROJECT["project"]["optional-dependencies"]
    if vendor.settings is not None:
        assert vendor.settings in extension_sections()
        assert vendor.settings.table == vendor.name


@pytest.mark.parametrize("part", SERVED)
def test_each_provider_is_one_of_vapis(part: PartName) -> None:
    members = contract.definitions()["CreateAssistantDTO"]["properties"][part]["oneOf"]
    schemas = [contract.definitions()[member["$ref"].rpartition("/")[2]] for member in members]
    known = {schema["properties"]["provider"]["enum"][0] for schema in schemas}
    assert set(SERVED[part]) <= known
    assert BUILT_IN in SERVED[part]
    for provider, served in SERVED[part].items():
        assert "provider" in served.config.model_fields, provider


def test_the_import_contract_has_every_vendor() -> None:
    contracts = {found["name"]: found for found in PROJECT["tool"]["importlinter"]["contracts"]}
    listed = contracts["one vendor never imports another"]["modules"]
    assert sorted(listed) == [f"bargein.providers.{name}" for name in FOLDERS]


def constants(tree: ast.Module) -> Iterator[str]:
    """The strings of a module that are no docstrings."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = {id(statement.value) for body in bodies for statement in body if isinstance(statement, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@cache
def read(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The imports of a module, and its strings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(imports(tree)), frozenset(constants(tree))


def names_in(path: Path, vendor: VendorSpec) -> list[str]:
    """The places where a module imports a vendor or has the name of a provider that it serves in a string."""
    imported_modules, texts = read(path)
    package = f"bargein.providers.{vendor.name}"
    providers = {*vendor.transcribers, *vendor.models, *vendor.voices} - {BUILT_IN}
    imported = [name for name in imported_modules if name == package or name.startswith(f"{package}.")]
    words = [text for text in texts if not text.startswith("https://")]  # an address may hold any name
    return imported + [text for text in words for provider in providers if provider in text]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_only_the_list_names_a_vendor(vendor: VendorSpec) -> None:
    """The types of Vapi's JSON (`wire`) name all of Vapi's providers; a fake of a vendor names what it is."""
    folder = PROVIDERS / vendor.name
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(folder)
        and not path.is_relative_to(PACKAGE / "wire")
        and not path.is_relative_to(PACKAGE / "testing" / "vendors")
        and path != PROVIDERS / "registry.py"
        and (names := names_in(path, vendor))
    }
    assert {path: names for path, names in found.items() if path not in VAPIS_OWN} == {}


def test_the_exceptions_are_needed() -> None:
    named = {path for path in VAPIS_OWN for vendor in VENDORS if names_in(PACKAGE / path, vendor)}
    assert named == set(VAPIS_OWN)

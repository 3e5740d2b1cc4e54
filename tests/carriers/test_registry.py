"""A carrier is one folder: nothing outside names it, but the list of carriers."""

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import bargein
from bargein import carriers
from bargein.carriers.registry import BY_PROVIDER, CARRIERS
from bargein.carriers.spec import CarrierSpec
from bargein.configuration import extension_sections

SOURCES = Path(bargein.__path__[0])
FOLDERS = Path(carriers.__path__[0])
NAMED_BY = re.compile("|".join(spec.name for spec in CARRIERS if not spec.native), re.IGNORECASE)

ALLOWED = {
    "carriers/registry.py": "the list of carriers",
    "wire/contract.json": "Vapi's own types, generated from its OpenAPI document",
    "call/record/costs.py": "the transports that Vapi's type of a cost may name",
    "ports/leg.py": "an error that says which calls can send text messages",
    "wire/prices.py": "an example of a transport in the docstring of the owner's prices",
    "wire/call.py": "the values of Vapi's `transport.provider`, with which it refuses others",
    "wire/client_view.py": "a field of a phone number that Vapi's type requires, sent without its value",
    "wire/telephony.py": "the one kind of inline phone number that Vapi's `POST /call` takes",
    "wire/voicemail.py": "the `provider` of Vapi's plan that has the carrier detect machines",
}


def test_every_folder_with_a_spec_is_listed() -> None:
    exported = [
        module.CARRIER
        for folder in sorted(FOLDERS.iterdir())
        if (folder / "__init__.py").exists()
        and hasattr(module := import_module(f"bargein.carriers.{folder.name}"), "CARRIER")
    ]
    assert sorted(spec.name for spec in exported) == sorted(spec.name for spec in CARRIERS)
    assert all(spec in CARRIERS for spec in exported)


def test_only_the_list_names_a_carrier() -> None:
    naming = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*")
        if path.suffix in {".py", ".json", ".html", ".js", ".sql", ".toml"} and NAMED_BY.search(path.read_text())
    }
    own = {name for name in naming if any(name.startswith(f"carriers/{spec.name}/") for spec in CARRIERS)}
    assert own
    assert naming - own == set(ALLOWED)


def test_a_carrier_is_described_without_its_package() -> None:
    """Its numbers can be stored, and its settings read, where its extra is not installed."""
    loading = "import sys, bargein.carriers.registry; print(*sys.modules)"
    loaded = _run(loading)
    assert "bargein.carriers.registry" in loaded
    for spec in CARRIERS:
        assert find_spec(spec.package) is not None, f"python -m pip install 'bargein[{spec.extra}]'"
        assert spec.package not in loaded
        assert f"bargein.carriers.{spec.name}.carrier" not in loaded


def _run(program: str) -> set[str]:
    import subprocess
    import sys

    return set(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize("spec", CARRIERS, ids=lambda spec: spec.name)
def test_a_spec_is_complete(spec: CarrierSpec[Any]) -> None:
    assert (FOLDERS / spec.name / "carrier.py").exists()
    assert spec.settings in extension_sections()
    for provider, number_type in spec.numbers.items():
        assert BY_PROVIDER[provider] is spec
        assert number_type.model_fields["provider"].annotation is not None
        assert provider in str(number_type.model_fields["provider"].annotation)
        known = {field.alias for field in number_type.model_fields.values()}
        assert number_type.secrets <= known
    extras = (SOURCES.parents[1] / "pyproject.toml").read_text()
    assert re.search(rf"^{spec.extra} = \[", extras, re.MULTILINE)

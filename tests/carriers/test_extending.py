"""The carrier that docs/extending.md adds is described as the page shows it."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import bargein.carriers
from bargein.carriers.interface import PhoneLine
from bargein.carriers.spec import CarrierSpec
from bargein.settings.sources import open_sources, read_settings
from bargein.wire.credentials import CredentialTypes
from bargein.wire.errors import WireError
from bargein.wire.phone_number import PhoneNumberTypes
from tests.conftest import REPOSITORY

FILES = ("settings.py", "number.py", "__init__.py")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CarrierSpec[Any]]:
    page = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")
    section = page.partition("## Add a carrier")[2].partition("\n## ")[0]
    blocks = [dedent(block) for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL)]
    folder = tmp_path / "acme"
    folder.mkdir()
    for name, block in zip(FILES, blocks, strict=True):
        (folder / name).write_text(block, encoding="utf-8")
    monkeypatch.setattr(bargein.carriers, "__path__", [*bargein.carriers.__path__, str(tmp_path)])
    yield importlib.import_module("bargein.carriers.acme").CARRIER
    for name in [name for name in sys.modules if name.startswith("bargein.carriers.acme")]:
        del sys.modules[name]


def test_the_examples_settings_are_its_default_credential(spec: CarrierSpec[Any]) -> None:
    settings = read_settings(open_sources({"ACME_API_KEY": "the-key"}, None), (spec.settings,))
    section = settings.section(spec.settings)
    assert section.credential == {"provider": "acme", "apiKey": "the-key"}
    assert "the-key" in settings.secrets()
    assert spec.check_number(section, PhoneLine({"provider": "acme"}, section.credential)) is None
    problem = spec.check_number(section, PhoneLine({"provider": "acme"}))
    assert problem is not None
    assert "ACME_API_KEY" in problem.fix


def test_the_examples_numbers_and_credentials_are_read(spec: CarrierSpec[Any]) -> None:
    numbers = PhoneNumberTypes(spec.numbers)
    given = {"provider": "acme", "number": "+15551234567", "acmeApiKey": "the-key"}
    assert numbers.parse(given).to_json() == given
    assert numbers.secrets == {"acmeApiKey"}
    assert spec.credential is not None
    credentials = CredentialTypes([spec.credential])
    assert credentials.parse({"provider": "acme", "apiKey": "the-key"}) == {"provider": "acme", "apiKey": "the-key"}
    with pytest.raises(WireError):
        credentials.parse({"provider": "acme"})

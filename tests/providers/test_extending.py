"""The vendor that docs/extending.md adds works as the page shows it."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import bargein.providers
from bargein.http_client import new_client
from bargein.ports import ChatMessage, ProviderError
from bargein.providers.interface import VendorSpec
from bargein.settings import Settings
from bargein.testing import FakeLlm, LlmScript
from tests.conftest import REPOSITORY
from tests.providers.resources import make_resources

pytestmark = pytest.mark.anyio

FILES = ("settings.py", "llm.py", "__init__.py")


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorSpec]:
    """The package made of the page's code blocks, imported as a vendor's folder."""
    page = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")
    section = page.partition("## Add a vendor")[2].partition("\n## ")[0]
    blocks = [dedent(block) for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL)]
    assert len(blocks) == len(FILES)
    folder = tmp_path / "acme"
    folder.mkdir()
    for name, block in zip(FILES, blocks, strict=True):
        (folder / name).write_text(block, encoding="utf-8")
    monkeypatch.setattr(bargein.providers, "__path__", [*bargein.providers.__path__, str(tmp_path)])
    yield importlib.import_module("bargein.providers.acme").VENDOR
    for name in [name for name in sys.modules if name.startswith("bargein.providers.acme")]:
        del sys.modules[name]


async def test_the_example_answers(vendor: VendorSpec) -> None:
    part = vendor.models["acme"]
    config = part.config.from_json(
        {"provider": "acme", "model": "m", "maxTokens": 60, "emotionRecognitionEnabled": True}
    )
    assert vendor.settings is not None
    make_section: Any = vendor.settings
    async with FakeLlm(LlmScript(tokens=("Hello ", "there."))) as llm, new_client() as client:
        given = make_resources(Settings(sections=(make_section(api_key="sk-1", base_url=llm.url),)), client)
        model = part.create(config, given)
        assert [piece async for piece in model.reply([ChatMessage("user", "Hi")])] == ["Hello ", "there."]
        with pytest.raises(ProviderError, match="set ACME_API_KEY"):
            part.create(config, make_resources(Settings(), client))


def test_its_settings_are_complete(vendor: VendorSpec) -> None:
    assert vendor.settings is not None
    listed = {variable.name: variable for variable in vendor.settings.variables()}
    assert listed["ACME_API_KEY"].secret
    assert all(variable.meaning for variable in listed.values())

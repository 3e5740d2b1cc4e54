"""`docs/security.md` lists every limit with the value that the code has; `SECURITY.md` names tests that exist."""

import re

from dev import security

from bargein.server.api import bodies
from bargein.settings import LimitSettings
from tests.conftest import REPOSITORY


def test_the_page_is_current() -> None:
    assert security.TARGET.read_text(encoding="utf-8") == security.page(), "run: make settings"


def test_every_setting_that_is_a_limit_is_listed() -> None:
    text = security.TARGET.read_text(encoding="utf-8")
    for variable in LimitSettings.variables():
        assert f"`{variable.name}`" in text


def test_every_fixed_limit_says_its_meaning() -> None:
    assert [f"{each.module}.{each.name}" for each in security.fixed_limits() if not each.meaning] == []


def test_values_are_those_of_the_code() -> None:
    found = {(limit.module, limit.name): limit.value for limit in security.fixed_limits()}
    assert found["server.api.bodies", "MAX_BODY_BYTES"] == bodies.MAX_BODY_BYTES
    assert found["server.api.bodies", "MAX_DEPTH"] == bodies.MAX_DEPTH
    assert len(found) > 50


def test_the_tests_that_hold_promises_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (REPOSITORY / file).is_file()
        or (name and f"def {name}(" not in (REPOSITORY / file).read_text(encoding="utf-8"))
    ]
    assert missing == []

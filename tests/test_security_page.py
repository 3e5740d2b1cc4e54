"""`docs/security.md` lists every limit with the value that the code has."""

import re

from dev import security

from bargein.server.api import bodies
from bargein.settings import LimitSettings
from tests.conftest import REPOSITORY


def test_the_page_is_current() -> None:
    assert security.TARGET.read_text(encoding="utf-8") == security.page(), "run: make settings"


def test_every_setting_that_is_a_limit_and_every_fixed_limit_is_listed() -> None:
    text = security.TARGET.read_text(encoding="utf-8")
    for variable in LimitSettings.variables():
        assert f"`{variable.name}`" in text
    named = re.compile(r"^(_?(?:[A-Z]+_)*(?:MAX|MOST|LONGEST)(?:_[A-Z]+)*)(?:: \w+)? = \d", re.MULTILINE)
    for path in (REPOSITORY / "src" / "bargein").rglob("*.py"):
        for name in named.findall(path.read_text(encoding="utf-8")):
            assert f"`{name}`" in text, (path, name)


def test_values_are_those_of_the_code() -> None:
    found = {(limit.module, limit.name): limit.value for limit in security.fixed_limits()}
    assert found["server.api.bodies", "MAX_BODY_BYTES"] == bodies.MAX_BODY_BYTES
    assert found["server.api.bodies", "MAX_DEPTH"] == bodies.MAX_DEPTH
    assert len(found) > 50

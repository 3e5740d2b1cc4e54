"""The setting that selects the calls with echo cancellation."""

import pytest

from bargein.configuration import load_settings
from bargein.settings import SettingsError, core


@pytest.mark.parametrize(
    ("value", "telephone", "wide"),
    [(None, False, False), ("off", False, False), ("Telephone", True, False), ("all", True, True)],
)
def test_the_setting_names_the_calls(value: str | None, telephone: bool, wide: bool) -> None:
    found = load_settings({} if value is None else {"BARGEIN_ECHO_CANCELLATION": value}).calls
    assert (found.cancels_echo(8_000), found.cancels_echo(16_000)) == (telephone, wide)


def test_an_unknown_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="off, telephone or all, not 'loud'"):
        load_settings({"BARGEIN_ECHO_CANCELLATION": "loud"})


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "find_spec", lambda _name: None)
    assert load_settings({}).calls.echo_cancellation == "off"
    with pytest.raises(SettingsError, match=r"bargein\[echo\]"):
        load_settings({"BARGEIN_ECHO_CANCELLATION": "all"})

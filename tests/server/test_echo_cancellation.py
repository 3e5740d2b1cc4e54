"""The setting of echo cancellation."""

import pytest

from bargein.configuration import load_settings
from bargein.settings import SettingsError, core


@pytest.mark.parametrize(("value", "mode"), [(None, "auto"), ("off", "off"), ("Auto", "auto"), ("ON", "on")])
def test_the_setting_chooses_the_mode(value: str | None, mode: str) -> None:
    found = load_settings({} if value is None else {"BARGEIN_ECHO_CANCELLATION": value}).calls
    assert found.available_echo_cancellation() == mode


def test_an_unknown_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="off, auto or on, not 'loud'"):
        load_settings({"BARGEIN_ECHO_CANCELLATION": "loud"})


def test_without_the_package_nothing_is_cancelled_and_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "find_spec", lambda _name: None)
    assert load_settings({}).calls.available_echo_cancellation() == "off"
    with pytest.raises(SettingsError, match="pip install pywebrtc-audio"):
        load_settings({"BARGEIN_ECHO_CANCELLATION": "on"})

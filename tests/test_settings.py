"""Settings: their sources, their errors, the generated page, and that no secret is shown."""

import re
from pathlib import Path

import pytest
from dev import settings as reference
from pydantic import ValidationError

from bargein import configuration
from bargein.carriers.sip import SipSettings
from bargein.carriers.vonage import VonageSettings
from bargein.configuration import load_settings
from bargein.settings import Section, Settings, SettingsError, Variable
from bargein.testing.settings import make_settings
from tests.conftest import REPOSITORY

VARIABLES = [
    (section, variable) for section in (*reference.CORE_SECTIONS, *configuration.extension_sections())
    for variable in section.variables()
]  # fmt: skip
NAMED = {variable.name for _, variable in VARIABLES if variable.name is not None}
ELSEWHERE = {"BARGEIN_CONFIG", "BARGEIN_TESTS_WITHOUT"}
"""Variables that are no settings: the one that names the file, and one of the tests."""

VARIABLE = re.compile(r"\b(?:BARGEIN|OPENAI|VONAGE|TELNYX|TWILIO)_[A-Z_]*[A-Z]\b")


def ids(value: object) -> str:
    return value.name or value.field if isinstance(value, Variable) else ""


def write(folder: Path, *, toml: str = "", dotenv: str = "") -> Path:
    if toml:
        (folder / "bargein.toml").write_text(toml)
    if dotenv:
        (folder / ".env").write_text(dotenv)
    return folder


def refused(environ: dict[str, str], folder: Path | None = None) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(environ, folder)
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return str(error.value)


def test_nothing_set_means_the_defaults() -> None:
    settings = load_settings({})
    assert settings == Settings(sections=tuple(section() for section in configuration.extension_sections()))
    assert (settings.server.host, settings.server.port, settings.storage.data_dir) == (
        "127.0.0.1",
        8700,
        Path(".bargein"),
    )
    assert settings.open_to_loopback_only
    assert settings.private_addresses_allowed
    assert not settings.section(SipSettings).enabled


def test_a_source_overrides_those_after_it(tmp_path: Path) -> None:
    toml = '[server]\nport = 1\nhost = "127.0.0.1"\n[keys]\napi_key = "toml"\n[log]\nlevel = "debug"'
    dotenv = "BARGEIN_PORT=2\nBARGEIN_API_KEY=dotenv\nexport BARGEIN_PUBLIC_KEY='dotenv public'\nOTHER=1\n"
    folder = write(tmp_path, toml=toml, dotenv=dotenv)
    environ = {"BARGEIN_PORT": "3", "BARGEIN_API_KEY": "environment", "BARGEIN_HOST": "::1"}
    settings = load_settings(environ, folder, port=4)
    assert (settings.server.port, settings.server.host) == (4, "::1")
    assert (settings.keys.api_key, settings.keys.public_key) == ("environment", "dotenv public")
    assert settings.log.level == "debug"
    assert load_settings(environ, folder).server.port == 3
    assert load_settings({}, folder).server.port == 2
    assert load_settings({"BARGEIN_CONFIG": str(folder / "bargein.toml")}).server.port == 1
    assert load_settings({}).server.port == 8700


def test_blank_values_count_as_not_set(tmp_path: Path) -> None:
    folder = write(tmp_path, toml='[keys]\napi_key = "from the file"\n[server]\nhost = ""', dotenv="BARGEIN_API_KEY=\n")
    settings = load_settings({"BARGEIN_API_KEY": "  ", "BARGEIN_PORT": "", "BARGEIN_SIP_LISTEN": " "}, folder)
    assert settings.keys.api_key == "from the file"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8700)


def test_the_file_takes_typed_values(tmp_path: Path) -> None:
    toml = f"""
[server]
port = 8701
public_url = "https://voice.example/"
allow_private_addresses = false
[keys]
secret_keys = ["{"a" * 32}", "{"b" * 32}"]
[storage]
data_dir = "/var/lib/bargein"
database_wait_s = 5
[sip]
listen = "127.0.0.1:5080"
rtp_ports = [20000, 20100]
transports = ["udp"]
direct = true
most_calls = 7
"""
    settings = load_settings({}, write(tmp_path, toml=toml))
    assert (settings.server.port, settings.server.public_url) == (8701, "https://voice.example")
    assert not settings.private_addresses_allowed
    assert settings.keys.secret_keys == ("a" * 32, "b" * 32)
    assert (settings.storage.data_dir, settings.storage.database_wait_s) == (Path("/var/lib/bargein"), 5.0)
    sip = settings.section(SipSettings)
    assert (sip.rtp_ports, sip.transports, sip.direct, sip.most_calls) == ((20000, 20100), ("udp",), True, 7)


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("[server]\nprot = 1", "unknown key prot in [server]"),
        ("[sever]\nport = 1", "unknown table [sever]"),
        ("port = 1", "port must stand in a table"),
        ("[server", "is not valid TOML"),
        ('[server]\nport = "x"', "BARGEIN_PORT must be a number from 0 to 65535"),
        ("[server]\nport = true", "BARGEIN_PORT must be a number from 0 to 65535"),
        ("[keys]\napi_key = 7", "BARGEIN_API_KEY"),
        ("[keys]\nsecret_keys = 7", "BARGEIN_SECRET_KEY must be a list of strings"),
        ("[storage]\ndatabase_wait_s = 'long'", "storage.database_wait_s of bargein.toml"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, toml: str, text: str) -> None:
    assert text in refused({}, write(tmp_path, toml=toml))


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert "nowhere.toml cannot be read" in refused({"BARGEIN_CONFIG": str(tmp_path / "nowhere.toml")})


ERRORS: list[tuple[dict[str, str], str]] = [
    ({"BARGEIN_PORT": "x"}, "BARGEIN_PORT must be a number from 0 to 65535, not 'x'"),
    ({"BARGEIN_PORT": "65536"}, "BARGEIN_PORT must be a number from 0 to 65535, not '65536'"),
    ({"BARGEIN_EARLY_REPLIES": "maybe"}, "BARGEIN_EARLY_REPLIES must be 1 or 0, not 'maybe'"),
    ({"BARGEIN_TURN_MODEL": "x"}, "BARGEIN_TURN_MODEL must be embedded or smart-turn, not 'x'"),
    ({"BARGEIN_TELNYX_BYTE_ORDER": "x"}, "BARGEIN_TELNYX_BYTE_ORDER must be little or big, not 'x'"),
    ({"BARGEIN_DATABASE_URL": "x"}, "BARGEIN_DATABASE_URL must be like postgresql://user:password@host:5432/name"),
    ({"BARGEIN_HOST": "0.0.0.0"}, "0.0.0.0 is not a loopback address: set BARGEIN_API_KEY"),  # noqa: S104
    ({"BARGEIN_SERVER_URL": "ftp://x"}, "BARGEIN_SERVER_URL must be an http or https URL"),
    ({"BARGEIN_SIP_LISTEN": "5080"}, "BARGEIN_SIP_LISTEN must be like 127.0.0.1:5080, not '5080'"),
    ({"BARGEIN_SIP_MOST_CALLS": "0"}, "BARGEIN_SIP_MOST_CALLS must be a number from 1 on, not '0'"),
    (
        {"BARGEIN_SIP_LISTEN": "127.0.0.1:5080", "BARGEIN_SIP_TRANSPORTS": "sctp"},
        "BARGEIN_SIP_TRANSPORTS takes udp, tcp and tls, separated by commas",
    ),
    ({"BARGEIN_SIP_RTP_PORTS": "20000-10000"}, "BARGEIN_SIP_RTP_PORTS must be like 10000-20000"),
]
"""Environments, and how the text of their error begins. tests/test_documentation.py looks up quoted messages here."""


@pytest.mark.parametrize(("environ", "text"), ERRORS)
def test_an_error_names_the_variable(environ: dict[str, str], text: str) -> None:
    assert refused(environ).startswith(text)


def test_values_are_read_as_a_person_writes_them() -> None:
    settings = load_settings(
        {
            "BARGEIN_DATABASE_URL": "postgresql+asyncpg://u:p@h/db",
            "BARGEIN_PUBLIC_URL": " https://voice.example// ",
            "BARGEIN_LOG_LEVEL": "DEBUG",
            "BARGEIN_ALLOW_PRIVATE_ADDRESSES": "Off",
            "BARGEIN_SECRET_KEY": f"{'a' * 32}, ,{'b' * 32}",
            "BARGEIN_SIP_TRANSPORTS": "udp, tls",
            "BARGEIN_SIP_RTP_PORTS": "2000-3000",
            "VONAGE_PRIVATE_KEY": r"-----BEGIN\nkey",
        }
    )
    assert settings.storage.database_url == "postgresql://u:p@h/db"
    assert settings.server.public_url == "https://voice.example"
    assert settings.log.level == "debug"
    assert settings.server.allow_private_addresses is False
    assert settings.keys.secret_keys == ("a" * 32, "b" * 32)
    assert settings.section(SipSettings).transports == ("udp", "tls")
    assert settings.section(SipSettings).rtp_ports == (2000, 3000)
    assert settings.section(VonageSettings).private_key == r"-----BEGIN\nkey"


def test_settings_are_frozen() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError):
        settings.server.port = 1
    with pytest.raises(AttributeError):
        settings.log = settings.log  # type: ignore[misc]


def test_constructing_a_section_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARGEIN_API_KEY", "environment")
    assert Settings().keys.api_key is None
    assert load_settings().keys.api_key == "environment"


def test_the_page_is_current() -> None:
    assert reference.TARGET.read_text(encoding="utf-8") == reference.page(), "run `make settings`"


@pytest.mark.parametrize(("section", "variable"), VARIABLES, ids=ids)
def test_each_setting_is_explained_and_its_name_is_its_own(section: type[Section], variable: Variable) -> None:
    assert variable.meaning.endswith(".")
    assert [one for _, one in VARIABLES if one.name is not None and one.name == variable.name] in ([], [variable])
    assert len({each.table for each, _ in VARIABLES if each.table == section.table and each is not section}) == 0


def test_each_variable_that_is_named_anywhere_exists() -> None:
    pages = [REPOSITORY / "README.md", REPOSITORY / "Makefile", *(REPOSITORY / "docs").rglob("*.md")]
    sources = [path for folder in ("src", "dev", "bench") for path in (REPOSITORY / folder).rglob("*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in (*pages, *sources)}
    named = {name: path for path, text in texts.items() for name in VARIABLE.findall(text)}
    whole = "\n".join(texts.values())
    assert {name for name in NAMED if name not in whole} == set()
    assert {name: str(path) for name, path in named.items() if name not in NAMED | ELSEWHERE} == {}


def test_no_other_module_reads_the_environment() -> None:
    allowed = {"settings/sources.py", "server/ops/server_process.py"}  # the second passes it on to another process
    package = REPOSITORY / "src" / "bargein"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bos\.environ\b|\bgetenv\b", path.read_text(encoding="utf-8"))
    }
    assert found == allowed


def test_short_names_set_the_fields_of_sections() -> None:
    settings = make_settings(api_key="k", vonage_api_key="v", sip=SipSettings(listen="127.0.0.1:5080"))
    assert settings.keys.api_key == "k"
    assert settings.section(VonageSettings).api_key == "v"
    assert settings.section(SipSettings).enabled
    with pytest.raises(TypeError, match="no setting colour"):
        make_settings(colour="red")

"""No secret setting is shown: in no log at any level and in either format, in no repr, error text or finding."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import structlog
from typer.testing import CliRunner

from bargein.cli import app
from bargein.clock import LoopClock
from bargein.configuration import extension_sections, load_settings
from bargein.server.app import create_app
from bargein.server.ops import logs
from bargein.settings import CORE_SECTIONS, ServerSettings, Settings, SettingsError, StorageSettings
from tests.call.harness import DetectorOnly

pytestmark = pytest.mark.anyio

MARK = "5e7mark"
SECRET_VARIABLES = [
    variable.name
    for section in (*CORE_SECTIONS, *extension_sections())
    for variable in section.variables()
    if variable.secret and variable.name is not None
]
NOWHERE = "http://127.0.0.1:1"


def secret(name: str) -> str:
    """A value for a secret variable with a mark in each part that must not be seen."""
    mark = f"{MARK}-{name.lower()}"
    match name:
        case "BARGEIN_DATABASE_URL":
            return f"postgresql://bargein:{mark}%40x@127.0.0.1:1/bargein"
        case "VONAGE_PRIVATE_KEY":
            return rf"-----BEGIN PRIVATE KEY-----\n{mark}-first-line\n{mark}-second-line\n-----END PRIVATE KEY-----"
        case "BARGEIN_SECRET_KEY":
            return f"{mark}-{'a' * 32},{mark}-{'b' * 32}"
        case _:
            return f"{mark} with+signs/="


ENVIRON = {
    **{name: secret(name) for name in SECRET_VARIABLES},
    "OPENAI_BASE_URL": NOWHERE,
    "BARGEIN_SERVER_URL": NOWHERE,
    "TWILIO_ACCOUNT_SID": "AC0",
    "VONAGE_API_KEY": "abcd1234",
    "VONAGE_APPLICATION_ID": "78d3",
    "BARGEIN_SIP_LISTEN": "127.0.0.1:5080",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_marks_are_in_every_secret_setting() -> None:
    settings = load_settings(ENVIRON)
    assert len(SECRET_VARIABLES) > 10
    assert {"TWILIO_AUTH_TOKEN", "BARGEIN_SERVER_SECRET", "BARGEIN_SIP_SECRET"} <= set(SECRET_VARIABLES)
    found = settings.secrets()
    assert [name for name in SECRET_VARIABLES if not any(name.lower() in one for one in found)] == []
    assert all(MARK in one for one in found)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Run a server with these settings; its client bears the private key."""
    server = create_app(settings, embedded=DetectorOnly())
    headers = {"Authorization": f"Bearer {settings.keys.api_key}"}
    async with (
        server.router.lifespan_context(server),
        httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://server", headers=headers) as client,
    ):
        yield client


def refuse(value: str) -> None:
    raise ValueError(f"refused: {value}")


def say_every_secret(settings: Settings) -> None:
    """Log each secret in the ways in which a careless line, or a library, could."""
    ours, library = structlog.get_logger("bargein.test"), logging.getLogger("some.library")
    for each in sorted(settings.secrets()):
        ours.error(f"sent {each}", given=each, error=ValueError(each), listed=[{"value": (each,)}], raw=each.encode())
        library.error("sent %s to %r", each, {"value": each})
        try:
            refuse(each)
        except ValueError:
            ours.exception("failed")
            library.exception("failed")


@pytest.mark.parametrize("terminal", [False, True], ids=["json", "console"])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
async def test_no_secret_is_in_the_log_of_a_server(tmp_path: Path, level: str, terminal: bool) -> None:
    settings = load_settings(ENVIRON)
    stream = Terminal() if terminal else io.StringIO()
    logs.configure(level=level, clock=LoopClock(), secrets=settings.secrets(), stream=stream)
    served = replace(
        settings,
        server=ServerSettings(allow_private_addresses=True),
        storage=StorageSettings(data_dir=tmp_path),  # the database of the settings cannot be reached
        sections=tuple(one for one in settings.sections if one.table != "sip"),  # its agent is another process
    )
    async with running(served) as client:
        chat = {"assistant": {"model": {"provider": "openai", "model": "m"}}, "input": "Hello"}
        assert (await client.post("/chat", json=chat)).status_code >= 400
        number = {"provider": "vonage", "number": "+15550100", "credentialId": "none"}
        await client.post("/phone-number", json=number)
        assert (await client.get("/call", headers={"Authorization": f"Bearer {MARK}-wrong"})).status_code == 401
        transport = {"provider": "vapi.websocket"}
        call = await client.post("/call", json={"assistant": {"firstMessage": "Hi"}, "transport": transport})
        assert call.status_code == 201
        # the report goes to the owner's server, which cannot be reached
        assert (await client.delete(f"/call/{call.json()['id']}")).status_code < 500
        say_every_secret(settings)
    text = stream.getvalue()
    assert "refused: " in text
    assert MARK not in text


def test_no_secret_is_in_a_repr() -> None:
    settings = load_settings(ENVIRON)
    assert MARK not in repr(settings)
    assert MARK not in str([str(section) for section in settings.all_sections()])


@pytest.mark.parametrize(
    "wrong",
    [
        {"BARGEIN_PORT": "x"},
        {"BARGEIN_DATABASE_URL": f"{MARK}://nowhere"},
        {"BARGEIN_SECRET_KEY": MARK},
        {"BARGEIN_PUBLIC_KEY": ENVIRON["BARGEIN_API_KEY"]},
        {"BARGEIN_SIP_TRANSPORTS": "tls"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_no_secret_is_in_an_error(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({**ENVIRON, **wrong})
    assert next(iter(wrong)) in str(error.value)
    assert MARK not in f"{error.value}{error.value!r}{error.getrepr(style='native')}"


def test_a_secret_of_the_wrong_type_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "bargein.toml").write_text(f'[twilio]\nauth_token = ["{MARK}"]\n')
    with pytest.raises(SettingsError, match="TWILIO_AUTH_TOKEN") as error:
        load_settings({}, tmp_path)
    assert MARK not in str(error.value)


def test_doctor_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["doctor"], env={**ENVIRON, "BARGEIN_DATA_DIR": str(tmp_path / "data")})
    assert "BARGEIN_API_KEY" in result.output
    assert MARK not in result.output
    assert result.exception is None or MARK not in repr(result.exception)

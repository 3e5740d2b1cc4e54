"""The pytest plugin: fixtures for tests of an agent in calls, without a key and without a network.

    async def test_the_assistant_can_be_interrupted(caller):
        await caller.say("Tell me a story.")
        await caller.interrupt_after(1.2, "Stop.")
        assert caller.silent_within_ms(400)

pytest loads this module in every run of an environment in which bargein is installed, so it imports nothing of bargein
before a test asks for a fixture.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from bargein.client.server_api import Server
    from bargein.ports import Voice
    from bargein.testing.agents import Agent
    from bargein.testing.bridge import Bridge
    from bargein.testing.caller import Caller
    from bargein.testing.caller_sounds import Sounds
    from bargein.testing.owner import Owner
    from bargein.testing.scripted_model import ScriptedModel

_BRIDGE = "_bargein_bridge"
"""The fixture that all others of the plugin need."""

_CALLERS: pytest.StashKey[list[tuple[Caller, Bridge]]] = pytest.StashKey()


class NewCaller(Protocol):
    """Makes a call, and returns its caller; the call ends with the test."""

    def __call__(self, assistant: Agent | None = None) -> Caller:
        """Call an agent, by default that of the fixture `assistant`."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("bargein", "calls to an agent (bargein.testing)")
    group.addoption("--bargein-url", help="call this running server in place of one that is started for the tests")
    group.addoption("--bargein-key", help="private key of the server at --bargein-url")
    group.addoption(
        "--bargein-results",
        default="bargein-results",
        help="folder for the recordings, time lines and messages of failed tests' calls (default: %(default)s)",
    )


@pytest.fixture(scope="session")
def bargein_settings() -> dict[str, str]:
    """Settings of the server that is started, as environment variables; override it in conftest.py to add some."""
    return {}


@pytest.fixture(scope="session")
def caller_voice() -> Voice:
    """The voice that speaks the callers' words: the embedded one; override it to use another `bargein.ports.Voice`."""
    from bargein.providers.embedded.tts import HibariVoice

    return HibariVoice()


@pytest.fixture
def assistant() -> Agent:
    """The agent under test: JSON of an assistant or a squad, a file with it, or an assistant's id; override it."""
    return {"firstMessageMode": "assistant-waits-for-user"}


@pytest.fixture(scope="session")
def _bargein_bridge() -> Iterator[Bridge]:
    from bargein.testing.bridge import open_bridge

    with open_bridge() as bridge:
        yield bridge


@pytest.fixture(scope="session")
def _bargein_sounds(_bargein_bridge: Bridge, caller_voice: Voice) -> Sounds:
    from bargein.testing.caller_sounds import Sounds

    sounds = Sounds(caller_voice)
    _bargein_bridge.start(sounds.warm_up)
    return sounds


@pytest.fixture(scope="session")
def agent_server(
    pytestconfig: pytest.Config, bargein_settings: dict[str, str], _bargein_sounds: Sounds
) -> Iterator[Server]:
    """The server whose agents are called: one that is started on loopback for all tests, or that of --bargein-url."""
    from bargein.client.server_api import Server
    from bargein.server.ops.server_process import NoServerError
    from bargein.testing.agent_server import run_agent_server

    url: str | None = pytestconfig.getoption("--bargein-url")
    if url is not None:
        yield Server(url=url.rstrip("/"), key=pytestconfig.getoption("--bargein-key"))
        return
    with ExitStack() as running:
        try:
            server = running.enter_context(run_agent_server(bargein_settings))
        except NoServerError as error:
            pytest.fail(str(error), pytrace=False)
        yield server


@pytest.fixture
def model(request: pytest.FixtureRequest, _bargein_bridge: Bridge) -> Iterator[ScriptedModel]:
    """A model that answers as the test says; a test that uses it has it in the place of its assistant's model."""
    from bargein.testing.scripted_model import ScriptedModel

    with _bargein_bridge.open(ScriptedModel()) as scripted:
        yield _bargein_bridge.proxy(scripted, blocking=_is_blocking(request))
        _fail_of(scripted.problems)


@pytest.fixture
def owner(request: pytest.FixtureRequest, _bargein_bridge: Bridge) -> Iterator[Owner]:
    """The owner's server: it receives the server messages, and answers tools as the test says."""
    from bargein.testing.owner import Owner

    with _bargein_bridge.open(Owner()) as server:
        yield _bargein_bridge.proxy(server, blocking=_is_blocking(request))
        _fail_of(server.problems)


@pytest.fixture
def new_caller(
    request: pytest.FixtureRequest,
    agent_server: Server,
    assistant: Agent,
    _bargein_bridge: Bridge,
    _bargein_sounds: Sounds,
) -> Iterator[NewCaller]:
    """Make further calls in one test: each `new_caller()` is a caller of its own, at the same time as the others."""
    from bargein.errors import BargeinError
    from bargein.testing.agents import calling

    default, blocking = assistant, _is_blocking(request)
    urls = {f"{name}_url": _url_of(request, name, _bargein_bridge) for name in ("model", "owner")}
    callers = request.node.stash.setdefault(_CALLERS, [])
    with ExitStack() as calls:

        def call(assistant: Agent | None = None) -> Caller:
            __tracebackhide__ = True
            agent = default if assistant is None else assistant
            opened = calling(agent_server, agent, _bargein_sounds, folder=request.path.parent, **urls)
            try:
                made = calls.enter_context(_bargein_bridge.open(opened))
            except BargeinError as error:
                raise error.with_traceback(None) from None  # its text says it all
            callers.append((made, _bargein_bridge))
            return _bargein_bridge.proxy(made, blocking=blocking)

        yield call


@pytest.fixture
def caller(new_caller: NewCaller) -> Caller:
    """A caller in a call with the agent of the fixture `assistant`; in a synchronous test its methods block."""
    from bargein.errors import BargeinError

    try:
        return new_caller()
    except BargeinError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test of an agent that no other plugin runs."""
    function = pyfuncitem.obj
    if not inspect.iscoroutinefunction(function) or _BRIDGE not in pyfuncitem.fixturenames:
        return None
    names = inspect.signature(function).parameters
    given = {name: value for name, value in pyfuncitem.funcargs.items() if name in names}
    asyncio.run(function(**given))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the time line of each call to the report of a failed test, and save its recording."""
    report = yield
    no_callers: list[tuple[Caller, Bridge]] = []
    if call.when == "call" and report.failed:
        results = Path(item.config.rootpath, str(item.config.getoption("--bargein-results")))
        for number, (made, bridge) in enumerate(item.stash.get(_CALLERS, no_callers)):
            folder = results / _folder_name(item.nodeid)
            report.sections.append((f"bargein call {made.call_id}", _described(made, bridge, folder, number)))
    return report


def _described(made: Caller, bridge: Bridge, folder: Path, number: int) -> str:
    """Save a call, and return its time line with the names of its files."""
    known = bridge.proxy(made, blocking=True)
    saved: Any = known.save(folder, "call" if number == 0 else f"call-{number + 1}")
    return f"{known.timeline}\n\n  saved: {', '.join(map(str, saved))}"


def _folder_name(nodeid: str) -> str:
    name = nodeid.replace("::", "-").replace("/", "-").replace(".py", "")
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[-150:]


def _url_of(request: pytest.FixtureRequest, name: str, bridge: Bridge) -> str | None:
    """Return the URL of a test's fake; None: the test does not use it, or has a fixture of its own by this name."""
    fake: Any = request.getfixturevalue(name) if name in request.fixturenames else None
    return str(fake.url) if bridge.has(fake) else None


def _is_blocking(request: pytest.FixtureRequest) -> bool:
    function: object = getattr(request.node, "obj", None)
    return not inspect.iscoroutinefunction(inspect.unwrap(function) if callable(function) else function)


def _fail_of(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)

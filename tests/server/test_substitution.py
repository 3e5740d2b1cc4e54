"""A part without a key runs on the embedded model if the settings say so, and the answer and the log tell of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from structlog.testing import capture_logs

from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.server.agents.problems import problems_of
from bargein.server.agents.providers import ProviderFactory
from bargein.server.api.warnings import WARNING_HEADER
from bargein.testing.settings import make_settings
from bargein.webhooks.guard import AddressGuard
from bargein.wire.assistant import Assistant
from bargein.wire.errors import parse_request
from tests.server.conftest import Serve
from tests.server.test_provider_factory import PARTS

pytestmark = pytest.mark.anyio

NO_KEY = "model provider groq needs a key: add a credential for groq, or set GROQ_API_KEY"
INSTEAD = "the embedded model takes its place (BARGEIN_SUBSTITUTE_PROVIDERS)"
GROQ = {"provider": "groq", "model": "llama-3.1-8b-instant"}
WHOLE: dict[str, Any] = {
    "model": GROQ,
    "voice": PARTS["voice", "11labs"],
    "transcriber": {"provider": "deepgram", "language": "en-US"},
}


class NamedVoice(str):
    """A voice that is a text, and carries out no marks."""

    __slots__ = ()
    marks = frozenset[str]()


class Embedded:
    """The embedded models by name; each is a text."""

    detector = interruption_classifier = end_of_turn_detector = None
    voice, model = NamedVoice("the embedded voice"), "the embedded model"

    def __init__(self) -> None:
        self.tags: list[str] = []

    def transcriber_of(self, tags: list[str]) -> str:
        """Keep the tags."""
        self.tags = list(tags)
        return "the embedded transcriber"


def made(
    tmp_path: Path, assistant: dict[str, Any], *, substitute: bool = True, embedded: Embedded | None = None, **more: Any
) -> Any:
    """Return the providers of a call."""
    client = httpx.AsyncClient()
    egress = cast("Any", SimpleNamespace(client=client, guard=AddressGuard(allow_private=True)))
    settings = make_settings(data_dir=tmp_path, substitute_providers=substitute, **more)
    factory = ProviderFactory(settings, LoopClock(), client, cast("Any", embedded or Embedded()), egress)
    return factory.providers(parse_request(Assistant, assistant), {}, 16_000)


async def test_all_parts_without_a_key_run_on_the_embedded_models(tmp_path: Path) -> None:
    embedded = Embedded()
    with capture_logs() as logs:
        providers = made(tmp_path, WHOLE, embedded=embedded)
    assert providers.model == "the embedded model"
    assert providers.voice == "the embedded voice"
    assert providers.transcriber == "the embedded transcriber"
    assert embedded.tags == ["en-US"]
    assert sorted((log["part"], log["provider"], log["log_level"]) for log in logs) == [
        ("model", "groq", "warning"),
        ("transcriber", "deepgram", "warning"),
        ("voice", "11labs", "warning"),
    ]
    assert {log["event"] for log in logs} == {"a part without a key runs on the embedded model"}


async def test_it_is_off_by_default(tmp_path: Path) -> None:
    assert make_settings().calls.substitute_providers is False
    with pytest.raises(ProviderError, match=NO_KEY):
        made(tmp_path, {"model": GROQ}, substitute=False)


async def test_a_part_with_a_key_is_not_replaced(tmp_path: Path) -> None:
    with capture_logs() as logs:
        providers = made(tmp_path, {"model": GROQ}, groq_api_key="k")
    assert providers.model != "the embedded model"
    assert logs == []


UNUSABLE = {"url": "https://a.example", "headers": {"x-name": "\u20ac"}}


@pytest.mark.parametrize(
    "part",
    [
        {"model": {"provider": "custom-llm", "model": "m", **UNUSABLE}},
        {"voice": {"provider": "custom-voice", "server": UNUSABLE}},
    ],
    ids=["model", "voice"],
)
async def test_an_owners_own_server_is_never_replaced(tmp_path: Path, part: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="headers"):
        made(tmp_path, part)


async def test_a_language_that_the_embedded_transcriber_does_not_know_is_heard_as_english(tmp_path: Path) -> None:
    embedded = Embedded()
    settings = {"transcriber": {"provider": "deepgram", "language": "taq"}}
    made(tmp_path, settings, embedded=embedded)
    assert embedded.tags == []


def test_the_problem_says_what_runs_instead() -> None:
    settings = make_settings(substitute_providers=True)
    (problem,) = problems_of({"model": GROQ}, {}, settings)
    assert str(problem) == f"model: {NO_KEY}; {INSTEAD}"


async def test_the_answer_says_it(serve: Serve) -> None:
    async with serve(substitute_providers=True) as client:
        answer = await client.post("/call/web", json={"assistant": {"model": GROQ}})
    assert answer.headers[WARNING_HEADER] == f"model: {NO_KEY}, {INSTEAD}"

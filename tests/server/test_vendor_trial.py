"""`bargein doctor --vendor` sends one sentence through a vendor and says how long it took; `--record` keeps no key."""

import json
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from bargein.cli import app
from bargein.clock import LoopClock
from bargein.server.commands.trial import SENTENCE, TrialError, TrialOptions, parts_to_try, secrets_in, try_vendor
from bargein.server.commands.trial_recording import RecordedTransport, open_recording
from bargein.server.ops.finding import Finding
from bargein.testing.settings import make_settings
from bargein.testing.vendors.cartesia_tts import FakeCartesiaVoice
from bargein.testing.vendors.chat_llm import VENDORS as CHAT_VENDORS
from bargein.testing.vendors.chat_llm import ChatLlm
from bargein.testing.vendors.deepgram_stt import FakeDeepgram
from bargein.testing.vendors.elevenlabs_tts import FakeElevenLabsVoice
from bargein.testing.vendors.scripted_llm import KEY as MODEL_KEY
from bargein.testing.vendors.scripted_llm import ModelScript
from bargein.testing.vendors.speech_peer import SpeechScript
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript

pytestmark = pytest.mark.anyio

VOICES = {
    "11labs": (FakeElevenLabsVoice, "elevenlabs", "11labs"),
    "cartesia": (FakeCartesiaVoice, "cartesia", "cartesia"),
}


def options(vendor: str, part: Any = None, record: Path | None = None, **fields: object) -> TrialOptions:
    paths = {name.replace("__", "."): value for name, value in fields.items()}
    return TrialOptions(vendor=vendor, part=part, assistant={}, fields=paths, record=record)


async def trial(wanted: TrialOptions, **settings: Any) -> list[Finding]:
    return await try_vendor(wanted, make_settings(**settings), None)


def text_of(finding: Finding) -> str:
    """Return the recording that a finding names."""
    return Path(finding.detail).read_text(encoding="utf-8")


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("provider", VOICES)
async def test_a_voice_says_the_sentence(provider: str, tmp_path: Path) -> None:
    fake, table, name = VOICES[provider]
    async with fake(VendorVoiceScript()) as peer:
        given = {f"{table}_base_url": peer.origin, f"{table}_api_key": KEY}
        found = await trial(options(provider, "voice", tmp_path / "kept", voice__voiceId="sarah"), **given)
    said, words, kept = found
    assert (said.name, said.ok) == (f"{name} voice", True)
    assert said.detail.startswith("first audio after ")
    assert f"{len(SENTENCE.split()) * 300} ms of audio at 16000 Hz" in said.detail
    assert re.match(r"ms: Hello, 0-\d+, I 300-\d+, would 600-", words.detail)
    file = tmp_path / "kept" / f"{provider}_voice.jsonl"
    assert kept.detail == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY not in file.read_text(encoding="utf-8")
    kinds = [(one["way"], one["kind"]) for one in events(file)]
    sent, answered = (
        (("out", "request"), ("in", "body")) if provider == "11labs" else (("out", "message"), ("in", "message"))
    )
    assert sent in kinds
    assert answered in kinds
    assert [one["at_ms"] for one in events(file)] == sorted(one["at_ms"] for one in events(file))
    assert any("book a table" in one.get("text", "") for one in events(file) if one["way"] == "out")


async def test_a_transcriber_hears_the_sentence(tmp_path: Path) -> None:
    async with FakeDeepgram(SpeechScript(utterances=("I would like to book a table.",))) as peer:
        given = {"deepgram_base_url": peer.url, "deepgram_api_key": peer.key}
        heard, kept = await trial(options("deepgram", "transcriber", tmp_path), **given)
    assert (heard.name, heard.ok) == ("deepgram transcriber", True)
    assert heard.detail.startswith('"I would like to book a table."')
    assert "first partial after " in heard.detail
    assert "ms after its end" in heard.detail
    assert len(peer.connections[0].audio) > 2 * 16_000 * 2  # two seconds of speech and silence
    recorded = events(Path(kept.detail))
    assert peer.key not in text_of(kept)
    assert [one["status"] for one in recorded if one["kind"] == "opened"] == [101]
    assert any("base64" in one for one in recorded if one["way"] == "out")
    assert any("Results" in one.get("text", "") for one in recorded if one["way"] == "in")


async def test_a_model_answers(tmp_path: Path) -> None:
    async with ChatLlm(CHAT_VENDORS["groq"], ModelScript(tokens=("Hel", "lo"))) as peer:
        given = {"groq_base_url": peer.url, "groq_api_key": MODEL_KEY}
        answered, kept = await trial(options("groq", record=tmp_path, model__model="llama"), **given)
    assert (answered.name, answered.ok) == ("groq model", True)
    assert answered.detail.startswith('"Hello": first piece after ')
    text = text_of(kept)
    assert MODEL_KEY not in text
    (request,) = [one for one in events(Path(kept.detail)) if one["kind"] == "request" and one["method"] == "POST"]
    assert request["headers"]["authorization"] == "***"
    assert "Say: hello" in request["text"]


async def test_a_refused_key_is_said_in_the_vendors_words() -> None:
    async with FakeElevenLabsVoice(VendorVoiceScript()) as peer:
        given = {"elevenlabs_base_url": peer.origin, "elevenlabs_api_key": "wrong-key-12345"}
        (found,) = await trial(options("11labs", "voice", voice__voiceId="sarah"), **given)
    assert found.ok is False
    assert "answered 401" in found.detail
    assert "ELEVENLABS_API_KEY" in found.detail
    assert "wrong-key-12345" not in found.detail


async def test_a_refused_handshake_is_said_and_recorded(tmp_path: Path) -> None:
    async with FakeDeepgram() as peer:
        given = {"deepgram_base_url": peer.url, "deepgram_api_key": "wrong-key-12345"}
        found, kept = await trial(options("deepgram", "transcriber", tmp_path), **given)
    assert found.ok is False
    assert "401" in found.detail
    (opened,) = [one for one in events(Path(kept.detail)) if one["kind"] == "opened"]
    assert opened["status"] == 401
    assert "Invalid credentials" in opened["text"]


async def test_a_voice_without_audio_is_no_success() -> None:
    async with FakeElevenLabsVoice(VendorVoiceScript(trouble="empty")) as peer:
        given = {"elevenlabs_base_url": peer.origin, "elevenlabs_api_key": KEY}
        found = await trial(options("11labs", "voice", voice__voiceId="sarah"), **given)
    assert [one.ok for one in found] == [False]


async def test_without_a_key_the_variable_is_named() -> None:
    (found,) = await trial(options("groq", model__model="llama"))
    assert found.ok is False
    assert "GROQ_API_KEY" in found.detail


async def test_a_part_without_its_required_fields_is_not_tried() -> None:
    (found,) = await trial(options("groq"))
    assert found == Finding("groq model", ok=None, detail="not tried: give --set model.model=…, or --assistant FILE")


class TestParts:
    def test_a_vendor_has_all_its_parts_and_a_provider_its_own(self) -> None:
        assert {one.path for one in parts_to_try(options("deepgram"))} == {"transcriber", "voice"}
        assert {one.provider for one in parts_to_try(options("azure", "voice"))} == {"azure"}
        assert {one.provider for one in parts_to_try(options("anthropic-bedrock"))} == {"anthropic-bedrock"}
        assert {one.provider for one in parts_to_try(options("elevenlabs"))} == {"11labs"}

    def test_the_parts_of_an_assistant_are_tried_as_they_are(self) -> None:
        assistant = {"voice": {"provider": "11labs", "voiceId": "a", "speed": 1.1}, "model": {"provider": "vapi"}}
        wanted = TrialOptions(vendor="11labs", part="voice", assistant=assistant, fields={"voice.voiceId": "b"})
        (found,) = parts_to_try(wanted)
        assert found.given == {"provider": "11labs", "voiceId": "b", "speed": 1.1}

    @pytest.mark.parametrize(
        ("wanted", "text"),
        [
            (options("nobody"), "there is no vendor nobody; there are anthropic, "),
            (options("groq", "voice"), "there is no voice groq"),
            (options("playht"), "playht: PlayHT closed its service"),
            (options("groq", voiceId="a"), "--set voiceId: the path begins with"),
        ],
    )
    def test_what_does_not_exist_is_an_error_in_words(self, wanted: TrialOptions, text: str) -> None:
        with pytest.raises(TrialError, match=text):
            parts_to_try(wanted)


class TestCommand:
    def test_it_prints_and_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        result = CliRunner().invoke(
            app, ["doctor", "--vendor", "groq", "--set", "model.model=llama"], env={"GROQ_API_KEY": ""}
        )
        assert result.exit_code == 1
        assert "no  groq model" in result.output
        assert "set GROQ_API_KEY" in result.output

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["--part", "voice"], "belong to --vendor"),
            (["--vendor", "nobody"], "there is no vendor nobody"),
            (["--vendor", "groq", "--part", "ear"], "--part is transcriber, model or voice"),
            (["--vendor", "groq", "--set", "x"], "--set x: it has to be like"),
            (["--vendor", "groq", "--assistant", "none.json"], "cannot read or write none.json"),
        ],
    )
    def test_wrong_options_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        result = CliRunner().invoke(app, ["doctor", *arguments])
        assert result.exit_code == 2
        assert text in result.output


ROLE_KEYS = (
    b"<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtn",
    b"FEMIK7MDENG</SecretAccessKey><SessionToken>AQoDYXdzEPT</SessionToken><Expiration>2026-01-01</Expiration>",
)
"""The answer of AWS's STS in two pieces, one of which ends within a key."""


async def test_the_keys_of_a_role_are_not_recorded(tmp_path: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        for piece in ROLE_KEYS:
            yield piece

    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers={"content-type": "text/xml"}, content=body()))
    file = tmp_path / "kept.jsonl"
    with open_recording(file, LoopClock(), ()) as recording:
        async with httpx.AsyncClient(transport=RecordedTransport(answer, recording)) as client:
            read = await client.post("https://sts.example", content="Action=AssumeRole")
    assert read.content == b"".join(ROLE_KEYS)
    kept = file.read_text(encoding="utf-8")
    assert "<Expiration>2026-01-01<" in kept
    assert not [secret for secret in ("ASIA", "wJalr", "FEMIK", "AQoD") if secret in kept]


def test_the_secrets_of_a_credential_are_found_at_any_depth() -> None:
    plan = {"type": "aws-sts", "roleArn": "arn:aws:iam::1:role/r", "externalId": "shared-with-aws"}
    found = secrets_in({"provider": "anthropic-bedrock", "region": "eu-west-1", "authenticationPlan": plan})
    assert "shared-with-aws" in found
    assert "eu-west-1" not in found
    assert secrets_in({"more": {"apiKey": "deep", "name": "mine"}}) == {"deep"}

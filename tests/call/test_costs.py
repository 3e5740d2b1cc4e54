"""The costs of a call: from the use of its providers and the owner's prices, live and from the journal."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.call.record.costs import ANALYSES, analysed_fields, analysis_cost, cost_fields
from bargein.call.record.journal import Head, head_line, read, read_usage, use_line
from bargein.call.record.usage import Usage, UsageMeter, Use
from bargein.ports import ChatMessage, ToolCall
from bargein.ports.usage import TokenUsage, collected_usage, report_usage
from bargein.providers.anthropic.events import MessageReader
from bargein.providers.chat_chunks import ChunkReader
from bargein.providers.google.llm import report_tokens
from bargein.providers.http import endpoint
from bargein.providers.model_server import ModelServer
from bargein.server.calls.prices import read_prices
from bargein.server.calls.recovery import recover_from_journal
from bargein.settings import SettingsError
from bargein.store.journals import journal_path
from bargein.testing import LlmScript, TranscriberScript
from bargein.turns import Plan
from bargein.wire.assistant import Assistant
from bargein.wire.prices import Prices, price_of
from bargein.wire.server_messages import ended_messages
from tests.call.harness import calling, stored
from tests.call.stage import staged
from tests.vapi_schema import problems
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

TABLE: dict[str, Any] = {
    "transcriber": {"custom-transcriber": 0.6, "deepgram": 0.1, "deepgram/nova-3": 0.2},
    "model": {"openai/gpt-4o": {"prompt": 2.5, "completion": 10, "cachedPrompt": 1.25}, "custom-llm": {"prompt": 1000}},
    "voice": {"custom-voice": 100},
    "transport": {"vapi.websocket": 0.3, "twilio": 0.01},
    "vapi": 0.05,
}
PRICES = Prices.from_json(TABLE)
MINUTE = 60_000


def used() -> Usage:
    usage = Usage()
    for use in (
        Use(0, "transcriber", "deepgram", "nova-3"),
        Use(900, "model", "openai", "gpt-4o", 1_000_000, 100, cached_prompt_tokens=400_000),
        Use(950, "voice", "custom-voice", "", characters=1500),
        Use(MINUTE, "transcriber", "deepgram", "nova-2"),
        Use(MINUTE + 1, "model", "openai", "gpt-4o", prompt_tokens=10, estimated=True),
        Use(MINUTE + 2, "voice", "11labs", "sarah", characters=10),
    ):  # fmt: skip
        usage.add(use)
    return usage


def test_each_provider_has_a_cost_of_its_own() -> None:
    found = cost_fields({"transport": {"provider": "vapi.websocket"}}, used(), PRICES, 3 * MINUTE)
    transport, first, second, model, voice, other_voice, platform = found["costs"]
    assert transport == {"type": "transport", "provider": "vapi.websocket", "minutes": 3, "cost": 0.9}
    assert first == {
        "type": "transcriber", "transcriber": {"provider": "deepgram", "model": "nova-3"}, "minutes": 1, "cost": 0.2
    }  # fmt: skip
    assert (second["minutes"], second["cost"]) == (2, 0.2)
    assert (model["promptTokens"], model["completionTokens"], model["cachedPromptTokens"]) == (1_000_010, 100, 400_000)
    assert model["cost"] == pytest.approx((600_010 * 2.5 + 400_000 * 1.25 + 100 * 10) / 1e6, abs=1e-6)
    assert "estimated" in model["note"]
    assert voice == {"type": "voice", "voice": {"provider": "custom-voice"}, "characters": 1500, "cost": 150}
    assert other_voice["cost"] == 0
    assert "no price" in other_voice["note"]
    assert platform == {"type": "vapi", "subType": "normal", "minutes": 3, "cost": 0.15}
    assert found["cost"] == pytest.approx(sum(one["cost"] for one in found["costs"]))
    breakdown = found["costBreakdown"]
    assert breakdown["total"] == found["cost"]
    assert (breakdown["stt"], breakdown["tts"], breakdown["vapi"], breakdown["transport"]) == (0.4, 150, 0.15, 0.9)
    assert (breakdown["llmPromptTokens"], breakdown["ttsCharacters"]) == (1_000_010, 1510)
    assert "note" not in breakdown
    assert problems("Call", {"id": "c", "orgId": "o", "createdAt": "2026-01-01T00:00:00Z",
                             "updatedAt": "2026-01-01T00:00:00Z", **found}) == []  # fmt: skip


def test_without_prices_all_costs_are_0_and_say_so() -> None:
    found = cost_fields({"phoneCallProvider": "vapi"}, used(), None, MINUTE)
    assert (found["cost"], {one["cost"] for one in found["costs"]}) == (0, {0})
    assert "BARGEIN_PRICES" in found["costBreakdown"]["note"]
    assert found["costs"][0]["provider"] == "vapi.sip"
    assert "provider" not in cost_fields({}, Usage(), PRICES, MINUTE)["costs"][0]
    assert price_of(PRICES.transcriber, "deepgram", "nova-2") == 0.1


def test_an_analysis_and_its_costs_become_part_of_the_record() -> None:
    record: dict[str, Any] = {"id": "c", **cost_fields({}, used(), PRICES, MINUTE)}
    cost = analysis_cost("summary", Use(0, "model", "openai", "gpt-4o", 1000, 100), PRICES)
    for _ in range(2):  # an analysis that is repeated replaces the earlier one
        record |= analysed_fields(record, {"summary": "They talked."}, [cost])
    (found,) = [one for one in record["costs"] if one["type"] == "analysis"]
    assert (found["analysisType"], found["cost"]) == ("summary", 0.0035)
    breakdown = record["costBreakdown"]["analysisCostBreakdown"]
    assert (breakdown["summary"], breakdown["summaryPromptTokens"]) == (0.0035, 1000)
    assert all(breakdown[kind] == 0 for kind in ANALYSES[1:])
    assert record["cost"] == pytest.approx(sum(one["cost"] for one in record["costs"]))
    (report,) = ended_messages(record, frozenset({"end-of-call-report"}))
    assert (report["summary"], report["analysis"]) == ("They talked.", {"summary": "They talked."})
    assert report["costBreakdown"] == record["costBreakdown"]
    (report,) = ended_messages({"id": "c"}, frozenset({"end-of-call-report"}))
    assert (report["summary"], report["analysis"], report["cost"], report["costs"]) == ("", {}, 0, [])


def test_a_meter_counts_what_is_reported_and_estimates_the_rest() -> None:
    usage = Usage()
    written: list[Use] = []
    meter = UsageMeter(usage, lambda: 7.5, written.append)
    deepgram = {"provider": "deepgram", "model": "nova-3"}
    ada = {"transcriber": deepgram, "model": {"provider": "openai", "model": "gpt-4o"}}
    meter.switch_assistant(Assistant.from_json(ada))
    asked = [ChatMessage("user", "x" * 7), ChatMessage("assistant", "", (ToolCall("1", "f", "{}"),))]
    meter.model(None, asked, 9)
    meter.model(TokenUsage(50, 6, 20), asked, 9)
    meter.voice("Hello.")
    meter.switch_assistant(
        Assistant.from_json({"transcriber": deepgram, "voice": {"provider": "11labs", "voiceId": "s"}})
    )
    meter.voice("Hi.")
    (model,) = usage.of("model")
    assert (model.prompt_tokens, model.completion_tokens, model.cached_prompt_tokens) == (3 + 50, 3 + 6, 20)
    assert model.estimated
    assert [(v.provider, v.model, v.characters) for v in usage.of("voice")] == [("vapi", "", 6), ("11labs", "s", 3)]
    assert len(usage.transcribers) == 1, "it stays over a handoff"
    assert [one.at_ms for one in written] == [7] * 5
    lines = [f"{line}\n" for line in (head_line(Head("c", "", Plan())), *map(use_line, written))]
    assert read_usage(lines) == usage
    assert read_usage([*lines, '{"use": {"no', '{"use": {}}\n', lines[-1]]) == usage
    assert list(read(lines)[1]) == [], "the engine does not get it"


SERVER = ModelServer(provider="x", endpoint=endpoint("http://x.example", {}, ended_reason="failed"))


def reported(*events: Any, reader: Any) -> TokenUsage | None:
    with collected_usage() as collector:
        for event in events:
            reader(event)
    return collector.reported


def as_bytes(push: Any) -> Any:
    def read_event(event: Any) -> Any:
        return push(json.dumps(event).encode())

    return read_event


def test_models_report_their_tokens() -> None:
    chunks = ChunkReader(SERVER, {})
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
    assert reported({"choices": [], "usage": usage}, reader=as_bytes(chunks.push)) == TokenUsage(9, 4, 3)
    assert reported({"x_groq": {"usage": usage}}, reader=as_bytes(chunks.push_late)) == TokenUsage(9, 4, 3)
    assert reported({"choices": [], "usage": None}, {"choices": []}, reader=as_bytes(chunks.push)) is None
    claude = MessageReader(SERVER)
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 5, "cache_read_input_tokens": 2}}}
    delta = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 8}}
    assert reported(start, delta, reader=as_bytes(claude.push)) == TokenUsage(7, 8, 2)
    gemini = {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1, "thoughtsTokenCount": 2}}
    assert reported(gemini, reader=report_tokens) == TokenUsage(5, 3)
    report_usage(1, 2)  # nobody collects
    with collected_usage() as collector:
        report_usage("many", -1, None)
    assert collector.reported is None


def table(tmp_path: Path, content: str = json.dumps(TABLE)) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"voices": {}}', "voices"),
        ('{"voice": {"x": -1}}', "voice.x"),
        ('{"model": {"x": {"prompt": "much"}}}', "prompt"),
    ],
)
def test_a_table_that_cannot_be_read_keeps_the_server_from_starting(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(SettingsError, match="BARGEIN_PRICES") as caught:
        read_prices(table(tmp_path, content))
    assert said in str(caught.value)


def test_a_table_is_read(tmp_path: Path) -> None:
    assert read_prices(None) is None
    assert read_prices(table(tmp_path)) == PRICES
    with pytest.raises(SettingsError, match="No such file"):
        read_prices(tmp_path / "none.json")


async def test_a_call_has_its_costs_in_the_report_the_record_and_the_journal(tmp_path: Path) -> None:
    script = LlmScript(tokens=["So ", "it ", "is. "])
    prices = table(tmp_path)
    async with (
        Receiver() as receiver,
        staged(tmp_path, llm=script, transcriber=TranscriberScript(), prices=prices) as stage,
        httpx.AsyncClient(base_url=stage.url) as client,
    ):
        given = stage.assistant(firstMessage="Hello there.", firstMessageMode="assistant-speaks-first",
                                server={"url": receiver.url})  # fmt: skip
        async with calling(stage.url, given) as caller:
            await caller.until(lambda: caller.of("transcript", role="assistant", transcript="Hello there."))
            message = {"role": "user", "content": "Is it so?"}
            await caller.send({"type": "add-message", "message": message})
            await caller.until(lambda: caller.of("transcript", role="assistant", transcript="So it is."))
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        (report,) = await receiver.until(lambda: receiver.of("end-of-call-report"))
        record = await stored(stage.url, caller.id)
        assert (await client.get(f"/call/{caller.id}")).json()["costs"] == record["costs"]
    for name in ("cost", "costs", "costBreakdown", "summary", "analysis", "durationMs", "durationSeconds"):
        assert report[name] == record[name], name
    assert (
        report["durationMinutes"] == record["durationMinutes"] == pytest.approx(report["durationMs"] / MINUTE, abs=1e-4)
    )
    breakdown = record["costBreakdown"]
    assert breakdown["ttsCharacters"] == len("Hello there.") + len("So it is.")
    assert breakdown["tts"] == pytest.approx(breakdown["ttsCharacters"] / 10)
    assert breakdown["llmPromptTokens"] > 0 < breakdown["llmCompletionTokens"]
    assert breakdown["transport"] == pytest.approx(record["durationMs"] / MINUTE * 0.3, abs=1e-5)
    assert breakdown["stt"] == pytest.approx(2 * breakdown["transport"], rel=0.3)  # it hears less than the call lasts
    assert report["call"]["cost"] == report["cost"] == breakdown["total"] > 0

    recovered = recover_from_journal(journal_path(tmp_path, caller.id))
    assert recovered is not None
    again = cost_fields(record, recovered.summary.usage, PRICES, record["durationMs"])
    assert again == {name: record[name] for name in again}

"""Each field of Vapi's types that a vendor's transcriber uses, as the vendor gets it."""

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from bargein.providers.azure.stt import AzureTranscriberConfig
from bargein.providers.azure.stt import create_transcriber as create_azure_transcriber
from bargein.providers.speechmatics.stt import SpeechmaticsDialect, SpeechmaticsTranscriberConfig, TranscriptReader
from bargein.providers.stt_account import VendorAccount
from bargein.testing.vendors.gladia_stt import FakeGladia
from bargein.testing.vendors.speech_peer import SpeechConnection
from bargein.wire.base import JsonObject
from tests.providers.conformance.transcribers import VENDORS, calling, resources_for, scripted

pytestmark = pytest.mark.anyio

NOVA_3: JsonObject = {"model": "nova-3"}
LISTS: JsonObject = {"keywords": ["snuffle:2", "Fitzroy"], "keyterm": ["account number", "Fitzroy"]}

QUERIES: list[tuple[str, JsonObject, dict[str, list[str] | None]]] = [
    (
        "deepgram",
        {},
        {
            "model": ["nova-2"],
            "language": ["en"],
            "encoding": ["linear16"],
            "sample_rate": ["16000"],
            "interim_results": ["true"],
            "endpointing": ["10"],
            "smart_format": None,
        },
    ),
    (
        "deepgram",
        {"language": "pt-BR", "smartFormat": True, "numerals": True, "profanityFilter": True, "mipOptOut": True},
        {
            "language": ["pt-BR"],
            "smart_format": ["true"],
            "numerals": ["true"],
            "profanity_filter": ["true"],
            "mip_opt_out": ["true"],
        },
    ),
    ("deepgram", {"endpointing": 300, "redaction": ["pci", "phi"]}, {"endpointing": ["300"], "redact": ["pci", "phi"]}),
    ("deepgram", LISTS, {"keywords": ["snuffle:2", "Fitzroy", "account", "number", "Fitzroy"], "keyterm": None}),
    ("deepgram", NOVA_3 | LISTS, {"keyterm": ["account number", "Fitzroy", "snuffle"], "keywords": None}),
    (
        "deepgram-flux",
        {"eotTimeoutMs": 6000, "keyterm": ["Fitzroy"], "redaction": ["numbers"], "mipOptOut": True, "numerals": True},
        {
            "model": ["flux-general-en"],
            "eot_threshold": ["1.0"],
            "eot_timeout_ms": ["6000"],
            "keyterm": ["Fitzroy"],
            "redact": ["numbers"],
            "mip_opt_out": ["true"],
            "numerals": ["true"],
            "language": None,
        },
    ),
    (
        "deepgram-flux",
        {"model": "flux-general-multi", "languages": ["en", "es"]},
        {"language_hint": ["en", "es"], "eot_timeout_ms": None},
    ),
    (
        "assembly-ai",
        {},
        {"speech_model": ["universal-streaming-english"], "format_turns": ["true"], "max_turn_silence": None},
    ),
    (
        "assembly-ai",
        {"language": "multi", "formatTurns": False, "maxTurnSilence": 900, "minEndOfTurnSilenceWhenConfident": 200},
        {
            "speech_model": ["universal-streaming-multilingual"],
            "format_turns": ["false"],
            "max_turn_silence": ["900"],
            "min_turn_silence": ["200"],
        },
    ),
    (
        "assembly-ai",
        {
            "speechModel": "universal-3-5-pro",
            "languageCodes": ["en", "es"],
            "mode": "min_latency",
            "prompt": "A bakery.",
            "agentContext": "It sells bread.",
            "keytermsPrompt": ["Fitzroy"],
            "wordBoost": ["snuffle"],
            "endOfTurnConfidenceThreshold": 0.6,
            "endUtteranceSilenceThreshold": 700,
        },
        {
            "speech_model": ["universal-3-5-pro"],
            "language_codes": ['["en", "es"]'],
            "mode": ["min_latency"],
            "prompt": ["A bakery."],
            "agent_context": ["It sells bread."],
            "keyterms_prompt": ['["Fitzroy", "snuffle"]'],
            "end_of_turn_confidence_threshold": ["0.6"],
            "max_turn_silence": ["700"],
        },
    ),
    (
        "11labs",
        {"language": "de"},
        {
            "model_id": ["scribe_v2_realtime"],
            "language_code": ["de"],
            "commit_strategy": ["manual"],
            "audio_format": ["pcm_16000"],
            "vad_threshold": None,
        },
    ),
    (
        "11labs",
        {
            "model": "scribe_v1",
            "silenceThresholdSeconds": 0.5,
            "confidenceThreshold": 0.4,
            "minSpeechDurationMs": 100,
            "minSilenceDurationMs": 120,
        },
        {
            "model_id": ["scribe_v2_realtime"],
            "commit_strategy": ["vad"],
            "vad_silence_threshold_secs": ["0.5"],
            "vad_threshold": ["0.4"],
            "min_speech_duration_ms": ["100"],
            "min_silence_duration_ms": ["120"],
        },
    ),
    ("cartesia", {}, {"model": ["ink-whisper"], "language": ["en"], "encoding": ["pcm_s16le"]}),
    ("cartesia", {"model": "ink-2", "language": "fr"}, {"model": ["ink-2"], "language": ["fr"]}),
    ("xai", {}, {"language": ["en"], "sample_rate": ["16000"], "encoding": ["pcm"], "model": None}),
    ("xai", {"model": "grok-stt", "language": "de"}, {"language": ["de"], "model": ["grok-stt"]}),
]


async def connection_of(name: str, config: JsonObject) -> SpeechConnection:
    """Return the connection of a call with this transcriber, once audio has come."""
    vendor = VENDORS[name]
    async with scripted(vendor) as fake, calling(vendor, fake, config) as caller:
        caller.feed(200)
        return await fake.connection(received_ms=100)


@pytest.mark.parametrize(("name", "config", "expected"), QUERIES)
async def test_fields_are_parameters_of_the_socket(
    name: str, config: JsonObject, expected: dict[str, list[str] | None]
) -> None:
    query = (await connection_of(name, config)).query
    assert {field: query.get(field) for field in expected} == expected


FIRST_MESSAGES: list[tuple[str, JsonObject, dict[str, Any]]] = [
    (
        "openai",
        {"model": "gpt-4o-mini-transcribe", "language": "ja"},
        {
            "type": "session.update",
            "session": {
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "gpt-4o-mini-transcribe", "language": "ja"},
                        "turn_detection": None,
                    }
                },
                "include": ["item.input_audio_transcription.logprobs"],
            },
        },
    ),
    (
        "soniox",
        {},
        {
            "model": "stt-rt-v4",
            "audio_format": "pcm_s16le",
            "sample_rate": 16000,
            "num_channels": 1,
            "enable_endpoint_detection": True,
            "max_endpoint_delay_ms": 500,
            "language_hints": ["en"],
            "language_hints_strict": True,
        },
    ),
    (
        "soniox",
        {
            "model": "stt-rt-v5",
            "language": "de",
            "languages": ["es", "fr"],
            "languageHintsStrict": False,
            "maxEndpointDelayMs": 900,
            "customVocabulary": ["Fitzroy"],
            "contextGeneral": [{"key": "domain", "value": "Baking"}],
        },
        {
            "model": "stt-rt-v5",
            "audio_format": "pcm_s16le",
            "sample_rate": 16000,
            "num_channels": 1,
            "enable_endpoint_detection": True,
            "max_endpoint_delay_ms": 900,
            "language_hints": ["es", "fr"],
            "language_hints_strict": False,
            "context": {"terms": ["Fitzroy"], "general": [{"key": "domain", "value": "Baking"}]},
        },
    ),
    (
        "soniox",
        {"languages": []},
        {
            "model": "stt-rt-v4",
            "audio_format": "pcm_s16le",
            "sample_rate": 16000,
            "num_channels": 1,
            "enable_endpoint_detection": True,
            "max_endpoint_delay_ms": 500,
        },
    ),
    (
        "speechmatics",
        {
            "language": "de",
            "operatingPoint": "standard",
            "enableDiarization": True,
            "maxDelay": 1500,
            "customVocabulary": [{"content": "Fitzroy", "soundsLike": ["fits roy"]}, {"content": "snuffle"}],
            "removeDisfluencies": True,
            "endOfTurnSensitivity": 0.5,
        },
        {
            "message": "StartRecognition",
            "audio_format": {"type": "raw", "encoding": "pcm_s16le", "sample_rate": 16000},
            "transcription_config": {
                "language": "de",
                "operating_point": "standard",
                "enable_partials": True,
                "max_delay": 1.5,
                "enable_entities": False,
                "diarization": "speaker",
                "additional_vocab": [{"content": "Fitzroy", "sounds_like": ["fits roy"]}, {"content": "snuffle"}],
                "transcript_filtering_config": {"remove_disfluencies": True},
                "conversation_config": {"end_of_utterance_silence_trigger": 0.6},
            },
        },
    ),
    (
        "speechmatics",
        {"language": "auto", "numeralStyle": "spoken"},
        {
            "message": "StartRecognition",
            "audio_format": {"type": "raw", "encoding": "pcm_s16le", "sample_rate": 16000},
            "transcription_config": {
                "language": "multi",
                "model": "melia-1",
                "enable_partials": True,
                "max_delay": 3.0,
                "enable_entities": True,
            },
        },
    ),
]


@pytest.mark.parametrize(("name", "config", "expected"), FIRST_MESSAGES)
async def test_fields_are_in_the_first_message(name: str, config: JsonObject, expected: dict[str, Any]) -> None:
    assert (await connection_of(name, config)).messages[0] == expected


SESSIONS: list[tuple[JsonObject, str, dict[str, Any]]] = [
    (
        {},
        "/v2/live",
        {
            "encoding": "wav/pcm",
            "bit_depth": 16,
            "sample_rate": 16000,
            "channels": 1,
            "model": "solaria-1",
            "language_config": {"languages": [], "code_switching": False},
        },
    ),
    (
        {"language": "fr", "languageBehaviour": "manual", "region": "us-west", "model": "fast", "endpointing": 0.1},
        "/v2/live?region=us-west",
        {
            "model": "solaria-1",
            "language_config": {"languages": ["fr"], "code_switching": False},
            "endpointing": 0.1,
        },
    ),
    (
        {
            "languages": ["fr", "en"],
            "languageBehaviour": "automatic multiple languages",
            "audioEnhancer": True,
            "speechThreshold": 0.6,
            "transcriptionHint": "Fitzroy, snuffle",
            "customVocabularyEnabled": True,
            "customVocabularyConfig": {"vocabulary": ["Nana", {"value": "Gladia"}], "defaultIntensity": 0.7},
            "receivePartialTranscripts": False,
        },
        "/v2/live",
        {
            "language_config": {"languages": ["fr", "en"], "code_switching": True},
            "pre_processing": {"audio_enhancer": True, "speech_threshold": 0.6},
            "realtime_processing": {
                "custom_vocabulary": True,
                "custom_vocabulary_config": {
                    "vocabulary": ["Nana", {"value": "Gladia"}, "Fitzroy", "snuffle"],
                    "default_intensity": 0.7,
                },
            },
            "messages_config": {
                "receive_partial_transcripts": False,
                "receive_final_transcripts": True,
                "receive_acknowledgments": False,
                "receive_lifecycle_events": False,
                "receive_errors": True,
            },
        },
    ),
]


@pytest.mark.parametrize(("config", "path", "expected"), SESSIONS)
async def test_fields_are_in_the_request_for_a_session(config: JsonObject, path: str, expected: dict[str, Any]) -> None:
    vendor = VENDORS["gladia"]
    async with FakeGladia() as fake, calling(vendor, fake, config) as caller:
        caller.feed(200)
        await fake.connection(received_ms=100)
        ((asked, body),) = fake.sessions
    assert asked == path
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize(("region", "host"), [(None, "eu.rt.speechmatics.com"), ("us", "us.rt.speechmatics.com")])
async def test_speechmatics_region_is_a_host(region: str | None, host: str) -> None:
    config = SpeechmaticsTranscriberConfig(provider="speechmatics", region=region)
    account = VendorAccount(provider="speechmatics", key="k", key_variable="K", ended_reason="r")
    assert (await SpeechmaticsDialect(config, account, None).target()).socket_url == f"wss://{host}/v2"


def test_numbers_in_spoken_style_are_read_out_of_the_entity() -> None:
    def word(content: str) -> dict[str, Any]:
        return {"type": "word", "alternatives": [{"content": content, "confidence": 0.5}]}

    results = [
        word("at"),
        {
            "type": "entity",
            "alternatives": [{"content": "21", "confidence": 1.0}],
            "spoken_form": [word("twenty"), word("one")],
            "written_form": [word("21")],
        },
        {"type": "punctuation", "attaches_to": "previous", "alternatives": [{"content": ".", "confidence": 1.0}]},
    ]
    message = json.dumps({"message": "AddTranscript", "metadata": {"transcript": "at 21. "}, "results": results})
    assert TranscriptReader(spoken=True).read(message).segment == "at twenty one."
    assert TranscriptReader(spoken=False).read(message).segment == "at 21. "


SEGMENTATIONS: list[tuple[JsonObject, dict[str, Any]]] = [
    ({}, {"mode": "Custom", "segmentationSilenceTimeoutMs": 200}),
    (
        {"segmentationSilenceTimeoutMs": 700, "segmentationMaximumTimeMs": 30000, "segmentationStrategy": "Time"},
        {"mode": "Custom", "segmentationSilenceTimeoutMs": 700, "segmentationForcedTimeoutMs": 30000},
    ),
    ({"segmentationStrategy": "Semantic"}, {"mode": "Semantic"}),
]


@pytest.mark.parametrize(("config", "expected"), SEGMENTATIONS)
async def test_azure_gets_the_segmentation_and_the_language(config: JsonObject, expected: dict[str, Any]) -> None:
    connection = await connection_of("azure", {**config, "language": "de-AT"})
    assert connection.query["language"] == ["de-AT"]
    first, context = connection.messages[:2]
    assert first["headers"]["path"] == "speech.config"
    assert context["body"]["phraseDetection"] == {"mode": "Conversation", "conversation": {"segmentation": expected}}


async def test_azure_gets_another_turn_when_one_has_ended() -> None:
    vendor = VENDORS["azure"]
    async with scripted(vendor, "Yes please.", "No thanks.") as fake, calling(vendor, fake) as caller:
        fake.turn_ms = 500  # type: ignore[attr-defined]
        for number in range(2):
            for _ in range(40):
                caller.feed(20)
                await anyio.sleep(0.002)
            caller.say(400)
            caller.fall_silent()
            await caller.final(number)
    paths = [message["headers"]["path"] for message in fake.connections[0].messages]
    assert fake.attempts == 1
    assert paths.count("speech.context") > 1
    assert caller.finals == ["Yes please.", "No thanks."]


@pytest.mark.parametrize(("named", "host"), [("westeurope", "westeurope"), ("uk", "uksouth")])
async def test_azures_region_is_a_host(named: str, host: str) -> None:
    resources = resources_for(replace(VENDORS["azure"], settings={"azure_region": named}), "")
    made = create_azure_transcriber(AzureTranscriberConfig(provider="azure"), resources)
    assert (await made.dialect.target()).name == f"{host}.stt.speech.microsoft.com"


LEAST = [("gladia", 0.4), ("deepgram", 0.4), ("assembly-ai", 0.4), ("deepgram-flux", 0.4)]


@pytest.mark.parametrize(("name", "threshold"), LEAST)
@pytest.mark.parametrize("given", [None, 0.8])
async def test_words_below_the_threshold_are_dropped(name: str, threshold: float, given: float | None) -> None:
    """`confidenceThreshold`; Vapi's default is 0.4. The utterance is over all the same."""
    vendor = VENDORS[name]
    config = {} if given is None else {"confidenceThreshold": given}
    least = given or threshold
    for confidence, heard in ((least - 0.05, False), (least + 0.05, True)):
        async with (
            scripted(vendor, "Yes please.", confidence=confidence) as fake,
            calling(vendor, fake, config) as caller,
        ):
            caller.say(400)
            caller.fall_silent()
            final = await caller.final()
            assert final.text == ("Yes please." if heard else "")
            assert heard or len(caller.told) == 1


@pytest.mark.parametrize(("threshold", "expected"), [(None, 0.7), (0.5, 0.8448), (0.9, 0.3769)])
async def test_flux_tells_the_end_of_the_turn_relative_to_the_owners_threshold(
    threshold: float | None, expected: float
) -> None:
    vendor = VENDORS["deepgram-flux"]
    config = {} if threshold is None else {"eotThreshold": threshold}
    async with scripted(vendor, "Yes.", end_of_turn=0.7) as fake, calling(vendor, fake, config) as caller:
        caller.say(400)
        caller.fall_silent()
        assert (await caller.final()).end_of_turn == pytest.approx(expected, abs=1e-3)


async def test_assembly_ai_tells_the_end_of_the_turn() -> None:
    vendor = VENDORS["assembly-ai"]
    async with scripted(vendor, "Yes.", end_of_turn=0.6) as fake, calling(vendor, fake) as caller:
        caller.say(400)
        caller.fall_silent()
        assert (await caller.final()).end_of_turn == 0.6


async def test_the_key_does_not_go_to_a_host_that_the_assistant_names() -> None:
    """`realtimeUrl` is connected to, but without the key unless it is AssemblyAI's own host."""
    vendor = VENDORS["assembly-ai"]
    async with scripted(vendor) as fake:
        fake.authorized = lambda headers, query: True  # type: ignore[method-assign]
        named = f"ws://127.0.0.1:{fake.port}/v3/ws?region=eu"
        async with calling(vendor, fake, {"realtimeUrl": named}) as caller:
            caller.feed(200)
            connection = await fake.connection(received_ms=100)
    assert "authorization" not in connection.headers
    assert connection.query["region"] == ["eu"]
    assert connection.query["sample_rate"] == ["16000"]


async def test_without_partials_there_are_finals_alone() -> None:
    vendor = VENDORS["assembly-ai"]
    async with (
        scripted(vendor, "I would like that.") as fake,
        calling(vendor, fake, {"disablePartialTranscripts": True}) as caller,
    ):
        caller.say(500)
        caller.fall_silent()
        await caller.final()
    assert [told.final for told in caller.told] == [True]


async def test_the_vendors_own_voice_detection_answers_for_scribe() -> None:
    vendor = VENDORS["11labs"]
    async with (
        scripted(vendor, "I would like that.", endpoint_ms=400) as fake,
        calling(vendor, fake, {"silenceThresholdSeconds": 0.4}) as caller,
    ):
        caller.say(500)
        caller.fall_silent()
        caller.feed(300)
        assert (await caller.final()).text == "I would like that."
        assert fake.connections[0].finalizes == 0

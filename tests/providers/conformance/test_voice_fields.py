"""The fields of Vapi's types for voices, as the vendors get them."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import httpx
import pytest

from bargein.http_client import new_client
from bargein.ports import ProviderError, SpeechChunk
from bargein.providers.azure.tts import AzureVoiceConfig
from bargein.providers.registry import VOICES
from bargein.testing import WORD_MS
from bargein.testing.vendors.elevenlabs_tts import FakeElevenLabsVoice
from bargein.testing.vendors.voice_speech import VendorVoiceScript
from bargein.wire import contract
from tests.providers.conformance.test_voices import TEXT, WORDS, listen
from tests.providers.conformance.voice_cases import CASES, VoiceCase

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def case_of(provider: str) -> VoiceCase:
    return next(case for case in CASES if case.provider == provider)


async def asked_of(
    client: httpx.AsyncClient, provider: str, rate_hz: int = 16_000, text: str = "Hi.", **config: Any
) -> Any:
    """Return the request that the vendor's fake got, and the fake."""
    case = case_of(provider)
    async with case.fake(VendorVoiceScript()) as fake:
        await listen(case.voice(fake, client, rate_hz, **config), [], text)
    (asked,) = fake.made.requests
    return asked, fake


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider)
def test_the_declared_fields_are_vapis(case: VoiceCase) -> None:
    member = next(
        member["$ref"].rpartition("/")[2]
        for member in contract.definitions()["CreateAssistantDTO"]["properties"]["voice"]["oneOf"]
        if contract.definitions()[member["$ref"].rpartition("/")[2]]["properties"]["provider"]["enum"]
        == [case.provider]
    )
    schema = contract.definitions()[member]
    declared = {field.alias or name for name, field in VOICES[case.provider].config.model_fields.items()}
    assert declared <= set(schema["properties"])
    assert set(schema["required"]) <= declared


async def test_elevenlabs(client: httpx.AsyncClient) -> None:
    asked, fake = await asked_of(
        client,
        "11labs",
        8000,
        voiceId="a/b",
        model="eleven_flash_v2_5",
        language="de",
        stability=0.4,
        similarityBoost=0.7,
        style=0.1,
        useSpeakerBoost=True,
        speed=0.9,
        optimizeStreamingLatency=2,
        pronunciationDictionaryLocators=[
            {"pronunciationDictionaryId": "d-1", "versionId": "v-1"},
            {"pronunciationDictionaryId": "d-2"},
        ],
    )
    assert asked.fields == {
        "text": "Hi.",
        "model_id": "eleven_flash_v2_5",
        "language_code": "de",
        "voice_settings": {
            "stability": 0.4,
            "similarity_boost": 0.7,
            "style": 0.1,
            "use_speaker_boost": True,
            "speed": 0.9,
        },
        "pronunciation_dictionary_locators": [
            {"pronunciation_dictionary_id": "d-1", "version_id": "v-1"},
            {"pronunciation_dictionary_id": "d-2"},
        ],
    }
    parts = urlsplit((await fake.exchange()).path)
    assert parts.path == "/v1/text-to-speech/a%2Fb/stream/with-timestamps"
    assert dict(parse_qsl(parts.query)) == {"output_format": "pcm_8000", "optimize_streaming_latency": "2"}


async def test_elevenlabs_defaults_are_vapis(client: httpx.AsyncClient) -> None:
    asked, fake = await asked_of(client, "11labs")
    assert asked.fields == {"text": "Hi.", "model_id": "eleven_turbo_v2"}
    parts = urlsplit((await fake.exchange()).path)
    assert parts.path.split("/")[3] == "EXAVITQu4vr4xnSDxMaL"
    assert dict(parse_qsl(parts.query))["optimize_streaming_latency"] == "3"
    _, fake = await asked_of(client, "11labs", model="eleven_v3")
    assert "optimize_streaming_latency" not in urlsplit((await fake.exchange()).path).query


@pytest.mark.parametrize("times_from", ["speech", "chunk"])
@pytest.mark.parametrize("twice", [False, True])
async def test_elevenlabs_alignment_is_read_in_all_its_forms(
    client: httpx.AsyncClient, *, times_from: Any, twice: bool
) -> None:
    case = case_of("11labs")
    chunks: list[SpeechChunk] = []
    async with FakeElevenLabsVoice(times_from=times_from, twice=twice) as fake:
        await listen(case.voice(fake, client), chunks)
    words = [word for chunk in chunks for word in chunk.words]
    assert [TEXT[: word.char_end] for word in words] == WORDS
    assert [word.start_ms for word in words] == [index * WORD_MS for index in range(5)]


async def test_openai(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "openai", voiceId="cedar", instructions="Be calm.", speed=1.5)
    assert asked.fields == {
        "model": "gpt-4o-mini-tts",
        "input": "Hi.",
        "voice": "cedar",
        "response_format": "pcm",
        "instructions": "Be calm.",
        "speed": 1.5,
    }
    asked, _ = await asked_of(client, "openai", model="tts-1", instructions="Be calm.")
    assert "instructions" not in asked.fields


async def test_cartesia(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(
        client,
        "cartesia",
        8000,
        model="sonic-3.5",
        language="fr",
        experimentalControls={"speed": "fast", "emotion": "positivity:high"},
        generationConfig={"speed": 1.2, "volume": 0.8, "experimental": {"accentLocalization": 1}},
        pronunciationDictId="d-1",
    )
    fields = dict(asked.fields)
    assert str(fields.pop("context_id")).startswith("speech-")
    assert fields == {
        "model_id": "sonic-3.5",
        "transcript": "Hi.",
        "continue": False,
        "voice": {
            "mode": "id",
            "id": "v-1",
            "__experimental_controls": {"speed": "fast", "emotion": ["positivity:high"]},
        },
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 8000},
        "add_timestamps": True,
        "use_normalized_timestamps": False,
        "language": "fr",
        "generation_config": {"speed": 1.2, "volume": 0.8, "experimental": {"accent_localization": 1}},
        "pronunciation_dict_id": "d-1",
    }


async def test_a_cartesia_of_the_owners_is_resolved_by_the_guard(client: httpx.AsyncClient) -> None:
    case = case_of("cartesia")

    class Refusing:
        async def address(self, host: str, port: int) -> str:
            raise OSError(f"{host}:{port} is refused")

    async with case.fake(VendorVoiceScript()) as fake:
        resources = case.resources("http://127.0.0.1:9", client)
        credential = {"provider": "cartesia", "apiKey": "k-123456", "apiUrl": fake.origin}
        guarded = resources.__class__(
            **{
                **{name: getattr(resources, name) for name in resources.__slots__},
                "credentials": {"cartesia": credential},
                "addresses": Refusing(),
            }
        )
        part = VOICES["cartesia"]
        voice = part.create(part.config.from_json({"provider": "cartesia", "voiceId": "v"}), guarded, 16_000)
        with pytest.raises(ProviderError, match="could not be reached"):
            await listen(voice, [])
        assert fake.handshakes == []


@pytest.mark.parametrize(
    ("config", "model"),
    [
        ({"voiceId": "thalia"}, "aura-2-thalia-en"),
        ({"voiceId": "asteria", "model": "aura"}, "aura-asteria-en"),
        ({"voiceId": "stella"}, "aura-stella-en"),
        ({"voiceId": "celeste"}, "aura-2-celeste-es"),
        ({"voiceId": "viktoria"}, "aura-2-viktoria-de"),
        ({"voiceId": "aura-2-ama-ja"}, "aura-2-ama-ja"),
    ],
)
async def test_deepgram_models(client: httpx.AsyncClient, config: dict[str, str], model: str) -> None:
    asked, _ = await asked_of(client, "deepgram", 8000, **config)
    assert asked.fields == {"model": model, "encoding": "linear16", "sample_rate": "8000"}


async def test_deepgram_opts_out(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "deepgram", mipOptOut=True)
    assert asked.fields["mip_opt_out"] == "true"


async def test_azure(client: httpx.AsyncClient) -> None:
    asked, fake = await asked_of(client, "azure", 8000, "You & <I>.", speed=1.25)
    assert asked.text == "You & <I>."
    assert asked.fields == {"voice": "en-US-AndrewNeural", "style": None, "rate": "1.25"}
    assert (await fake.exchange()).headers["x-microsoft-outputformat"] == "raw-8khz-16bit-mono-pcm"


async def test_microsoft(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(
        client, "microsoft", voiceId="de-DE-Mia:MAI-Voice-2", style="happy", styleDegree=1.5, role="Girl", speed=0.5
    )
    assert asked.fields == {
        "voice": "de-DE-Mia:MAI-Voice-2",
        "style": {"style": "happy", "styledegree": "1.5", "role": "Girl"},
        "rate": "0.5",
    }
    asked, _ = await asked_of(client, "microsoft", styleDegree=1.5, role="Girl")
    assert asked.fields["style"] is None


async def test_rime(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(
        client,
        "rime-ai",
        8000,
        model="mistv2",
        speed=2,
        pauseBetweenBrackets=True,
        phonemizeBetweenBrackets=False,
        reduceLatency=True,
        inlineSpeedAlpha="0.5, 3",
        language="es",
    )
    assert str(asked.fields.pop("context")).startswith("speech-")
    assert asked.fields == {
        "speaker": "cove",
        "modelId": "mistv2",
        "audioFormat": "pcm",
        "samplingRate": "8000",
        "lang": "es",
        "speedAlpha": "0.5",
        "pauseBetweenBrackets": "true",
        "phonemizeBetweenBrackets": "false",
        "reduceLatency": "true",
        "inlineSpeedAlpha": "0.5, 3",
    }


async def test_inworld(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "inworld", 8000, languageCode="fr", temperature=0.7, speakingRate=1.2)
    assert asked.fields == {
        "text": "Hi.",
        "voiceId": "Alex",
        "modelId": "inworld-tts-1",
        "audioConfig": {"audioEncoding": "LINEAR16", "sampleRateHertz": 8000, "speakingRate": 1.2},
        "timestampType": "WORD",
        "temperature": 0.7,
        "language": "fr",
    }


async def test_hume(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "hume", model="octave", isCustomHumeVoice=True, description="calm")
    assert asked.fields == {
        "utterances": [{"text": "Hi.", "voice": {"id": "v-1", "provider": "CUSTOM_VOICE"}, "description": "calm"}],
        "format": {"type": "pcm"},
        "strip_headers": True,
        "instant_mode": True,
        "num_generations": 1,
        "version": "1",
    }


async def test_lmnt(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "lmnt", 8000, speed=1.1, language="de")
    assert asked.fields == {
        "text": "Hi.",
        "voice": "amy",
        "format": "pcm_s16le",
        "sample_rate": 8000,
        "language": "de",
        "speed": 1.1,
    }


async def test_neuphonic(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "neuphonic", 8000, language="es", model="neu_hq", speed=0.9)
    assert asked.fields == {
        "text": "Hi.",
        "voice_id": "v-1",
        "lang_code": "es",
        "model": "neu_hq",
        "encoding": "pcm_linear",
        "sampling_rate": 8000,
        "speed": 0.9,
    }


async def test_minimax(client: httpx.AsyncClient) -> None:
    asked, fake = await asked_of(
        client,
        "minimax",
        8000,
        emotion="happy",
        pitch=2,
        speed=1.2,
        volume=0.8,
        languageBoost="German",
        textNormalizationEnabled=False,
    )
    assert asked.fields == {
        "model": "speech-02-turbo",
        "text": "Hi.",
        "stream": True,
        "stream_options": {"exclude_aggregated_audio": True},
        "voice_setting": {
            "voice_id": "v-1",
            "speed": 1.2,
            "vol": 0.8,
            "pitch": 2,
            "emotion": "happy",
            "text_normalization": False,
        },
        "audio_setting": {"sample_rate": 8000, "format": "pcm", "channel": 1},
        "language_boost": "German",
    }
    assert (await fake.exchange()).path == "/v1/t2a_v2?GroupId=g-1"


async def test_smallest_ai(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "smallest-ai", 8000, model="lightning", speed=1.5)
    assert asked.fields == {
        "text": "Hi.",
        "voice_id": "emily",
        "model": "lightning_v3.1",
        "sample_rate": 8000,
        "output_format": "pcm",
        "speed": 1.5,
    }


async def test_xai(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "xai", 8000)
    assert asked.fields == {
        "voice": "eve",
        "language": "en",
        "codec": "pcm",
        "sample_rate": "8000",
        "speed": "1.1",
        "with_timestamps": "true",
    }
    asked, _ = await asked_of(client, "xai", language="fr", speed=0.8)
    assert (asked.fields["language"], asked.fields["speed"]) == ("fr", "0.8")


async def test_wellsaid(client: httpx.AsyncClient) -> None:
    asked, _ = await asked_of(client, "wellsaid", model="legacy", libraryIds=["l-1"])
    assert asked.fields == {"text": "Hi.", "speaker_id": 3, "model": "legacy", "library_ids": ["l-1"]}


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ('One <break time="0.5s"/> two & three.', 'One <break time="0.5s"/> two &amp; three.'),
        ("<spell>A1</spell> <b>", '<say-as interpret-as="characters">A1</say-as> &lt;b&gt;'),
        ('<break onload="x"/>', '&lt;break onload="x"/&gt;'),
        ("One\x0btwo.\x00", "One two. "),
    ],
)
def test_azure_gets_breaks_and_spelling_as_marks_and_only_characters_of_xml(text: str, spoken: str) -> None:
    made = AzureVoiceConfig(provider="azure", voice_id="emma").to_ssml(text)
    assert f'<voice name="en-US-EmmaNeural">{spoken}</voice>' in made
    ElementTree.fromstring(made)  # noqa: S314  # our own

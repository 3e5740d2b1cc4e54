"""The voices of the conformance suite: each vendor is one entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from bargein.ports import Voice
from bargein.providers.interface import Resources
from bargein.providers.registry import VOICES
from bargein.testing.settings import make_settings
from bargein.testing.vendors.azure_tts import FakeAzureVoice
from bargein.testing.vendors.cartesia_tts import FakeCartesiaVoice
from bargein.testing.vendors.deepgram_tts import FakeDeepgramVoice
from bargein.testing.vendors.elevenlabs_tts import FakeElevenLabsVoice
from bargein.testing.vendors.hume_tts import FakeHumeVoice
from bargein.testing.vendors.inworld_tts import FakeInworldVoice
from bargein.testing.vendors.lmnt_tts import FakeLmntVoice
from bargein.testing.vendors.minimax_tts import FakeMinimaxVoice
from bargein.testing.vendors.neuphonic_tts import FakeNeuphonicVoice
from bargein.testing.vendors.openai_tts import FakeOpenAiVoice
from bargein.testing.vendors.rime_ai_tts import FakeRimeAiVoice
from bargein.testing.vendors.smallest_ai_tts import FakeSmallestAiVoice
from bargein.testing.vendors.voice_speech import KEY, VendorVoiceScript
from bargein.testing.vendors.wellsaid_tts import FakeWellSaidVoice
from bargein.testing.vendors.xai_tts import FakeXaiVoice
from bargein.wire.base import JsonObject
from tests.providers.resources import make_resources


@dataclass(frozen=True, kw_only=True)
class VoiceCase:
    """One voice of a vendor.

    Attributes:
        provider: its `provider`.
        fake: makes the vendor's fake.
        setting: the setting of the vendor's address.
        base_path: the path of that address.
        config: the least that the vendor's type needs.
        credential: further fields of the credential.
        timed: whether it gives word times.
        framed: whether its answer is JSON, so that a frame can be broken.
        lossy: whether its audio is compressed, so that samples and lengths are about those that were made.
        socket: whether it has a message that cancels a sentence.
        rates: the rate that is asked for, by that of the call.
        failed: the `endedReason` of most failures.
        reasons: those of statuses that have one of their own.
    """

    provider: str
    fake: Callable[[VendorVoiceScript], Any]
    setting: str
    config: JsonObject
    failed: str
    base_path: str = ""
    credential: JsonObject = field(default_factory=dict)
    timed: bool = False
    framed: bool = True
    lossy: bool = False
    socket: bool = False
    rates: Mapping[int, int] = field(default_factory=lambda: {8000: 8000, 16_000: 16_000, 24_000: 24_000})
    reasons: Mapping[int, str] = field(default_factory=dict)

    def voice(
        self, fake: Any, client: httpx.AsyncClient, rate_hz: int = 16_000, key: str = KEY, **config: Any
    ) -> Voice:
        """Make the voice as the server does, with the fake at the vendor's address."""
        part = VOICES[self.provider]
        given = part.config.from_json({"provider": self.provider, **self.config, **config})
        return part.create(given, self.resources(fake.origin + self.base_path, client, key), rate_hz)

    def resources(self, origin: str, client: httpx.AsyncClient, key: str = KEY) -> Resources:
        credential = {"provider": self.provider, "apiKey": key, **self.credential}
        return make_resources(make_settings(**{self.setting: origin}), client, {self.provider: credential})


CASES = (
    VoiceCase(
        provider="11labs",
        fake=FakeElevenLabsVoice,
        setting="elevenlabs_base_url",
        config={"voiceId": "sarah"},
        timed=True,
        failed="pipeline-error-eleven-labs-voice-failed",
        reasons={
            401: "pipeline-error-eleven-labs-invalid-api-key",
            429: "pipeline-error-eleven-labs-blocked-concurrent-requests-and-requested-upgrade",
            500: "pipeline-error-eleven-labs-500-server-error",
        },
    ),
    VoiceCase(
        provider="openai",
        fake=FakeOpenAiVoice,
        setting="openai_audio_base_url",
        base_path="/v1",
        config={"voiceId": "alloy"},
        framed=False,
        rates={8000: 24_000, 16_000: 24_000, 24_000: 24_000},
        failed="pipeline-error-openai-voice-failed",
    ),
    VoiceCase(
        provider="cartesia",
        fake=FakeCartesiaVoice,
        setting="cartesia_base_url",
        config={"voiceId": "v-1"},
        timed=True,
        socket=True,
        failed="pipeline-error-cartesia-voice-failed",
        reasons={500: "pipeline-error-cartesia-500-server-error"},
    ),
    VoiceCase(
        provider="deepgram",
        fake=FakeDeepgramVoice,
        setting="deepgram_base_url",
        config={"voiceId": "thalia"},
        socket=True,
        failed="pipeline-error-deepgram-voice-failed",
    ),
    VoiceCase(
        provider="azure",
        fake=FakeAzureVoice,
        setting="azure_base_url",
        config={"voiceId": "andrew"},
        credential={"service": "speech", "region": "westeurope"},
        framed=False,
        failed="pipeline-error-azure-voice-failed",
    ),
    VoiceCase(
        provider="microsoft",
        fake=FakeAzureVoice,
        setting="azure_base_url",
        config={"voiceId": "en-US-Ethan:MAI-Voice-2"},
        framed=False,
        failed="pipeline-error-microsoft-voice-failed",
    ),
    VoiceCase(
        provider="rime-ai",
        fake=FakeRimeAiVoice,
        setting="rime_ai_base_url",
        config={"voiceId": "cove"},
        timed=True,
        socket=True,
        failed="pipeline-error-rime-ai-voice-failed",
    ),
    VoiceCase(
        provider="inworld",
        fake=FakeInworldVoice,
        setting="inworld_base_url",
        config={"voiceId": "Alex"},
        timed=True,
        failed="pipeline-error-inworld-voice-failed",
    ),
    VoiceCase(
        provider="hume",
        fake=FakeHumeVoice,
        setting="hume_base_url",
        config={"voiceId": "v-1", "model": "octave2"},
        timed=True,
        rates={8000: 48_000, 16_000: 48_000, 24_000: 48_000},
        failed="pipeline-error-hume-voice-failed",
    ),
    VoiceCase(
        provider="lmnt",
        fake=FakeLmntVoice,
        setting="lmnt_base_url",
        config={"voiceId": "amy"},
        framed=False,
        failed="pipeline-error-lmnt-voice-failed",
    ),
    VoiceCase(
        provider="neuphonic",
        fake=FakeNeuphonicVoice,
        setting="neuphonic_base_url",
        config={"voiceId": "v-1", "language": "en"},
        failed="pipeline-error-neuphonic-voice-failed",
    ),
    VoiceCase(
        provider="minimax",
        fake=FakeMinimaxVoice,
        setting="minimax_base_url",
        base_path="/v1",
        config={"voiceId": "v-1"},
        credential={"groupId": "g-1"},
        failed="pipeline-error-minimax-voice-failed",
    ),
    VoiceCase(
        provider="smallest-ai",
        fake=FakeSmallestAiVoice,
        setting="smallest_ai_base_url",
        config={"voiceId": "emily"},
        failed="pipeline-error-smallest-ai-voice-failed",
    ),
    VoiceCase(
        provider="xai",
        fake=FakeXaiVoice,
        setting="xai_base_url",
        base_path="/v1",
        config={"voiceId": "eve"},
        timed=True,
        socket=True,
        failed="pipeline-error-xai-voice-failed",
    ),
    VoiceCase(
        provider="wellsaid",
        fake=FakeWellSaidVoice,
        setting="wellsaid_base_url",
        config={"voiceId": "3"},
        framed=False,
        lossy=True,
        rates={8000: 24_000, 16_000: 24_000, 24_000: 24_000},
        failed="pipeline-error-wellsaid-voice-failed",
    ),
)

"""The owner's own servers: Vapi's `custom-transcriber` (WebSocket), `custom-llm` (HTTP) and `custom-voice` (HTTP)."""

from bargein.providers.custom.llm import create_model
from bargein.providers.custom.stt import create_transcriber
from bargein.providers.custom.tts import create_voice
from bargein.providers.interface import ModelPart, TranscriberPart, VendorSpec, VoicePart
from bargein.wire import providers as wire

VENDOR = VendorSpec(
    name="custom",
    transcribers={"custom-transcriber": TranscriberPart(wire.CustomTranscriber, create_transcriber)},
    models={"custom-llm": ModelPart(wire.CustomLlm, create_model)},
    voices={"custom-voice": VoicePart(wire.CustomVoice, create_voice)},
)

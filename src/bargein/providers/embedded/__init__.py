"""The models inside the package, for Vapi's provider `vapi`; one object of them (`models.Embedded`) serves all calls.

By capability: `stt` (Moonshine), `tts` (Hibari), `llm` (a script), `vad` (Silero), `interruption_classifier`,
`end_of_turn` and `smart_turn`. `runtime` is the only module that knows onnxruntime.
"""

from bargein.providers.embedded.models import Embedded
from bargein.providers.interface import ModelPart, TranscriberPart, VendorSpec, VoicePart
from bargein.wire.providers import EmbeddedModel, EmbeddedTranscriber, EmbeddedVoice

VENDOR = VendorSpec(
    name="embedded",
    transcribers={"vapi": TranscriberPart(EmbeddedTranscriber, lambda _config, given: given.embedded.transcriber)},
    models={"vapi": ModelPart(EmbeddedModel, lambda _config, given: given.embedded.model)},
    voices={"vapi": VoicePart(EmbeddedVoice, lambda _config, given, _rate_hz: given.embedded.voice)},
)

__all__ = ["VENDOR", "Embedded"]

"""The models inside the package, for Vapi's provider `vapi`; one object of them (`models.Embedded`) serves all calls.

By capability: `stt` (Moonshine, English), `whisper` (other languages), `tts` (Hibari), `llm` (a script), `vad`
(Silero), `interruption_classifier`, `end_of_turn` and `smart_turn`. Only `runtime` knows onnxruntime.
"""

from bargein.providers.embedded.models import Embedded
from bargein.providers.embedded.whisper import find_problem
from bargein.providers.interface import ModelPart, TranscriberPart, VendorSpec, VoicePart
from bargein.wire.providers import EmbeddedModel, EmbeddedTranscriber, EmbeddedVoice

VENDOR = VendorSpec(
    name="embedded",
    transcribers={
        "vapi": TranscriberPart(
            EmbeddedTranscriber,
            lambda config, given: given.embedded.transcriber_of(config.tags),
            lambda config: find_problem(config.tags),
        )
    },
    models={"vapi": ModelPart(EmbeddedModel, lambda _config, given: given.embedded.model)},
    voices={"vapi": VoicePart(EmbeddedVoice, lambda _config, given, _rate_hz: given.embedded.voice)},
)

__all__ = ["VENDOR", "Embedded"]

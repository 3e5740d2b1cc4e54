"""The protocols between a call and everything that is replaceable.

A call (`bargein.call`) knows these protocols and none of their implementations. Providers implement `Transcriber`,
`Model`, `Voice` and `VoiceDetector`; carriers implement `Leg`; the store implements `CallRecords`, `Recorder` and
`JournalSink`; `bargein.webhooks` implements `OwnerMessenger`; `bargein.server` wires them.

All audio is mono `numpy.int16`, and its sample rate is given in Hz. May import `bargein.wire` and
`bargein.errors` only.
"""

from bargein.ports.audio import TRANSCRIBER_RATE_HZ, Pcm16
from bargein.ports.errors import (
    BargeinError,
    CarrierError,
    ProviderError,
    ServerError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
    unexpected_error,
)
from bargein.ports.hearing import (
    Denoiser,
    DetectorStream,
    EndOfTurnDetector,
    InterruptionClassifier,
    InterruptionScore,
    OverlappingSpeech,
    Transcriber,
    TranscriberStream,
    TranscriptCallback,
    TurnPause,
    VoiceDetector,
)
from bargein.ports.leg import Leg
from bargein.ports.model import UNANSWERED, ChatMessage, Model, Role, SchemaModel
from bargein.ports.owner import Credentials, OwnerMessenger
from bargein.ports.speech import SpeechChunk, SpokenWord, Voice
from bargein.ports.storage import (
    ALL_JOBS,
    CallRecords,
    Job,
    JobKinds,
    Jobs,
    JournalSink,
    NullRecorder,
    PrivateCalls,
    Recorder,
)
from bargein.ports.tools import Files, StoredFile, ToolCall, ToolResult, ToolRunner

__all__ = [
    "ALL_JOBS",
    "TRANSCRIBER_RATE_HZ",
    "UNANSWERED",
    "BargeinError",
    "CallRecords",
    "CarrierError",
    "ChatMessage",
    "Credentials",
    "Denoiser",
    "DetectorStream",
    "EndOfTurnDetector",
    "Files",
    "InterruptionClassifier",
    "InterruptionScore",
    "Job",
    "JobKinds",
    "Jobs",
    "JournalSink",
    "Leg",
    "Model",
    "NullRecorder",
    "OverlappingSpeech",
    "OwnerMessenger",
    "Pcm16",
    "PrivateCalls",
    "ProviderError",
    "Recorder",
    "Role",
    "SchemaModel",
    "ServerError",
    "SpeechChunk",
    "SpokenWord",
    "StoreError",
    "StoreFullError",
    "StoreUnavailableError",
    "StoredFile",
    "ToolCall",
    "ToolResult",
    "ToolRunner",
    "Transcriber",
    "TranscriberStream",
    "TranscriptCallback",
    "TurnPause",
    "Voice",
    "VoiceDetector",
    "unexpected_error",
]

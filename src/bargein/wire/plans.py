"""The plans of an assistant: interruptions, endpointing, monitoring and artifacts, and the servers it uses.

A field is None if it was not given; `bargein.call.plan` has the defaults.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bargein.wire.base import Bool, Integer, JsonObject, Number, WireModel
from bargein.wire.endpointing_rules import EndpointingRules

Phrase = Annotated[str, Field(max_length=240)]
EndpointingSeconds = Annotated[Number, Field(ge=0, le=3)]

MOST_PHRASES = 500
"""The most phrases in each list of them: all are compared with the caller's words."""
MOST_HOOKS = 100
"""The most hooks of an assistant."""
Phrases = Annotated[list[Phrase], Field(max_length=MOST_PHRASES)]


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https", "ws", "wss") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("must be a URL address")
    return value


Url = Annotated[str, AfterValidator(_url)]


class StopSpeakingPlan(WireModel):
    """Rules for interruptions by the caller (`assistant.stopSpeakingPlan`)."""

    num_words: Annotated[Integer, Field(ge=0, le=10)] | None = None
    voice_seconds: Annotated[Number, Field(ge=0, le=0.5)] | None = None
    backoff_seconds: Annotated[Number, Field(ge=0, le=10)] | None = None
    acknowledgement_phrases: Phrases | None = None
    interruption_phrases: Phrases | None = None


class TranscriptionEndpointingPlan(WireModel):
    """Wait after the caller's last words, by their last character."""

    on_punctuation_seconds: EndpointingSeconds | None = None
    on_no_punctuation_seconds: EndpointingSeconds | None = None
    on_number_seconds: EndpointingSeconds | None = None


class BackoffPlan(WireModel):
    """Retries of requests to a server URL."""

    type: Literal["fixed", "exponential"]
    max_retries: Annotated[Number, Field(ge=0, le=10)]
    base_delay_seconds: Annotated[Number, Field(ge=0, le=10)]
    excluded_status_codes: list[object] | None = None


class Server(WireModel):
    """A server of the owner, which gets requests and messages. `secret` is the legacy X-Vapi-Secret."""

    url: Url | None = None
    timeout_seconds: Annotated[Number, Field(ge=1, le=300)] | None = None
    credential_id: str | None = None
    static_ip_addresses_enabled: Bool | None = None
    encrypted_paths: list[str] | None = None
    headers: JsonObject | None = None
    secret: str | None = None
    backoff_plan: BackoffPlan | None = None


class VapiEndpointing(WireModel):
    """Smart endpointing by Vapi's own model; here by bargein's end-of-turn model."""

    provider: Literal["vapi"]


class LivekitEndpointing(WireModel):
    """Smart endpointing by a function from the end-of-turn probability to a wait in milliseconds."""

    provider: Literal["livekit"]
    wait_function: str | None = None


class KrispEndpointing(WireModel):
    """Smart endpointing by Krisp's model; here by bargein's end-of-turn model, with `threshold` as its threshold.

    `threshold` is the probability from which the turn counts as over: a higher one waits longer.
    """

    provider: Literal["krisp"]
    threshold: Annotated[Number, Field(ge=0, le=1)] | None = None


class CustomEndpointing(WireModel):
    """Smart endpointing by requests to a server."""

    provider: Literal["custom-endpointing-model"]
    server: Server | None = None


SmartEndpointingPlan = Annotated[
    VapiEndpointing | LivekitEndpointing | KrispEndpointing | CustomEndpointing, Field(discriminator="provider")
]


class StartSpeakingPlan(WireModel):
    """Rules for the start of the assistant's speech (`assistant.startSpeakingPlan`)."""

    wait_seconds: Annotated[Number, Field(ge=0, le=5)] | None = None
    smart_endpointing_enabled: Bool | Literal["livekit"] | None = None
    smart_endpointing_plan: SmartEndpointingPlan | None = None
    custom_endpointing_rules: EndpointingRules | None = None
    transcription_endpointing_plan: TranscriptionEndpointingPlan | None = None


class MonitorPlan(WireModel):
    """Permission to listen in on a call and to control it (`assistant.monitorPlan`)."""

    listen_enabled: Bool | None = None
    listen_authentication_enabled: Bool | None = None
    control_enabled: Bool | None = None
    control_authentication_enabled: Bool | None = None
    monitor_ids: list[str] | None = None


class TranscriptPlan(WireModel):
    """Format of a call's transcript (`assistant.artifactPlan.transcriptPlan`)."""

    enabled: Bool | None = None
    assistant_name: str | None = None
    user_name: str | None = None


class ArtifactPlan(WireModel):
    """Recordings, logs and transcripts that are stored of a call (`assistant.artifactPlan`)."""

    recording_enabled: Bool | None = None
    recording_format: Literal["wav;l16", "mp3"] | None = None
    video_recording_enabled: Bool | None = None
    full_message_history_enabled: Bool | None = None
    pcap_enabled: Bool | None = None
    logging_enabled: Bool | None = None
    transcript_plan: TranscriptPlan | None = None

"""The plans of an assistant: interruptions, endpointing, monitoring and artifacts, and the servers it uses.

A field is None if it was not given; `bargein.call.plan` has the defaults.
"""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from bargein.wire.base import Bool, Integer, JsonObject, Number, WireModel

Phrase = Annotated[str, Field(max_length=240)]
EndpointingSeconds = Annotated[Number, Field(ge=0, le=3)]
RuleSeconds = Annotated[Number, Field(ge=0, le=15)]

_JS_NAMED_GROUP = re.compile(r"(\\.)|\(\?<(?=[A-Za-z_$])")
_JS_NAMED_REFERENCE = re.compile(r"\\k<(\w+)>")


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
    acknowledgement_phrases: list[Phrase] | None = None
    interruption_phrases: list[Phrase] | None = None


class TranscriptionEndpointingPlan(WireModel):
    """Wait after the caller's last words, by their last character."""

    on_punctuation_seconds: EndpointingSeconds | None = None
    on_no_punctuation_seconds: EndpointingSeconds | None = None
    on_number_seconds: EndpointingSeconds | None = None


class RegexOption(WireModel):
    """An option of a rule's pattern; a disabled one has no effect."""

    type: Literal["ignore-case", "whole-word", "multi-line"]
    enabled: Bool


def compile_regex(pattern: str, options: list[RegexOption] | None = None) -> re.Pattern[str]:
    """Compile a rule's JavaScript pattern for `Pattern.search` (JavaScript's `test`).

    Named groups are translated. Other syntax that Python does not have is an error; syntax that both read differently
    has Python's meaning.

    Raises:
        ValueError: the pattern is not valid.
    """
    python = _JS_NAMED_GROUP.sub(lambda found: found.group(1) or "(?P<", pattern)
    python = _JS_NAMED_REFERENCE.sub(r"(?P=\1)", python)
    on = {option.type for option in options or () if option.enabled}
    if "whole-word" in on:
        python = rf"\b(?:{python})\b"
    flags = (re.IGNORECASE if "ignore-case" in on else 0) | (re.MULTILINE if "multi-line" in on else 0)
    try:
        return re.compile(python, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"must be a regular expression: {error}") from None


def _compiles(pattern: str) -> str:
    compile_regex(pattern)
    return pattern


Regex = Annotated[str, AfterValidator(_compiles)]


class AssistantRule(WireModel):
    """Waits `timeout_seconds` if the assistant's last message matches."""

    type: Literal["assistant"]
    regex: Regex
    regex_options: list[RegexOption] | None = None
    timeout_seconds: RuleSeconds


class CustomerRule(WireModel):
    """Waits `timeout_seconds` if the caller's words match."""

    type: Literal["customer"]
    regex: Regex
    regex_options: list[RegexOption] | None = None
    timeout_seconds: RuleSeconds


class BothRule(WireModel):
    """Waits `timeout_seconds` if both sides' words match."""

    type: Literal["both"]
    assistant_regex: Regex
    assistant_regex_options: list[RegexOption] | None = None
    customer_regex: Regex
    customer_regex_options: list[RegexOption] | None = None
    timeout_seconds: RuleSeconds


EndpointingRule = Annotated[AssistantRule | CustomerRule | BothRule, Field(discriminator="type")]


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


class CustomEndpointing(WireModel):
    """Smart endpointing by requests to a server."""

    provider: Literal["custom-endpointing-model"]
    server: Server | None = None


SmartEndpointingPlan = Annotated[
    VapiEndpointing | LivekitEndpointing | CustomEndpointing, Field(discriminator="provider")
]


class StartSpeakingPlan(WireModel):
    """Rules for the start of the assistant's speech (`assistant.startSpeakingPlan`)."""

    wait_seconds: Annotated[Number, Field(ge=0, le=5)] | None = None
    smart_endpointing_enabled: Bool | Literal["livekit"] | None = None
    smart_endpointing_plan: SmartEndpointingPlan | None = None
    custom_endpointing_rules: list[EndpointingRule] | None = None
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

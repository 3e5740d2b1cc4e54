"""The plans of an assistant: when it stops speaking, when it starts, what is kept and who may watch.

A field is None when it was not given; what then holds is for the engine to say.
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
    """When the assistant yields to the caller (`assistant.stopSpeakingPlan`)."""

    num_words: Annotated[Integer, Field(ge=0, le=10)] | None = None
    voice_seconds: Annotated[Number, Field(ge=0, le=0.5)] | None = None
    backoff_seconds: Annotated[Number, Field(ge=0, le=10)] | None = None
    acknowledgement_phrases: list[Phrase] | None = None
    interruption_phrases: list[Phrase] | None = None


class TranscriptionEndpointingPlan(WireModel):
    """How long to wait after the caller's last words, by how these end."""

    on_punctuation_seconds: EndpointingSeconds | None = None
    on_no_punctuation_seconds: EndpointingSeconds | None = None
    on_number_seconds: EndpointingSeconds | None = None


class RegexOption(WireModel):
    """A switch of a rule's pattern; the one that is off changes nothing."""

    type: Literal["ignore-case", "whole-word", "multi-line"]
    enabled: Bool


def compile_regex(pattern: str, options: list[RegexOption] | None = None) -> re.Pattern[str]:
    """A rule's pattern, which is JavaScript's, for `Pattern.search` (JavaScript's `test`).

    Named groups are spelled in Python's way. What else the two languages do not share is refused here or, where both
    read it differently, read in Python's way.

    Raises:
        ValueError: the pattern cannot be read.
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
    """Waits `timeout_seconds` when the assistant's last message matches."""

    type: Literal["assistant"]
    regex: Regex
    regex_options: list[RegexOption] | None = None
    timeout_seconds: RuleSeconds


class CustomerRule(WireModel):
    """Waits `timeout_seconds` when the caller's words match."""

    type: Literal["customer"]
    regex: Regex
    regex_options: list[RegexOption] | None = None
    timeout_seconds: RuleSeconds


class BothRule(WireModel):
    """Waits `timeout_seconds` when both sides' words match."""

    type: Literal["both"]
    assistant_regex: Regex
    assistant_regex_options: list[RegexOption] | None = None
    customer_regex: Regex
    customer_regex_options: list[RegexOption] | None = None
    timeout_seconds: RuleSeconds


EndpointingRule = Annotated[AssistantRule | CustomerRule | BothRule, Field(discriminator="type")]


class BackoffPlan(WireModel):
    """How a server URL is tried again."""

    type: Literal["fixed", "exponential"]
    max_retries: Annotated[Number, Field(ge=0, le=10)]
    base_delay_seconds: Annotated[Number, Field(ge=0, le=10)]
    excluded_status_codes: list[object] | None = None


class Server(WireModel):
    """Somebody's own server, which bargein asks or tells. `secret` is the legacy X-Vapi-Secret."""

    url: Url | None = None
    timeout_seconds: Annotated[Number, Field(ge=1, le=300)] | None = None
    credential_id: str | None = None
    static_ip_addresses_enabled: Bool | None = None
    encrypted_paths: list[str] | None = None
    headers: JsonObject | None = None
    secret: str | None = None
    backoff_plan: BackoffPlan | None = None


class VapiEndpointing(WireModel):
    """Smart endpointing by Vapi's own model (here: by our own estimate)."""

    provider: Literal["vapi"]


class LivekitEndpointing(WireModel):
    """Smart endpointing by a function from "is the caller done?" to milliseconds."""

    provider: Literal["livekit"]
    wait_function: str | None = None


class CustomEndpointing(WireModel):
    """Smart endpointing by a server that is asked."""

    provider: Literal["custom-endpointing-model"]
    server: Server | None = None


SmartEndpointingPlan = Annotated[
    VapiEndpointing | LivekitEndpointing | CustomEndpointing, Field(discriminator="provider")
]


class StartSpeakingPlan(WireModel):
    """When the assistant begins to speak (`assistant.startSpeakingPlan`)."""

    wait_seconds: Annotated[Number, Field(ge=0, le=5)] | None = None
    smart_endpointing_enabled: Bool | Literal["livekit"] | None = None
    smart_endpointing_plan: SmartEndpointingPlan | None = None
    custom_endpointing_rules: list[EndpointingRule] | None = None
    transcription_endpointing_plan: TranscriptionEndpointingPlan | None = None


class MonitorPlan(WireModel):
    """Who may listen to a call and steer it from outside (`assistant.monitorPlan`)."""

    listen_enabled: Bool | None = None
    listen_authentication_enabled: Bool | None = None
    control_enabled: Bool | None = None
    control_authentication_enabled: Bool | None = None
    monitor_ids: list[str] | None = None


class TranscriptPlan(WireModel):
    """How the transcript of a call is written (`assistant.artifactPlan.transcriptPlan`)."""

    enabled: Bool | None = None
    assistant_name: str | None = None
    user_name: str | None = None


class ArtifactPlan(WireModel):
    """What is kept of a call (`assistant.artifactPlan`)."""

    recording_enabled: Bool | None = None
    recording_format: Literal["wav;l16", "mp3"] | None = None
    video_recording_enabled: Bool | None = None
    full_message_history_enabled: Bool | None = None
    pcap_enabled: Bool | None = None
    logging_enabled: Bool | None = None
    transcript_plan: TranscriptPlan | None = None

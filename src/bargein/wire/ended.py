"""The end of a call: which of Vapi's `endedReason`s say that it failed, and what a client may read about that."""

from typing import Final, Literal

_FAILURES = (
    "pipeline-error-",
    "call.in-progress.error-",
    "call.ringing.error-",
    "call.start.",
    "call-start-error-",
    "assistant-not-",
    "unknown-error",
)
_PARTS = {
    "transcriber": "the assistant's speech recognition failed",
    "voice": "the assistant's voice failed",
}
_START_FAILURES = ("call.start.", "call-start-error-", "assistant-not-")
CANNOT_RUN = "the assistant cannot be run on this server"

_NAMES: Final[dict[str, dict[str, str]]] = {
    "voice": {"11labs": "eleven-labs", "custom-voice": "custom", "tavus": "vapi"},
    "transcriber": {"11labs": "eleven-labs", "azure": "azure-speech", "custom-transcriber": "custom"},
    "llm": {},
}
"""The vendors that Vapi's `endedReason`s name otherwise than its providers."""


def failed_reason(part: Literal["llm", "voice", "transcriber"], provider: str) -> str:
    """Return the `endedReason` for a part that failed for no more special reason.

    Args:
        part: the part, as Vapi's reasons name it.
        provider: its `provider`, as the assistant names it.
    """
    return f"pipeline-error-{_NAMES[part].get(provider, provider)}-{part}-failed"


def is_failure(ended_reason: str) -> bool:
    """Return True if a call with this `endedReason` failed: by its model, voice or transcriber, or on the server."""
    return ended_reason.startswith(_FAILURES)


def public_message(ended_reason: str) -> str:
    """Return the sentence about a failure for a client that is not the owner's: it names no vendor and no server."""
    if ended_reason.startswith(_START_FAILURES):
        return CANNOT_RUN
    if not ended_reason.startswith("pipeline-error-"):
        return "the call failed on the server"
    return next((text for part, text in _PARTS.items() if f"-{part}-" in ended_reason), "the assistant's model failed")

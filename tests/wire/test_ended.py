"""The ends of calls: every reason that a failed part gets is one of Vapi's, and what a client reads names nobody."""

import pytest

from bargein.wire.contract import definitions
from bargein.wire.ended import CANNOT_RUN, failed_reason, is_failure, public_message

REASONS: list[str] = definitions()["EndedReason"]["enum"]
PARTS = {"llm": "Model", "voice": "Voice", "transcriber": "Transcriber"}


def providers(part: str) -> set[str]:
    """Return all providers of Vapi's types of a part."""
    found: set[str] = set()
    for name, schema in definitions().items():
        if name.endswith(PARTS[part]) and not name.startswith(("Fallback", "Workflow")):
            found |= set(schema.get("properties", {}).get("provider", {}).get("enum", ()))
    return found


@pytest.mark.parametrize("part", PARTS)
def test_the_reason_of_every_provider_is_one_of_vapis(part: str) -> None:
    found = providers(part)
    assert len(found) > 10
    wrong = {one for one in found if failed_reason(part, one) not in REASONS}  # type: ignore[arg-type]
    assert wrong == set()
    assert all(is_failure(failed_reason(part, one)) for one in found)  # type: ignore[arg-type]


def test_a_call_that_ended_as_it_should_has_not_failed() -> None:
    ends = [
        "customer-ended-call", "assistant-ended-call", "silence-timed-out", "exceeded-max-duration", "voicemail",
        "customer-busy", "worker-shutdown", "assistant-said-end-call-phrase", "assistant-request-returned-error",
    ]  # fmt: skip
    assert [one for one in ends if is_failure(one)] == []
    assert all(one in REASONS for one in ends)


def test_what_a_client_reads_says_what_failed_and_nothing_else() -> None:
    told = {one: public_message(one) for one in REASONS if is_failure(one)}
    assert told["call.start.error-get-resources-validation"] == CANNOT_RUN
    assert told["pipeline-error-gladia-transcriber-failed"] == ("the assistant's speech recognition failed")
    assert told["pipeline-error-eleven-labs-voice-failed"] == "the assistant's voice failed"
    assert told["pipeline-error-openai-401-unauthorized"] == "the assistant's model failed"
    assert told["call.in-progress.error-vapifault-worker-died"] == "the call failed on the server"
    assert len(set(told.values())) == 5

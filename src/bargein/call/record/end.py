"""The end of a call: why it ended, the one line about it in the log, and what its client reads about a failure."""

from collections import deque
from dataclasses import dataclass

import structlog

from bargein.ports import ProviderError
from bargein.wire.ended import is_failure, public_message

_MOST_ERRORS = 8
"""The last errors of the providers that are kept; those of replies that were dropped are among them."""

_log = structlog.get_logger("bargein.call")


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The end of a call, as its record has it.

    Attributes:
        reason: the `endedReason`.
        message: the `endedMessage`: a sentence for the owner, without secrets; empty: the reason says it all.
    """

    reason: str
    message: str = ""


HUNG_UP_BY_CALLER = "customer-ended-call"
INTERNAL_ERROR = CallEnd(
    "call.in-progress.error-vapifault-worker-died", "an internal error ended the call; the server's log has it"
)


class EndReporter:
    """Reports the end of one call, with the provider's error that it ended by.

    Args:
        call_id: the call's id.
        tells_details: whether the call's client may read a failure's details, which name the owner's servers.

    Attributes:
        end: the end; before it is known, that the server stops.
    """

    def __init__(self, call_id: str, *, tells_details: bool) -> None:
        self.end = CallEnd("worker-shutdown")
        self._call_id = call_id
        self._tells_details = tells_details
        self._errors: deque[ProviderError] = deque(maxlen=_MOST_ERRORS)

    def note_error(self, error: ProviderError) -> None:
        """Keep a provider's error: if the call ends by it, the log line names the provider and what to change."""
        self._errors.append(error)

    def log(self) -> None:
        """Write the one line about the call's end: a warning if the call failed."""
        reason, message = self.end.reason, self.end.message
        error = next((one for one in reversed(self._errors) if str(one) == message), None)
        fields = {} if error is None else error.log_fields()
        write = _log.warning if is_failure(reason) else _log.info
        write("call ended", call_id=self._call_id, reason=reason, detail=message or None, **fields)

    def client_message(self) -> str:
        """Return the sentence that the call's client reads about a failure; empty: the call has not failed."""
        if not is_failure(self.end.reason):
            return ""
        return (self.end.message if self._tells_details else "") or public_message(self.end.reason)

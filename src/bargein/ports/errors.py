"""Errors that implementations of the ports raise."""

from bargein.errors import BargeinError


class ProviderError(BargeinError):
    """A model, voice or transcriber failed. The text may be shown to the owner of the call; it has no secret.

    Attributes:
        ended_reason: the `endedReason` (one of Vapi's) for a call that cannot go on without the provider.
    """

    def __init__(self, message: str, *, ended_reason: str) -> None:
        super().__init__(message)
        self.ended_reason = ended_reason


class StoreError(BargeinError):
    """The store failed for now. The text may be shown, and the operation may be retried."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached."""


class StoreFullError(StoreError):
    """The disk is full or broken: nothing was written."""


class ServerError(BargeinError):
    """The owner's server gave no usable answer. The text may be shown; it has no secret and no address.

    Attributes:
        reason: a short word: timeout, unreachable, status, invalid, refused.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CarrierError(BargeinError):
    """A carrier cannot carry out an operation, or it failed. The text may be shown, also to a model."""

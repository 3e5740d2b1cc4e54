"""Errors that cross the boundary between a call and what it is given."""

from bargein.errors import BargeinError


class ProviderError(BargeinError):
    """A model, voice or transcriber failed. Its text may be shown to the owner of the call; it holds no secret.

    Attributes:
        ended_reason: the `endedReason` (one of Vapi's) with which a call ends that cannot go on without the provider.
    """

    def __init__(self, message: str, *, ended_reason: str) -> None:
        super().__init__(message)
        self.ended_reason = ended_reason


class StoreError(BargeinError):
    """The store cannot do now what it was asked to. Its text may be shown; what was asked may be asked again."""


class StoreUnavailableError(StoreError):
    """The database does not answer, or not now."""


class StoreFullError(StoreError):
    """The disk is full or broken: nothing was written."""


class ServerError(BargeinError):
    """The owner's server gave no usable answer. The text may be shown; it holds no secret and no address.

    Attributes:
        reason: a short word for it: timeout, unreachable, status, invalid, refused.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CarrierError(BargeinError):
    """A carrier cannot do, or did not manage, what it was asked. The text may be shown, also to a model."""

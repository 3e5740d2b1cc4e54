"""Errors of the client."""

from bargein.errors import BargeinError


class ClientError(BargeinError):
    """The server is unreachable, refuses, or breaks off the call. The text says what to do; it contains no key."""


class UnreachableError(ClientError):
    """Nothing answers at the address."""


class RefusedError(ClientError):
    """The server answered with an error.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status

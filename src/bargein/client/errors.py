"""What can go wrong for a client."""

from bargein.errors import BargeinError


class ClientError(BargeinError):
    """The server could not be reached, refused, or broke off. The text says what to do; it holds no key."""


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

"""The owner of a call: its servers, and what proves who it is."""

from typing import Protocol

from bargein.wire.base import JsonObject


class OwnerMessenger(Protocol):
    """The servers of a call's owner (`server.url`), as one call reaches them.

    Whoever makes a line knows the call's envelope (call, assistant, customer, phoneNumber) and the order of precedence
    tool > assistant > phone number > settings; a message is given bare, without envelope and timestamp.
    """

    @property
    def has_server(self) -> bool:
        """Whether there is a server that `tell` tells; it may change with `assume`."""
        ...

    def send(self, message: JsonObject) -> None:
        """Put a message on its way and return at once. Messages of a call arrive in order."""
        ...

    async def request(
        self, message: JsonObject, *, server: JsonObject | None = None, timeout_s: float | None = None
    ) -> JsonObject:
        """Send a message that wants an answer, and give the answer's JSON.

        Args:
            message: bare.
            server: goes before the call's own (`tool.server`).
            timeout_s: the longest wait, retries included; not given: the server's `timeoutSeconds` for each try.

        Raises:
            ServerError: there is no such server, or no usable answer.
        """
        ...

    def switch_assistant(self, assistant: JsonObject) -> None:
        """Another assistant took the call over: from here on it is its server, and it stands in the envelope.

        Args:
            assistant: overrides applied, with its secrets.
        """
        ...


class Credentials(Protocol):
    """What proves to others who the owner is (Vapi's `credentialId`)."""

    async def find(self, credential_id: str) -> JsonObject | None:
        """A credential with its secrets in the clear; None if there is none of that id."""
        ...

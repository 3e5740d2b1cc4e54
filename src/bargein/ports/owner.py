"""The owner of a call: its servers and credentials."""

from typing import Protocol

from bargein.wire.base import JsonObject


class OwnerMessenger(Protocol):
    """The servers of a call's owner (`server.url`).

    The implementation adds the call's envelope (call, assistant, customer, phoneNumber) and the timestamp to a message,
    and chooses the server by the precedence tool > assistant > phone number > settings.
    """

    @property
    def has_server(self) -> bool:
        """Return whether `send` has a server to send to; `switch_assistant` may change it."""
        ...

    @property
    def asks_by_function_call(self) -> bool:
        """Return whether functions are requested by `function-call`, since `serverMessages` names it alone."""
        ...

    def send(self, message: JsonObject) -> None:
        """Send a message; returns at once. Messages of a call arrive in order."""
        ...

    def reaches_caller(self, server: JsonObject | None) -> bool:
        """Return whether a request with this `server` goes to an address that a caller set, and not the owner."""
        ...

    async def request(
        self, message: JsonObject, *, server: JsonObject | None = None, timeout_s: float | None = None
    ) -> JsonObject:
        """Send a message that has an answer, and return the answer's JSON.

        Args:
            message: the message without its envelope.
            server: takes precedence over the call's own server (`tool.server`).
            timeout_s: the longest wait, retries included; None: the server's `timeoutSeconds` for each try.

        Raises:
            ServerError: there is no server, or no usable answer.
        """
        ...

    def switch_assistant(self, assistant: JsonObject) -> None:
        """Use another assistant's server and put that assistant into the envelope, from here on.

        Args:
            assistant: the assistant with overrides applied and with its secrets.
        """
        ...

    def change_call(self, changes: JsonObject) -> None:
        """Put changed fields of the call's record into the envelope, from here on."""
        ...


class Credentials(Protocol):
    """The owner's stored credentials (Vapi's `credentialId`)."""

    async def find(self, credential_id: str) -> JsonObject | None:
        """Return a credential with its decrypted secrets; None if there is none with that id."""
        ...

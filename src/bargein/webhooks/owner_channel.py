"""The channel from one call to its owner's server (`bargein.ports.OwnerMessenger`)."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import anyio
import structlog
from typing_extensions import override

from bargein.clock import Clock
from bargein.ports import OwnerMessenger, ServerError
from bargein.webhooks.sender import Sender
from bargein.wire.assistant import asks_by_function_call
from bargein.wire.base import JsonObject
from bargein.wire.call import DEFINITIONS, call_in_messages
from bargein.wire.client_view import server_message_view
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects
from bargein.wire.ownership import is_callers, marked
from bargein.wire.redact import without_secrets

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.webhooks")

MAX_WAITING = 500
"""Messages of a call that wait for a slow server at most; one more drops the oldest."""

DRAIN_S = 20.0
"""How long waiting messages are still sent after the end of a call."""

_NAMES_AN_ASSISTANT = frozenset({"transfer-destination-request", "handoff-destination-request"})
"""Messages whose answer has a destination, which is written by the owner of the server that answers."""
_HIGH_RATE = frozenset({"model-output", "voice-input", "assistant.speechStarted"})
"""Messages sent many times a second: they carry the time and the call without its prompts only."""
_WITH_ARTIFACT = frozenset({
    "assistant.started", "function-call", "hang", "phone-call-control", "status-update", "tool-calls",
    "transfer-update", "user-interrupted",
})  # fmt: skip
"""Messages that carry the call's artifact so far; those that come several times in a turn would repeat the history."""


def server_of(*owners: JsonObject | None) -> JsonObject | None:
    """Return the server that a message goes to: that of the first owner with one, by Vapi's order of precedence.

    Args:
        owners: an assistant (`server`, or the older `serverUrl` and `serverUrlSecret`), a phone number, the settings:
            each an object with a `server`.
    """
    for owner in owners:
        server: object = (owner or {}).get("server")
        if isinstance(server, dict) and cast("JsonObject", server).get("url"):
            return cast("JsonObject", server)
        url: object = (owner or {}).get("serverUrl")
        if isinstance(url, str) and url:
            secret: object = (owner or {}).get("serverUrlSecret")
            return {"url": url, "secret": secret} if isinstance(secret, str) else {"url": url}
    return None


def credentials_of(assistant: JsonObject) -> Sequence[JsonObject]:
    """Return the credentials that an assistant defines inline (`assistant.credentials`)."""
    return as_objects(assistant.get("credentials"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The call that a channel belongs to, and the servers it may send to.

    Attributes:
        call: the call's record.
        assistant: the assistant it runs, overrides applied, with its secrets; None while it has none.
        phone_number: the number that was called, with its secrets.
        settings: `{"server": …}` of the whole installation.
        chat: the chat that the messages are about, instead of a call.
    """

    call: JsonObject = field(repr=False)
    assistant: JsonObject | None = field(default=None, repr=False)
    phone_number: JsonObject | None = field(default=None, repr=False)
    settings: JsonObject = field(default_factory=dict[str, object], repr=False)
    chat: JsonObject | None = field(default=None, repr=False)

    @property
    def server(self) -> JsonObject | None:
        """The server that the call's messages go to."""
        return server_of(self.assistant, self.phone_number, self.settings)

    @property
    def credentials(self) -> Sequence[JsonObject]:
        """`assistant.credentials`."""
        return credentials_of(self.assistant or {})

    def envelope(self) -> JsonObject:
        """Return the fields that every message carries besides its own, without secrets."""
        parts: dict[str, JsonObject | None] = {
            "assistant": self.assistant,
            "phoneNumber": self.phone_number or as_object_or_none(self.call.get("phoneNumber")),
            "customer": as_object_or_none(self.call.get("customer")),
            "chat": self.chat,
        }
        envelope: JsonObject = {name: without_secrets(part) for name, part in parts.items() if part is not None}
        # a text conversation has no call
        return {"call": call_in_messages(self.call, self.phone_number), **envelope} if "id" in self.call else envelope


class OwnerChannel(OwnerMessenger):
    """Sends the messages of one call to its owner's server, in order.

    Args:
        owner: the call and its servers.
        sender: posts messages.
        clock: gives timestamps.
    """

    def __init__(self, owner: Owner, sender: Sender, clock: Clock) -> None:
        self._owner = owner
        self._sender = sender
        self._clock = clock
        self._render()
        self._server = owner.server
        self._waiting: deque[tuple[JsonObject, Sequence[JsonObject], JsonObject]] = deque()
        self._wakeup = anyio.Event()
        self._closed = False
        self._dropped = 0
        self.artifact: Callable[[], JsonObject] | None = None
        self.done = anyio.Event()

    @property
    def call_id(self) -> str:
        """The call's id."""
        return str(self._owner.call.get("id"))

    @property
    def has_server(self) -> bool:
        """True if the call has a server."""
        return self._server is not None

    @property
    @override
    def asks_by_function_call(self) -> bool:
        asked = as_list_or_none(as_object(self._owner.assistant).get("serverMessages"))
        return asks_by_function_call([str(one) for one in asked or ()])

    @override
    def switch_assistant(self, assistant: JsonObject) -> None:
        self._owner = replace(self._owner, assistant=assistant)
        self._render()
        self._server = self._owner.server

    @override
    def change_call(self, changes: JsonObject) -> None:
        self._owner = replace(self._owner, call={**self._owner.call, **changes})
        self._render()

    def _render(self) -> None:
        """Render the envelope: once for each change of what is in it, and not for each message."""
        self._envelope = self._owner.envelope()
        call = as_object(self._envelope.get("call"))
        self._small_envelope: JsonObject = (
            {"call": {name: value for name, value in call.items() if name not in DEFINITIONS}} if call else {}
        )

    def enveloped(self, message: JsonObject) -> JsonObject:
        """Return a message with its timestamp and Vapi's envelope; the message's own fields take precedence."""
        envelope = self._small_envelope if _is_high_rate(message) else self._envelope
        return {"timestamp": self._clock.epoch_ms(), **envelope, **message}

    @override
    def send(self, message: JsonObject) -> None:
        if self._server is None or self._closed:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self._dropped += 1
            if self._dropped == 1:
                _log.warning(
                    "an owner's server does not keep up: its oldest messages are dropped", call_id=self.call_id
                )
        # The receiver is decided now: another assistant may have taken over before the message is sent.
        full = self._with_artifact(self.enveloped(message))
        self._waiting.append((self._server, self._owner.credentials, _seen_by(self._server, full)))
        self._wakeup.set()

    def _with_artifact(self, message: JsonObject) -> JsonObject:
        if self.artifact is None or "artifact" in message or message.get("type") not in _WITH_ARTIFACT:
            return message
        return {**message, "artifact": self.artifact()}

    @override
    def reaches_caller(self, server: JsonObject | None) -> bool:
        return is_callers(self._target(server) or {})

    def _target(self, server: JsonObject | None) -> JsonObject | None:
        return server if server is not None and server.get("url") else self._server

    @override
    async def request(
        self, message: JsonObject, *, server: JsonObject | None = None, timeout_s: float | None = None
    ) -> JsonObject:
        target = self._target(server)
        if target is None:
            raise ServerError("there is no server to ask: no server.url is set", reason="invalid")
        full = self.enveloped(message)
        if self.artifact is not None and "artifact" not in full:
            full["artifact"] = self.artifact()
        seen = _seen_by(target, full)
        answer = await self._sender.ask(target, seen, inline=self._owner.credentials, timeout_s=timeout_s)
        destination = as_object(answer.get("destination"))
        if destination and is_callers(target) and message.get("type") in _NAMES_AN_ASSISTANT:
            return {**answer, "destination": marked(destination, "caller")}
        return answer

    async def deliver(self, message: JsonObject, *, key: str) -> None:
        """Send one message now, and wait until the server has accepted it.

        Args:
            message: the message; missing fields of its envelope are added.
            key: value of the `Idempotency-Key` header.

        Raises:
            ServerError: it was not accepted. With the reason `invalid` or `refused` a retry is useless.
        """
        if self._server is not None:
            full = self.enveloped(message)
            await self._sender.post(self._server, _seen_by(self._server, full), inline=self._owner.credentials, key=key)

    def close(self) -> None:
        """Accept no more messages; those that wait are still sent."""
        self._closed = True
        self._wakeup.set()

    async def run(self) -> None:
        """Send messages in order until closed and empty. A failing server costs messages, never the call."""
        while not self._closed:
            await self._send_all()
            if not self._waiting and not self._closed:
                self._wakeup = anyio.Event()
                await self._wakeup.wait()
        with anyio.move_on_after(DRAIN_S) as limit:
            await self._send_all()
        if limit.cancelled_caught:
            _log.warning(
                "an owner's server took too long: messages at the end of a call were dropped",
                call_id=self.call_id,
                left=len(self._waiting),
            )

    async def _post(self, server: JsonObject, message: JsonObject, credentials: Sequence[JsonObject]) -> None:
        try:
            await self._sender.post(server, message, inline=credentials)
        except ServerError:
            raise
        except Exception as error:
            # a bug must cost this message, and neither the next ones nor the server
            _log.error("a message to an owner's server raised an unexpected error", exc_info=error)
            raise ServerError("internal error", reason="invalid") from error

    async def _send_all(self) -> None:
        while self._waiting:
            server, credentials, message = self._waiting.popleft()
            try:
                await self._post(server, message, credentials)
            except ServerError as error:
                _log.warning(
                    "an owner's server did not accept a message",
                    call_id=self.call_id,
                    type=message.get("type"),
                    reason=error.reason,
                    detail=str(error),
                )


def _seen_by(server: JsonObject, message: JsonObject) -> JsonObject:
    """Return a message as a server gets it: one whose address a caller set is told what pages are told."""
    return server_message_view(message) if is_callers(server) else message


def _is_high_rate(message: JsonObject) -> bool:
    return message.get("type") in _HIGH_RATE or message.get("transcriptType") == "partial"


class OwnerChannels:
    """The channels of all calls; messages of ended calls are still delivered.

    Args:
        tasks: the server's task group, which outlives its calls.
        sender: posts messages.
        clock: gives timestamps.
        settings_server: the server of the installation (Vapi's org server, `BARGEIN_SERVER_URL`), if there is one.
    """

    def __init__(
        self, tasks: "TaskGroup", sender: Sender, clock: Clock, settings_server: JsonObject | None = None
    ) -> None:
        self._tasks = tasks
        self._sender = sender
        self._clock = clock
        self._settings: JsonObject = {} if settings_server is None else {"server": settings_server}
        self._open: set[OwnerChannel] = set()
        self._idle = anyio.Event()

    def channel(
        self,
        call: JsonObject,
        assistant: JsonObject | None = None,
        phone_number: JsonObject | None = None,
        chat: JsonObject | None = None,
    ) -> OwnerChannel:
        """Return a channel for `request` and `deliver`; `send` needs `open` as well."""
        owner = Owner(call=call, assistant=assistant, phone_number=phone_number, settings=self._settings, chat=chat)
        return OwnerChannel(owner, self._sender, self._clock)

    def open(self, channel: OwnerChannel) -> None:
        """Start sending the messages of a channel, which its user must close."""
        self._open.add(channel)
        self._tasks.start_soon(self._run, channel)

    async def _run(self, channel: OwnerChannel) -> None:
        try:
            await channel.run()
        finally:
            channel.done.set()
            self._open.discard(channel)
            if not self._open:
                self._idle.set()

    async def drained(self, call_id: str) -> None:
        """Wait until the messages of a call have been sent or given up."""
        for channel in tuple(self._open):
            if channel.call_id == call_id:
                await channel.done.wait()

    async def close(self, seconds: float) -> None:
        """Accept no more messages, and wait up to `seconds` for those that wait."""
        for channel in self._open:
            channel.close()
        with suppress(TimeoutError), anyio.fail_after(seconds):
            while self._open:
                self._idle = anyio.Event()
                await self._idle.wait()

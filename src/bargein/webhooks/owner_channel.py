"""`bargein.ports.ServerLine`: an owner's server as one call reaches it."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import anyio
import structlog

from bargein.clock import Clock
from bargein.ports import ServerError
from bargein.webhooks.sender import Sender
from bargein.wire.base import JsonObject
from bargein.wire.redact import without_secrets

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.webhooks")

MOST_WAITING = 500
"""How many messages of a call wait for a server that is slow; the oldest is dropped for one more."""

DRAIN_S = 20.0
"""How long what still waits when a call is over is being sent."""

_OF_THE_CALL = (
    "id", "orgId", "createdAt", "updatedAt", "startedAt", "endedAt", "endedReason", "type", "status", "name",
    "transport", "monitor", "assistantId", "assistantVersion", "squadId", "phoneNumberId", "customerId", "metadata",
    "phoneCallProvider", "phoneCallTransport", "cost", "webCallUrl",
)  # fmt: skip
_LEAN = frozenset({"model-output", "voice-input", "assistant.speechStarted"})
"""Messages that come many a second: they bear the call and the time, and no more."""


def server_of(*owners: JsonObject | None) -> JsonObject | None:
    """The server that a message goes to: of the first owner that has one, by Vapi's order of precedence.

    Args:
        owners: an assistant (`server`, or `serverUrl` and `serverUrlSecret`, which Vapi no longer names), a phone
            number, the settings: each an object with a `server`.
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
    """The credentials that an assistant brings along (`assistant.credentials`)."""
    given: object = assistant.get("credentials")
    found = cast("Sequence[object]", given) if isinstance(given, list) else ()
    return [cast("JsonObject", one) for one in found if isinstance(one, dict)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What a line knows of its call.

    Attributes:
        call: its record.
        assistant: what it runs, overrides applied, with its secrets; None while it has none.
        phone_number: the number that it came in by, with its secrets.
        settings: `{"server": …}` of the whole installation.
        chat: the chat that it is about instead of a call.
    """

    call: JsonObject = field(repr=False)
    assistant: JsonObject | None = field(default=None, repr=False)
    phone_number: JsonObject | None = field(default=None, repr=False)
    settings: JsonObject = field(default_factory=dict[str, object], repr=False)
    chat: JsonObject | None = field(default=None, repr=False)

    @property
    def server(self) -> JsonObject | None:
        """The call's server."""
        return server_of(self.assistant, self.phone_number, self.settings)

    @property
    def credentials(self) -> Sequence[JsonObject]:
        """`assistant.credentials`."""
        return credentials_of(self.assistant or {})

    def envelope(self) -> JsonObject:
        """What a message bears besides its own fields, without secrets."""
        number: object = self.phone_number or self.call.get("phoneNumber")
        customer: object = self.call.get("customer")
        parts: JsonObject = {
            # a text conversation has none
            "call": {name: self.call[name] for name in _OF_THE_CALL if self.call.get(name) is not None} or None,
            "assistant": self.assistant,
            "phoneNumber": number if isinstance(number, dict) else None,
            "customer": customer if isinstance(customer, dict) else None,
            "chat": self.chat,
        }
        return {name: without_secrets(cast("JsonObject", part)) for name, part in parts.items() if part is not None}


class OwnerChannel:
    """A `bargein.ports.ServerLine`.

    Args:
        owner: the call, and whose servers it has.
        sender: posts.
        clock: for timestamps.
    """

    def __init__(self, owner: Owner, sender: Sender, clock: Clock) -> None:
        self._owner = owner
        self._sender = sender
        self._clock = clock
        self._envelope = owner.envelope()
        self._server = owner.server
        self._waiting: deque[tuple[JsonObject, Sequence[JsonObject], JsonObject]] = deque()
        self._news = anyio.Event()
        self._closed = False
        self._dropped = 0
        self.artifact: Callable[[], JsonObject] | None = None
        self.done = anyio.Event()

    @property
    def call_id(self) -> str:
        """The call's id."""
        return str(self._owner.call.get("id"))

    @property
    def reaches_somebody(self) -> bool:
        """Whether there is a server that `tell` would tell."""
        return self._server is not None

    def assume(self, assistant: JsonObject) -> None:
        """See `bargein.ports.ServerLine.assume`."""
        owner = self._owner
        self._owner = Owner(
            call=owner.call, assistant=assistant, phone_number=owner.phone_number, settings=owner.settings
        )
        call = self._envelope["call"]
        self._envelope = {**self._owner.envelope(), "call": call}
        self._server = self._owner.server

    def enveloped(self, message: JsonObject) -> JsonObject:
        """A message with its time and what Vapi puts around it; its own fields go before these."""
        kind: object = message.get("type")
        if kind == "status-update":
            known = {name: message[name] for name in ("status", "endedReason") if message.get(name) is not None}
            self._envelope = {**self._envelope, "call": {**self._envelope["call"], **known}}
        around: JsonObject = {"call": self._envelope["call"]} if _lean(message) else self._envelope
        return {"timestamp": self._clock.epoch_ms(), **around, **message}

    def tell(self, message: JsonObject) -> None:
        """See `bargein.ports.ServerLine.tell`."""
        if self._server is None or self._closed:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._dropped += 1
            if self._dropped == 1:
                _log.warning("a server does not keep up: the oldest messages are dropped", call_id=self.call_id)
        # Whose it is is settled now: another assistant may have taken over before it is sent.
        self._waiting.append((self._server, self._owner.credentials, self.enveloped(message)))
        self._news.set()

    async def ask(
        self, message: JsonObject, *, server: JsonObject | None = None, timeout_s: float | None = None
    ) -> JsonObject:
        """See `bargein.ports.ServerLine.ask`."""
        target = server if server is not None and server.get("url") else self._server
        if target is None:
            raise ServerError("there is no server to ask: no server.url is set", reason="invalid")
        full = self.enveloped(message)
        if self.artifact is not None and "artifact" not in full:
            full["artifact"] = self.artifact()
        return await self._sender.ask(target, full, inline=self._owner.credentials, timeout_s=timeout_s)

    async def deliver(self, message: JsonObject, *, key: str) -> None:
        """Send one message now, and wait until it was taken.

        Args:
            message: with or without its envelope: what it lacks is added.
            key: what it is known by, should it come twice.

        Raises:
            ServerError: it was not taken. With the reason `invalid` or `refused` it never will be.
        """
        if self._server is not None:
            full = self.enveloped(message)
            await self._sender.tell(self._server, full, inline=self._owner.credentials, key=key)

    def close(self) -> None:
        """Take no more; what waits is still sent."""
        self._closed = True
        self._news.set()

    async def run(self) -> None:
        """Send what is told, in order, until closed and done. A server that fails costs messages, never the call."""
        while not self._closed:
            await self._send_all()
            if not self._waiting and not self._closed:
                self._news = anyio.Event()
                await self._news.wait()
        with anyio.move_on_after(DRAIN_S) as limit:
            await self._send_all()
        if limit.cancelled_caught:
            _log.warning("a server took too long to be told all", call_id=self.call_id, left=len(self._waiting))

    async def _send_all(self) -> None:
        while self._waiting:
            server, credentials, message = self._waiting.popleft()
            try:
                await self._sender.tell(server, message, inline=credentials)
            except ServerError as error:
                _log.warning(
                    "a server message was not taken",
                    call_id=self.call_id,
                    type=message.get("type"),
                    reason=error.reason,
                    detail=str(error),
                )


def _lean(message: JsonObject) -> bool:
    return message.get("type") in _LEAN or message.get("transcriptType") == "partial"


class OwnerChannels:
    """Opens the lines of calls, and sees that what they were told leaves the house.

    Args:
        tasks: the server's, which outlives its calls.
        sender: posts.
        clock: for timestamps.
        settings_server: Vapi's org server (`BARGEIN_SERVER_URL`); None: there is none.
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

    def line(
        self,
        call: JsonObject,
        assistant: JsonObject | None = None,
        phone_number: JsonObject | None = None,
        chat: JsonObject | None = None,
    ) -> OwnerChannel:
        """A line that sends nothing by itself: for `ask` and `deliver`."""
        owner = Owner(call=call, assistant=assistant, phone_number=phone_number, settings=self._settings, chat=chat)
        return OwnerChannel(owner, self._sender, self._clock)

    def open(self, line: OwnerChannel) -> None:
        """Begin to send what a line is told; it must be closed."""
        self._open.add(line)
        self._tasks.start_soon(self._run, line)

    async def _run(self, line: OwnerChannel) -> None:
        try:
            await line.run()
        finally:
            line.done.set()
            self._open.discard(line)
            if not self._open:
                self._idle.set()

    async def drained(self, call_id: str) -> None:
        """Wait until what a call has told its owner has been sent or given up; at once where it tells nothing."""
        for line in tuple(self._open):
            if line.call_id == call_id:
                await line.done.wait()

    async def close(self, seconds: float) -> None:
        """Take no more of anybody, and wait so long for what is under way."""
        for line in self._open:
            line.close()
        with suppress(TimeoutError), anyio.fail_after(seconds):
            while self._open:
                self._idle = anyio.Event()
                await self._idle.wait()

"""What a call's owner is told when the call is over: put on record, and delivered from there."""

from typing import Literal, cast

import structlog

from bargein.clock import Clock
from bargein.ports import ServerError, StoreError
from bargein.server.agents.resolve import last_assistant
from bargein.store import Store
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels
from bargein.wire.artifact_urls import presigned
from bargein.wire.assistant import Assistant, server_messages_of
from bargein.wire.base import JsonObject
from bargein.wire.server_messages import WaitingUpdate, ended_messages
from bargein.wire.telephony import inline_number

SERVER_MESSAGE = "server-message"
"""The kind of job that sends `payload["message"]` to the owner of the call `payload["callId"]`."""

CALL_QUEUED = "call-queued"
"""The kind of job that tells the owner of the call `payload["callId"]` that it waits: that it is queued, so that it may
be joined, or has the `payload["status"]`.
"""

Waiting = Literal["queued", "ringing"]

_FOR_GOOD = frozenset({"invalid", "refused"})

_log = structlog.get_logger("bargein.server")


class OwnerJobs:
    """Reports the ends of calls.

    Args:
        store: where calls, assistants and phone numbers are.
        switchboard: opens lines.
        clock: for the times in templates and presigned addresses.
        key: presigns addresses; None: nothing needs to be signed.
    """

    def __init__(self, store: Store, switchboard: OwnerChannels, clock: Clock, key: str | None) -> None:
        self._key = key
        self._store = store
        self._switchboard = switchboard
        self._clock = clock

    async def phone_number(self, call: JsonObject) -> JsonObject | None:
        """The number that a call came in or goes out by, with its secrets: a stored one, or the call's own."""
        number_id: object = call.get("phoneNumberId")
        if isinstance(number_id, str):
            return await self._store.phone_numbers.get(number_id)
        return inline_number(call)

    async def line(self, call: JsonObject) -> tuple[OwnerChannel, JsonObject]:
        """A line to a stored call's owner, and the assistant that had the call last; both from the records alone."""
        assistant = await last_assistant(call, self._store, self._clock.epoch_ms())
        return self._switchboard.channel(call, assistant, await self.phone_number(call)), assistant

    async def begin(self, payload: JsonObject, key: str) -> None:
        """Do the job that follows from a call's end: submit, in their order, what its owner is to be told."""
        call_id = str(payload.get("callId"))
        call = await self._store.calls.get(call_id)
        if call is None:
            return
        line, assistant = await self.line(call)
        if not line.has_server:
            return
        for message in ended_messages(call, wanted_by(assistant)):
            told: JsonObject = {"callId": call_id, "message": message}
            await self._store.jobs.submit(SERVER_MESSAGE, told, key=f"{call_id}:{message['type']}")

    async def announce(self, call_id: str, status: Waiting) -> None:
        """Have the owner told, as `status-update`, that a call which has nobody yet is queued or rings.

        It is told after what went before about this call, and not at all if the call is further by then.
        """
        payload: JsonObject = {"callId": call_id, "status": status}
        try:
            await self._store.jobs.submit(CALL_QUEUED, payload, key=f"{call_id}:{status}")
        except StoreError as error:  # the call itself is not to suffer from it
            _log.warning("nobody could be told", type="status-update", call_id=call_id, reason=str(error))

    async def waits(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `CALL_QUEUED`: tell of it, unless the call is further already.

        Raises:
            ServerError: the owner's server did not take it; it may later.
        """
        call = await self._store.calls.get(str(payload.get("callId")))
        status: Waiting = payload.get("status", "queued")
        if call is None or call.get("status") != status:
            return
        line, assistant = await self.line(call)
        if "status-update" in wanted_by(assistant):
            await self._delivered(line, WaitingUpdate(status=status).bare(), str(call["id"]), key)

    async def deliver(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `SERVER_MESSAGE`. Returning means that it need not be done again.

        Raises:
            ServerError: the owner's server did not take it; it may later.
        """
        call_id = str(payload.get("callId"))
        call = await self._store.calls.get(call_id)
        if call is None:
            return
        line, _ = await self.line(call)
        await self._switchboard.drained(call_id)  # what was told during the call goes first
        await self._delivered(line, self._presigned(payload["message"], call), call_id, key)

    async def _delivered(self, line: OwnerChannel, message: JsonObject, call_id: str, key: str) -> None:
        try:
            await line.deliver(message, key=key)
        except ServerError as error:
            if error.reason not in _FOR_GOOD:
                raise
            _log.error("a server message cannot be delivered", call_id=call_id, key=key, detail=str(error))

    def _presigned(self, message: JsonObject, call: JsonObject) -> JsonObject:
        """The message with addresses at which its artifact can be had for some time from now on."""
        artifact: object = message.get("artifact")
        if not isinstance(artifact, dict):
            return message
        signed = presigned(call, self._key, self._clock.epoch_ms() // 1000)
        return {**message, "artifact": {**cast("JsonObject", artifact), **signed}}


def wanted_by(assistant: JsonObject) -> frozenset[str]:
    """The server messages that an assistant asks for (`serverMessages`), or Vapi's defaults."""
    asked: object = assistant.get("serverMessages")
    return server_messages_of(Assistant.from_json({"serverMessages": asked} if asked is not None else {}))

"""Jobs that send messages about calls to their owners' servers: stored first, then delivered until they are taken."""

from typing import Literal

import structlog

from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.fleet.lease import SILENT_MS
from bargein.ports import ServerError, StoreError
from bargein.server.agents.resolve import last_assistant, phone_number_of
from bargein.server.analysis.outputs import plan_analysis
from bargein.server.calls.langfuse import TRACE, plan_of
from bargein.server.calls.private_calls import PrivateCallMemory
from bargein.store import Store
from bargein.store.jobs import NewJob
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels
from bargein.wire.artifact_urls import presigned_urls
from bargein.wire.assistant import Assistant, server_messages_of
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_string
from bargein.wire.server_messages import WaitingUpdate, ended_messages

CALL_ENDED = "call-ended"
"""The kind of job that submits the messages about the end of the call `payload["callId"]`."""

SERVER_MESSAGE = "server-message"
"""The kind of job that sends `payload["message"]` to the owner of the call `payload["callId"]`."""

CALL_ANALYSIS = "call-analysis"
"""The kind of job that analyses the call `payload["call"]`, and then submits the report about its end."""

CALL_QUEUED = "call-queued"
"""The kind of job that sends the owner of the call `payload["callId"]` a `status-update`: that it is queued, so that it
may be joined, or has the `payload["status"]`.
"""

_REPORT = "end-of-call-report"

WaitingStatus = Literal["queued", "ringing"]

_FINAL_REASONS = frozenset({"invalid", "refused"})
"""Reasons of a `ServerError` with which a message is not sent again."""

_log = structlog.get_logger("bargein.server")


class WordsElsewhereError(BargeinError):
    """The words of a private call are in the memory of another server, which lives; the job is left to it."""


class OwnerJobs:
    """Submits and does the jobs that tell owners about their calls.

    A job about the end of a private call (`bargein.call.record.privacy`) has no words: `payload["nodeId"]` is the
    server whose memory has them. Once that server is gone, the messages go out without them.

    Args:
        store: where calls, assistants, phone numbers and jobs are.
        owner_channels: reaches the owners' servers.
        clock: the time in templates and presigned addresses.
        key: signs the addresses of artifacts; None: they need no signature.
        private_calls: the ends of this server's private calls.
        analyses_all: whether calls of assistants without an `analysisPlan` are analysed, too.
    """

    def __init__(
        self,
        store: Store,
        owner_channels: OwnerChannels,
        clock: Clock,
        key: str | None,
        private_calls: PrivateCallMemory,
        *,
        analyses_all: bool = False,
    ) -> None:
        self._analyses_all = analyses_all
        self._key = key
        self._private_calls = private_calls
        self._store = store
        self._owner_channels = owner_channels
        self._clock = clock

    async def channel(self, call: JsonObject) -> tuple[OwnerChannel, JsonObject]:
        """Return a channel to a stored call's owner, and the assistant that had the call last."""
        assistant = await self.assistant(call)
        return self._owner_channels.channel(call, assistant, await phone_number_of(call, self._store)), assistant

    async def assistant(self, call: JsonObject) -> JsonObject:
        """Return the assistant that had a stored call last."""
        return await last_assistant(call, self._store, self._clock.epoch_ms())

    async def submit_ended(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `CALL_ENDED`: submit the messages about the call's end, in their order.

        Where the call is to be analysed, the report waits for that (`CALL_ANALYSIS`); nothing else does.

        Raises:
            WordsElsewhereError: the words of a private call are on another server.
        """
        call_id, node_id = str(payload.get("callId")), as_string(payload.get("nodeId"))
        call = await self.ended_call(call_id, node_id)
        if call is None:
            return
        channel, assistant = await self.channel(call)
        if node_id is None and plan_of(assistant) is not None:
            # "call", not "callId": the trace does not wait for the owner's server
            trace: JsonObject = {"call": call_id, "nodeId": payload.get("journalAt")}
            await self._store.jobs.submit(TRACE, trace, key=f"{call_id}:{TRACE}")
        messages = ended_messages(call, wanted_by(assistant)) if channel.has_server else ()
        analysis = await plan_analysis(call, assistant, self._store, always=self._analyses_all)
        for message in messages:
            if not analysis or message["type"] != _REPORT:
                kind, job, job_key = _message_job(call_id, message, node_id)
                await self._store.jobs.submit(kind, job, key=job_key)
        if analysis:
            # "call", not "callId": the analysis does not wait for the owner's server
            work: JsonObject = {"call": call_id, **({} if node_id is None else {"nodeId": node_id})}
            await self._store.jobs.submit(CALL_ANALYSIS, work, key=f"{call_id}:{CALL_ANALYSIS}")
        elif not messages:
            self._private_calls.forget(call_id)

    async def report_job(self, call: JsonObject, node_id: str | None) -> NewJob | None:
        """Return the job that sends the report about a call's end; None: nobody wants it.

        Args:
            call: the call's record, with its analysis.
            node_id: the server whose memory has the words of a private call; None: it is not private.
        """
        channel, assistant = await self.channel(call)
        wanted = wanted_by(assistant) & {_REPORT} if channel.has_server else frozenset[str]()
        for message in ended_messages(call, wanted):
            return _message_job(str(call["id"]), message, node_id)
        return None

    async def ended_call(self, call_id: str, node_id: str | None) -> JsonObject | None:
        """Return a call's record, that of a private call with what is in the memory of the server `node_id`."""
        home = node_id or self._store.calls.node_id
        if home != self._store.calls.node_id and await self._store.nodes.is_alive(home, SILENT_MS):
            raise WordsElsewhereError("another server has the words of this call")
        call = await self._store.calls.get(call_id)
        return None if call is None else {**call, **self._private_calls.outcome(call_id)}

    async def announce(self, call_id: str, status: WaitingStatus) -> None:
        """Submit a job that sends the owner a `status-update`: the call is queued, or rings.

        The message is sent after those before it about this call, and not at all if the call has another status by
        then.
        """
        payload: JsonObject = {"callId": call_id, "status": status}
        try:
            await self._store.jobs.submit(CALL_QUEUED, payload, key=f"{call_id}:{status}")
        except StoreError as error:  # the call goes on without the message
            _log.warning("a message to an owner is lost", type="status-update", call_id=call_id, reason=str(error))

    async def send_waiting(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `CALL_QUEUED`, unless the call has another status already.

        Raises:
            ServerError: the owner's server did not take the message; it may later.
        """
        call = await self._store.calls.get(str(payload.get("callId")))
        status: WaitingStatus = payload.get("status", "queued")
        if call is None or call.get("status") != status:
            return
        channel, assistant = await self.channel(call)
        if "status-update" in wanted_by(assistant):
            await self._send(channel, WaitingUpdate(status=status).without_envelope(), str(call["id"]), key)

    async def deliver(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `SERVER_MESSAGE`. It is done when this returns.

        Raises:
            ServerError: the owner's server did not take the message; it may later.
            WordsElsewhereError: the words of a private call are on another server.
        """
        call_id, node_id = str(payload.get("callId")), as_string(payload.get("nodeId"))
        call = await self.ended_call(call_id, node_id)
        if call is None:
            self._private_calls.forget(call_id)
            return
        channel, assistant = await self.channel(call)
        await self._owner_channels.drained(call_id)  # the messages of the live call are sent first
        if node_id is None:
            await self._send(channel, self._presigned(payload["message"], call), call_id, key)
            return
        messages = ended_messages(call, wanted_by(assistant))
        for message in messages:
            if message["type"] == as_object(payload.get("message")).get("type"):
                await self._send(channel, message, call_id, key)
                if message is messages[-1]:
                    self._private_calls.forget(call_id)

    async def _send(self, channel: OwnerChannel, message: JsonObject, call_id: str, key: str) -> None:
        try:
            await channel.deliver(message, key=key)
        except ServerError as error:
            if error.reason not in _FINAL_REASONS:
                raise
            _log.error("a server message cannot be delivered", call_id=call_id, key=key, detail=str(error))

    def _presigned(self, message: JsonObject, call: JsonObject) -> JsonObject:
        """Return a message with the presigned addresses of its artifact, which expire some time from now."""
        artifact = as_object_or_none(message.get("artifact"))
        if artifact is None:
            return message
        return {**message, "artifact": {**artifact, **presigned_urls(call, self._key, self._clock.epoch_ms() // 1000)}}


def _message_job(call_id: str, message: JsonObject, node_id: str | None) -> NewJob:
    """Return the job that sends a message; that of a private call has no words."""
    payload: JsonObject = {"callId": call_id, "message": message}
    if node_id is not None:
        payload = {"callId": call_id, "message": {"type": message["type"]}, "nodeId": node_id}
    return NewJob(SERVER_MESSAGE, payload, f"{call_id}:{message['type']}")


def wanted_by(assistant: JsonObject) -> frozenset[str]:
    """Return the server messages that an assistant asks for (`serverMessages`), or Vapi's defaults."""
    asked: object = assistant.get("serverMessages")
    return server_messages_of(Assistant.from_json({"serverMessages": asked} if asked is not None else {}))

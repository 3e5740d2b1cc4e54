"""Inbound calls: which assistant or squad takes a call that comes in on a stored phone number."""

from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import CallRecords, ServerError
from bargein.server.agents.validate import check_participants
from bargein.server.calls.owner_jobs import OwnerJobs
from bargein.server.ops.metrics import Metrics
from bargein.store import Store
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import AssistantRequestAnswer, participants_of
from bargein.wire.errors import WireError, findings
from bargein.wire.json import as_object, as_object_or_none
from bargein.wire.older import with_newer_values
from bargein.wire.ownership import made_by
from bargein.wire.server_messages import AssistantRequest

REQUEST_S = 7.5
"""How long an `assistant-request` may take, everything included; Vapi's limit, which no setting changes."""

REJECTED = "assistant-request-returned-error"
"""The `endedReason` of a call whose caller was told the `error` of the answer to an `assistant-request`."""

_LONGEST_ERROR = 1000
_CANNOT_FORWARD = ", and this transport cannot forward a call"
DEBUGGING = "inboundPhoneCallDebuggingArtifacts"

_log = structlog.get_logger("bargein.server")


@dataclass(frozen=True, slots=True)
class _Ended:
    """The end of a call that nobody takes."""

    reason: str
    detail: str
    destination: JsonObject | None = None


class InboundResolver:
    """Finds the assistant or squad that takes an inbound call.

    Args:
        store: where assistants and squads are.
        owner_channels: reaches the server that answers `assistant-request`.
        clock: the time at which a call ends.
    """

    def __init__(self, store: Store, owner_channels: OwnerChannels, clock: Clock) -> None:
        self._store = store
        self._owner_channels = owner_channels
        self._clock = clock

    async def settle(self, call: JsonObject, number: JsonObject, *, forwards: bool = False) -> JsonObject:
        """Return the changes to the record of a call that rings: it becomes queued, with its participants, or ended.

        Args:
            call: its record.
            number: the phone number, with its secrets.
            forwards: whether a call that ends with a `destination` is forwarded there.
        """
        found = await self._participants(call, number, "" if forwards else _CANNOT_FORWARD)
        if not isinstance(found, _Ended):
            return {"status": "queued", **found}
        _log.warning("nobody takes a call", call_id=call["id"], reason=found.reason, detail=found.detail)
        ended: JsonObject = {
            "status": "ended",
            "endedReason": found.reason,
            "endedMessage": found.detail,
            "endedAt": iso_from_epoch_ms(self._clock.epoch_ms()),
            DEBUGGING: {"error": found.detail},
        }
        return ended if found.destination is None else {**ended, "destination": found.destination}

    async def _participants(self, call: JsonObject, number: JsonObject, cannot: str) -> JsonObject | _Ended:
        for name in ("assistantId", "squadId"):
            if isinstance(number.get(name), str):
                return await self._checked({name: number[name]}, "call.start.error-get-assistant")
        channel = self._owner_channels.channel(call, None, number)
        if channel.has_server:
            return await self._requested(channel, number, cannot)
        nobody = "the phone number has no assistantId, squadId or server, and the settings have no server"
        return _fallback(number, _Ended("call-start-error-neither-assistant-nor-server-set", nobody), cannot)

    async def _requested(self, channel: OwnerChannel, number: JsonObject, cannot: str) -> JsonObject | _Ended:
        """Ask the owner's server (`assistant-request`)."""
        try:
            answered = await channel.request(AssistantRequest().without_envelope(), timeout_s=REQUEST_S)
        except ServerError as error:
            return _fallback(number, _Ended("assistant-request-failed", str(error)), cannot)
        given = as_object(with_newer_values(answered))
        try:
            answer = AssistantRequestAnswer.from_json(without_nulls(given))
        except ValidationError as error:
            detail = "; ".join(findings(error, given))
            unspeakable = "error" in given and not isinstance(given["error"], str | None)
            reason = "unspeakable-error" if unspeakable else "invalid-assistant"
            return _Ended(f"assistant-request-returned-{reason}", detail)
        if answer.error is not None:
            return _rejected(answer.error)
        if answer.destination is not None:
            detail = f"the answer names a destination{cannot}"
            return _Ended("assistant-request-returned-forwarding-phone-number", detail, answer.destination)
        participants = participants_of(given)
        if not participants.keys() & {"assistantId", "assistant", "squadId", "squad"}:
            return _Ended("assistant-request-returned-no-assistant", "the answer names no assistant")
        return await self._checked(participants, "assistant-request-returned-invalid-assistant")

    async def _checked(self, participants: JsonObject, reason: str) -> JsonObject | _Ended:
        """Return the participants if they exist and can be run."""
        try:
            await check_participants(made_by(participants, "owner"), self._store)
        except WireError as error:
            return _Ended(reason, str(error))
        return participants


class InboundCalls:
    """Records which assistant or squad takes a call that rings over a socket (`POST /phone-number/{id}/ring`).

    Args:
        resolver: finds the assistant or squad.
        records: where the call's record is written.
        metrics: counts the calls that nobody takes.
        owner_jobs: tell the owner that the call is queued.
    """

    def __init__(
        self, resolver: InboundResolver, records: CallRecords, metrics: Metrics, owner_jobs: OwnerJobs
    ) -> None:
        self._resolver = resolver
        self._records = records
        self._metrics = metrics
        self._owner_jobs = owner_jobs

    async def receive(self, call: JsonObject, number: JsonObject) -> None:
        """Settle an inbound call and record the result.

        Args:
            call: its record; it rings.
            number: the phone number, with its secrets.
        """
        call_id = str(call["id"])
        changes = await self._resolver.settle(call, number)
        if changes["status"] == "ended":
            self._metrics.ended(str(changes["endedReason"]))
            await self._records.finish(call_id, changes)
        else:
            await self._records.update(call_id, changes)
            await self._owner_jobs.announce(call_id, "queued")


def _rejected(error: str) -> JsonObject | _Ended:
    """Return the changes with which the caller hears the error, if it can be spoken."""
    if not error.strip() or len(error) > _LONGEST_ERROR:
        return _Ended("assistant-request-returned-unspeakable-error", "the error is empty or too long to be said")
    return {DEBUGGING: {"assistantRequestError": error}}


def _fallback(number: JsonObject, ended: _Ended, cannot: str) -> _Ended:
    """Add the number's `fallbackDestination`, if it has one."""
    destination = as_object_or_none(number.get("fallbackDestination"))
    if destination is None:
        return ended
    return _Ended(ended.reason, f"{ended.detail}; there is a fallbackDestination{cannot}", destination)

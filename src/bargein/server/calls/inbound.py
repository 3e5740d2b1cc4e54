"""Calls that come in on a stored phone number: who takes them."""

from dataclasses import dataclass
from typing import cast

import structlog
from pydantic import ValidationError

from bargein.call.tools.transfer import HandoffError
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import ServerError
from bargein.server.agents.handoff import members_of, squad_of
from bargein.server.agents.validate import check_rules, check_squad
from bargein.store import Store
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels
from bargein.wire.assistant import Assistant, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import AssistantRequestAnswer, effective_assistant, participants_of
from bargein.wire.errors import WireError, findings, parse_request
from bargein.wire.server_messages import AssistantRequest
from bargein.wire.squad import Squad

REQUEST_S = 7.5
"""How long an `assistant-request` may take, everything included; Vapi's limit, which no setting changes."""

REJECTED = "assistant-request-returned-error"
"""The `endedReason` once the caller has been told the error that the owner's server gave instead of an assistant."""

_LONGEST_ERROR = 1000
_CANNOT_FORWARD = ", and this transport cannot forward a call"
DEBUGGING = "inboundPhoneCallDebuggingArtifacts"

_log = structlog.get_logger("bargein.server")


@dataclass(frozen=True, slots=True)
class _Ended:
    """The call ends before anybody has taken it."""

    reason: str
    why: str
    destination: JsonObject | None = None


class InboundResolver:
    """Finds out who takes a call that came in.

    Args:
        store: where assistants and calls are.
        switchboard: opens lines.
        clock: for the time at which a call ends.
    """

    def __init__(self, store: Store, switchboard: OwnerChannels, clock: Clock) -> None:
        self._store = store
        self._switchboard = switchboard
        self._clock = clock

    async def settle(self, call: JsonObject, number: JsonObject, *, forwards: bool = False) -> JsonObject:
        """What becomes of a call that rings: the changes to its record, after which it is queued or ended.

        Args:
            call: its record.
            number: the phone number, with its secrets.
            forwards: whether a call that ends with a `destination` is forwarded there.
        """
        found = await self._taker(call, number, "" if forwards else _CANNOT_FORWARD)
        if not isinstance(found, _Ended):
            return {"status": "queued", **found}
        _log.warning("nobody takes a call", call_id=call["id"], reason=found.reason, detail=found.why)
        ended: JsonObject = {
            "status": "ended",
            "endedReason": found.reason,
            "endedMessage": found.why,
            "endedAt": iso_from_epoch_ms(self._clock.epoch_ms()),
            DEBUGGING: {"error": found.why},
        }
        return ended if found.destination is None else {**ended, "destination": found.destination}

    async def _taker(self, call: JsonObject, number: JsonObject, cannot: str) -> JsonObject | _Ended:
        for name in ("assistantId", "squadId"):
            if isinstance(number.get(name), str):
                return await self._checked({name: number[name]}, "call.start.error-get-assistant")
        line = self._switchboard.channel(call, None, number)
        if line.has_server:
            return await self._asked(line, number, cannot)
        nobody = "the phone number has no assistantId, squadId or server, and the settings have no server"
        return _fallback(number, _Ended("call-start-error-neither-assistant-nor-server-set", nobody), cannot)

    async def _asked(self, line: OwnerChannel, number: JsonObject, cannot: str) -> JsonObject | _Ended:
        try:
            given = await line.ask(AssistantRequest().bare(), timeout_s=REQUEST_S)
        except ServerError as error:
            return _fallback(number, _Ended("assistant-request-failed", str(error)), cannot)
        try:
            answer = AssistantRequestAnswer.from_json(without_nulls(given))
        except ValidationError as error:
            why = "; ".join(findings(error, given))
            unspeakable = "error" in given and not isinstance(given["error"], str | None)
            reason = "unspeakable-error" if unspeakable else "invalid-assistant"
            return _Ended(f"assistant-request-returned-{reason}", why)
        if answer.error is not None:
            return _rejected(answer.error)
        if answer.destination is not None:
            why = f"the answer names a destination{cannot}"
            return _Ended("assistant-request-returned-forwarding-phone-number", why, answer.destination)
        participants = participants_of(given)
        if not participants.keys() & {"assistantId", "assistant", "squadId", "squad"}:
            return _Ended("assistant-request-returned-no-assistant", "the answer names no assistant")
        return await self._checked(participants, "assistant-request-returned-invalid-assistant")

    async def _checked(self, participants: JsonObject, reason: str) -> JsonObject | _Ended:
        """The participants, if there are such and they can be run."""
        try:
            await self._check(participants)
        except WireError as error:
            text = error.messages if isinstance(error.messages, str) else "; ".join(error.messages)
            return _Ended(reason, text)
        return participants

    async def _check(self, participants: JsonObject) -> None:
        squad = participants.keys() & {"squadId", "squad"}
        if squad and participants.keys() & {"assistantId", "assistant"}:
            raise WireError(400, "Need either an assistant or a squad, not both.")
        if squad:
            await self._check_squad(participants)
            return
        stored: JsonObject | None = None
        if participants.get("assistant") is None:
            assistant_id = str(participants["assistantId"])
            stored = await self._store.assistants.get(assistant_id)
            if stored is None:
                raise WireError(400, f"There is no assistant with the id {assistant_id[:80]}.")
        _check_assistant(effective_assistant(participants, stored), "assistant.")

    async def _check_squad(self, participants: JsonObject) -> None:
        """Each member as it will run: with its own overrides, the squad's and the call's laid over."""
        inline = participants.get("squad")
        if inline is not None:
            await check_squad(self._store, parse_request(Squad, inline))
        elif await self._store.squads.get(str(participants["squadId"])) is None:
            raise WireError(400, f"There is no squad with the id {str(participants['squadId'])[:80]}.")
        try:
            squad = await squad_of(participants, self._store)
            members = await members_of(squad or {}, self._store, participants.get("squadOverrides"))
        except HandoffError as error:
            raise WireError(400, str(error)) from None
        for index, member in enumerate(members):
            _check_assistant(without_nulls(member.assistant), f"squad.members.{index}.assistant.")


def _check_assistant(whole: JsonObject, within: str) -> None:
    """See that an assistant with its overrides laid over it can be run."""
    known = Assistant.wire_names()
    check_rules(parse_request(Assistant, {n: v for n, v in whole.items() if n in known}), within)


def _rejected(error: str) -> JsonObject | _Ended:
    """The caller is told why nobody takes the call, if it can be said."""
    if not error.strip() or len(error) > _LONGEST_ERROR:
        return _Ended("assistant-request-returned-unspeakable-error", "the error is empty or too long to be said")
    return {DEBUGGING: {"assistantRequestError": error}}


def _fallback(number: JsonObject, ended: _Ended, cannot: str) -> _Ended:
    """With the number's `fallbackDestination`."""
    given: object = number.get("fallbackDestination")
    if not isinstance(given, dict):
        return ended
    why = f"{ended.why}; there is a fallbackDestination{cannot}"
    return _Ended(ended.reason, why, cast("JsonObject", given))

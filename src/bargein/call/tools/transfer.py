"""Handoffs to another assistant, and transfers of the caller to a number or SIP address."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bargein.call.context import AgentSetup, Providers
from bargein.call.tools.declarations import destinations_of, label_of
from bargein.call.tools.executor import ToolOutcome
from bargein.ports import BargeinError, CarrierError, Leg, OwnerMessenger, ServerError, ToolCall, ToolResult
from bargein.turns.events import Context, Event, HandoffRequested
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none
from bargein.wire.ownership import Author, without_marks

FORWARDED = "assistant-forwarded-call"


class HandoffError(BargeinError):
    """The handoff is not possible. The text may be shown to a model and to a client.

    Attributes:
        status: the HTTP status of an answer that says so: 400, or 403 if the client may not ask for it.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Successor:
    """An assistant that is ready to take the call over.

    Attributes:
        destination: the destination as it was requested.
        setup: its setup.
        providers: its providers, including its tool runner; `owner` is that of the call.
        assistant_id: the id of a stored assistant.
    """

    destination: JsonObject
    setup: AgentSetup
    providers: Providers
    assistant_id: str | None = None


class Handoffs(Protocol):
    """The resolver of the assistants that a call is handed to."""

    async def successor(self, destination: JsonObject, author: Author) -> Successor:
        """Resolve a `HandoffDestinationAssistant`, `HandoffDestinationSquad` or `TransferDestinationAssistant`.

        Args:
            destination: the destination.
            author: who wrote it: the owner, in a tool, a hook or an answer of the owner's server, or a caller, in a
                message of the call's client.

        Raises:
            HandoffError: there is no such assistant, the caller may not have it, or this server cannot run it.
        """
        ...


class Transfers:
    """The handoffs and transfers of one call: the tools `handoff` and `transferCall`, and clients' requests.

    Args:
        leg: the caller's connection.
        owner: the owner's servers; None: there are none.
        handoffs: resolves assistants; None: the call has no other assistant.
        delegated: returns whether the owner's server transfers the caller itself (`phone-call-control` in
            `serverMessages`).
        on_forwarding: receives the destination once the transfer is certain.
        now_ms: returns the time since the call began.
        post: receives `HandoffRequested`.

    Attributes:
        successors: the assistants of all handoffs so far; `HandoffRequested.successor` is an index into it.
        forwarded_to: the number or SIP address that the caller was transferred to; None: it was not.
    """

    def __init__(
        self,
        *,
        leg: Leg,
        owner: OwnerMessenger | None,
        handoffs: Handoffs | None,
        delegated: Callable[[], bool],
        on_forwarding: Callable[[JsonObject], None],
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
    ) -> None:
        self._leg = leg
        self._owner = owner
        self._handoffs = handoffs
        self._delegated = delegated
        self._on_forwarding = on_forwarding
        self._now_ms = now_ms
        self._post = post
        self.successors: list[Successor] = []
        self.forwarded_to: JsonObject | None = None

    async def handoff(self, tool: JsonObject, _call: ToolCall, arguments: JsonObject) -> ToolOutcome:
        """Carry out the tool `handoff`."""
        text: object = tool.get("defaultResult")
        try:
            destination = _chosen(tool, arguments)
            if destination is None or destination.get("type") == "dynamic":
                answer = await self._request_destination("handoff-destination-request", tool, destination, arguments)
                destination, text = _destination_of(answer), answer.get("result") or text
            await self.hand_off(destination, "owner")
        except (HandoffError, ServerError) as error:
            return ToolOutcome(ToolResult(f"Not handed over: {error}", failed=True))
        return ToolOutcome(ToolResult(text if isinstance(text, str) and text else "Handed over."), say="")

    async def transfer_call(self, tool: JsonObject, call: ToolCall, arguments: JsonObject) -> ToolOutcome:
        """Carry out the tool `transferCall`."""
        try:
            destination = _chosen(tool, arguments)
            if destination is None:
                function = {"name": call.name, "parameters": arguments}
                message = {"functionCall": function}
                answer = await self._request_destination("transfer-destination-request", tool, None, arguments, message)
                destination = _destination_of(answer)
            if destination.get("type") == "assistant":
                await self.hand_off(destination, "owner")
                return ToolOutcome(ToolResult("Handed over."), say="")
            await self.transfer(destination)
        except (HandoffError, ServerError, CarrierError) as error:
            return ToolOutcome(ToolResult(f"Not transferred: {error}", failed=True))
        return ToolOutcome(ToolResult("Transferred."), say="", ends=FORWARDED)

    async def _request_destination(
        self,
        kind: str,
        tool: JsonObject,
        destination: JsonObject | None,
        arguments: JsonObject,
        more: JsonObject | None = None,
    ) -> JsonObject:
        """Ask the owner's server for the destination.

        Raises:
            HandoffError: there is no server, or it refuses.
            ServerError: it gave no usable answer.
        """
        if self._owner is None:
            raise HandoffError("there is no destination, and no server that could name one.")
        server = as_object_or_none((destination or {}).get("server") or tool.get("server"))
        message = {"type": kind, "parameters": arguments, **(more or {})}
        answer = await self._owner.request(message, server=server)
        if answer.get("error"):
            raise HandoffError(str(answer["error"])[:500])
        return answer

    async def hand_off(self, destination: JsonObject, author: Author) -> None:
        """Hand the call to another assistant, once the current speech has been heard.

        Args:
            destination: the destination.
            author: who wrote it.

        Raises:
            HandoffError: the destination cannot be resolved.
        """
        if self._handoffs is None:
            raise HandoffError("this call has no other assistant.")
        successor = await self._handoffs.successor(destination, author)
        self.successors.append(successor)
        context, most = context_of(destination)
        name = str(successor.setup.assistant_json.get("name") or "")
        plan, number = successor.setup.plan, len(self.successors) - 1
        self._post(HandoffRequested(int(self._now_ms()), number, plan, context, most, name, successor.assistant_id))

    @property
    def can_transfer(self) -> bool:
        """Return whether the caller can be transferred to a number or SIP address at all."""
        return self._leg.can_transfer or (self._delegated() and self._owner is not None)

    async def transfer(self, destination: JsonObject) -> None:
        """Transfer the caller to a number or SIP address; the call is then to end with `assistant-forwarded-call`.

        Raises:
            CarrierError: the transfer failed; the caller is still connected.
        """
        destination = without_marks(destination)
        if destination.get("type") not in ("number", "sip"):
            raise CarrierError("the destination is neither a number nor a SIP address.")
        if self._delegated() and self._owner is not None:
            self._owner.send({"type": "phone-call-control", "request": "forward", "destination": destination})
            self._leg.release()
        else:
            await self._leg.transfer(destination)
        self.forwarded_to = destination
        self._on_forwarding(destination)

    def delegate_hang_up(self) -> None:
        """Have the owner's server hang up, if it controls telephone calls itself (`phone-call-control`)."""
        owner = self._owner
        if owner is None or not owner.has_server or not self._delegated():
            return
        if self._leg.can_transfer and self.forwarded_to is None:
            owner.send({"type": "phone-call-control", "request": "hang-up"})
            self._leg.release()


def _chosen(tool: JsonObject, arguments: JsonObject) -> JsonObject | None:
    """Return the destination that the model chose, or the only one; None: there is none to choose from.

    Raises:
        HandoffError: it chose one that does not exist.
    """
    known = destinations_of(tool)
    if not known:
        return None
    wanted: object = arguments.get("destination")
    found = next((one for one in known if label_of(one) == wanted), None)
    if found is None and len(known) == 1:
        return known[0]
    if found is None:
        raise HandoffError(f"the destination must be one of {', '.join(map(label_of, known))}.")
    return found


def _destination_of(answer: JsonObject) -> JsonObject:
    destination = as_object_or_none(answer.get("destination"))
    if destination is None:
        raise HandoffError("the server named no destination.")
    return destination


_MODES: dict[str, Context] = {"delete-history": "none", "swap-system-message-in-history": "all"}


def context_of(destination: JsonObject) -> tuple[Context, int]:
    """Return what the new assistant gets of the conversation: `contextEngineeringPlan`, or the older `transferMode`.

    By default all of it; the system messages are always the new assistant's own. The number is that of `lastNMessages`.
    """
    plan = as_object_or_none(destination.get("contextEngineeringPlan"))
    if plan is None:
        return _MODES.get(str(destination.get("transferMode")), "all"), 0
    match plan.get("type"):
        case "none":
            return "none", 0
        case "userAndAssistantMessages":
            return "userAndAssistantMessages", 0
        case "lastNMessages":
            most: object = plan.get("maxMessages")
            return "lastNMessages", max(0, int(most)) if isinstance(most, int | float) else 0
        case _:
            return "all", 0

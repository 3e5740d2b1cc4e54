"""Passing a caller on: to another assistant, or out of the call to a telephone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from bargein.call.context import AgentSetup, Providers
from bargein.call.tools.declarations import destinations_of, label_of
from bargein.call.tools.executor import Answer
from bargein.ports import BargeinError, CarrierError, Leg, OwnerMessenger, ServerError, ToolCall, ToolResult
from bargein.turns.events import Context, Event, HandoffRequested
from bargein.wire.base import JsonObject

FORWARDED = "assistant-forwarded-call"


class HandoffError(BargeinError):
    """The assistant that is to take over cannot be had. The text may be told to a model and a client."""


@dataclass(frozen=True, slots=True)
class Successor:
    """An assistant that takes over, ready to begin.

    Attributes:
        destination: as it was asked for.
        setting: what it goes by.
        providers: who does its work, also its tools; `line` stays that of the call.
        assistant_id: of a stored assistant: its id.
    """

    destination: JsonObject
    setup: AgentSetup
    providers: Providers
    assistant_id: str | None = None


class Handoffs(Protocol):
    """Finds the assistants that a call is handed to."""

    async def successor(self, destination: JsonObject) -> Successor:
        """Who is meant (`HandoffDestinationAssistant`, `HandoffDestinationSquad`, `TransferDestinationAssistant`).

        Raises:
            HandoffError: there is no such assistant, or it cannot be run here.
        """
        ...


class Transfers:
    """Carries out the tools handoff and transferCall, and what clients ask for of the same kind.

    Args:
        leg: the caller's connection.
        line: the owner's servers.
        relay: finds assistants; None: there is nobody else.
        delegated: whether the owner's server does the transfer itself (`phone-call-control` in `serverMessages`).
        forwarding: is told where the caller goes, once that is certain.
        now_ms: the time since the call began.
        post: takes `HandoffRequested`.
    """

    def __init__(
        self,
        *,
        leg: Leg,
        line: OwnerMessenger | None,
        handoffs: Handoffs | None,
        delegated: Callable[[], bool],
        forwarding: Callable[[JsonObject], None],
        now_ms: Callable[[], float],
        post: Callable[[Event], None],
    ) -> None:
        self._leg = leg
        self._line = line
        self._handoffs = handoffs
        self._delegated = delegated
        self._forwarding = forwarding
        self._now_ms = now_ms
        self._post = post
        self.parts: list[Successor] = []

    async def handoff(self, tool: JsonObject, _call: ToolCall, arguments: JsonObject) -> Answer:
        """The tool `handoff`."""
        told: object = tool.get("defaultResult")
        try:
            destination = _chosen(tool, arguments)
            if destination is None or destination.get("type") == "dynamic":
                answer = await self._asked("handoff-destination-request", tool, destination, arguments)
                destination, told = _object(answer, "destination"), answer.get("result") or told
            await self.hand_over(destination)
        except (HandoffError, ServerError) as error:
            return Answer(ToolResult(f"Not handed over: {error}", failed=True))
        return Answer(ToolResult(told if isinstance(told, str) and told else "Handed over."), say="")

    async def transfer_call(self, tool: JsonObject, call: ToolCall, arguments: JsonObject) -> Answer:
        """The tool `transferCall`."""
        try:
            destination = _chosen(tool, arguments)
            if destination is None:
                function = {"name": call.name, "parameters": arguments}
                message = {"functionCall": function}
                answer = await self._asked("transfer-destination-request", tool, None, arguments, message)
                destination = _object(answer, "destination")
            if destination.get("type") == "assistant":
                await self.hand_over(destination)
                return Answer(ToolResult("Handed over."), say="")
            await self.transfer(destination)
        except (HandoffError, ServerError, CarrierError) as error:
            return Answer(ToolResult(f"Not transferred: {error}", failed=True))
        return Answer(ToolResult("Transferred."), say="", ends=FORWARDED)

    async def _asked(
        self,
        kind: str,
        tool: JsonObject,
        destination: JsonObject | None,
        arguments: JsonObject,
        more: JsonObject | None = None,
    ) -> JsonObject:
        """The owner's server tells where to."""
        if self._line is None:
            raise HandoffError("there is no destination, and no server that could name one.")
        server: object = (destination or {}).get("server") or tool.get("server")
        message = {"type": kind, "parameters": arguments, **(more or {})}
        answer = await self._line.request(
            message, server=cast("JsonObject", server) if isinstance(server, dict) else None
        )
        if answer.get("error"):
            raise HandoffError(str(answer["error"])[:500])
        return answer

    async def hand_over(self, destination: JsonObject) -> None:
        """Have another assistant take over, once what is being said has been heard.

        Raises:
            HandoffError: it cannot be had.
        """
        if self._handoffs is None:
            raise HandoffError("this call has no other assistant.")
        part = await self._handoffs.successor(destination)
        self.parts.append(part)
        context, most = context_of(destination)
        name = str(part.setup.assistant_json.get("name") or "")
        plan, number = part.setup.plan, len(self.parts) - 1
        self._post(HandoffRequested(int(self._now_ms()), number, plan, context, most, name, part.assistant_id))

    @property
    def can_transfer(self) -> bool:
        """Whether the caller can be given to a telephone at all."""
        return self._leg.can_transfer or (self._delegated() and self._line is not None)

    async def transfer(self, destination: JsonObject) -> None:
        """Give the caller to a number or SIP address; then the call is to end with `assistant-forwarded-call`.

        Raises:
            CarrierError: it did not work; the caller is still here.
        """
        if destination.get("type") not in ("number", "sip"):
            raise CarrierError("the destination is neither a number nor a SIP address.")
        if self._delegated() and self._line is not None:
            self._line.send({"type": "phone-call-control", "request": "forward", "destination": destination})
        else:
            await self._leg.transfer(destination)
        self._forwarding(destination)


def _chosen(tool: JsonObject, arguments: JsonObject) -> JsonObject | None:
    """The destination that the model chose, or the only one; None: there is none to choose from.

    Raises:
        HandoffError: it chose one that is not there.
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


def _object(answer: JsonObject, name: str) -> JsonObject:
    value: object = answer.get(name)
    if not isinstance(value, dict):
        raise HandoffError("the server named no destination.")
    return cast("JsonObject", value)


_MODES: dict[str, Context] = {"delete-history": "none", "swap-system-message-in-history": "all"}


def context_of(destination: JsonObject) -> tuple[Context, int]:
    """What the new assistant is told of the conversation: `contextEngineeringPlan`, or the older `transferMode`.

    All of it unless it says otherwise; the assistant's own system messages are always the new one's.
    """
    given: object = destination.get("contextEngineeringPlan")
    if not isinstance(given, dict):
        return _MODES.get(str(destination.get("transferMode")), "all"), 0
    plan = cast("JsonObject", given)
    match plan.get("type"):
        case "none":
            return "none", 0
        case "userAndAssistantMessages":
            return "userAndAssistantMessages", 0
        case "lastNMessages":
            most: Any = plan.get("maxMessages")
            return "lastNMessages", max(0, int(most)) if isinstance(most, int | float) else 0
        case _:
            return "all", 0

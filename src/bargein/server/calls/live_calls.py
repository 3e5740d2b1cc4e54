"""The desk: knows every live call, lets a socket into its call, and clears up when the server stops."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import structlog

from bargein.call.context import Rejection
from bargein.call.plan.compile import RulesError
from bargein.call.record.outcome import plan_of
from bargein.call.session import AgentSetup, CallSession
from bargein.call.tools.transfer import HandoffError
from bargein.carriers.websocket import Room
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.errors import BargeinError
from bargein.ports import CallRecords, Leg, ProviderError
from bargein.server.agents.credentials import keys_of
from bargein.server.agents.egress import Egress, Signatures
from bargein.server.agents.handoff import (
    HandoffResolver,
    filled_in,
    instructions_of,
    members_of,
    squad_of,
    variables_of,
)
from bargein.server.agents.providers import ProviderFactory
from bargein.server.agents.tool_runners import ToolRunnerFactory
from bargein.server.agents.tools import gather_hook_tools, gather_tools
from bargein.server.calls.inbound import REJECTED, InboundResolver
from bargein.server.calls.owner_jobs import OwnerJobs
from bargein.server.ops.logs import CALL_LOGS
from bargein.server.ops.metrics import Metrics
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.journals import JournalFile, journal_path
from bargein.store.recordings import Recordings
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject
from bargein.wire.call import effective_assistant, rejection_of
from bargein.wire.errors import WireError, parse_request
from bargein.wire.redact import without_secrets
from bargein.wire.schedule import why_not_now
from bargein.wire.telephony import is_phone_call, spoken_reason

if TYPE_CHECKING:
    from bargein.tools.runner import CallToolRunner
    from bargein.webhooks.owner_channel import OwnerChannel

_log = structlog.get_logger("bargein.server")

_DRAIN_S = 5.0
_SERVICE_RESTART = 1012
_CANNOT_START = "call.start.error-get-resources-validation"


class RefusedError(BargeinError):
    """A socket may not have this call; the text says why and may be shown.

    Attributes:
        close_code: with which to close it (RFC 6455 and IANA's registry): policy violation, or service restart.
    """

    def __init__(self, message: str, close_code: int = 1008) -> None:
        super().__init__(message)
        self.close_code = close_code


class StartError(BargeinError):
    """The call cannot begin; it has been recorded as ended.

    Attributes:
        ended_reason: with this `endedReason`.
    """

    def __init__(self, message: str, ended_reason: str) -> None:
        super().__init__(message)
        self.ended_reason = ended_reason


@dataclass(frozen=True, slots=True)
class Reservation:
    """The right to be a call's one caller."""

    call: JsonObject
    assistant: JsonObject
    values: JsonObject = field(default_factory=JsonObject)
    """Variables beside those of the call: of a squad's member."""


class LiveCalls:
    """The calls of this server.

    Args:
        settings: for the folder of the journals.
        clock: the one clock.
        store: where calls and assistants are.
        casting: finds a call's providers.
        recordings: where they are recorded.
        metrics: are told of what goes on in them.
        outside: the way to the servers of calls' owners.
        reporting: knows the phone numbers of calls.
        records: where live calls keep what must outlast them.
        reception: finds out who takes a call that came in.
        toolroom: gives calls their tools.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Store,
        provider_factory: ProviderFactory,
        *,
        recordings: Recordings,
        metrics: Metrics,
        egress: Egress,
        owner_jobs: OwnerJobs,
        records: CallRecords,
        inbound_resolver: InboundResolver,
        tool_runners: ToolRunnerFactory,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._provider_factory = provider_factory
        self._recordings = recordings
        self._metrics = metrics
        metrics.count_live(lambda: len(self._live))
        self._egress = egress
        self._owner_jobs = owner_jobs
        self._records = records
        self._inbound_resolver = inbound_resolver
        self._tool_runners = tool_runners
        self._lines: dict[str, OwnerChannel] = {}
        self._tools: dict[str, tuple[CallToolRunner, HandoffResolver]] = {}
        self._claimed: set[str] = set()
        self._live: dict[str, CallSession] = {}
        self._rooms: dict[str, Room] = {}
        self._closing = False
        self._all_gone = anyio.Event()

    def session(self, call_id: str) -> CallSession | None:
        """The live call of that id."""
        return self._live.get(call_id)

    @property
    def live_calls(self) -> int:
        """How many calls are going on."""
        return len(self._live)

    @contextmanager
    def reserve(self, call_id: str) -> Generator[None]:
        """Take a call for one socket.

        Raises:
            RefusedError: another socket has it, or the server is stopping.
        """
        self._refuse_when_closing()
        if call_id in self._claimed:
            raise RefusedError("this call has a socket already")
        self._claimed.add(call_id)
        try:
            yield
        finally:
            self._claimed.discard(call_id)
            if not self._claimed:
                self._all_gone.set()

    async def find(self, call_id: str, *, phone: bool = False) -> Reservation:
        """A call that waits for its caller, and the assistant it will run.

        Args:
            call_id: which.
            phone: whether it comes over a telephone carrier, which alone may bring such calls.

        Raises:
            RefusedError: there is none of that id, it is over, or this is not its time.
        """
        call = await self._store.calls.get(call_id)
        if call is None:
            raise RefusedError("there is no such call")
        if phone != is_phone_call(call):
            raise RefusedError("this call comes over a telephone" if not phone else "this call has no telephone")
        if call.get("status") not in (("queued", "ringing") if phone else ("queued", "scheduled")):
            raise RefusedError("this call is over")
        if not phone and (why := why_not_now(call, self._clock.epoch_ms())) is not None:
            raise RefusedError(why)
        if rejection_of(call) is not None:
            return Reservation(call, {"firstMessageMode": "assistant-waits-for-user"})
        try:
            squad = await squad_of(call, self._store)
            if squad is not None:
                first, *_ = await members_of(squad, self._store, call.get("squadOverrides"))
                return Reservation(call, first.assistant, first.values)
        except HandoffError as error:
            await self._end_unstarted(call_id, "assistant-not-found", str(error))
            raise RefusedError(str(error)) from None
        stored: JsonObject | None = None
        assistant_id: object = call.get("assistantId")
        if call.get("assistant") is None and isinstance(assistant_id, str):
            stored = await self._store.assistants.get(assistant_id)
            if stored is None:
                await self._end_unstarted(call_id, "assistant-not-found", "the assistant has been deleted")
                raise RefusedError("its assistant has been deleted")
        return Reservation(call, effective_assistant(call, stored))

    async def open(self, reserve: Reservation, leg: Leg) -> CallSession:
        """Make the live call.

        Raises:
            StartError: the assistant cannot be run here.
            RefusedError: the server began to stop meanwhile; the call can still be had from the next one.
        """
        call, call_id = reserve.call, str(reserve.call["id"])
        variables = variables_of(call, reserve.values)
        as_json = await filled_in(reserve.assistant, variables, self._clock.epoch_ms())
        keys = await keys_of(as_json, self._store)
        number = await self._owner_jobs.phone_number(call)
        line = self._egress.switchboard.channel(call, as_json, number)
        if number is not None:
            call = {**call, "phoneNumber": without_secrets(number)}
        signed = await self._signatures(call_id, as_json)
        tools = self._tool_runners.tools(call, as_json, line, variables)
        try:
            known = Assistant.wire_names()
            assistant = parse_request(Assistant, {n: v for n, v in as_json.items() if n in known}, whole=False)
            made = self._provider_factory.providers(assistant, call, leg.rate_hz, keys, signed)
            providers = replace(made, line=line, tools=tools)
            setup = AgentSetup(
                call=call,
                assistant=assistant,
                assistant_json=as_json,
                plan=self._provider_factory.plan(assistant),
                instructions=instructions_of(assistant),
                variables=variables,
                rejection=Rejection.of(rejection_of(call), spoken_reason(call) or REJECTED),
                tools=await gather_tools(as_json, self._store, providers.tools),
                hook_tools=await gather_hook_tools(as_json, self._store, providers.tools),
            )
        except ProviderError as error:
            tools.close()
            await self._end_unstarted(call_id, error.ended_reason, str(error))
            raise StartError(str(error), error.ended_reason) from None
        except (WireError, RulesError) as error:
            tools.close()
            detail = "; ".join(map(str, error.messages)) if isinstance(error, WireError) else str(error)
            await self._end_unstarted(call_id, _CANNOT_START, detail)
            raise StartError(detail, _CANNOT_START) from None
        self._refuse_when_closing()  # after the wait: from here to the seat there is none
        handoffs = HandoffResolver(
            call,
            leg.rate_hz,
            self._store,
            self._provider_factory,
            self._clock,
            egress=self._egress,
            tool_runners=self._tool_runners,
            line=line,
            found=variables.found,
        )
        sink = JournalFile(journal_path(self._settings.storage.data_dir, call_id))
        plan = plan_of(as_json)
        session = CallSession(
            setup,
            providers,
            leg,
            clock=self._clock,
            records=self._records,
            sink=sink,
            recorder=self._recordings.record(call_id),
            log=None if plan.logging_enabled is False else CALL_LOGS.open(self._settings.storage.data_dir, call_id),
            handoffs=handoffs,
        )
        line.artifact = session.artifact
        self._lines[call_id] = line
        self._tools[call_id] = (tools, handoffs)
        return session

    def rejoinable(self, call_id: str) -> tuple[CallSession, Room] | None:
        """The live call of that id and its room, if its caller may leave and come back."""
        session, room = self._live.get(call_id), self._rooms.get(call_id)
        return (session, room) if session is not None and room is not None and not room.over else None

    @contextmanager
    def register(self, session: CallSession, room: Room | None = None) -> Generator[None]:
        """While this holds, the call can be reached by its id; with a room, its caller may come back to it."""
        call_id = session.setup.call_id
        self._live[call_id] = session
        session.told.measures.watch = self._metrics.watch
        session.on_end(lambda: self._metrics.ended(session.ended_reason))
        if room is not None:
            self._rooms[call_id] = room
        line, (tools, handoffs) = self._lines.pop(call_id), self._tools.pop(call_id)
        self._egress.switchboard.open(line)
        try:
            # Whatever is logged by a task of the call says which call it is about.
            with structlog.contextvars.bound_contextvars(call_id=call_id):
                yield
        finally:
            tools.close()
            handoffs.close()
            line.close()
            del self._live[call_id]
            CALL_LOGS.close(call_id)
            self._rooms.pop(call_id, None)

    async def receive(self, call: JsonObject, number: JsonObject) -> None:
        """Find out who takes a call that came in on a stored number, and put it on record.

        Args:
            call: its record; it rings.
            number: the phone number, with its secrets.
        """
        changes = await self._inbound_resolver.settle(call, number)
        if changes["status"] == "ended":
            self._metrics.ended(str(changes["endedReason"]))
            await self._records.finish(str(call["id"]), changes)
        else:
            await self._records.update(str(call["id"]), changes)
            await self._owner_jobs.announce(str(call["id"]), "queued")

    async def close(self) -> None:
        """End every call in words, and wait until they are recorded."""
        self._closing = True
        if not self._claimed:
            return
        self._all_gone = anyio.Event()
        for session in tuple(self._live.values()):
            session.hang_up("worker-shutdown")
        with anyio.move_on_after(_DRAIN_S):
            await self._all_gone.wait()

    async def _signatures(self, call_id: str, assistant: JsonObject) -> Signatures:
        try:
            return await self._egress.signatures(assistant)
        except ProviderError as error:
            await self._end_unstarted(call_id, error.ended_reason, str(error))
            raise StartError(str(error), error.ended_reason) from None

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise RefusedError("the server is stopping", _SERVICE_RESTART)

    async def _end_unstarted(self, call_id: str, reason: str, detail: str) -> None:
        _log.warning("a call could not begin", call_id=call_id, reason=reason, detail=detail)
        self._metrics.ended(reason)
        ended_at = iso_from_epoch_ms(self._clock.epoch_ms())
        await self._records.finish(
            call_id, {"status": "ended", "endedReason": reason, "endedMessage": detail, "endedAt": ended_at}
        )

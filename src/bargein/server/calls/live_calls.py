"""The live calls of this server: reserving, opening, registering and closing them."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import structlog

from bargein.call.context import Rejection
from bargein.call.record.end import CallEnd
from bargein.call.record.outcome import essential_fields, initial_artifact_plan
from bargein.call.session import CallSession
from bargein.carriers.registry import is_phone_call
from bargein.carriers.websocket import Room
from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.ports import CallRecords, Leg, ProviderError
from bargein.providers.interface import CANNOT_START
from bargein.server.agents.assemble import AgentAssembler, AssemblyError, ReadyAgent
from bargein.server.agents.handoff import HandoffResolver
from bargein.server.agents.resolve import ResolvedAgent, resolve_call
from bargein.server.agents.squads import MissingAgentError
from bargein.server.calls.inbound import REJECTED
from bargein.server.calls.private_calls import PrivateCallMemory
from bargein.server.ops.logs import CALL_LOGS
from bargein.server.ops.metrics import Metrics
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.journals import JournalFile, journal_path
from bargein.store.recordings import Recordings
from bargein.webhooks.owner_channel import OwnerChannels
from bargein.wire.artifact_urls import ArtifactUrls
from bargein.wire.call import rejection_of
from bargein.wire.ownership import author_of
from bargein.wire.prices import Prices
from bargein.wire.schedule import join_refusal
from bargein.wire.telephony import spoken_reason

if TYPE_CHECKING:
    from bargein.wire.base import JsonObject

_log = structlog.get_logger("bargein.server")

_DRAIN_S = 5.0
_SERVICE_RESTART, _TRY_AGAIN_LATER = 1012, 1013


class RefusedError(BargeinError):
    """A connection that cannot have the call it asks for; the text says why and may be shown.

    Attributes:
        close_code: the code with which to close the socket (RFC 6455, section 7.4.1, and IANA's registry): policy
            violation, or service restart.
    """

    def __init__(self, message: str, close_code: int = 1008) -> None:
        super().__init__(message)
        self.close_code = close_code


class StartError(BargeinError):
    """A call that could not begin and is recorded as ended.

    Attributes:
        ended_reason: its `endedReason`.
    """

    def __init__(self, message: str, ended_reason: str) -> None:
        super().__init__(message)
        self.ended_reason = ended_reason


@dataclass(frozen=True, slots=True)
class _Agents:
    """The agents of a live call, which are closed with it."""

    first: ReadyAgent
    handoffs: HandoffResolver

    def close(self) -> None:
        self.first.tool_runner.close()
        self.handoffs.close()
        self.first.owner_channel.close()


class LiveCalls:
    """The live calls of this server.

    A call's connection reserves it (`reserve`), finds its agent (`find`), opens its session (`open`) and registers it
    while it runs (`register`).

    Args:
        settings: the folder of the journals and logs.
        clock: the time.
        store: where calls and assistants are.
        assembler: assembles the calls' agents.
        recordings: where the calls are recorded.
        metrics: counts calls and measures them.
        owner_channels: opens the calls' channels to their owners.
        records: where the records of live calls are written.
        private_calls: the ends of calls of which nothing is kept.
        prices: the owner's prices; None: there are none.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Store,
        assembler: AgentAssembler,
        *,
        recordings: Recordings,
        metrics: Metrics,
        owner_channels: OwnerChannels,
        records: CallRecords,
        private_calls: PrivateCallMemory,
        prices: Prices | None = None,
    ) -> None:
        self._data_dir = settings.storage.data_dir
        self._clock = clock
        self._store = store
        self._assembler = assembler
        self._recordings = recordings
        self._metrics = metrics
        metrics.count_live(lambda: len(self._live))
        self._owner_channels = owner_channels
        self._records = records
        self._private_calls = private_calls
        self._prices = prices
        self._agents: dict[str, _Agents] = {}
        self._reserved: set[str] = set()
        self._callers_own: set[str] = set()
        self._most_callers_own = settings.limits.public_live_calls
        self._live: dict[str, CallSession] = {}
        self._rooms: dict[str, Room] = {}
        self._closing = False
        self._all_gone = anyio.Event()

    def session(self, call_id: str) -> CallSession | None:
        """Return the live call with an id, if there is one."""
        return self._live.get(call_id)

    @property
    def live_calls(self) -> int:
        """The number of live calls."""
        return len(self._live)

    @property
    def callers_own(self) -> int:
        """The number of calls that are live or begin, and were created with the public key."""
        return len(self._callers_own)

    def rejoinable(self, call_id: str) -> tuple[CallSession, Room] | None:
        """Return the live call with an id and its room, if its caller may leave and come back."""
        session, room = self._live.get(call_id), self._rooms.get(call_id)
        return (session, room) if session is not None and room is not None and not room.over else None

    @contextmanager
    def reserve(self, call_id: str) -> Generator[None]:
        """Reserve a call for one connection.

        Raises:
            RefusedError: another connection has it, or the server is stopping.
        """
        self._refuse_when_closing()
        if call_id in self._reserved:
            raise RefusedError("this call has a socket already")
        self._reserved.add(call_id)
        try:
            yield
        finally:
            self._reserved.discard(call_id)
            self._callers_own.discard(call_id)
            if not self._reserved:
                self._all_gone.set()

    async def find(self, call_id: str, *, phone: bool = False) -> ResolvedAgent:
        """Find a call that waits for its caller, and resolve its agent.

        Args:
            call_id: the call's id.
            phone: whether the connection is of a telephone carrier. Calls over a telephone can be had from it alone,
                and no others.

        Raises:
            RefusedError: there is no such call, it is over, this is not its time, or its assistant has been deleted.
        """
        call = await self._store.calls.get(call_id)
        if call is None:
            raise RefusedError("there is no such call")
        if phone != is_phone_call(call):
            raise RefusedError("this call comes over a telephone" if not phone else "this call has no telephone")
        if call.get("status") not in (("queued", "ringing") if phone else ("queued", "scheduled")):
            raise RefusedError("this call is over")
        if author_of(call) == "caller":
            if self._most_callers_own and self.callers_own >= self._most_callers_own:
                raise RefusedError("too many calls of the public key are live", _TRY_AGAIN_LATER)
            self._callers_own.add(call_id)
        if not phone and (why := join_refusal(call, self._clock.epoch_ms())) is not None:
            raise RefusedError(why)
        if (text := rejection_of(call)) is not None:
            rejection = Rejection(text, spoken_reason(call) or REJECTED)
            silent: JsonObject = {"firstMessageMode": "assistant-waits-for-user"}
            return ResolvedAgent(record=call, assistant_json=silent, rejection=rejection)
        try:
            return await resolve_call(call, self._store)
        except MissingAgentError as error:
            end = CallEnd("assistant-not-found", f"the {error.kind} has been deleted")
            await self._end_unstarted(call_id, end, ResolvedAgent(record=call, assistant_json={}))
            raise RefusedError(f"its {error.kind} has been deleted") from None

    async def open(
        self, agent: ResolvedAgent, leg: Leg, *, tells_details: bool = False, owners_client: bool = False
    ) -> CallSession:
        """Assemble a call's agent, make its session and record its start; the session must be registered next.

        Args:
            agent: the agent.
            leg: the caller's connection.
            tells_details: whether the call's client may read a failure's details, which name the owner's servers.
            owners_client: whether the call's client is the owner.

        Raises:
            StartError: the agent cannot be run on this server; the call is recorded as ended.
            RefusedError: the server began to stop meanwhile. Another server can still take the call, unless its start
                was being recorded: then it is recorded as ended.
        """
        call_id = str(agent.record["id"])
        try:
            ready = await self._assembler.assemble(agent, leg.rate_hz)
        except AssemblyError as error:
            await self._end_unstarted(call_id, CallEnd(error.ended_reason, str(error)), agent, error.provider_error)
            raise StartError(str(error), error.ended_reason) from None
        except Exception as error:  # a bug in a vendor's factory must end this call with a reason, not leave it waiting
            _log.error("a call's assistant could not be assembled", call_id=call_id, exc_info=error)
            end = CallEnd(CANNOT_START, "an internal error kept the call from starting; the server's log has it")
            await self._end_unstarted(call_id, end, agent)
            raise StartError(end.message, end.reason) from error
        if self._closing:
            ready.tool_runner.close()
        self._refuse_when_closing()
        handoffs = HandoffResolver(ready, leg.rate_hz, self._store, self._assembler)
        is_logged = bool(initial_artifact_plan(ready.setup.assistant_json)["loggingEnabled"])
        session = CallSession(
            ready.setup,
            ready.providers,
            leg,
            clock=self._clock,
            records=self._records,
            sink=JournalFile(journal_path(self._data_dir, call_id)),
            recorder=self._recordings.record(call_id),
            log=CALL_LOGS.open(self._data_dir, call_id) if is_logged else None,
            handoffs=handoffs,
            private_calls=self._private_calls,
            tells_details=tells_details,
            owners_client=owners_client,
            prices=self._prices,
        )
        ready.owner_channel.artifact = session.artifact
        agents = _Agents(ready, handoffs)
        with anyio.CancelScope(shield=True):  # a call that is recorded as in progress is run, which records its end
            await session.record_start()
        if self._closing:  # nothing is awaited from here until the call is registered
            agents.close()
            await self._end_unstarted(call_id, CallEnd("worker-shutdown", "the server is stopping"), agent)
            self._refuse_when_closing()
        self._agents[call_id] = agents
        return session

    @contextmanager
    def register(self, session: CallSession, room: Room | None = None) -> Generator[None]:
        """Register a call as live, so that it can be found by its id. With a room, its caller may come back to it."""
        call_id = session.setup.call_id
        self._live[call_id] = session
        session.summary.metrics.watch = self._metrics.watch
        session.on_end(lambda: self._metrics.ended(session.ended_reason))
        if room is not None:
            self._rooms[call_id] = room
        agents = self._agents.pop(call_id)
        self._owner_channels.open(agents.first.owner_channel)
        try:
            # every log line of a task of the call has the call's id
            with structlog.contextvars.bound_contextvars(call_id=call_id):
                yield
        finally:
            agents.close()
            del self._live[call_id]
            CALL_LOGS.close(call_id)
            self._private_calls.close(call_id)
            self._rooms.pop(call_id, None)

    async def close(self) -> None:
        """End every call with a message, and wait until all are recorded."""
        self._closing = True
        if not self._reserved:
            return
        self._all_gone = anyio.Event()
        for session in tuple(self._live.values()):
            session.hang_up("worker-shutdown")
        with anyio.move_on_after(_DRAIN_S):
            await self._all_gone.wait()

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise RefusedError("the server is stopping", _SERVICE_RESTART)

    async def _end_unstarted(
        self, call_id: str, end: CallEnd, agent: ResolvedAgent, error: ProviderError | None = None
    ) -> None:
        """Record the end of a call that could not begin; the line about it is in the call's own log, too."""
        is_logged = bool(initial_artifact_plan(agent.assistant_json)["loggingEnabled"])
        log = CALL_LOGS.open(self._data_dir, call_id) if is_logged else None
        fields = {} if error is None else error.log_fields()
        _log.warning("a call could not begin", call_id=call_id, reason=end.reason, detail=end.message, **fields)
        CALL_LOGS.close(call_id)
        if log is not None:
            await log.close()
        self._metrics.ended(end.reason)
        urls = ArtifactUrls.of(agent.record) if is_logged else None
        artifact: JsonObject = {} if urls is None else {"artifact": {"messages": [], **urls.logging()}}
        await self._records.finish(call_id, {**essential_fields(end, self._clock.epoch_ms()), **artifact})

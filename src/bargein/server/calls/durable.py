"""The parts of a server that survive a crash: writes of call records, jobs, and the recovery of interrupted calls."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog
from typing_extensions import override

from bargein.call.record.privacy import WITHHELD
from bargein.clock import Clock
from bargein.fleet.jobs import Handler, Worker, WorkerLimits
from bargein.fleet.lease import LeaseKeeper
from bargein.fleet.ledger import CallRecordStore, Ledger
from bargein.ports import JobKinds
from bargein.server.calls.owner_jobs import CALL_ENDED
from bargein.server.calls.recovery import Recovery
from bargein.settings import Settings
from bargein.store import Store
from bargein.store.jobs import NewJob
from bargein.store.nodes import NodeId
from bargein.wire.base import JsonObject
from bargein.wire.prices import Prices

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

_log = structlog.get_logger("bargein.server")

_SETTLE_S = 5.0


class _StoredCallRecords(CallRecordStore):
    """The records of this server's calls in the store."""

    def __init__(self, store: Store, node_id: str) -> None:
        self._calls = store.calls
        self._node_id = node_id

    @override
    async def begin(self, call_id: str, changes: JsonObject) -> None:
        await self._calls.begin(call_id, changes, self._node_id)

    @override
    async def update(self, call_id: str, changes: JsonObject) -> None:
        await self._calls.update(call_id, changes)

    @override
    async def finish(self, call_id: str, changes: JsonObject) -> None:
        payload: JsonObject = {"callId": call_id, "journalAt": self._node_id}
        if changes.get(WITHHELD):
            payload["nodeId"] = self._node_id
        stored = {name: value for name, value in changes.items() if name != WITHHELD}
        await self._calls.finish(call_id, stored, [NewJob(CALL_ENDED, payload, f"{call_id}:{CALL_ENDED}")])


class Durable:
    """The durable parts of one server. `open` it before any call can begin, and `close` it when all have ended.

    Attributes:
        ledger: writes the records of live calls.
        node_id: this server's id among the servers of its database.
    """

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, node: NodeId, prices: Prices | None = None
    ) -> None:
        self.node_id = node.id
        self._node = node
        self._store = store
        store.calls.node_id = node.id
        self._worker: Worker | None = None
        records = _StoredCallRecords(store, node.id)
        recovery = Recovery(store, settings.storage.data_dir, clock, records.finish, prices)
        self._keeper = LeaseKeeper(store.nodes, node.id, clock, recovery.end, recovery.has_journal)
        self.ledger = Ledger(records, self._keeper.end_from_journal)

    @classmethod
    async def open(cls, store: Store, settings: Settings, clock: Clock, prices: Prices | None = None) -> "Durable":
        """Read or make this server's id, and find the calls that it had when it was killed.

        Args:
            store: where calls are.
            settings: the data folder.
            clock: the time.
            prices: the owner's prices; None: there are none.

        Raises:
            StoreError: the database cannot be reached.
            OSError: the data folder cannot be written to.
        """
        node = await anyio.to_thread.run_sync(NodeId, settings.storage.data_dir)
        try:
            durable = cls(store, settings, clock, node, prices)
            await durable._keeper.recover_own_calls()
        except BaseException:
            node.close()
            raise
        return durable

    def start(
        self,
        tasks: "TaskGroup",
        handlers: Mapping[str, Handler],
        long: Sequence[tuple[WorkerLimits, Mapping[str, Handler]]] = (),
    ) -> None:
        """Start the ledger, the job workers and the lease keeper.

        Args:
            tasks: the server's task group.
            handlers: the handlers of jobs, by the jobs' kind.
            long: those of jobs that run for minutes, each group with its own limits; a server that stops does not wait
                for these.
        """
        jobs = self._store.jobs
        apart = frozenset(kind for _, group in long for kind in group)
        self._worker = Worker(jobs, handlers, self.node_id, JobKinds(apart, others=True))
        workers = [self._worker]
        workers += [Worker(jobs, group, self.node_id, JobKinds(frozenset(group)), limits) for limits, group in long]

        def wake() -> None:
            for worker in workers:
                worker.wake()

        jobs.on_submit = wake
        for work in (self.ledger.run, self._keeper.run, *(worker.run for worker in workers)):
            tasks.start_soon(work)

    async def settle(self, seconds: float) -> None:
        """Wait up to `seconds` for the jobs that are due; the others are done after the next start."""
        if self._worker is not None:
            with anyio.move_on_after(seconds):
                await self._worker.settled()

    async def close(self) -> None:
        """Make pending writes, for some seconds; the next start recovers the others from the journals."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_SETTLE_S):
                while not await self.ledger.flush():  # noqa: ASYNC110  # a database does not say when it is back
                    await anyio.sleep(0.5)
            if self.ledger.pending:
                _log.error("calls' records could not be written; the next start will", calls=self.ledger.pending)
            else:
                await self._leave()
            self._node.close()

    async def _leave(self) -> None:
        try:
            await self._store.nodes.leave(self.node_id)
        except Exception as error:  # noqa: BLE001  # the server stops, whatever the state of the database
            _log.warning("this server could not say that it stops", reason=type(error).__name__)

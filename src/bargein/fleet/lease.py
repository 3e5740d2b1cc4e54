"""Heartbeats of servers, and the server that ends the calls of a dead one."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio
import structlog

from bargein.clock import Clock
from bargein.ports import StoreError

_log = structlog.get_logger("bargein.fleet")

BEAT_S = 5.0
SILENT_MS = 30_000
"""A server without a heartbeat for this long has lost its calls."""

PATIENCE_MS = 300_000
"""How long the calls of a dead server are left to it where only its own disk has their journals."""


_SET_MS = 2_000
"""A wall clock that moves against the monotonic one by more than this was set; one that drifts moves by less."""


class NodeRegistry(Protocol):
    """The servers' heartbeats and their live calls (`bargein.store.nodes.NodeTable`)."""

    async def beat(self, node_id: str) -> None:
        """Record a heartbeat."""
        ...

    async def calls_of(self, node_id: str) -> Sequence[str]:
        """Return the ids of a server's live calls."""
        ...

    async def calls_of_the_dead(self, silent_ms: int) -> Sequence[str]:
        """Return the ids of the live calls of servers without a heartbeat for `silent_ms`."""
        ...

    async def take_over(self, call_id: str, node_id: str, silent_ms: int) -> bool:
        """Move a dead server's call to `node_id`; return False if another server was faster."""
        ...


class LeaseKeeper:
    """Records this server's heartbeats, and ends calls whose server is dead.

    Args:
        registry: the servers' heartbeats.
        node_id: the id of this server.
        clock: measures how long this server itself has been able to record heartbeats.
        recover: ends a call that died with its server.
        has_journal: returns whether this server's disk has the journal of a call.
    """

    def __init__(
        self,
        registry: NodeRegistry,
        node_id: str,
        clock: Clock,
        recover: Callable[[str], Awaitable[None]],
        has_journal: Callable[[str], bool],
    ) -> None:
        self._registry = registry
        self._node_id = node_id
        self._clock = clock
        self._recover = recover
        self._has_journal = has_journal
        self._orphans: deque[str] = deque()
        self._steady_since_ms: float | None = None
        self._wall_ms: float | None = None

    async def recover_own_calls(self) -> None:
        """Record the first heartbeat, and find this server's calls from before its restart, which `run` will end.

        Await this before any call can begin.

        Raises:
            StoreError: the database is away.
        """
        await self._registry.beat(self._node_id)
        self._orphans.extend(await self._registry.calls_of(self._node_id))

    def end_from_journal(self, call_id: str) -> None:
        """Have `run` end a call of this server from its journal, as after a crash."""
        self._orphans.append(call_id)

    async def run(self) -> None:
        """Record heartbeats and end orphaned calls until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            while True:
                while self._orphans:
                    await self._end(self._orphans.popleft())
                await anyio.sleep(BEAT_S)
                try:
                    await self.check()
                except StoreError:
                    self._steady_since_ms = None

    async def check(self) -> None:
        """End the calls of dead servers.

        Raises:
            StoreError: the database is away.
        """
        # While the database was away no server could record a heartbeat, so all of them count as alive for that long.
        # The same holds where the wall clock was set, by which the heartbeats of servers on SQLite are recorded.
        wall_ms, before_ms = self._clock.epoch_ms() - self._clock.monotonic_ms(), self._wall_ms
        self._wall_ms = wall_ms
        if before_ms is not None and abs(wall_ms - before_ms) > _SET_MS and self._steady_since_ms is not None:
            self._steady_since_ms = self._clock.monotonic_ms()
        if self._steady_since_ms is None or self._clock.monotonic_ms() - self._steady_since_ms < SILENT_MS:
            return
        for call_id in await self._registry.calls_of_the_dead(SILENT_MS):
            if self._has_journal(call_id) and await self._registry.take_over(call_id, self._node_id, SILENT_MS):
                await self._end(call_id)
        for call_id in await self._registry.calls_of_the_dead(PATIENCE_MS):
            if await self._registry.take_over(call_id, self._node_id, PATIENCE_MS):
                await self._end(call_id)

    async def _beat(self) -> None:
        while True:
            try:
                await self._registry.beat(self._node_id)
            except StoreError:
                self._steady_since_ms = None
            else:
                if self._steady_since_ms is None:
                    self._steady_since_ms = self._clock.monotonic_ms()
            await anyio.sleep(BEAT_S)

    async def _end(self, call_id: str) -> None:
        while True:
            try:
                return await self._recover(call_id)
            except StoreError:
                await anyio.sleep(BEAT_S)
            except Exception as error:  # noqa: BLE001  # one call that cannot be ended must not keep others from it
                _log.error("a call that died with its server could not be ended", call_id=call_id, exc_info=error)
                return None

"""Admission of connections: how many may be open, for an address and in all, and how many are kept for calls."""

from collections import Counter
from collections.abc import Callable
from enum import Enum

import structlog

from bargein.clock import Clock
from bargein.settings import LimitSettings

MOST_CONNECTIONS = 4096
"""The default for open connections where the system allows at least twice as many file descriptors."""
_MOST_DESCRIPTORS = 65_536
"""The number of file descriptors up to which the process raises its own limit."""
_FEWEST_CONNECTIONS = 8
_LOG_EVERY_MS = 10_000

_log = structlog.get_logger("bargein.server")


def raise_descriptor_limit() -> int:
    """Raise the soft limit of file descriptors to the hard limit (`RLIMIT_NOFILE`), and return it."""
    try:
        import resource  # noqa: PLC0415  # not every system has it
    except ImportError:
        return _MOST_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


class State(Enum):
    """The use of a connection.

    Attributes:
        WAITING: no request head is complete; such a connection is closed when room is needed.
        REQUEST: a request or a WebSocket that carries no call.
        CALL: a WebSocket that carries a call's audio.
    """

    WAITING = 0
    REQUEST = 1
    CALL = 2


class Connection:
    """The admission of one open connection; `release` it when the connection is lost.

    Args:
        admission: what admitted it.
        address: the address that it counts for; None: it counts for none.
        close: closes it.
    """

    __slots__ = ("_admission", "address", "close", "state")

    def __init__(self, admission: "Admission", address: str | None, close: Callable[[], None]) -> None:
        self._admission = admission
        self.address = address
        self.close = close
        self.state: State | None = State.WAITING

    def use(self, state: State) -> bool:
        """Change the use of the connection; return False if there is no room for it."""
        return self._admission.change(self, state)

    def release(self) -> None:
        """Give the place back. May be called again."""
        self._admission.release(self)


class Admission:
    """Counts the open connections of a server and admits new ones.

    If all places are taken, the connection that has waited longest for a request is closed. Requests and sockets that
    carry no call may have three quarters of the places, so that calls can be joined while a server is flooded. As many
    file descriptors again are left for what live calls open: sockets of providers, journals, recordings, the database.

    Args:
        limits: the limits.
        descriptors: the number of file descriptors that the process may have.
        clock: the time between two lines of the log.
    """

    def __init__(self, limits: LimitSettings, descriptors: int, clock: Clock) -> None:
        most = min(limits.connections or MOST_CONNECTIONS, descriptors // 2)
        self.most = max(most, _FEWEST_CONNECTIONS)
        self.most_requests = self.most - self.most // 4
        self.limits = limits
        self._waiting: dict[Connection, None] = {}  # the one that has waited longest comes first
        self._of_address: Counter[str] = Counter()
        self._of_state: Counter[State] = Counter()
        self._refused = 0
        self._logged_at_ms = -_LOG_EVERY_MS
        self._clock = clock

    @property
    def open(self) -> int:
        """The number of open connections."""
        return self._of_state.total()

    def admit(self, host: str | None, close: Callable[[], None]) -> Connection | None:
        """Admit a connection; return None if it must be closed.

        Args:
            host: the peer's address; None for a Unix socket.
            close: closes the connection.
        """
        address = None if host is None else self.limits.counted_address(host)
        per_address = self.limits.connections_per_address
        if address is not None and per_address and self._of_address[address] >= per_address:
            self._count_refused("this address has too many connections")
            return None
        if self.open >= self.most and not self._make_room():
            self._count_refused("all connections are in use")
            return None
        connection = Connection(self, address, close)
        self._waiting[connection] = None
        self._of_state[State.WAITING] += 1
        if address is not None:
            self._of_address[address] += 1
        return connection

    def change(self, connection: Connection, state: State) -> bool:
        """Do what `Connection.use` does."""
        before = connection.state
        if before is None:
            return False
        if state is State.REQUEST and before is not state and self._of_state[state] >= self.most_requests:
            self._count_refused("all connections but those for calls are in use")
            return False
        self._waiting.pop(connection, None)
        if state is State.WAITING:
            self._waiting[connection] = None
        self._of_state[before] -= 1
        self._of_state[state] += 1
        connection.state = state
        return True

    def release(self, connection: Connection) -> None:
        """Do what `Connection.release` does."""
        if connection.state is None:
            return
        self._waiting.pop(connection, None)
        self._of_state[connection.state] -= 1
        connection.state = None
        if connection.address is not None:
            self._of_address[connection.address] -= 1
            if not self._of_address[connection.address]:
                del self._of_address[connection.address]

    def _make_room(self) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        self._count_refused("a connection that waited was closed for a new one")
        self.release(oldest)
        oldest.close()
        return True

    def _count_refused(self, reason: str) -> None:
        self._refused += 1
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._logged_at_ms >= _LOG_EVERY_MS:
            _log.warning("refused connections", reason=reason, connections=self._refused, open=self.open)
            self._refused, self._logged_at_ms = 0, now_ms

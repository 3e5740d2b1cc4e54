"""The supervisor of the SIP agent's process: it keeps the process running and exchanges orders and reports with it.

The agent is a process of its own because the death of a SIP thread leaves its process unusable. It is started with one
end of a socket pair, so that nothing else can give it orders, and with nothing of the server's environment.
"""

import asyncio
import itertools
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from subprocess import DEVNULL

import anyio
import anyio.abc
import structlog

from bargein.carriers.sip.link import MESSAGES, Link
from bargein.carriers.sip.messages import (
    Configure,
    Done,
    Ended,
    Established,
    Heartbeat,
    Invited,
    MessageError,
    Order,
    Place,
    Register,
    Report,
    read_report,
    write_order,
)
from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.ports import CarrierError

_START_S = 15.0
_READY_S = 5.0
"""The time that an order waits for an agent that is being started."""
_SILENT_S = 12.0
"""An agent sends a heartbeat every two seconds; one that sends none for this long is restarted."""
_STOP_S = 4.0
_MOST_FRAMES = 500
_LONGEST_BACKOFF_S = 30.0
_WELL_AFTER_MS = 60_000

_log = structlog.get_logger("bargein.carriers.sip")


class SipAgent:
    """The agent's process, as the server sees it.

    Attributes:
        restarts: the number of times that it was started again.

    Args:
        configure: makes the agent's configuration with this order number.
        clock: the one clock.
        on_report: is called with each report about a call.
    """

    def __init__(
        self, configure: Callable[[int], Configure], clock: Clock, on_report: Callable[[Report], None]
    ) -> None:
        self._configure = configure
        self._clock = clock
        self._handle_report = on_report
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Reply] = {}
        self._calls: dict[str, bool] = {}
        self._registrations: Register | None = None
        self._link: Link | None = None
        self._process: anyio.abc.Process | None = None
        self._problem = "the SIP agent has not started yet"
        self._sockets: dict[int, SipSocket] = {}
        self._alive = False
        self._ready = anyio.Event()
        self.restarts = 0

    @property
    def problem(self) -> str | None:
        """The reason why no call can be placed or answered now; None if calls can."""
        return self._problem or None

    @property
    def pid(self) -> int | None:
        """The id of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def next_order(self) -> int:
        """Return the number for the next order."""
        return next(self._numbers)

    async def run(self) -> None:
        """Keep an agent running until cancelled; restart one that dies, with growing pauses."""
        backoff_s = 0.2
        while True:
            began_ms = self._clock.monotonic_ms()
            try:
                await self._run_process()
            except (OSError, MessageError, TimeoutError, _AgentLostError) as error:
                self._problem = f"the SIP agent is not running: {error}"
            _log.error("the SIP agent has ended", reason=self._problem)
            self.restarts += 1
            if self._clock.monotonic_ms() - began_ms > _WELL_AFTER_MS:
                backoff_s = 0.2
            await anyio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)

    async def _run_process(self) -> None:
        """Run one process until it ends."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            process = await anyio.open_process(
                [sys.executable, "-m", "bargein.carriers.sip.agent", str(theirs.fileno())],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=None,
                pass_fds=(theirs.fileno(),),
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,  # so that the terminal's Ctrl-C ends calls through the server
            )
        self._process = process
        link = self._link = await Link.connect(ours, self._on_frame)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._configure_agent)
                tasks.start_soon(self._watch)
                tasks.start_soon(link.pump)
                await self._until_lost(link)
        except* _AgentLostError as group:
            raise _AgentLostError(str(group.exceptions[0])) from None
        finally:
            link.close()
            self._on_agent_lost()
            with anyio.CancelScope(shield=True):
                await self._stop(process)
            self._process = None

    async def _until_lost(self, link: Link) -> None:
        await link.lost.wait()
        raise _AgentLostError("its process has ended")

    async def _watch(self) -> None:
        """End the process if it sends no heartbeat."""
        while True:
            self._alive = False
            await anyio.sleep(_START_S if self._problem else _SILENT_S)
            if not self._alive:
                raise _AgentLostError("it sends no heartbeat")

    async def _configure_agent(self) -> None:
        order = self._configure(self.next_order())
        try:
            await self._request(order, _START_S)
        except CarrierError as error:
            raise _AgentLostError(str(error)) from None
        self._problem = ""
        self._ready.set()
        _log.info("SIP listens", listen=order.listen, transports=list(order.transports))
        if self._registrations is not None:
            with suppress(CarrierError):
                await self.request(self._registrations)

    async def _stop(self, process: anyio.abc.Process) -> None:
        """Wait for the process to end, which it does when its socket closes; else kill it."""
        with anyio.move_on_after(_STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()

    def _on_frame(self, channel: int, frame: str | bytes) -> None:
        self._alive = True
        if channel != MESSAGES:
            if (socket_ := self._sockets.get(channel)) is not None:
                socket_.receive_frame(frame)
            return
        try:
            self._on_report(read_report(frame if isinstance(frame, bytes) else frame.encode()))
        except MessageError as error:
            _log.error("the SIP agent sent an unreadable report", reason=str(error))
            if self._link is not None:
                self._link.close()

    def _on_report(self, report: Report) -> None:
        match report:
            case Done():
                if (reply := self._waiting.pop(report.order, None)) is not None:
                    reply.resolve(report.problem)
                return
            case Heartbeat():
                return
            case Invited():
                self._calls[report.call] = False
            case Established() if self._link is not None:
                self._calls[report.call] = True
                self._sockets[report.channel] = SipSocket(report.channel, self._link, self._sockets)
            case Ended():
                self._calls.pop(report.call, None)
            case _:
                pass
        self._handle_report(report)

    def socket_of(self, established: Established) -> "SipSocket":
        """Return the media socket of an established call.

        Raises:
            CarrierError: the call is over.
        """
        if (found := self._sockets.get(established.channel)) is None:
            raise CarrierError("the call is over")
        return found

    def _on_agent_lost(self) -> None:
        """Fail all orders and end all calls of a process that is gone."""
        self._link = None
        self._problem = self._problem or "the SIP agent has ended"
        self._ready = anyio.Event()
        for reply in tuple(self._waiting.values()):
            reply.resolve("the SIP agent has ended")
        self._waiting.clear()
        for media in tuple(self._sockets.values()):
            media.on_agent_lost()
        lost, self._calls = self._calls, {}
        for call, established in lost.items():
            self._handle_report(Ended(call=call, established=established, detail=self._problem))

    async def request(self, order: Order, timeout_s: float = 10.0) -> None:
        """Send an order and wait until it was carried out.

        Raises:
            CarrierError: it failed or took too long, or no agent is running.
        """
        if isinstance(order, Register):
            self._registrations = order
        if self._problem:
            with anyio.move_on_after(_READY_S):
                await self._ready.wait()
        if self._problem:
            raise CarrierError(self._problem)
        if isinstance(order, Place):
            self._calls[order.call] = False
        try:
            await self._request(order, timeout_s)
        except CarrierError:
            if isinstance(order, Place):
                self._calls.pop(order.call, None)
            raise

    async def _request(self, order: Order, timeout_s: float) -> None:
        if self._link is None:
            raise CarrierError("the SIP agent is not running")
        reply = self._waiting[order.order] = _Reply()
        try:
            self._link.send(MESSAGES, write_order(order))
            with anyio.fail_after(timeout_s):
                await reply.resolved.wait()
        except TimeoutError:
            raise CarrierError("the SIP agent did not answer in time") from None
        finally:
            self._waiting.pop(order.order, None)
        if reply.problem is not None:
            raise CarrierError(reply.problem)


class SipSocket:
    """A call's channel of the link, as a `bargein.carriers.stream.MediaSocket`.

    Attributes:
        lost: True if the agent is gone, and the call with it.
    """

    def __init__(self, channel: int, link: Link, sockets: "dict[int, SipSocket]") -> None:
        self.lost = False
        self._channel = channel
        self._link = link
        self._sockets = sockets
        self._frames: deque[str | bytes] = deque()
        self._changed = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._closed = False

    def receive_frame(self, frame: str | bytes) -> None:
        """Queue a frame of the agent. A server that is ten seconds behind loses the call."""
        if len(self._frames) < _MOST_FRAMES:
            self._frames.append(frame)
            self._changed.set()
        else:
            _log.warning("a call's audio was not read in time", channel=self._channel)
            self._end()

    def on_agent_lost(self) -> None:
        """Close the socket, for the agent is gone."""
        self.lost = True
        self._end()

    def _end(self) -> None:
        self._sockets.pop(self._channel, None)
        self._closed = True
        self._changed.set()

    async def receive(self) -> str | bytes | None:
        """Return the next frame; None once the socket is closed."""
        while not self._frames:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._frames.popleft()

    async def send_text(self, data: str) -> None:
        """Send a text frame."""
        self._send(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        self._send(data)

    def _send(self, frame: str | bytes) -> None:
        if self.lost or self._link.lost.is_set():
            raise ConnectionError("the SIP agent is gone")
        self._link.send(self._channel, frame)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Accept no more frames; the call itself is ended by `HangUp`."""
        self._end()


class _AgentLostError(BargeinError):
    """The process has ended, or does not respond."""


class _Reply:
    """The answer to one order."""

    def __init__(self) -> None:
        self.resolved = anyio.Event()
        self.problem: str | None = None

    def resolve(self, problem: str | None) -> None:
        self.problem = problem
        self.resolved.set()

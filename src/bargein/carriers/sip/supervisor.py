"""Keeps the SIP agent's process running, and talks to it.

The agent is a process of its own because a SIP thread that dies poisons the process it is in. It is started with one
end of a pair of sockets, so that nobody else can give it orders, and with nothing of the server's environment.
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
    Alive,
    Called,
    Configure,
    Done,
    Ended,
    MessageError,
    Order,
    Place,
    Register,
    Taken,
    Told,
    read_told,
    write_order,
)
from bargein.clock import Clock
from bargein.errors import BargeinError
from bargein.ports import CarrierError

_START_S = 15.0
_READY_S = 5.0
"""So long an order waits for an agent that is just being started."""
_SILENT_S = 12.0
"""An agent gives a sign of life every two seconds."""
_STOP_S = 4.0
_MOST_FRAMES = 500
_LONGEST_BACKOFF_S = 30.0
_WELL_AFTER_MS = 60_000

_log = structlog.get_logger("bargein.carriers.sip")


class SipAgent:
    """The agent's process, as the server knows it.

    Attributes:
        restarts: how often it had to be started again.

    Args:
        configure: makes the agent's configuration, with an order's number.
        clock: the one clock.
        told: takes what the agent tells of calls.
    """

    def __init__(self, configure: Callable[[int], Configure], clock: Clock, told: Callable[[Told], None]) -> None:
        self._configure = configure
        self._clock = clock
        self._told = told
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
        """Why no call can be placed or taken now; None if they can."""
        return self._problem or None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    def number(self) -> int:
        """For the next order."""
        return next(self._numbers)

    async def run(self) -> None:
        """Keep an agent running until cancelled; one that dies is followed by another, ever later."""
        backoff_s = 0.2
        while True:
            began_ms = self._clock.monotonic_ms()
            try:
                await self._once()
            except (OSError, MessageError, TimeoutError, _AgentLostError) as error:
                self._problem = f"the SIP agent is not running: {error}"
            _log.error("the SIP agent has ended", reason=self._problem)
            self.restarts += 1
            if self._clock.monotonic_ms() - began_ms > _WELL_AFTER_MS:
                backoff_s = 0.2
            await anyio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, _LONGEST_BACKOFF_S)

    async def _once(self) -> None:
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
        link = self._link = await Link.over(ours, self._take)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._begin)
                tasks.start_soon(self._watch)
                tasks.start_soon(link.pump)
                await self._until_lost(link)
        except* _AgentLostError as group:
            raise _AgentLostError(str(group.exceptions[0])) from None
        finally:
            link.close()
            self._lose()
            with anyio.CancelScope(shield=True):
                await self._stop(process)
            self._process = None

    async def _until_lost(self, link: Link) -> None:
        await link.lost.wait()
        raise _AgentLostError("its process has ended")

    async def _watch(self) -> None:
        """See that it gives signs of life."""
        while True:
            self._alive = False
            await anyio.sleep(_START_S if self._problem else _SILENT_S)
            if not self._alive:
                raise _AgentLostError("it gives no sign of life")

    async def _begin(self) -> None:
        order = self._configure(self.number())
        try:
            await self._ask(order, _START_S)
        except CarrierError as error:
            raise _AgentLostError(str(error)) from None
        self._problem = ""
        self._ready.set()
        _log.info("SIP listens", listen=order.listen, transports=list(order.transports))
        if self._registrations is not None:
            with suppress(CarrierError):
                await self.ask(self._registrations)

    async def _stop(self, process: anyio.abc.Process) -> None:
        """It ends by itself when its socket closes."""
        with anyio.move_on_after(_STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()

    def _take(self, channel: int, frame: str | bytes) -> None:
        self._alive = True
        if channel != MESSAGES:
            if (socket_ := self._sockets.get(channel)) is not None:
                socket_.take(frame)
            return
        try:
            self._hear(read_told(frame if isinstance(frame, bytes) else frame.encode()))
        except MessageError as error:
            _log.error("the SIP agent told what makes no sense", reason=str(error))
            if self._link is not None:
                self._link.close()

    def _hear(self, told: Told) -> None:
        match told:
            case Done():
                if (reply := self._waiting.pop(told.order, None)) is not None:
                    reply.give(told.problem)
                return
            case Alive():
                return
            case Called():
                self._calls[told.call] = False
            case Taken() if self._link is not None:
                self._calls[told.call] = True
                self._sockets[told.channel] = SipSocket(told.channel, self._link, self._sockets)
            case Ended():
                self._calls.pop(told.call, None)
            case _:
                pass
        self._told(told)

    def socket_of(self, taken: Taken) -> "SipSocket":
        """The media socket of a call that was taken.

        Raises:
            CarrierError: it is gone.
        """
        if (found := self._sockets.get(taken.channel)) is None:
            raise CarrierError("the call is over")
        return found

    def _lose(self) -> None:
        """The process is gone, and all its calls with it."""
        self._link = None
        self._problem = self._problem or "the SIP agent has ended"
        self._ready = anyio.Event()
        for reply in tuple(self._waiting.values()):
            reply.give("the SIP agent has ended")
        self._waiting.clear()
        for media in tuple(self._sockets.values()):
            media.lose()
        lost, self._calls = self._calls, {}
        for call, taken in lost.items():
            self._told(Ended(call=call, taken=taken, why=self._problem))

    async def ask(self, order: Order, timeout_s: float = 10.0) -> None:
        """Have an order carried out.

        Raises:
            CarrierError: it was not, or not in time, or there is no agent now.
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
            await self._ask(order, timeout_s)
        except CarrierError:
            if isinstance(order, Place):
                self._calls.pop(order.call, None)
            raise

    async def _ask(self, order: Order, timeout_s: float) -> None:
        if self._link is None:
            raise CarrierError("the SIP agent is not running")
        reply = self._waiting[order.order] = _Reply()
        try:
            self._link.send(MESSAGES, write_order(order))
            with anyio.fail_after(timeout_s):
                await reply.came.wait()
        except TimeoutError:
            raise CarrierError("the SIP agent did not answer in time") from None
        finally:
            self._waiting.pop(order.order, None)
        if reply.problem is not None:
            raise CarrierError(reply.problem)


class SipSocket:
    """A call's channel of the link, as a `bargein.carriers.stream.MediaSocket`.

    Attributes:
        lost: the agent is gone, with the call.
    """

    def __init__(self, channel: int, link: Link, sockets: "dict[int, SipSocket]") -> None:
        self.lost = False
        self._channel = channel
        self._link = link
        self._sockets = sockets
        self._frames: deque[str | bytes] = deque()
        self._came = asyncio.Event()  # one for the whole call: anyio's cannot be cleared
        self._over = False

    def take(self, frame: str | bytes) -> None:
        """Take what the agent says; a server that is ten seconds behind has lost the call."""
        if len(self._frames) < _MOST_FRAMES:
            self._frames.append(frame)
            self._came.set()
        else:
            _log.warning("a call's audio was not taken in time", channel=self._channel)
            self._end()

    def lose(self) -> None:
        """The agent is gone."""
        self.lost = True
        self._end()

    def _end(self) -> None:
        self._sockets.pop(self._channel, None)
        self._over = True
        self._came.set()

    async def receive(self) -> str | bytes | None:
        """The next frame; None once there will be none."""
        while not self._frames:
            if self._over:
                return None
            self._came.clear()
            await self._came.wait()
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
        """Take no more frames; the call itself is ended by `HangUp`."""
        self._end()


class _AgentLostError(BargeinError):
    """The process has ended, or is as good as dead."""


class _Reply:
    """The answer to one order."""

    def __init__(self) -> None:
        self.came = anyio.Event()
        self.problem: str | None = None

    def give(self, problem: str | None) -> None:
        self.problem = problem
        self.came.set()

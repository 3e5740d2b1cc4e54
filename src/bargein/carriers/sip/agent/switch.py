"""The agent's calls, and the server's orders about them."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import anyio
import anyio.abc
import structlog
from baresip import BaresipError, CallState
from baresip.call import Call
from baresip.errors import CallFailed, CallTimeout, RegistrationError
from baresip.events import Event, StackEvent
from baresip.runtime import Runtime
from baresip.ua import UserAgent

from bargein.carriers.sip.agent.agent_call import AgentCall, decided
from bargein.carriers.sip.agent.outbound import dial
from bargein.carriers.sip.agent.stack import account_of, config_of, doorway
from bargein.carriers.sip.link import MESSAGES, Link
from bargein.carriers.sip.messages import (
    Account,
    Alive,
    Answer,
    Attempt,
    Called,
    Configure,
    Done,
    HangUp,
    Order,
    Place,
    Press,
    Refuse,
    Register,
    Rings,
    Told,
    Transfer,
    read_order,
    write_told,
)
from bargein.clock import Clock

_TICK_S = 0.01
_FEW_CALLS = 20
_ALIVE_S = 2.0
_STALL_S = 5.0
_VERDICT_S = 25.0
"""The server may ask an owner's server who takes a call (7.5 s); a caller's patience is longer."""
_ANSWER_S = 10.0
_FORWARD_S = 30.0
_NO_SIGN_S = 12.0
"""A gateway that has told nothing for so long is given up where there is another one; it can take 10 s to ring."""

_log = structlog.get_logger("bargein.carriers.sip")


class Switch:
    """Runs the stack, and serves the server that is at the other end of the link.

    Args:
        clock: the one clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runtime = Runtime()
        self._lines: dict[str, AgentCall] = {}
        self._channels: dict[int, AgentCall] = {}
        self._last_channel = 0
        self._agents: dict[Account, UserAgent] = {}
        self._registered: set[Account] = set()
        self._config: Configure | None = None
        self._link: Link | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._over = anyio.Event()
        self._exit_code = 0

    async def serve(self, end: socket.socket) -> int:
        """Serve until the server goes or the SIP thread dies; gives the exit code."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._link = await Link.over(end, self._take)
            tasks.start_soon(self._link.pump)
            tasks.start_soon(self._watch_link, self._link)
            await self._over.wait()
            with anyio.CancelScope(shield=True), suppress(BaresipError):
                await self._part()
                await self._runtime.close()
            tasks.cancel_scope.cancel()
        return self._exit_code

    async def _watch_link(self, link: Link) -> None:
        await link.lost.wait()
        self._over.set()

    def _die(self) -> None:
        self._exit_code = 1
        self._over.set()

    def _take(self, channel: int, frame: str | bytes) -> None:
        if channel != MESSAGES:
            if (line := self._channels.get(channel)) is not None:
                line.take(frame)
        elif self._tasks is not None and isinstance(frame, bytes):
            self._tasks.start_soon(self._obey, read_order(frame))

    def _tell(self, told: Told) -> None:
        if self._link is not None:
            self._link.send(MESSAGES, write_told(told))

    async def _start(self, order: Configure) -> None:
        """Start the stack.

        Raises:
            BaresipError: it cannot be started.
        """
        if self._config is not None or self._tasks is None:
            raise BaresipError("the agent is configured already")
        self._config = order
        self._runtime.on_dead = self._die  # pyright: ignore[reportAttributeAccessIssue]  # its type is left out
        await self._runtime.start(config_of(order))
        for transport in order.transports:
            door = await UserAgent.create(self._runtime, doorway(order, transport), transfer_policy="reject")
            door.on_incoming(self._called)
        self._tasks.start_soon(self._tick)
        self._tasks.start_soon(self._live)

    async def _part(self) -> None:
        """End all calls in SIP's words, for a short while."""
        with anyio.move_on_after(1):
            for line in tuple(self._lines.values()):
                await line.hang_up()
            await anyio.sleep(0.1 if self._lines else 0)

    async def _tick(self) -> None:
        while True:
            for line in tuple(self._lines.values()):
                line.tick()
            await anyio.sleep(_TICK_S if len(self._lines) > _FEW_CALLS else _TICK_S / 2)

    async def _live(self) -> None:
        """Give signs of life, as long as the SIP thread does."""
        while True:
            try:
                with anyio.fail_after(_STALL_S):
                    await self._runtime.set_native_log_level("error")
            except (TimeoutError, BaresipError):
                self._die()
                return
            self._tell(Alive(calls=len(self._lines)))
            await anyio.sleep(_ALIVE_S)

    async def _obey(self, order: Order) -> None:
        try:
            await self._carry_out(order)
        except (BaresipError, CallFailed, ValueError) as error:
            self._tell(Done(order=order.order, problem=str(error)))
        else:
            self._tell(Done(order=order.order))

    async def _carry_out(self, order: Order) -> None:
        match order:
            case Configure():
                await self._start(order)
            case Register():
                await self._register(order.accounts)
            case Answer():
                self._line(order.call).answered.set()
            case Refuse():
                await self._refuse(order)
            case Place():
                await self._place(order)
            case HangUp():
                if (line := self._lines.get(order.call)) is not None:
                    await line.hang_up()
            case Press():
                await self._line(order.call).send_dtmf(order.keys)
            case Transfer():
                await self._line(order.call).transfer(order.uri, order.timeout_s)

    def _line(self, name: str) -> AgentCall:
        if (line := self._lines.get(name)) is None:
            raise BaresipError("the call is over")
        return line

    def _new_line(self, name: str) -> AgentCall:
        if self._link is None:
            raise BaresipError("there is no link")
        self._last_channel += 1
        line = AgentCall(name, self._last_channel, self._clock, self._tell, self._link)
        self._lines[name] = self._channels[line.channel] = line
        return line

    def _forget(self, line: AgentCall) -> None:
        self._lines.pop(line.name, None)
        self._channels.pop(line.channel, None)

    async def _registering(self, agent: UserAgent) -> None:
        """Register; the stack goes on trying by itself."""
        try:
            await agent.register()
        except RegistrationError as error:
            _log.warning("a trunk takes no registration", status=error.status, reason=error.reason)

    async def _register(self, accounts: tuple[Account, ...]) -> None:
        for account in accounts:
            if account in self._registered or self._tasks is None:
                continue
            self._registered.add(account)
            agent = await UserAgent.create(
                self._runtime, account_of(account, registered=True), transfer_policy="reject"
            )
            agent.on_incoming(self._called)
            self._tasks.start_soon(self._registering, agent)

    # Calls that come in.

    def _called(self, call: Call) -> None:
        line = self._new_line(f"sip-{secrets.token_hex(16)}")
        line.attach(call)
        headers = cast("dict[str, str]", call.headers)
        self._tell(Called(call=line.name, sip_call_id=call.call_id or "", caller=call.peer or "", headers=headers))
        if self._tasks is not None:
            self._tasks.start_soon(self._incoming, line, call)

    async def _incoming(self, line: AgentCall, call: Call) -> None:
        try:
            if not await decided(line, _once_closed(call), _VERDICT_S):
                await line.hang_up()
                return
            await call.answer()
            await call.wait_established(_ANSWER_S)
            await line.talk()
        except BaresipError as error:
            _log.info("a call that came in was not established", call=line.name, reason=str(error))
        finally:
            self._forget(line)
            line.ended("")

    async def _refuse(self, order: Refuse) -> None:
        line = self._line(order.call)
        try:
            if order.forward is None:
                with suppress(BaresipError):  # it may be over already
                    await line.call.reject()
                return
            await line.call.answer()
            await line.call.wait_established(_ANSWER_S)
            await line.transfer(order.forward, _FORWARD_S)
        finally:
            line.given_up.set()

    # Calls that are placed.

    async def _place(self, order: Place) -> None:
        if order.call in self._lines:
            raise BaresipError("there is such a call already")
        if self._config is not None and len(self._lines) >= self._config.most_calls:
            raise BaresipError("the SIP agent has as many calls as it can take")
        line = self._new_line(order.call)
        if self._tasks is not None:
            self._tasks.start_soon(self._outgoing, line, order)

    async def _outgoing(self, line: AgentCall, order: Place) -> None:
        until_ms = self._clock.monotonic_ms() + order.ring_s * 1000
        problem: tuple[str, bool] = ("", False)
        try:
            for index, attempt in enumerate(order.attempts):
                left_s = (until_ms - self._clock.monotonic_ms()) / 1000
                last = index == len(order.attempts) - 1
                outcome = await self._attempt(line, attempt, left_s, last=last)
                if outcome is None:
                    problem = ("", False)
                    await self._talk(line, order.keys)
                    return
                problem = outcome
                if last or line.given_up.is_set() or not _goes_on(problem[0]) or problem[1]:
                    return
        finally:
            self._forget(line)
            line.ended(problem[0], timed_out=problem[1])

    async def _talk(self, line: AgentCall, keys: str) -> None:
        async with anyio.create_task_group() as tasks:
            if keys:
                tasks.start_soon(self._press_quietly, line, keys)
            await line.talk()
            tasks.cancel_scope.cancel()

    async def _press_quietly(self, line: AgentCall, keys: str) -> None:
        with suppress(BaresipError):
            await line.send_dtmf(f"W{keys}")

    async def _attempt(
        self, line: AgentCall, attempt: Attempt, left_s: float, *, last: bool
    ) -> tuple[str, bool] | None:
        """Try a gateway; gives None once it is answered, else why it was not, and whether time ran out."""
        try:
            agent = await self._agent(attempt.account)
            call, catch_up = await dial(self._runtime, agent, attempt.uri, attempt.headers)
        except (BaresipError, ValueError) as error:
            return str(error), False
        line.attach(call)
        signs = _Signs(line, call, self._tell)
        catch_up()
        async with anyio.create_task_group() as tasks:
            if not last:
                tasks.start_soon(signs.give_up_without, _NO_SIGN_S)
            tasks.start_soon(_hang_up_when, line.given_up, call)
            try:
                await call.wait_established(max(0.1, left_s))
            except CallTimeout:
                return "no answer in time", True
            except CallFailed as error:
                return f"{error.status or ''} {error.reason}".strip(), False
            finally:
                tasks.cancel_scope.cancel()
        return None

    async def _agent(self, account: Account) -> UserAgent:
        if account not in self._agents:
            self._agents[account] = await UserAgent.create(self._runtime, account_of(account), transfer_policy="reject")
        return self._agents[account]


class _Signs:
    """What a gateway tells before it answers."""

    def __init__(self, line: AgentCall, call: Call, tell: Callable[[Told], None]) -> None:
        self._any = anyio.Event()
        self._line = line
        self._call = call
        self._tell = tell
        call.on(self._heard)

    def _heard(self, event: StackEvent) -> None:
        if event.event in (Event.CALL_RINGING, Event.CALL_PROGRESS) and not self._any.is_set():
            self._any.set()
            self._tell(Rings(call=self._line.name, sip_call_id=self._call.call_id or ""))

    async def give_up_without(self, seconds: float) -> None:
        """Hang up if there has been none by then."""
        with anyio.move_on_after(seconds):
            await self._any.wait()
            return
        with suppress(BaresipError):
            await self._call.hangup()


def _goes_on(problem: str) -> bool:
    """Whether the next gateway is tried: this one failed (5xx, 408, nothing at all), not the person who was called."""
    status = problem[:3]
    return not status.isdecimal() or status == "408" or status.startswith("5")


def _once_closed(call: Call) -> anyio.Event:
    closed = anyio.Event()
    if call.state is CallState.CLOSED:
        closed.set()

    def heard(event: StackEvent) -> None:
        if event.event is Event.CALL_CLOSED:
            closed.set()

    call.on(heard)
    return closed


async def _hang_up_when(event: anyio.Event, call: Call) -> None:
    await event.wait()
    with suppress(BaresipError):
        await call.hangup()

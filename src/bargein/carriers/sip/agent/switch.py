"""The agent's calls, and the execution of the server's orders."""

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

from bargein.carriers.sip.agent.agent_call import AgentCall, wait_for_decision
from bargein.carriers.sip.agent.outbound import dial
from bargein.carriers.sip.agent.stack import account_of, config_of, listening_account
from bargein.carriers.sip.link import MESSAGES, Link
from bargein.carriers.sip.messages import (
    Account,
    Answer,
    Attempt,
    Configure,
    Done,
    HangUp,
    Heartbeat,
    Invited,
    Order,
    Place,
    Refuse,
    Register,
    Report,
    Rings,
    SendDtmf,
    Transfer,
    read_order,
    write_report,
)
from bargein.clock import Clock

_TICK_S = 0.01
_FEW_CALLS = 20
_ALIVE_S = 2.0
_STALL_S = 5.0
_DECISION_S = 25.0
"""The server may ask the owner's server for an assistant (7.5 s); callers wait longer than that."""
_ANSWER_S = 10.0
_FORWARD_S = 30.0
_NO_PROGRESS_S = 12.0
"""A gateway that reports no progress for this long is given up if there is another one; ringing can take 10 s."""

_log = structlog.get_logger("bargein.carriers.sip")


class Switch:
    """The SIP stack with all calls, at the service of the server at the other end of the link.

    Args:
        clock: the one clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runtime = Runtime()
        self._calls: dict[str, AgentCall] = {}
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
        """Serve until the server ends or the SIP thread dies; return the exit code."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._link = await Link.connect(end, self._on_frame)
            tasks.start_soon(self._link.pump)
            tasks.start_soon(self._watch_link, self._link)
            await self._over.wait()
            with anyio.CancelScope(shield=True), suppress(BaresipError):
                await self._end_calls()
                await self._runtime.close()
            tasks.cancel_scope.cancel()
        return self._exit_code

    async def _watch_link(self, link: Link) -> None:
        await link.lost.wait()
        self._over.set()

    def _fail(self) -> None:
        self._exit_code = 1
        self._over.set()

    def _on_frame(self, channel: int, frame: str | bytes) -> None:
        if channel != MESSAGES:
            if (agent_call := self._channels.get(channel)) is not None:
                agent_call.handle_frame(frame)
        elif self._tasks is not None and isinstance(frame, bytes):
            self._tasks.start_soon(self._handle_order, read_order(frame))

    def _report(self, report: Report) -> None:
        if self._link is not None:
            self._link.send(MESSAGES, write_report(report))

    async def _start(self, order: Configure) -> None:
        """Start the stack.

        Raises:
            BaresipError: it cannot be started, or was started before.
        """
        if self._config is not None or self._tasks is None:
            raise BaresipError("the agent is configured already")
        self._config = order
        self._runtime.on_dead = self._fail  # pyright: ignore[reportAttributeAccessIssue]  # its declared type lacks the attribute
        await self._runtime.start(config_of(order))
        for transport in order.transports:
            listener = await UserAgent.create(
                self._runtime, listening_account(order, transport), transfer_policy="reject"
            )
            listener.on_incoming(self._on_invite)
        self._tasks.start_soon(self._tick)
        self._tasks.start_soon(self._send_heartbeats)

    async def _end_calls(self) -> None:
        """Send BYE in all calls, within a second."""
        with anyio.move_on_after(1):
            for agent_call in tuple(self._calls.values()):
                await agent_call.hang_up()
            await anyio.sleep(0.1 if self._calls else 0)

    async def _tick(self) -> None:
        while True:
            for agent_call in tuple(self._calls.values()):
                agent_call.tick()
            await anyio.sleep(_TICK_S if len(self._calls) > _FEW_CALLS else _TICK_S / 2)

    async def _send_heartbeats(self) -> None:
        """Send heartbeats as long as the SIP thread responds."""
        while True:
            try:
                with anyio.fail_after(_STALL_S):
                    await self._runtime.set_native_log_level("error")
            except (TimeoutError, BaresipError):
                self._fail()
                return
            self._report(Heartbeat(calls=len(self._calls)))
            await anyio.sleep(_ALIVE_S)

    async def _handle_order(self, order: Order) -> None:
        try:
            await self._execute(order)
        except (BaresipError, CallFailed, ValueError) as error:
            self._report(Done(order=order.order, problem=str(error)))
        else:
            self._report(Done(order=order.order))

    async def _execute(self, order: Order) -> None:
        match order:
            case Configure():
                await self._start(order)
            case Register():
                await self._register(order.accounts)
            case Answer():
                self._find(order.call).accepted.set()
            case Refuse():
                await self._refuse(order)
            case Place():
                await self._place(order)
            case HangUp():
                if (agent_call := self._calls.get(order.call)) is not None:
                    await agent_call.hang_up()
            case SendDtmf():
                await self._find(order.call).send_dtmf(order.keys)
            case Transfer():
                await self._find(order.call).transfer(order.uri, order.timeout_s)

    def _find(self, name: str) -> AgentCall:
        if (agent_call := self._calls.get(name)) is None:
            raise BaresipError("the call is over")
        return agent_call

    def _new_call(self, name: str) -> AgentCall:
        if self._link is None:
            raise BaresipError("there is no link")
        self._last_channel += 1
        agent_call = AgentCall(name, self._last_channel, self._clock, self._report, self._link)
        self._calls[name] = self._channels[agent_call.channel] = agent_call
        return agent_call

    def _forget(self, agent_call: AgentCall) -> None:
        self._calls.pop(agent_call.name, None)
        self._channels.pop(agent_call.channel, None)

    async def _registering(self, agent: UserAgent) -> None:
        """Register; the stack repeats attempts by itself."""
        try:
            await agent.register()
        except RegistrationError as error:
            _log.warning("a trunk refuses the registration", status=error.status, reason=error.reason)

    async def _register(self, accounts: tuple[Account, ...]) -> None:
        for account in accounts:
            if account in self._registered or self._tasks is None:
                continue
            self._registered.add(account)
            agent = await UserAgent.create(
                self._runtime, account_of(account, registered=True), transfer_policy="reject"
            )
            agent.on_incoming(self._on_invite)
            self._tasks.start_soon(self._registering, agent)

    # Incoming calls.

    def _on_invite(self, call: Call) -> None:
        agent_call = self._new_call(f"sip-{secrets.token_hex(16)}")
        agent_call.attach(call)
        headers = cast("dict[str, str]", call.headers)
        self._report(
            Invited(call=agent_call.name, sip_call_id=call.call_id or "", caller=call.peer or "", headers=headers)
        )
        if self._tasks is not None:
            self._tasks.start_soon(self._incoming, agent_call, call)

    async def _incoming(self, agent_call: AgentCall, call: Call) -> None:
        try:
            if not await wait_for_decision(agent_call, _once_closed(call), _DECISION_S):
                await agent_call.hang_up()
                return
            await call.answer()
            await call.wait_established(_ANSWER_S)
            await agent_call.run_media()
        except BaresipError as error:
            _log.info("an incoming call was not established", call=agent_call.name, reason=str(error))
        finally:
            self._forget(agent_call)
            agent_call.ended("")

    async def _refuse(self, order: Refuse) -> None:
        agent_call = self._find(order.call)
        try:
            if order.forward is None:
                with suppress(BaresipError):  # it may be over already
                    await agent_call.call.reject()
                return
            await agent_call.call.answer()
            await agent_call.call.wait_established(_ANSWER_S)
            await agent_call.transfer(order.forward, _FORWARD_S)
        finally:
            agent_call.hung_up.set()

    # Outbound calls.

    async def _place(self, order: Place) -> None:
        if order.call in self._calls:
            raise BaresipError("there is a call of this name already")
        if self._config is not None and len(self._calls) >= self._config.most_calls:
            raise BaresipError("the SIP agent has reached its limit of calls")
        agent_call = self._new_call(order.call)
        if self._tasks is not None:
            self._tasks.start_soon(self._outgoing, agent_call, order)

    async def _outgoing(self, agent_call: AgentCall, order: Place) -> None:
        until_ms = self._clock.monotonic_ms() + order.ring_s * 1000
        problem: tuple[str, bool] = ("", False)
        try:
            for index, attempt in enumerate(order.attempts):
                left_s = (until_ms - self._clock.monotonic_ms()) / 1000
                last = index == len(order.attempts) - 1
                outcome = await self._attempt(agent_call, attempt, left_s, last=last)
                if outcome is None:
                    problem = ("", False)
                    await self._run_media(agent_call, order.keys)
                    return
                problem = outcome
                if last or agent_call.hung_up.is_set() or not _is_gateway_failure(problem[0]) or problem[1]:
                    return
        finally:
            self._forget(agent_call)
            agent_call.ended(problem[0], timed_out=problem[1])

    async def _run_media(self, agent_call: AgentCall, keys: str) -> None:
        async with anyio.create_task_group() as tasks:
            if keys:
                tasks.start_soon(self._send_extension, agent_call, keys)
            await agent_call.run_media()
            tasks.cancel_scope.cancel()

    async def _send_extension(self, agent_call: AgentCall, keys: str) -> None:
        with suppress(BaresipError):
            await agent_call.send_dtmf(f"W{keys}")

    async def _attempt(
        self, agent_call: AgentCall, attempt: Attempt, left_s: float, *, last: bool
    ) -> tuple[str, bool] | None:
        """Try a gateway; return None once the call is answered, else the reason, and whether it was the time limit."""
        try:
            agent = await self._agent(attempt.account)
            call, catch_up = await dial(self._runtime, agent, attempt.uri, attempt.headers)
        except (BaresipError, ValueError) as error:
            return str(error), False
        agent_call.attach(call)
        progress = _Progress(agent_call, call, self._report)
        catch_up()
        async with anyio.create_task_group() as tasks:
            if not last:
                tasks.start_soon(progress.hang_up_without, _NO_PROGRESS_S)
            tasks.start_soon(_hang_up_when, agent_call.hung_up, call)
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


class _Progress:
    """The progress of a call before it is answered: ringing, or early media."""

    def __init__(self, agent_call: AgentCall, call: Call, report: Callable[[Report], None]) -> None:
        self._any = anyio.Event()
        self._find = agent_call
        self._call = call
        self._report = report
        call.on(self._on_event)

    def _on_event(self, event: StackEvent) -> None:
        if event.event in (Event.CALL_RINGING, Event.CALL_PROGRESS) and not self._any.is_set():
            self._any.set()
            self._report(Rings(call=self._find.name, sip_call_id=self._call.call_id or ""))

    async def hang_up_without(self, seconds: float) -> None:
        """Hang up if there is no progress within this time."""
        with anyio.move_on_after(seconds):
            await self._any.wait()
            return
        with suppress(BaresipError):
            await self._call.hangup()


def _is_gateway_failure(problem: str) -> bool:
    """Return whether the gateway failed (5xx, 408, no response) and not the customer, so that the next one is tried."""
    status = problem[:3]
    return not status.isdecimal() or status == "408" or status.startswith("5")


def _once_closed(call: Call) -> anyio.Event:
    closed = anyio.Event()
    if call.state is CallState.CLOSED:
        closed.set()

    def on_event(event: StackEvent) -> None:
        if event.event is Event.CALL_CLOSED:
            closed.set()

    call.on(on_event)
    return closed


async def _hang_up_when(event: anyio.Event, call: Call) -> None:
    await event.wait()
    with suppress(BaresipError):
        await call.hangup()

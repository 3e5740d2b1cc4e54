"""Running one telephone call: its leg and its session, from the first audio until both have ended."""

from collections.abc import Callable

import anyio
import structlog

from bargein.call.hearing.audio_input import FloodError
from bargein.call.session import CallSession
from bargein.carriers.interface import Heard, KeyPressed, MarkReached, MediaEvent, MediaLeg
from bargein.carriers.stream import FORWARDED, LOST
from bargein.ports import CarrierError, StoreError
from bargein.server.calls.live_calls import LiveCalls, RefusedError, StartError
from bargein.server.telephony.call_registry import PhoneCall
from bargein.wire.telephony import NEVER_CONNECTED

BEGIN_S = 10.0
"""The time from the opening of a media socket until audio can be sent."""

_LEAVE_S = 10.0
_FORWARDED_S = 5.0
_LOST_S = 2.0

_log = structlog.get_logger("bargein.server")


async def run_call(
    live_calls: LiveCalls, call: PhoneCall, leg: MediaLeg, on_bad_input: Callable[[str], None]
) -> tuple[str, str] | None:
    """Run a call until it is over.

    Args:
        live_calls: the calls that have a session.
        call: a call that was not run before.
        leg: the caller's connection; it has ended when this returns.
        on_bad_input: is called with a short word for each bad input of the far end.

    Returns:
        The `endedReason` and the detail of a call that never had a session; else None.
    """
    try:
        with anyio.fail_after(BEGIN_S):
            await leg.begin()
        with live_calls.reserve(call.id):
            session = await live_calls.open(await live_calls.find(call.id, phone=True), leg)
            call.session = session
            await _run_session(live_calls, call, leg, session, on_bad_input)
    except (CarrierError, TimeoutError) as error:
        return await _drop(leg, NEVER_CONNECTED, str(error) or "the carrier's stream did not begin in time")
    except StartError as error:
        return await _drop(leg, error.ended_reason, str(error))
    except RefusedError as error:
        return await _drop(leg, "worker-shutdown", str(error))
    except StoreError as error:
        return await _drop(leg, NEVER_CONNECTED, str(error))
    return None


async def _run_session(
    live_calls: LiveCalls, call: PhoneCall, leg: MediaLeg, session: CallSession, on_bad_input: Callable[[str], None]
) -> None:
    async with anyio.create_task_group() as tasks:
        with live_calls.register(session):
            tasks.start_soon(_send, leg, session)
            tasks.start_soon(_receive, leg, session, on_bad_input)
            if call.ended_reason is not None:
                session.hang_up(call.ended_reason)
            if call.answered_by is not None:
                session.handle_answered_by(*call.answered_by)
            await session.run()
        with anyio.move_on_after(_LEAVE_S):
            await leg.done.wait()
        tasks.cancel_scope.cancel()


async def _drop(leg: MediaLeg, reason: str, detail: str) -> tuple[str, str]:
    leg.hang_up()
    with anyio.move_on_after(_LEAVE_S):
        await leg.run()
    return reason, detail


async def _send(leg: MediaLeg, session: CallSession) -> None:
    await leg.run()
    await _until_ended(session, _LOST_S)
    session.hang_up(LOST)


async def _receive(leg: MediaLeg, session: CallSession, on_bad_input: Callable[[str], None]) -> None:
    """Pass the far end's events to the session until the connection ends."""
    try:
        async for event in leg.events():
            _handle_event(session, event, on_bad_input)
    except FloodError as error:
        _log.warning("a carrier's stream was closed", call_id=session.setup.call_id, reason=str(error))
        on_bad_input("flood")
        session.hang_up(LOST)
        return
    reason = await leg.ended_reason()
    if reason == FORWARDED:  # the transfer ends the call
        await _until_ended(session, _FORWARDED_S)
    elif reason == LOST:  # some carriers close the socket when the caller hangs up, and say so by webhook only
        await _until_ended(session, _LOST_S)
    session.hang_up(reason)


async def _until_ended(session: CallSession, seconds: float) -> None:
    """Wait some time for the end of a call, whose reason may be better than the one known here."""
    ended = anyio.Event()
    session.on_end(ended.set)
    with anyio.move_on_after(seconds):
        await ended.wait()


def _handle_event(session: CallSession, event: MediaEvent, on_bad_input: Callable[[str], None]) -> None:
    match event:
        case Heard(audio):
            try:
                session.receive_audio(audio)
            except ValueError:
                on_bad_input("audio")
        case MarkReached(name):
            session.mark_reached(name)
        case KeyPressed(key):
            session.receive_key(key)
        case _:
            pass

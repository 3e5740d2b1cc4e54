"""Holding one telephone call: its leg and its session, from its first audio until both are over."""

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
"""How long a media socket may take from its opening until audio can be sent."""

_LEAVE_S = 10.0
_FORWARDED_S = 5.0
_LOST_S = 2.0

_log = structlog.get_logger("bargein.server")


async def run_call(
    live_calls: LiveCalls, call: PhoneCall, leg: MediaLeg, odd: Callable[[str], None]
) -> tuple[str, str] | None:
    """Hold a call until it is over.

    Args:
        live_calls: where live calls are.
        call: it has not been held before.
        leg: the caller's connection; it is over when this returns.
        odd: is told, by a short word, of what the far end says that makes no sense.

    Returns:
        The `endedReason` and the detail of a call that never became live.
    """
    try:
        with anyio.fail_after(BEGIN_S):
            await leg.begin()
        with live_calls.reserve(call.id):
            session = await live_calls.open(await live_calls.find(call.id, phone=True), leg)
            call.session = session
            await _live(live_calls, call, leg, session, odd)
    except (CarrierError, TimeoutError) as error:
        return await _dropped(leg, NEVER_CONNECTED, str(error) or "the carrier's stream did not begin in time")
    except StartError as error:
        return await _dropped(leg, error.ended_reason, str(error))
    except RefusedError as error:
        return await _dropped(leg, "worker-shutdown", str(error))
    except StoreError as error:
        return await _dropped(leg, NEVER_CONNECTED, str(error))
    return None


async def _live(
    live_calls: LiveCalls, call: PhoneCall, leg: MediaLeg, session: CallSession, odd: Callable[[str], None]
) -> None:
    async with anyio.create_task_group() as tasks:
        with live_calls.register(session):
            tasks.start_soon(_send, leg, session)
            tasks.start_soon(_listen, leg, session, odd)
            if call.over is not None:
                session.hang_up(call.over)
            if call.by is not None:
                session.handle_answered_by(*call.by)
            await session.run()
        with anyio.move_on_after(_LEAVE_S):
            await leg.done.wait()
        tasks.cancel_scope.cancel()


async def _dropped(leg: MediaLeg, reason: str, detail: str) -> tuple[str, str]:
    leg.hang_up()
    with anyio.move_on_after(_LEAVE_S):
        await leg.run()
    return reason, detail


async def _send(leg: MediaLeg, session: CallSession) -> None:
    await leg.run()
    await _until_ended(session, _LOST_S)
    session.hang_up(LOST)


async def _listen(leg: MediaLeg, session: CallSession, odd: Callable[[str], None]) -> None:
    """Take what the far end says until it is gone."""
    try:
        async for event in leg.events():
            _take(session, event, odd)
    except FloodError as error:
        _log.warning("a carrier's stream was given up", call_id=session.setup.call_id, reason=str(error))
        odd("flood")
        session.hang_up(LOST)
        return
    reason = await leg.ended_reason()
    if reason == FORWARDED:  # whoever passed the caller on ends the call
        await _until_ended(session, _FORWARDED_S)
    elif reason == LOST:  # some carriers only close the socket of a caller who hangs up: their webhook says so
        await _until_ended(session, _LOST_S)
    session.hang_up(reason)


async def _until_ended(session: CallSession, seconds: float) -> None:
    """Wait until a call has ended for a better reason than we know, so long at most."""
    ended = anyio.Event()
    session.on_end(ended.set)
    with anyio.move_on_after(seconds):
        await ended.wait()


def _take(session: CallSession, event: MediaEvent, odd: Callable[[str], None]) -> None:
    match event:
        case Heard(audio):
            try:
                session.receive_audio(audio)
            except ValueError:
                odd("audio")
        case MarkReached(name):
            session.mark_reached(name)
        case KeyPressed(key):
            session.receive_key(key)
        case _:
            pass

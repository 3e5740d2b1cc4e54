"""One call of the agent: its SIP dialog on one side, its channel of the link on the other."""

import json
from collections.abc import Callable
from contextlib import suppress

import anyio
import structlog
from baresip import AudioNotActive, BaresipError, CallState
from baresip.call import Call, DigitEvent
from baresip.errors import split_status
from baresip.events import Event, StackEvent

from bargein.carriers.sip.agent.audio_bridge import AudioBridge
from bargein.carriers.sip.codec import KEYS, NARROW_HZ, WIDE_HZ
from bargein.carriers.sip.link import Link
from bargein.carriers.sip.messages import Ended, Established, Report
from bargein.clock import Clock
from bargein.wire.json import as_object, read_json

_AUDIO_S = 3.0
_TRANSFER_END_S = 60.0
_HALF_A_SECOND = 0.5
_BETWEEN_KEYS_S = 0.12

_log = structlog.get_logger("bargein.carriers.sip")


class AgentCall:
    """One call.

    Attributes:
        name: the server's name of the call.
        over: set once the dialog has ended.
        hung_up: set once the server has hung up.
        accepted: set once the server has accepted the incoming call.
        transferring: True during a transfer; the server's hanging up then ends nothing.

    Args:
        name: the server's name of the call.
        channel: the call's channel of the link.
        clock: the one clock.
        report: sends a report to the server.
        link: carries the audio.
    """

    def __init__(self, name: str, channel: int, clock: Clock, report: Callable[[Report], None], link: Link) -> None:
        self.name = name
        self.channel = channel
        self.over = anyio.Event()
        self.hung_up = anyio.Event()
        self.accepted = anyio.Event()
        self.transferring = False
        self._clock = clock
        self._report = report
        self._link = link
        self._call: Call | None = None
        self._established = False
        self._end_reported = False
        self._audio: AudioBridge | None = None

    @property
    def call(self) -> Call:
        """The SIP dialog.

        Raises:
            BaresipError: the call has none yet.
        """
        if self._call is None:
            raise BaresipError("the call has not begun")
        return self._call

    def attach(self, call: Call) -> None:
        """Set the dialog, in place of that of an earlier attempt."""
        self._call = call

        def on_event(event: StackEvent) -> None:
            if self._call is call and event.event is Event.CALL_CLOSED and self._established:
                self.ended(event.text or "")

        call.on(on_event)
        call.on_dtmf(self._on_digit)

    def ended(self, detail: str, *, timed_out: bool = False) -> None:
        """Report, once, that the call has ended."""
        self.over.set()
        if self._end_reported:
            return
        self._end_reported = True
        if self._audio is not None:
            self._audio = None
            self._send('{"event":"stop"}')
        status, words = split_status(detail)
        self._report(
            Ended(call=self.name, established=self._established, status=status, detail=words, timed_out=timed_out)
        )

    def _on_digit(self, digit: DigitEvent) -> None:
        key = digit.digit.upper()
        if self._audio is not None and key in KEYS:
            self._send(json.dumps({"event": "dtmf", "key": key}))

    def tick(self) -> None:
        """Move audio in both directions."""
        if self._audio is None:
            return
        received, reached = self._audio.tick(self._clock.monotonic_ms())
        if received:
            self._send(received)
        for name in reached:
            self._send(json.dumps({"event": "mark", "name": name}))

    def _send(self, frame: str | bytes) -> None:
        self._link.send(self.channel, frame)

    async def run_media(self) -> None:
        """Carry the audio of an established call until it ends or the server hangs up, and end it."""
        try:
            rate_hz = await self._rate_hz()
        except AudioNotActive:
            _log.warning("a call has no audio", call=self.name)
            await self.hang_up()
            return
        self._established = True
        sip_call_id = self.call.call_id or ""
        self._report(Established(call=self.name, channel=self.channel, rate_hz=rate_hz, sip_call_id=sip_call_id))
        start = {"event": "start", "call": self.name, "rate": rate_hz, "details": {"sipCallId": sip_call_id}}
        self._send(json.dumps(start))
        self._audio = AudioBridge(self.call.audio, rate_hz, self._clock.monotonic_ms())
        if self.call.state is CallState.CLOSED:
            self.ended("")
        try:
            await _first(self.over, self.hung_up)
            if self.transferring:
                with anyio.move_on_after(_TRANSFER_END_S):
                    await self.over.wait()
        finally:
            self._audio = None
            with anyio.CancelScope(shield=True):
                await self.hang_up()

    async def _rate_hz(self) -> int:
        """Return the channel's sampling rate once both directions of the audio run."""
        with anyio.move_on_after(_AUDIO_S):
            while self.call.state is not CallState.CLOSED:
                with suppress(AudioNotActive):
                    info = self.call.audio.info()
                    if info.tx_ready and info.rx_ready:
                        return NARROW_HZ if max(info.tx_sample_rate, info.rx_sample_rate) <= NARROW_HZ else WIDE_HZ
                await anyio.sleep(0.005)
        raise AudioNotActive("no audio was negotiated")

    def handle_frame(self, frame: str | bytes) -> None:
        """Handle a frame from the server."""
        if self._audio is None:
            return
        if isinstance(frame, bytes):
            if len(frame) % 2 == 0:
                self._audio.play(frame)
            return
        message = as_object(read_json(frame))
        match message.get("event"):
            case "mark":
                self._audio.mark(str(message.get("name")))
            case "clear":
                for name in self._audio.clear(self._clock.monotonic_ms()):
                    self._send(json.dumps({"event": "mark", "name": name}))
                self._send('{"event":"cleared"}')
            case _:
                pass

    async def hang_up(self) -> None:
        """End the call; a call that has ended already is no error."""
        self.hung_up.set()
        if self._call is None or self._call.state is CallState.CLOSED or self.transferring:
            return
        with suppress(BaresipError):  # the far end may hang up at the same time
            await self._call.hangup()

    async def send_dtmf(self, keys: str) -> None:
        """Send keys; `w` waits half a second, `W` one second.

        Raises:
            BaresipError: the stack refused.
        """
        for key in keys:
            if key in "wW":
                await anyio.sleep(_HALF_A_SECOND if key == "w" else 2 * _HALF_A_SECOND)
            else:
                await self.call.send_dtmf(key)
                await anyio.sleep(_BETWEEN_KEYS_S)

    async def transfer(self, uri: str, timeout_s: float) -> None:
        """Transfer the far end by REFER; returns once the new call was answered, which ends this one.

        Raises:
            BaresipError: it was not answered; this call goes on.
        """
        self.transferring = True
        try:
            await self.call.transfer(uri, timeout=timeout_s)
        finally:
            self.transferring = False


async def _first(*events: anyio.Event) -> None:
    """Wait for the first of these events."""

    async def wait(event: anyio.Event) -> None:
        await event.wait()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for event in events:
            tasks.start_soon(wait, event)


async def wait_for_decision(agent_call: AgentCall, closed: anyio.Event, seconds: float) -> bool:
    """Wait until an incoming call is accepted, refused or ended; return True if it is to be answered."""
    with anyio.move_on_after(seconds):
        await _first(agent_call.accepted, agent_call.hung_up, closed)
    return agent_call.accepted.is_set() and not agent_call.hung_up.is_set() and not closed.is_set()

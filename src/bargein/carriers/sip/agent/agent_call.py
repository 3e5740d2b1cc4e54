"""One call of the agent's: its SIP dialog on one side, its channel of the link on the other."""

import json
from collections.abc import Callable
from contextlib import suppress

import anyio
import structlog
from baresip import AudioNotActive, BaresipError, CallState
from baresip.call import Call, DigitEvent
from baresip.errors import split_status
from baresip.events import Event, StackEvent

from bargein.carriers.sip.agent.sound import Sound
from bargein.carriers.sip.codec import KEYS, NARROW_HZ, WIDE_HZ
from bargein.carriers.sip.link import Link
from bargein.carriers.sip.messages import Ended, Taken, Told
from bargein.clock import Clock

_AUDIO_S = 3.0
_HANDING_OVER_S = 60.0
_HALF_A_SECOND = 0.5
_BETWEEN_KEYS_S = 0.12

_log = structlog.get_logger("bargein.carriers.sip")


class AgentCall:
    """One call.

    Attributes:
        name: by which the server knows it.
        over: its dialog has ended.
        given_up: the server has hung up.
        answered: the server takes it.
        handing_over: it is being transferred, so that the server's hanging up ends nothing.

    Args:
        name: by which the server knows it.
        channel: of the link.
        clock: the one clock.
        tell: takes what the server is to hear.
        link: carries the sound.
    """

    def __init__(self, name: str, channel: int, clock: Clock, tell: Callable[[Told], None], link: Link) -> None:
        self.name = name
        self.channel = channel
        self.over = anyio.Event()
        self.given_up = anyio.Event()
        self.answered = anyio.Event()
        self.handing_over = False
        self._clock = clock
        self._tell = tell
        self._link = link
        self._call: Call | None = None
        self._taken = False
        self._told_end = False
        self._sound: Sound | None = None

    @property
    def call(self) -> Call:
        """Its dialog.

        Raises:
            BaresipError: it has none yet.
        """
        if self._call is None:
            raise BaresipError("the call has not begun")
        return self._call

    def attach(self, call: Call) -> None:
        """Give it a dialog; one that was tried before counts no more."""
        self._call = call

        def heard(event: StackEvent) -> None:
            if self._call is call and event.event is Event.CALL_CLOSED and self._taken:
                self.ended(event.text or "")

        call.on(heard)
        call.on_dtmf(self._pressed)

    def ended(self, why: str, *, timed_out: bool = False) -> None:
        """Tell, once, that it is over."""
        self.over.set()
        if self._told_end:
            return
        self._told_end = True
        if self._sound is not None:
            self._sound = None
            self._send('{"event":"stop"}')
        status, words = split_status(why)
        self._tell(Ended(call=self.name, taken=self._taken, status=status, why=words, timed_out=timed_out))

    def _pressed(self, digit: DigitEvent) -> None:
        key = digit.digit.upper()
        if self._sound is not None and key in KEYS:
            self._send(json.dumps({"event": "dtmf", "key": key}))

    def tick(self) -> None:
        """Move its sound on."""
        if self._sound is None:
            return
        heard, reached = self._sound.tick(self._clock.monotonic_ms())
        if heard:
            self._send(heard)
        for name in reached:
            self._send(json.dumps({"event": "mark", "name": name}))

    def _send(self, frame: str | bytes) -> None:
        self._link.send(self.channel, frame)

    async def talk(self) -> None:
        """Carry the sound of an established call, until it is over or the server hangs up; then it is over."""
        try:
            rate_hz = await self._rate_hz()
        except AudioNotActive:
            _log.warning("a call has no audio", call=self.name)
            await self.hang_up()
            return
        self._taken = True
        sip_call_id = self.call.call_id or ""
        self._tell(Taken(call=self.name, channel=self.channel, rate_hz=rate_hz, sip_call_id=sip_call_id))
        start = {"event": "start", "call": self.name, "rate": rate_hz, "details": {"sipCallId": sip_call_id}}
        self._send(json.dumps(start))
        self._sound = Sound(self.call.audio, rate_hz, self._clock.monotonic_ms())
        if self.call.state is CallState.CLOSED:
            self.ended("")
        try:
            await _first(self.over, self.given_up)
            if self.handing_over:
                with anyio.move_on_after(_HANDING_OVER_S):
                    await self.over.wait()
        finally:
            self._sound = None
            with anyio.CancelScope(shield=True):
                await self.hang_up()

    async def _rate_hz(self) -> int:
        """The rate of the channel, once both directions run."""
        with anyio.move_on_after(_AUDIO_S):
            while self.call.state is not CallState.CLOSED:
                with suppress(AudioNotActive):
                    info = self.call.audio.info()
                    if info.tx_ready and info.rx_ready:
                        return NARROW_HZ if max(info.tx_sample_rate, info.rx_sample_rate) <= NARROW_HZ else WIDE_HZ
                await anyio.sleep(0.005)
        raise AudioNotActive("no audio was agreed on")

    def take(self, frame: str | bytes) -> None:
        """Take a frame of the server's."""
        if self._sound is None:
            return
        if isinstance(frame, bytes):
            if len(frame) % 2 == 0:
                self._sound.put(frame)
            return
        said: dict[str, object] = json.loads(frame)
        match said.get("event"):
            case "mark":
                self._sound.mark(str(said.get("name")))
            case "clear":
                for name in self._sound.clear(self._clock.monotonic_ms()):
                    self._send(json.dumps({"event": "mark", "name": name}))
                self._send('{"event":"cleared"}')
            case _:
                pass

    async def hang_up(self) -> None:
        """End it; one that is over already is no error."""
        self.given_up.set()
        if self._call is None or self._call.state is CallState.CLOSED or self.handing_over:
            return
        with suppress(BaresipError):  # both may hang up at once
            await self._call.hangup()

    async def send_dtmf(self, keys: str) -> None:
        """Press keys; `w` waits half a second, `W` one.

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
        """Have the far end call somebody else; returns once that was answered, when this call is over.

        Raises:
            BaresipError: it was not; the call goes on.
        """
        self.handing_over = True
        try:
            await self.call.transfer(uri, timeout=timeout_s)
        finally:
            self.handing_over = False


async def _first(*events: anyio.Event) -> None:
    """Returns once one of them has come."""

    async def wait(event: anyio.Event) -> None:
        await event.wait()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for event in events:
            tasks.start_soon(wait, event)


async def decided(line: AgentCall, closed: anyio.Event, seconds: float) -> bool:
    """Wait for what becomes of a call that came in; gives whether it is to be answered."""
    with anyio.move_on_after(seconds):
        await _first(line.answered, line.given_up, closed)
    return line.answered.is_set() and not line.given_up.is_set() and not closed.is_set()

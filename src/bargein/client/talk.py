"""`bargein talk`: a caller without a microphone, who plays recordings into a call and measures how it is yielded to."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread

from bargein.audio import pcm
from bargein.client.assistants import load_assistant
from bargein.client.clips import Clip, load_clip, write_stereo
from bargein.client.connection import Connection, Message, Server, create_call, is_there, join, ring
from bargein.client.errors import ClientError, UnreachableError
from bargein.client.narration import Narration
from bargein.client.pacing import Lateness, PacedSender
from bargein.client.playback import Interruption, InterruptionMeter, audible_ms
from bargein.client.recording import Recording
from bargein.client.scene import Line, Scene
from bargein.clock import Clock, LoopClock
from bargein.wire.base import JsonObject

RATE_HZ = 16_000

_GOODBYE_S = 4.0
"""How long the server may take to close the call once it was hung up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkOptions:
    """What `bargein talk` is asked to do.

    Attributes:
        wav: what the caller says first: a recording of any rate.
        then: what it says after that, over the assistant: each so many seconds after the assistant begins to answer.
        url: where the server is.
        key: its private bearer key.
        assistant: a file with the assistant's JSON; None is the server's own default.
        to: a stored phone number, by its id or itself, that is called instead of an assistant.
        caller: the number that the call then comes from.
        out: where to write the stereo recording (left the caller, right the assistant).
        seconds: how long the call may last at most.
        flush: whether to drop queued audio on `user-interrupted`, as bargein's page does and Vapi's clients do not.
        colour: whether the terminal understands ANSI colours.
        start_server: starts a server and gives its URL, for when nothing answers at `url`.
    """

    wav: Path
    then: Sequence[tuple[float, Path]] = ()
    url: str = "http://127.0.0.1:8700"
    key: str | None = field(default=None, repr=False)
    assistant: Path | None = None
    to: str | None = None
    caller: str | None = None
    out: Path | None = None
    seconds: float = 90.0
    flush: bool = True
    colour: bool = False
    start_server: Callable[[], AbstractAsyncContextManager[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkResult:
    """How it went.

    Attributes:
        call_id: the call's id.
        interruptions: one for each clip after the first, in order; None where it could not be said any more.
        ended_reason: why the server ended the call, where it said so.
        lateness: of this client's own frames; with a large one the measured times are worth little.
    """

    call_id: str
    interruptions: tuple[Interruption | None, ...]
    ended_reason: str | None
    lateness: Lateness

    @property
    def exit_code(self) -> int:
        """0 when every clip that was meant to interrupt did, else 1."""
        return int(any(event is None or event.missed for event in self.interruptions))


async def talk(options: TalkOptions, out: Callable[[str], None], clock: Clock | None = None) -> TalkResult:
    """Play recordings into a call, print what happens, and measure each interruption.

    Args:
        options: what to say, to whom.
        out: takes the lines to print.
        clock: where the time comes from.

    Raises:
        ClientError: a file cannot be read or written, or the server cannot be reached or refuses.
    """
    lines = await _load_lines(options)
    assistant = {} if options.assistant is None else await load_assistant(options.assistant)
    narration = Narration(out, colour=options.colour)
    async with _server(options, narration) as server:
        if options.to is None:
            call = await create_call(server, assistant=assistant, rate_hz=RATE_HZ)
        else:
            customer = None if options.caller is None else {"number": options.caller}
            call = await ring(server, options.to, customer=customer, rate_hz=RATE_HZ)
        if (call.encoding, call.rate_hz) != ("pcm_s16le", RATE_HZ):
            raise ClientError(f"the server settled on {call.encoding} at {call.rate_hz} Hz, which talk does not speak")
        narration.call_made(call, server.url)
        async with join(server, call, clock or LoopClock()) as connection:
            caller = _Caller(connection, narration, flush=options.flush)
            said = await caller.hold(lines, options.seconds)
    recording = await anyio.to_thread.run_sync(caller.save, options.out) if options.out else None
    return _report(caller, narration, lines, said, recording, flush=options.flush)


class _Caller:
    """One call from its caller's side."""

    def __init__(self, connection: Connection, narration: Narration, *, flush: bool) -> None:
        self.meter = InterruptionMeter()
        self.sender = PacedSender(connection.send_audio, pcm.to_bytes, RATE_HZ, connection.clock)
        self.scene = Scene(self.sender, self.meter, connection.clock, narration)
        self.ended_reason: str | None = None
        self.connection = connection
        self._narration = narration
        self._recording = Recording(RATE_HZ)
        self._flush = flush
        self._over = anyio.Event()

    async def hold(self, lines: Sequence[Line], seconds: float) -> list[Interruption]:
        """Have the conversation; gives the interruptions that were tried."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send)
            tasks.start_soon(self._listen)
            with anyio.move_on_after(seconds) as time:
                async with anyio.create_task_group() as talking:
                    talking.start_soon(self._until_over, talking.cancel_scope)
                    await self.scene.play(lines)
                    talking.cancel_scope.cancel()
            if time.cancelled_caught:
                self._narration.note(f"hanging up after {seconds:g} s")
            await self.connection.hang_up()
            with anyio.move_on_after(_GOODBYE_S):
                await self._over.wait()
            tasks.cancel_scope.cancel()
        return self.meter.finish()

    def save(self, path: Path) -> Path:
        """Write the recording; blocks."""
        caller, assistant = self._recording.tracks(self.sender.start_ms, self.sender.sent_until_ms, self.sender.spoken)
        write_stereo(path, caller, assistant, RATE_HZ)
        return path

    async def _send(self) -> None:
        try:
            await self.sender.run()
        except ClientError as error:
            # A call that is over takes no more audio: the listener knows, and knows why.
            if not self._over.is_set():
                self._narration.note(str(error))
                self._over.set()

    async def _until_over(self, scope: anyio.CancelScope) -> None:
        await self._over.wait()
        scope.cancel()

    async def _listen(self) -> None:
        async for event in self.connection:
            if isinstance(event, Message):
                self._take(event.data, event.at_ms)
            else:
                self._hear(event.data, event.at_ms)
        self._over.set()

    def _hear(self, data: bytes, at_ms: float) -> None:
        samples = pcm.from_bytes(data[: len(data) // 2 * 2])
        duration_ms = samples.size * 1000 / RATE_HZ
        self.meter.audio(duration_ms, at_ms, audible_ms(samples, RATE_HZ))
        heard = self.meter.flushed if self._flush else self.meter.unflushed
        self._recording.heard(samples, heard.end_ms - duration_ms)

    def _take(self, message: JsonObject, at_ms: float) -> None:
        self.scene.message(message)
        match message:
            case {"type": "user-interrupted"}:
                turn_id: object = message.get("turnId")
                turn_id = turn_id if isinstance(turn_id, str) else None
                if self._flush:
                    self._recording.cut(at_ms)
                self._narration.interrupted(turn_id, self.meter.interrupted(at_ms, turn_id), at_ms)
            case {"type": "status-update", "status": "ended"}:
                self.ended_reason = str(message.get("endedReason") or "") or None
                self._narration.message(message, at_ms)
            case _:
                self._narration.message(message, at_ms)


def _report(
    caller: _Caller,
    narration: Narration,
    lines: Sequence[Line],
    said: list[Interruption],
    recording: Path | None,
    *,
    flush: bool,
) -> TalkResult:
    events: list[Interruption | None] = [*said, *[None] * (len(lines) - 1 - len(said))]
    narration.gap()
    for line, event in zip(lines[1:], events, strict=True):
        narration.verdict(line.clip.name, event, flush=flush)
    if recording is not None:
        narration.note(f"recording: {recording} (left: caller, right: assistant)")
    lateness = caller.sender.lateness()
    if lateness.p99_ms > 10:
        narration.note(f"this machine was busy: p99 of its own frames {lateness.p99_ms:.0f} ms late, so are the times")
    return TalkResult(
        call_id=caller.connection.call.id,
        interruptions=tuple(events),
        ended_reason=caller.ended_reason,
        lateness=lateness,
    )


@asynccontextmanager
async def _server(options: TalkOptions, narration: Narration) -> AsyncGenerator[Server]:
    """The server at the URL or, where nothing answers, one that is started for this call."""
    server = Server(url=options.url.rstrip("/"), key=options.key)
    if await is_there(server):
        yield server
        return
    if options.start_server is None:
        raise UnreachableError(f"nothing answers at {server.url}; start one with `bargein serve`")
    narration.note(f"nothing answers at {server.url}: starting a server")
    async with options.start_server() as url:
        yield replace(server, url=url.rstrip("/"))


async def _load_lines(options: TalkOptions) -> list[Line]:
    first = Line(await _load(options.wav), after_s=None)
    return [first, *[Line(await _load(path), after_s=after_s) for after_s, path in options.then]]


async def _load(path: Path) -> Clip:
    return await anyio.to_thread.run_sync(load_clip, path, RATE_HZ)

"""`bargein talk`: plays recordings into a call as its caller, and measures how soon the assistant stops."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread

from bargein.audio import pcm
from bargein.client.assistants import load_assistant
from bargein.client.clips import Clip, load_clip, write_stereo
from bargein.client.connection import Connection, Message, join
from bargein.client.errors import ClientError, UnreachableError
from bargein.client.pacing import Lateness, PacedSender
from bargein.client.playback import Interruption, InterruptionMeter, audible_ms
from bargein.client.printer import CallPrinter
from bargein.client.recording import Recording
from bargein.client.script import CallerScript, Utterance
from bargein.client.server_api import Server, create_call, is_reachable, ring
from bargein.clock import Clock, LoopClock
from bargein.wire.base import JsonObject
from bargein.wire.ended import is_failure
from bargein.wire.json import as_object, as_string

RATE_HZ = 16_000

_CLOSE_S = 4.0
"""Time that the server may take to close the call after `end-call`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkOptions:
    """Options of `bargein talk`.

    Attributes:
        wav: the caller's first clip, a recording of any sample rate.
        then: the clips that are played over the assistant, each with its seconds after the assistant begins to answer.
        url: the server's URL.
        key: its private bearer key.
        assistant: a file with the assistant's JSON; None is the server's default assistant.
        to: a stored phone number, or its id, that is called instead of an assistant.
        caller: the number that a call with `to` comes from.
        out: the file for the stereo recording (left the caller, right the assistant).
        seconds: maximum length of the call.
        flush: True to drop queued audio on `user-interrupted`, as bargein's page does and Vapi's clients do not.
        colour: True if the terminal understands ANSI colours.
        start_server: starts a server and yields its URL, if nothing answers at `url`.
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
    """The measurements of a call.

    Attributes:
        call_id: the call's id.
        interruptions: one for each clip after the first, in order; None if the call ended before it was played.
        ended_reason: Vapi's `endedReason`, if the server sent it.
        failure: why the call failed, a sentence; empty if it did not.
        lateness: delay of this client's frames; with large delays the measured times are unreliable.
    """

    call_id: str
    interruptions: tuple[Interruption | None, ...]
    ended_reason: str | None
    failure: str = ""
    lateness: Lateness

    @property
    def exit_code(self) -> int:
        """0 if the call did not fail and every clip that was meant to interrupt did so, else 1."""
        return int(bool(self.failure) or any(event is None or event.missed for event in self.interruptions))


async def talk(options: TalkOptions, out: Callable[[str], None], clock: Clock | None = None) -> TalkResult:
    """Play recordings into a call, print what happens, and measure each interruption.

    Args:
        options: the clips, the server and the assistant.
        out: takes the lines to print.
        clock: gives all measured times.

    Raises:
        ClientError: a file cannot be read or written, or the server cannot be reached or refuses.
    """
    utterances = await _load_utterances(options)
    assistant = {} if options.assistant is None else await load_assistant(options.assistant)
    printer = CallPrinter(out, colour=options.colour)
    async with _open_server(options, printer) as server:
        if options.to is None:
            call = await create_call(server, assistant=assistant, rate_hz=RATE_HZ)
        else:
            customer = None if options.caller is None else {"number": options.caller}
            call = await ring(server, options.to, customer=customer, rate_hz=RATE_HZ)
        if (call.encoding, call.rate_hz) != ("pcm_s16le", RATE_HZ):
            raise ClientError(f"the server uses {call.encoding} at {call.rate_hz} Hz, which talk does not support")
        printer.print_call(call, server.url)
        async with join(server, call, clock or LoopClock()) as connection:
            caller = _Caller(connection, printer, flush=options.flush)
            interruptions = await caller.run(utterances, options.seconds)
    recording = await anyio.to_thread.run_sync(caller.save, options.out) if options.out else None
    return _report(caller, printer, utterances, interruptions, recording, flush=options.flush)


class _Caller:
    """The caller's side of one call."""

    def __init__(self, connection: Connection, printer: CallPrinter, *, flush: bool) -> None:
        self.meter = InterruptionMeter()
        self.sender = PacedSender(connection.send_audio, pcm.to_bytes, RATE_HZ, connection.clock)
        self.script = CallerScript(self.sender, self.meter, connection.clock, printer)
        self.ended_reason: str | None = None
        self.failure = ""
        self.connection = connection
        self._printer = printer
        self._recording = Recording(RATE_HZ)
        self._flush = flush
        self._over = anyio.Event()

    async def run(self, utterances: Sequence[Utterance], seconds: float) -> list[Interruption]:
        """Play the utterances, hang up, and return the measured interruptions."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send)
            tasks.start_soon(self._listen)
            with anyio.move_on_after(seconds) as time:
                async with anyio.create_task_group() as talking:
                    talking.start_soon(self._until_over, talking.cancel_scope)
                    await self.script.play(utterances)
                    talking.cancel_scope.cancel()
            if time.cancelled_caught:
                self._printer.print_note(f"hanging up after {seconds:g} s")
            await self.connection.end_call()
            with anyio.move_on_after(_CLOSE_S):
                await self._over.wait()
            tasks.cancel_scope.cancel()
        return self.meter.finish()

    def save(self, path: Path) -> Path:
        """Write the recording. Blocks."""
        caller, assistant = self._recording.tracks(
            self.sender.start_ms, self.sender.sent_until_ms, self.sender.scheduled
        )
        write_stereo(path, caller, assistant, RATE_HZ)
        return path

    @property
    def broken_off(self) -> str:
        """The reason for which the call broke off before the server had said that it ended; empty: it did not."""
        code, reason = self.connection.close_code, self.connection.close_reason
        if self.ended_reason is not None or code in {None, 1000, 1005}:
            return ""
        return f"the connection was closed with code {code}" + (f": {reason}" if reason else "")

    async def _send(self) -> None:
        try:
            await self.sender.run()
        except ClientError as error:
            # A call that has ended accepts no audio; `_listen` reports its end and the reason.
            if not self._over.is_set():
                self._printer.print_note(str(error))
                self._over.set()

    async def _until_over(self, scope: anyio.CancelScope) -> None:
        await self._over.wait()
        scope.cancel()

    async def _listen(self) -> None:
        async for event in self.connection:
            if isinstance(event, Message):
                self._on_message(event.data, event.at_ms)
            else:
                self._on_audio(event.data, event.at_ms)
        self._over.set()

    def _on_audio(self, data: bytes, at_ms: float) -> None:
        samples = pcm.from_bytes(data[: len(data) // 2 * 2])
        duration_ms = samples.size * 1000 / RATE_HZ
        self.meter.on_audio(duration_ms, at_ms, audible_ms(samples, RATE_HZ))
        playback = self.meter.flushed if self._flush else self.meter.unflushed
        self._recording.add_assistant_audio(samples, playback.end_ms - duration_ms)

    def _on_message(self, message: JsonObject, at_ms: float) -> None:
        self.script.on_message(message)
        match message:
            case {"type": "user-interrupted"}:
                turn_id = as_string(message.get("turnId"))
                if self._flush:
                    self._recording.flush(at_ms)
                event = self.meter.on_user_interrupted(at_ms, turn_id)
                self._printer.print_measured_interruption(turn_id, event, at_ms)
            case {"type": "status-update", "status": "ended"}:
                self.ended_reason = str(message.get("endedReason") or "") or None
                self.failure = _failure_in(message)
                self._printer.print_message(message, at_ms)
            case _:
                self._printer.print_message(message, at_ms)


def _failure_in(message: JsonObject) -> str:
    """Return why the call failed by its last `status-update`; empty if it did not fail."""
    told = as_string(as_object(message.get("call")).get("endedMessage"))
    reason = as_string(message.get("endedReason")) or ""
    return (told or reason) if is_failure(reason) else ""


def _report(
    caller: _Caller,
    printer: CallPrinter,
    utterances: Sequence[Utterance],
    interruptions: list[Interruption],
    recording: Path | None,
    *,
    flush: bool,
) -> TalkResult:
    events: list[Interruption | None] = [*interruptions, *[None] * (len(utterances) - 1 - len(interruptions))]
    printer.print_blank()
    failure = caller.failure or caller.broken_off
    if failure:
        printer.print_failure(failure)
    for utterance, event in zip(utterances[1:], events, strict=True):
        printer.print_result(utterance.clip.name, event, flush=flush)
    if recording is not None:
        printer.print_note(f"recording: {recording} (left: caller, right: assistant)")
    lateness = caller.sender.lateness()
    if lateness.p99_ms > 10:
        printer.print_note(f"this machine was busy: p99 of its frames {lateness.p99_ms:.0f} ms late, so are the times")
    return TalkResult(
        call_id=caller.connection.call.id,
        interruptions=tuple(events),
        ended_reason=caller.ended_reason,
        failure=failure,
        lateness=lateness,
    )


@asynccontextmanager
async def _open_server(options: TalkOptions, printer: CallPrinter) -> AsyncGenerator[Server]:
    """Yield the server at the URL or, if nothing answers there, one that is started for this call."""
    server = Server(url=options.url.rstrip("/"), key=options.key)
    if await is_reachable(server):
        yield server
        return
    if options.start_server is None:
        raise UnreachableError(f"nothing answers at {server.url}; start one with `bargein serve`")
    printer.print_note(f"nothing answers at {server.url}: starting a server")
    async with options.start_server() as url:
        yield replace(server, url=url.rstrip("/"))


async def _load_utterances(options: TalkOptions) -> list[Utterance]:
    first = Utterance(await _load(options.wav), after_s=None)
    return [first, *[Utterance(await _load(path), after_s=after_s) for after_s, path in options.then]]


async def _load(path: Path) -> Clip:
    return await anyio.to_thread.run_sync(load_clip, path, RATE_HZ)

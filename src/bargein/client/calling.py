"""`bargein call`: has a running server call a telephone, and prints what happens in the call."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bargein.client import phone
from bargein.client.assistants import load_assistant
from bargein.client.errors import ClientError
from bargein.client.printer import CallPrinter
from bargein.client.server_api import Server
from bargein.clock import Clock, LoopClock
from bargein.wire.base import JsonObject
from bargein.wire.json import as_string

_LISTEN_ATTEMPTS = 5
_LISTEN_RETRY_S = 0.3
_LAST_MESSAGES_S = 2.0
"""Time for the last messages of a call that has ended."""

_HANG_UP_S = 5.0

_STATUSES = {
    "scheduled": "scheduled for later",
    "queued": "queued: the server asks the carrier",
    "ringing": "ringing",
    "in-progress": "answered",
    "forwarding": "forwarding",
}
_NORMAL_ENDS = (
    "customer-ended-call",
    "assistant-",
    "silence-timed-out",
    "exceeded-max-duration",
    "manually-",
    "voicemail",
)
_HINTS = {
    "customer-busy": "the line was busy",
    "customer-did-not-answer": "nobody answered",
    "call.start.error-get-transport": "the carrier's library is missing on the server: see `bargein docs telephony`",
    "call.in-progress.error-providerfault-transport-never-connected": (
        "the carrier did not reach the server: is BARGEIN_PUBLIC_URL its public address? `bargein doctor` checks that"
    ),
}
_NOT_PLACED_ENDING = "-failed-to-connect-call"
_NOT_PLACED_HINT = "the carrier did not place the call; the reason is above: see `bargein docs troubleshooting`"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Options of `bargein call`.

    Attributes:
        to: the customer's number in E.164, or a SIP address.
        from_number: the stored phone number that the call is made from, or its id.
        assistant: a file with the assistant's JSON or the id of a stored one; None is the server's default assistant.
        extension: keys that are pressed when the call has been answered.
        url: the server's URL.
        key: its private bearer key.
        colour: True if the terminal understands ANSI colours.
    """

    to: str
    from_number: str
    assistant: str | None = None
    extension: str | None = None
    url: str = "http://127.0.0.1:8700"
    key: str | None = field(default=None, repr=False)
    colour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The outcome of a call.

    Attributes:
        call_id: the call's id.
        ended_reason: Vapi's `endedReason`.
        answered: True if the call was answered.
    """

    call_id: str
    ended_reason: str
    answered: bool

    @property
    def exit_code(self) -> int:
        """0 if the call was answered and ended normally, else 1."""
        return int(not (self.answered and self.ended_reason.startswith(_NORMAL_ENDS)))


async def call(
    options: CallOptions, out: Callable[[str], None], clock: Clock | None = None, *, every_s: float = 0.5
) -> CallResult:
    """Make a telephone call and print its events until it has ended; hang up when cancelled.

    Args:
        options: the customer, the number to call from, the assistant.
        out: takes the lines to print.
        clock: gives the times of the events.
        every_s: interval at which the call's record is polled.

    Raises:
        ClientError: a file cannot be read, or the server cannot be reached or refuses.
    """
    server = Server(url=options.url.rstrip("/"), key=options.key)
    assistant, assistant_id = await _load_assistant(options.assistant)
    number = await phone.find_phone_number(server, options.from_number)
    record = await phone.dial(
        server, _customer(options), number_id=str(number["id"]), assistant=assistant, assistant_id=assistant_id
    )
    reporter = _CallReporter(CallPrinter(out, colour=options.colour), clock or LoopClock())
    reporter.start(options, number, record, server)
    try:
        return await _follow_call(server, record, reporter, every_s)
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_HANG_UP_S):
            await reporter.hang_up(server, record)
        raise


async def _follow_call(server: Server, record: JsonObject, reporter: "_CallReporter", every_s: float) -> CallResult:
    lost: ClientError | None = None
    async with anyio.create_task_group() as tasks:
        try:
            async for now in phone.follow(server, str(record["id"]), every_s=every_s):
                reporter.report_status(now)
                if phone.is_live(now) and not reporter.answered:
                    reporter.answered = True
                    tasks.start_soon(reporter.listen, server, now)
                record = now
        except ClientError as error:
            lost = error
        else:
            with anyio.move_on_after(_LAST_MESSAGES_S if reporter.answered else 0):
                await reporter.listened.wait()
        tasks.cancel_scope.cancel()
    if lost is not None:
        raise lost
    return reporter.finish(record)


class _CallReporter:
    """Prints the events of one call, from its record and its messages."""

    def __init__(self, printer: CallPrinter, clock: Clock) -> None:
        self.answered = False
        self.listened = anyio.Event()
        self._printer = printer
        self._clock = clock

    def start(self, options: CallOptions, number: JsonObject, record: JsonObject, server: Server) -> None:
        name = number.get("number") or number.get("sipUri") or number.get("name") or number["id"]
        route = f"{server.url} · {name} ({number.get('provider')}) → {options.to}"
        self._printer.print_phone_call(str(record["id"]), route)
        self._printer.print_note(f"see it at {server.url}/?listen={record['id']}")
        self._printer.print_blank()
        self._printer.set_zero(self._clock.monotonic_ms())

    def report_status(self, record: JsonObject) -> None:
        status = str(record.get("status"))
        if status in _STATUSES:
            self._printer.print_status(_STATUSES[status], self._clock.monotonic_ms())

    async def listen(self, server: Server, record: JsonObject) -> None:
        """Print the transcripts of the call; if listening in is not allowed, print only its status."""
        try:
            for attempts_left in reversed(range(_LISTEN_ATTEMPTS)):
                try:
                    async with phone.listen_in(server, record) as connection:
                        async for message in connection.messages():
                            self._on_message(message)
                        return
                except ClientError as error:
                    if not attempts_left:
                        self._printer.print_note(f"cannot listen in: {error}")
                    await anyio.sleep(_LISTEN_RETRY_S)
        finally:
            self.listened.set()

    def finish(self, record: JsonObject) -> CallResult:
        reason, detail = str(record.get("endedReason") or "no reason given"), record.get("endedMessage")
        now = self._clock.monotonic_ms()
        self._printer.print_message({"type": "status-update", "status": "ended", "endedReason": reason}, now)
        for line in (detail, _hint(reason)):
            if line:
                self._printer.print_note(str(line))
        return CallResult(call_id=str(record["id"]), ended_reason=reason, answered=self.answered)

    async def hang_up(self, server: Server, record: JsonObject) -> None:
        try:
            await phone.end_call(server, record)
        except ClientError:
            self._printer.print_note("the call could not be hung up; it may have ended already")
        else:
            self._printer.print_note("hung up")

    def _on_message(self, message: JsonObject) -> None:
        at_ms = self._clock.monotonic_ms()
        match message:
            case {"type": "user-interrupted"}:
                self._printer.print_interruption(as_string(message.get("turnId")), at_ms)
            case {"type": "status-update"}:
                pass  # the record has the status
            case _:
                self._printer.print_message(message, at_ms)


def _hint(reason: str) -> str | None:
    return _NOT_PLACED_HINT if reason.endswith(_NOT_PLACED_ENDING) else _HINTS.get(reason)


def _customer(options: CallOptions) -> JsonObject:
    at_sip = options.to.lower().startswith(("sip:", "sips:"))
    customer: JsonObject = {"sipUri" if at_sip else "number": options.to}
    return customer if options.extension is None else {**customer, "extension": options.extension}


async def _load_assistant(option: str | None) -> tuple[JsonObject | None, str | None]:
    """Return the assistant that `--assistant` names: in full, from a file, or the id of a stored one."""
    if option is None:
        return {}, None
    try:
        is_file = await anyio.Path(option).is_file()
    except OSError as error:
        raise ClientError(f"cannot read {option}: {error.strerror}") from None
    if is_file:
        return await load_assistant(Path(option)), None
    if "/" in option or Path(option).suffix:
        raise ClientError(f"there is no file {option}")
    return None, option

"""`bargein call`: has somebody called, and tells at a terminal how that goes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from bargein.client import phone
from bargein.client.assistants import load_assistant
from bargein.client.connection import Server
from bargein.client.errors import ClientError
from bargein.client.narration import Narration
from bargein.clock import Clock, LoopClock
from bargein.wire.base import JsonObject

_LISTEN_TRIES = 5
_LISTEN_AGAIN_S = 0.3
_LAST_WORDS_S = 2.0
_HANG_UP_S = 5.0

_STATUSES = {
    "scheduled": "scheduled for later",
    "queued": "queued: the carrier is asked",
    "ringing": "ringing",
    "in-progress": "answered",
    "forwarding": "forwarding",
}
_WENT_WELL = (
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
        "the carrier did not reach the server: is BARGEIN_PUBLIC_URL its public address? `bargein doctor` looks"
    ),
}
_CARRIERS_NO = "-failed-to-connect-call"
_CARRIERS_NO_HINT = "the carrier did not place the call, for the reason above: see `bargein docs troubleshooting`"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What `bargein call` is asked to do.

    Attributes:
        to: the number in E.164, or a SIP address.
        by: the stored phone number that the call goes out by: its id, or itself.
        assistant: a file with the assistant's JSON or the id of a stored one; None is the server's own default.
        extension: is pressed when the call has been answered.
        url: where the server is.
        key: its private bearer key.
        colour: whether the terminal understands ANSI colours.
    """

    to: str
    by: str
    assistant: str | None = None
    extension: str | None = None
    url: str = "http://127.0.0.1:8700"
    key: str | None = field(default=None, repr=False)
    colour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """How it went.

    Attributes:
        call_id: the call's id.
        ended_reason: why it ended.
        answered: whether anybody answered.
    """

    call_id: str
    ended_reason: str
    answered: bool

    @property
    def exit_code(self) -> int:
        """0 when somebody answered and the call ended as calls do, else 1."""
        return int(not (self.answered and self.ended_reason.startswith(_WENT_WELL)))


async def call(
    options: CallOptions, out: Callable[[str], None], clock: Clock | None = None, *, every_s: float = 0.5
) -> CallResult:
    """Have somebody called, and print what happens until the call is over. Cancelled, it hangs the call up.

    Args:
        options: whom, by which number, with which assistant.
        out: takes the lines to print.
        clock: where the time comes from.
        every_s: how often the call's record is looked at.

    Raises:
        ClientError: a file cannot be read, or the server cannot be reached or refuses.
    """
    server = Server(url=options.url.rstrip("/"), key=options.key)
    assistant, assistant_id = await _assistant(options.assistant)
    number = await phone.number_named(server, options.by)
    record = await phone.dial(
        server, _customer(options), number_id=str(number["id"]), assistant=assistant, assistant_id=assistant_id
    )
    story = _Story(Narration(out, colour=options.colour), clock or LoopClock())
    story.begins(options, number, record, server)
    try:
        return await _told(server, record, story, every_s)
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_HANG_UP_S):
            await story.hang_up(server, record)
        raise


async def _told(server: Server, record: JsonObject, story: "_Story", every_s: float) -> CallResult:
    lost: ClientError | None = None
    async with anyio.create_task_group() as tasks:
        try:
            async for now in phone.follow(server, str(record["id"]), every_s=every_s):
                story.status(now)
                if phone.is_live(now) and not story.answered:
                    story.answered = True
                    tasks.start_soon(story.listen, server, now)
                record = now
        except ClientError as error:
            lost = error
        else:
            with anyio.move_on_after(_LAST_WORDS_S if story.answered else 0):
                await story.heard_all.wait()
        tasks.cancel_scope.cancel()
    if lost is not None:
        raise lost
    return story.ends(record)


class _Story:
    """What is printed of one call."""

    def __init__(self, narration: Narration, clock: Clock) -> None:
        self.answered = False
        self.heard_all = anyio.Event()
        self._narration = narration
        self._clock = clock

    def begins(self, options: CallOptions, number: JsonObject, record: JsonObject, server: Server) -> None:
        named = number.get("number") or number.get("sipUri") or number.get("name") or number["id"]
        way = f"{server.url} · {named} ({number.get('provider')}) → {options.to}"
        self._narration.phone_call_made(str(record["id"]), way)
        self._narration.note(f"see it at {server.url}/?listen={record['id']}")
        self._narration.gap()
        self._narration.begin(self._clock.monotonic_ms())

    def status(self, record: JsonObject) -> None:
        status = str(record.get("status"))
        if status in _STATUSES:
            self._narration.happens(_STATUSES[status], self._clock.monotonic_ms())

    async def listen(self, server: Server, record: JsonObject) -> None:
        """Print what is said. A call that may not be listened to is followed without that."""
        try:
            for tries_left in reversed(range(_LISTEN_TRIES)):
                try:
                    async with phone.listen_in(server, record) as connection:
                        async for message in connection.messages():
                            self._message(message)
                        return
                except ClientError as error:
                    if not tries_left:
                        self._narration.note(f"cannot listen in: {error}")
                    await anyio.sleep(_LISTEN_AGAIN_S)
        finally:
            self.heard_all.set()

    def ends(self, record: JsonObject) -> CallResult:
        reason, detail = str(record.get("endedReason") or "no reason given"), record.get("endedMessage")
        now = self._clock.monotonic_ms()
        self._narration.message({"type": "status-update", "status": "ended", "endedReason": reason}, now)
        for line in (detail, _hint(reason)):
            if line:
                self._narration.note(str(line))
        return CallResult(call_id=str(record["id"]), ended_reason=reason, answered=self.answered)

    async def hang_up(self, server: Server, record: JsonObject) -> None:
        try:
            await phone.end_call(server, record)
        except ClientError:
            self._narration.note("the call could not be hung up; it may be over")
        else:
            self._narration.note("hung up")

    def _message(self, message: JsonObject) -> None:
        at_ms = self._clock.monotonic_ms()
        match message:
            case {"type": "user-interrupted"}:
                turn_id: object = message.get("turnId")
                self._narration.cut(turn_id if isinstance(turn_id, str) else None, at_ms)
            case {"type": "status-update"}:
                pass  # the record says so
            case _:
                self._narration.message(message, at_ms)


def _hint(reason: str) -> str | None:
    return _CARRIERS_NO_HINT if reason.endswith(_CARRIERS_NO) else _HINTS.get(reason)


def _customer(options: CallOptions) -> JsonObject:
    at_sip = options.to.lower().startswith(("sip:", "sips:"))
    customer: JsonObject = {"sipUri" if at_sip else "number": options.to}
    return customer if options.extension is None else {**customer, "extension": options.extension}


async def _assistant(given: str | None) -> tuple[JsonObject | None, str | None]:
    """What `--assistant` names: an assistant in full, out of a file, or the id of a stored one."""
    if given is None:
        return {}, None
    try:
        is_file = await anyio.Path(given).is_file()
    except OSError as error:
        raise ClientError(f"cannot read {given}: {error.strerror}") from None
    if is_file:
        return await load_assistant(Path(given)), None
    if "/" in given or Path(given).suffix:
        raise ClientError(f"there is no file {given}")
    return None, given

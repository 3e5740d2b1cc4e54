"""A caller who cuts in, on every carrier: what goes to the carrier, and what the caller hears.

The caller's voice is real speech, which lies beside the repository.
"""

from pathlib import Path
from typing import Any

import anyio
import pytest

from bargein.server.api.sockets import CarrierSocket
from bargein.testing import WORD_MS, LlmScript, TranscriberScript
from tests.call.clips import commands
from tests.carriers.loopback import FRAME_MS, Loopback, Phone
from tests.carriers.loopbacks import LOOPBACKS
from tests.carriers.stage import on_the_phone

pytestmark = pytest.mark.anyio

CUTS_IN = TranscriberScript(utterances=["Wait, which one?"], partials=False)
ANSWERS = LlmScript(tokens=["This ", "one. "])


@pytest.fixture(params=[kind for kind in LOOPBACKS if not kind.native], ids=lambda kind: kind.provider)
def carrier(request: pytest.FixtureRequest) -> Loopback:
    return request.param()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The frames that the server wrote to sockets, in order. A reader of several sockets would see no such order."""
    written: list[Any] = []

    def noting(send: Any) -> Any:
        async def note(self: CarrierSocket, data: Any) -> None:
            written.append(data)
            await send(self, data)

        return note

    for name in ("send_text", "send_bytes"):
        monkeypatch.setattr(CarrierSocket, name, noting(getattr(CarrierSocket, name)))
    return written


def clear_went_first(carrier: Loopback, phone: Phone, written: list[Any]) -> bool:
    """Return whether the carrier was told to drop its audio before any client was told of the interruption."""
    told = next(n for n, frame in enumerate(written) if '"user-interrupted"' in str(frame))
    return carrier.is_clear(phone, written[:told])


async def test_the_carrier_is_cleared_before_listeners_get_messages(
    tmp_path: Path, carrier: Loopback, written: list[Any]
) -> None:
    (clip,) = commands(1)
    async with on_the_phone(tmp_path, carrier, llm=ANSWERS, transcriber=CUTS_IN) as setup:
        await setup.answers(setup.speaker(firstMessageInterruptionsEnabled=True))
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        async with setup.listening(call["id"]) as listener:
            await phone.until(lambda: phone.sounds() > 700)
            phone.say(clip.samples)
            (cut,) = await listener.until(lambda: listener.of("user-interrupted"))
            (told_ms,) = listener.when("user-interrupted")
            heard_ms = phone.sounds()
            await phone.until(lambda: phone.sounds() > heard_ms + WORD_MS)  # the answer
            (cut_ms,) = phone.clears
            answer_ms = next(at for at in phone.audio() if at > cut_ms)
            update = listener.of("conversation-update")[-1]
        marks = list(phone.returned)
        await phone.hang_up()
        over = await setup.ended(call["id"])
    assert clear_went_first(carrier, phone, written)
    # of what was cut: nothing was sent after the clear, and nothing but the frame that sounded was heard
    assert answer_ms > told_ms - FRAME_MS
    between = [one for one in phone.heard if cut_ms - FRAME_MS < one.at_ms < answer_ms - FRAME_MS]
    assert sum(one.pcm.size for one in between) * 1000 / phone.rate_hz <= 40
    assert phone.dropped[0] > 60, "it held something"
    # what is remembered is no more than what was heard, though the marks of what was dropped came back too
    spoken = next(m["content"] for m in update["conversation"] if m["role"] == "assistant")
    heard = [one for one in phone.heard if one.at_ms < cut_ms]
    words = sum(one.pcm.size for one in heard) * 1000 / phone.rate_hz / WORD_MS
    assert words - 2 <= len(spoken.split()) <= words + 1
    assert bool(marks) == carrier.marks
    # the message names the number and holds no secret
    assert cut["phoneNumber"]["provider"] == carrier.provider
    assert cut["phoneNumber"].get("number") == setup.number.get("number")
    assert cut["customer"] == call["customer"]
    assert cut["call"]["id"] == call["id"]
    for secret in carrier.secrets:
        assert secret not in repr((cut, over, listener.messages))


async def test_late_marks_of_an_old_turn_are_ignored(tmp_path: Path, carrier: Loopback) -> None:
    (clip,) = commands(1)
    if not carrier.marks:
        return
    long = LlmScript(tokens=[f"word{n:02d} " for n in range(40)])
    async with on_the_phone(tmp_path, carrier, llm=long, transcriber=CUTS_IN) as setup:
        await setup.answers(setup.speaker(firstMessageInterruptionsEnabled=True))
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        await phone.until(lambda: phone.sounds() > 500)
        phone.say(clip.samples)
        await phone.until(lambda: phone.clears)
        heard_ms, old = phone.sounds(), list(phone.returned)
        await phone.until(lambda: phone.sounds() > heard_ms + 100)
        for name in (*old, "999-160000", "x" * 100):
            await phone.send(phone.mark_frame(name))
        await anyio.sleep(0.1)
        await phone.hang_up()
        over = await setup.ended(call["id"])
    _, *later = [m["message"] for m in over["artifact"]["messages"] if m["role"] == "bot"]
    assert len(" ".join(later).split()) <= (phone.sounds() - heard_ms) / WORD_MS + 1

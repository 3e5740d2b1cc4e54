"""A caller who cuts in over SIP, by the packets that its telephone gets; the voice is real speech."""

from pathlib import Path

import numpy as np
import pytest

from bargein.testing import WORD_MS, LlmScript, TranscriberScript
from tests.call.clips import commands
from tests.carriers.loopback import FRAME_MS, Loopback
from tests.carriers.sip.loopback import SipLoopback, UriLoopback
from tests.carriers.stage import on_the_phone

pytestmark = pytest.mark.anyio

CUTS_IN = TranscriberScript(utterances=["Wait, which one?"], partials=False)
ANSWERS = LlmScript(tokens=["This ", "one. "])


@pytest.mark.parametrize("kind", [SipLoopback, UriLoopback], ids=lambda kind: kind.provider)
async def test_the_assistant_falls_silent_and_what_was_heard_is_remembered(
    tmp_path: Path, kind: type[Loopback]
) -> None:
    (clip,) = commands(1)
    carrier = kind()
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
            update = listener.of("conversation-update")[-1]
        await phone.hang_up()
        over = await setup.ended(call["id"])
    sounding = [one.at_ms for one in phone.heard if np.abs(one.pcm).max(initial=0) > 300]
    before = [at for at in sounding if at <= told_ms]
    late, last_ms = 0, max(before)
    for at in (at for at in sounding if at > told_ms):
        if at - last_ms > 5 * FRAME_MS:
            break  # from here on it is the answer
        late, last_ms = late + 1, at
    assert late * FRAME_MS <= 40
    # what is remembered is no more than what was heard
    spoken = next(m["content"] for m in update["conversation"] if m["role"] == "assistant")
    words = len(before) * FRAME_MS / WORD_MS
    assert words - 2 <= len(spoken.split()) <= words + 1
    # the message names the number and holds no secret; the caller's header has arrived
    assert cut["phoneNumber"]["provider"] == carrier.provider
    assert cut["customer"] == call["customer"]
    assert over["transport"]["provider"] == "vapi.sip"
    assert over["phoneCallProviderDetails"]["sip"]["headers"] == {"X-Colour": "red"}
    assert over["artifact"]["variableValues"]["colour"] == "red"
    for secret in carrier.secrets:
        assert secret not in repr((cut, over, listener.messages))

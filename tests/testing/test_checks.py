"""The checks of a caller on calls whose times are known."""

from typing import Any

import anyio
import anyio.lowlevel
import numpy as np

from bargein.client.clips import Clip
from bargein.client.pacing import PacedSender
from bargein.client.server_api import CallInfo, Server
from bargein.clock import LoopClock
from bargein.testing.caller_checks import CallerChecks
from bargein.testing.caller_ears import Utterance
from bargein.testing.caller_sounds import RATE_HZ, Sound

FRAME_MS = 20
TURN = "turn-1"


class Socket:
    """An open connection that sends and receives nothing."""

    call = CallInfo(id="c1", socket_url="ws://none", encoding="pcm_s16le", rate_hz=RATE_HZ, json={"id": "c1"})


class Heard(CallerChecks):
    """A caller whose ears are told what they hear, at made-up times."""

    def __init__(self) -> None:
        clock = LoopClock()
        sender = PacedSender(lambda _: anyio.lowlevel.checkpoint(), lambda pcm: pcm.tobytes(), RATE_HZ, clock)
        super().__init__(Server(), Socket(), sender)  # type: ignore[arg-type]

    def audio(self, start_ms: float, end_ms: float) -> None:
        """Hear the assistant, in frames that arrive when they are due."""
        for at_ms in range(int(start_ms), int(end_ms), FRAME_MS):
            self._ears.on_audio(np.full(RATE_HZ * FRAME_MS // 1000, 4000, "<i2").tobytes(), at_ms)

    def message(self, at_ms: float, **fields: Any) -> None:
        self._ears.on_message(fields, at_ms)

    def sound(self, onset_ms: float, offset_ms: float, text: str = "Stop.", *, over: bool = True) -> Utterance:
        """Let something be heard; the events that it may have caused follow."""
        clip = Clip(name=text, pcm=np.zeros(1, np.int16), rate_hz=RATE_HZ, onset_ms=0, offset_ms=offset_ms - onset_ms)
        made = Utterance(sound=Sound(text=text, clip=clip), start_ms=onset_ms, onset_ms=onset_ms, offset_ms=offset_ms)
        self._utterances.append(made)
        if over:
            made.over = self._ears.meter.on_onset(onset_ms, within_ms=offset_ms - onset_ms + 2000)
        else:
            self._turn = made
        return made

    def close(self) -> None:
        """End the observation of the last sound."""
        self._ears.meter.finish()


def cut(message_ms: float, silent_ms: float) -> Heard:
    """Return a caller that spoke at 1000 ms over an assistant that speaks from 0 ms on."""
    caller = Heard()
    caller.message(0, type="model-output", turnId=TURN, output="words ")
    caller.audio(0, 1000)
    caller.sound(1000, 1500)
    caller.audio(1000, min(message_ms, silent_ms))
    caller.message(message_ms, type="user-interrupted", turnId=TURN)
    caller.audio(min(message_ms, silent_ms), silent_ms)
    caller.close()
    return caller


def test_silence_is_counted_from_the_onset_to_the_last_sound() -> None:
    caller = cut(message_ms=1200, silent_ms=1240)
    assert caller.silent_within_ms(240)
    assert repr(caller.silent_within_ms(240)) == "<yes: the assistant was silent 240 ms after the onset of “Stop.”>"
    late = caller.silent_within_ms(200)
    assert not late
    assert repr(late) == ("<no: the assistant was silent 240 ms after the onset of “Stop.”, 200 ms were allowed>")
    assert not caller.kept_talking_through()
    assert "was interrupted by “Stop.”, 200 ms after its onset" in caller.kept_talking_through().reason


def test_audio_that_goes_on_after_the_message_is_heard() -> None:
    assert "silent 900 ms after" in cut(message_ms=1200, silent_ms=1900).silent_within_ms(400).reason


def test_a_gap_before_the_cut_is_no_silence() -> None:
    caller = Heard()
    caller.audio(0, 1000)
    caller.sound(1000, 1500)
    caller.audio(1000, 1100)
    caller.audio(1600, 1700)
    caller.message(1700, type="user-interrupted", turnId=TURN)
    caller.close()
    assert "silent 700 ms after" in caller.silent_within_ms(400).reason


def test_without_an_interruption_nothing_was_silenced() -> None:
    caller = Heard()
    assert "has not talked over the assistant yet" in caller.silent_within_ms(400).reason
    assert "nothing was heard over the assistant yet" in caller.kept_talking_through().reason
    assert "has not said anything yet" in caller.answered_within_ms(400).reason
    caller.sound(1000, 1500)
    caller.close()
    for verdict in (caller.silent_within_ms(400), caller.kept_talking_through()):
        assert not verdict
        assert "was not speaking when “Stop.” began" in verdict.reason


def test_an_assistant_that_goes_on_kept_talking() -> None:
    caller = Heard()
    caller.audio(0, 1000)
    first = caller.sound(1000, 1300, "uh-huh")
    caller.audio(1000, 1700)
    caller.audio(2100, 4000)  # a pause between two sentences
    caller.close()
    assert caller.kept_talking_through()
    assert not caller.kept_talking_through(pause_ms=300)
    assert "silent for 400 ms during “uh-huh”" in caller.kept_talking_through(pause_ms=300).reason
    assert "was not interrupted by “uh-huh”" in caller.silent_within_ms(400).reason
    caller.sound(4000, 4300, "mm-hmm")
    caller.close()
    assert not caller.kept_talking_through()  # it had just ended
    assert caller.kept_talking_through(first)


def test_the_answer_is_counted_from_the_end_of_the_voice() -> None:
    caller = Heard()
    caller.audio(0, 500)
    caller.sound(1000, 2000, "When?", over=False)
    assert "no answer to “When?” was heard yet" in caller.answered_within_ms(800).reason
    caller.audio(2620, 3000)
    assert caller.answered_within_ms(620)
    assert "heard 620 ms after its end, 600 ms were allowed" in caller.answered_within_ms(600).reason


def test_tokens_after_the_cut_are_kept_apart_and_values_are_those_of_the_messages() -> None:
    caller = cut(message_ms=1200, silent_ms=1240)
    assert caller.tokens_after_cut == []
    caller.message(1300, type="model-output", turnId=TURN, output="late ")
    caller.message(1310, type="model-output", turnId="turn-2", output="next ")
    assert [token["output"] for token in caller.tokens_after_cut] == ["late "]
    assert [turn.interrupted for turn in caller.turns] == [True, False]
    assert [message["turnId"] for message in caller.interrupted] == [TURN]
    history = [{"role": "user", "message": "Hi"}, {"role": "bot", "message": "We are"}]
    caller.message(1400, type="conversation-update", messages=[{"role": "bot", "message": "We"}])
    caller.message(1410, type="conversation-update", messages=[*history, {"role": "bot", "message": "Sure."}])
    assert caller.heard_text == "We are\nSure."
    caller.message(1500, type="transcript", role="user", transcriptType="partial", transcript="St")
    caller.message(1510, type="transcript", role="user", transcriptType="final", transcript="Stop.")
    caller.message(1520, type="transcript", role="assistant", transcriptType="final", transcript="We are")
    assert caller.transcript == "caller: Stop.\nassistant: We are"
    call = {"id": "1", "function": {"name": "book", "arguments": '{"day": "Friday"}'}}
    broken = {"id": "2", "function": {"name": "book", "arguments": "{"}}
    caller.message(1600, type="tool-calls", toolCallList=[call, broken])
    assert [(tool.name, tool.arguments) for tool in caller.tool_calls] == [("book", {"day": "Friday"}), ("book", {})]
    assert caller.ended_reason is None
    caller.message(1700, type="status-update", status="ended", endedReason="silence-timed-out")
    assert caller.ended_reason == "silence-timed-out"
    for line in ("▶ Stop. (0.0 s)", "the assistant is heard", "✂ user-interrupted · 200 ms after", "call ended"):
        assert line in caller.timeline

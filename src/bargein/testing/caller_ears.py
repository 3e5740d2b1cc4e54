"""Everything that one caller hears and is told in a call, with the times at which it does.

This module is pure: all times are arguments, in milliseconds of one monotonic clock. Audio is heard as by Vapi's own
WebSocket clients, which play all that they are sent: a server that has sent too much ahead is heard to go on.
"""

from dataclasses import dataclass
from typing import Any

from bargein.audio import pcm
from bargein.client.clips import Clip
from bargein.client.connection import Message
from bargein.client.playback import Interruption, InterruptionMeter, SpeechSegment, audible_ms
from bargein.client.recording import Recording
from bargein.client.turns import Turns
from bargein.testing.caller_sounds import RATE_HZ, Sound
from bargein.testing.owner import tool_arguments
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

_JOINED_MS = 5.0
"""Audible pieces that are closer together than this are one sound."""


@dataclass(slots=True, kw_only=True)
class Utterance:
    """Something that the caller let be heard. Times are milliseconds of the caller's clock.

    Attributes:
        sound: the sound.
        start_ms: time of its first sample.
        onset_ms: beginning of what is audible of it.
        offset_ms: end of what is audible of it.
        over: the measured interruption if it was meant to be heard while the assistant speaks; None for a turn.
    """

    sound: Sound
    start_ms: float
    onset_ms: float
    offset_ms: float
    over: Interruption | None = None

    @property
    def name(self) -> str:
        """Its words in quotation marks, or the name of its recording."""
        return f"“{self.sound.text}”" if self.sound.text else self.clip.name

    @property
    def clip(self) -> Clip:
        """The samples."""
        return self.sound.clip


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool by the assistant.

    Attributes:
        id: its id.
        name: the tool's name.
        arguments: the arguments.
    """

    id: str
    name: str
    arguments: JsonObject


class Ears:
    """The hearing and the memory of one caller.

    Attributes:
        meter: measures interruptions, and models what is heard.
        turns: the model's tokens by turn.
        messages: every client message, in the order of arrival.
        late_tokens: the `model-output` messages of a turn that came after its `user-interrupted`.
        recording: the assistant's audio as it is heard.
        ended: the last `status-update`; None while the call goes on.
        speaking: True between the `speech-update` messages that say that the assistant started and stopped.
    """

    def __init__(self) -> None:
        self.meter = InterruptionMeter()
        self.turns = Turns()
        self.messages: list[Message] = []
        self.late_tokens: list[JsonObject] = []
        self.recording = Recording(RATE_HZ)
        self.ended: JsonObject | None = None
        self.speaking = False
        self._sounds: list[tuple[float, float]] = []

    def on_audio(self, data: bytes, at_ms: float) -> None:
        """Hear audio that arrived at `at_ms`."""
        samples = pcm.from_bytes(data[: len(data) // 2 * 2])
        sound_ms = audible_ms(samples, RATE_HZ)
        start_ms = self.meter.on_audio(samples.size * 1000 / RATE_HZ, at_ms, sound_ms).start_ms
        self.recording.add_assistant_audio(samples, start_ms)
        if sound_ms <= 0:
            return
        end_ms = start_ms + sound_ms
        if self._sounds and start_ms - self._sounds[-1][1] < _JOINED_MS:
            self._sounds[-1] = (self._sounds[-1][0], end_ms)
        else:
            self._sounds.append((start_ms, end_ms))

    def on_message(self, message: JsonObject, at_ms: float) -> None:
        """Take in a message that arrived at `at_ms`."""
        self.messages.append(Message(message, at_ms))
        turn_id = as_string(message.get("turnId"))
        match message:
            case {"type": "user-interrupted"}:
                self.meter.on_user_interrupted(at_ms, turn_id)
            case {"type": "model-output"} if turn_id and (turn := self.turns.get(turn_id)) and turn.interrupted:
                self.late_tokens.append(message)
            case {"type": "speech-update", "role": "assistant", "status": status}:
                self.speaking = status == "started"
            case {"type": "status-update", "status": "ended"}:
                self.ended = message
            case _:
                pass
        self.turns.push(message)

    def of(self, kind: str, fields: JsonObject | None = None) -> list[JsonObject]:
        """Return the messages of a type in which the fields have these values."""
        wanted = (fields or {}).items()
        return [m.data for m in self.messages if m.data.get("type") == kind and wanted <= _hashable(m.data).items()]

    def is_silent(self, at_ms: float) -> bool:
        """Return True if the assistant is not heard, and does not say that it speaks."""
        return not self.speaking and self.meter.unflushed.is_silent(at_ms)

    def speech_at(self, at_ms: float) -> SpeechSegment | None:
        """Return the speech that is heard at `at_ms`, or was so shortly before that it may be a pause in it."""
        last = self.meter.unflushed.last
        return None if last is None or self.meter.unflushed.is_silent(at_ms) else last

    def longest_silence_ms(self, from_ms: float, until_ms: float) -> float:
        """Return the longest time without a sound of the assistant in a span."""
        longest, quiet_from_ms = 0.0, from_ms
        for start_ms, end_ms in self._sounds:
            if end_ms > from_ms:
                longest = max(longest, min(start_ms, until_ms) - quiet_from_ms)
                quiet_from_ms = max(quiet_from_ms, min(end_ms, until_ms))
        return max(longest, until_ms - quiet_from_ms)

    def last_sound_ms(self, begun_by_ms: float) -> float:
        """Return the end of the last sound that had begun by a time; minus infinity if there was none."""
        return max((end_ms for start_ms, end_ms in self._sounds if start_ms <= begun_by_ms), default=float("-inf"))

    def words_heard(self) -> str:
        """Return the words of the current reply that were spoken so far (`assistant.speechStarted`)."""
        for message in reversed(self.messages):
            if message.data.get("type") == "assistant.speechStarted":
                spoken = as_object(message.data.get("timing")).get("wordsSpoken")
                words = str(message.data.get("text") or "").split()
                return " ".join(words[: int(spoken)] if isinstance(spoken, int | float) else words)
        return ""

    def history(self) -> list[JsonObject]:
        """Return the conversation as the server has it (`conversation-update`)."""
        updates = self.of("conversation-update")
        return as_objects(updates[-1].get("messages")) if updates else []

    def greets(self) -> bool | None:
        """Return whether the assistant speaks first; None while that is not known."""
        started = self.of("assistant.started")
        if not started:
            return None
        assistant = as_object(started[0].get("newAssistant"))
        mode = assistant.get("firstMessageMode")
        if mode == "assistant-waits-for-user":
            return False
        return bool(assistant.get("firstMessage")) or mode == "assistant-speaks-first-with-model-generated-message"

    def tool_calls(self) -> list[ToolCall]:
        """Return the calls of tools that were announced (`tool-calls`)."""
        calls = [call for message in self.of("tool-calls") for call in as_objects(message.get("toolCallList"))]
        return [_tool_call(call) for call in calls]

    def transcript(self) -> str:
        """Return the final transcripts of both sides, a line each."""
        finals = self.of("transcript", {"transcriptType": "final"})
        return "\n".join(f"{_SIDES.get(str(m.get('role')), 'assistant')}: {m.get('transcript')}" for m in finals)


_SIDES = {"user": "caller", "assistant": "assistant"}


def _tool_call(call: JsonObject) -> ToolCall:
    function = as_object(call.get("function"))
    return ToolCall(str(call.get("id")), str(function.get("name")), tool_arguments(function))


def _hashable(message: JsonObject) -> dict[str, Any]:
    return {name: value for name, value in message.items() if isinstance(value, str | int | float | bool)}

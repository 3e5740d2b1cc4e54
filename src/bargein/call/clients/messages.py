"""Tells the client what happens, in Vapi's words, as far as `assistant.clientMessages` asks for it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from bargein.call.record.history import as_openai, call_json, history_messages
from bargein.call.tools.executor import Work
from bargein.ports import OwnerMessenger
from bargein.turns import commands as told
from bargein.wire import client_messages as wire
from bargein.wire.assistant import DEFAULT_CLIENT_MESSAGES, FINALS_ONLY, Assistant, server_messages_of
from bargein.wire.base import JsonObject
from bargein.wire.redact import without_secrets
from bargein.wire.tools import tool_with_call

# Of a call's record, what a client is told with a message: not the assistant, which stands beside it, nor what is
# long, nor the addresses with which others could steer the call.
_OF_THE_CALL = (
    "id", "orgId", "createdAt", "updatedAt", "startedAt", "endedAt", "endedReason", "type", "status", "name",
    "transport", "assistantId", "phoneNumberId", "customerId",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """Who takes part in a call, as its messages tell it: without secrets."""

    call: JsonObject
    assistant: JsonObject
    customer: JsonObject | None = None
    phone_number: JsonObject | None = None

    @classmethod
    def of(cls, call: JsonObject, assistant: JsonObject) -> "Participants":
        """From a call's record and the assistant it runs."""
        return cls(
            call=without_secrets({name: call[name] for name in _OF_THE_CALL if call.get(name) is not None}),
            assistant=without_secrets(assistant),
            customer=_part(call, "customer"),
            phone_number=_part(call, "phoneNumber"),
        )


def _part(call: JsonObject, name: str) -> JsonObject | None:
    value: object = call.get(name)
    return without_secrets(cast("JsonObject", value)) if isinstance(value, dict) else None


_TOLD_DESTINATIONS = ("assistant", "number", "sip")
"""Those that Vapi's message has a schema for."""


class ClientMessenger:
    """Writes the client messages of one call.

    Args:
        participants: what the envelope holds.
        assistant: for its `clientMessages`.
        epoch_ms: milliseconds since 1970 at which the call's time began.
        now_epoch_ms: the time.
        send: takes the text of a message to the client.
        line: takes what `serverMessages` asks for; None: nobody does.
        read: whether anybody reads what is sent: on the telephone mostly nobody does, and nothing is written down.
    """

    def __init__(
        self,
        participants: Participants,
        assistant: Assistant,
        epoch_ms: int,
        now_epoch_ms: Callable[[], int],
        send: Callable[[str], None],
        *,
        line: OwnerMessenger | None = None,
        read: Callable[[], bool] = lambda: True,
    ) -> None:
        self._line = line
        self._read = read
        self._epoch_ms = epoch_ms
        self._now_epoch_ms = now_epoch_ms
        self._send = send
        self.switch_agent(participants, assistant)

    def switch_agent(self, participants: Participants, assistant: Assistant) -> None:
        """From here on these are who the messages are about, and what they want told."""
        self._cast = participants
        asked = assistant.client_messages
        self._for_client = DEFAULT_CLIENT_MESSAGES if asked is None else frozenset(map(str, asked))
        told = self._line is not None and self._line.has_server
        self._for_server = server_messages_of(assistant) if told else frozenset[str]()
        self._wanted = self._for_client | self._for_server
        self._custom_voice = assistant.voice is not None and assistant.voice.provider == "custom-voice"

    def transfer_update(self, destination: JsonObject, to_assistant: JsonObject | None = None) -> None:
        """The call goes somewhere else: to an assistant, or to a telephone."""
        if "transfer-update" not in self._wanted:
            return
        assistants: dict[str, Any] = {}
        if to_assistant is not None:
            assistants = {"to_assistant": without_secrets(to_assistant), "from_assistant": self._cast.assistant}
        told_of = without_secrets(destination) if destination.get("type") in _TOLD_DESTINATIONS else None
        if told_of is not None and told_of.get("type") == "assistant":
            told_of.setdefault("assistantName", str((to_assistant or {}).get("name") or ""))
        self._say(wire.TransferUpdate(**self._envelope(), destination=told_of, **assistants))

    def status(
        self,
        status: Literal["in-progress", "forwarding", "ended"],
        ended_reason: str | None = None,
        *,
        tell: bool = True,
    ) -> None:
        """The call's status changed; without `tell` the messages to come say so, and no message of its own does."""
        self._cast.call["status"] = status
        if ended_reason is not None:
            self._cast.call["endedReason"] = ended_reason
        if tell and "status-update" in self._wanted:
            self._say(wire.StatusUpdate(**self._envelope(), status=status, ended_reason=ended_reason))

    def assistant_started(self) -> None:
        """The assistant took up its work."""
        if "assistant.started" in self._wanted:
            self._say(wire.AssistantStarted(**self._envelope(), new_assistant=self._cast.assistant))

    def conversation(self, history: tuple[told.Remember, ...]) -> None:
        """The history has changed."""
        if "conversation-update" not in self._wanted:
            return
        chat = [wire.ChatEntry.from_json(message) for message in as_openai(history)]
        update = wire.ConversationUpdate(
            **self._envelope(),
            # Vapi's iOS client reads `conversation` and knows these three roles only.
            conversation=[
                wire.ChatEntry(role=entry.role, content=entry.content)
                for entry in chat
                if entry.role in ("user", "assistant", "system") and entry.content is not None
            ],
            messages=history_messages(history, self._epoch_ms),
            messages_openai_formatted=chat,
        )
        self._say(update)

    def tool_calls(self, works: Sequence[Work]) -> None:
        """Tools are being run."""
        if not works or "tool-calls" not in self._wanted:
            return
        calls = [call_json(work.call) for work in works]
        self._say(
            wire.ToolCalls(
                **self._envelope(),
                tool_calls=calls,
                tool_call_list=calls,
                tool_with_tool_call_list=[
                    tool_with_call(without_secrets(work.tool or {}), call)
                    for work, call in zip(works, calls, strict=True)
                ],
            )
        )

    def tool_result(self, entry: told.Remember, work: Work | None) -> None:
        """A tool call has its result."""
        if work is None:
            return
        result: JsonObject = {"name": work.call.name, "toolCallId": work.call.id}
        result["error" if entry.failed else "result"] = entry.text
        if entry.metadata is not None:
            result["metadata"] = json.loads(entry.metadata)
        if "tool-calls-result" in self._wanted:
            self._say(wire.ToolCallsResult(**self._envelope(), tool_call_result=result))
        if "tool.completed" in self._wanted:
            call = call_json(work.call)
            self._say(wire.ToolCompleted(**self._envelope(), tool_call=call, tool_call_result=result))

    def tell(self, message: told.Message) -> None:
        """What the engine wants told."""
        match message:
            case told.ModelOutput(turn_id, text) if "model-output" in self._wanted:
                self._say(wire.ModelOutput(timestamp=self._now_epoch_ms(), turn_id=turn_id, output=text))
            case told.UserInterrupted(turn_id) if "user-interrupted" in self._wanted:
                self._say(wire.UserInterrupted(**self._envelope(), turn_id=turn_id))
            case told.SpeechUpdate(role, status, turn) if "speech-update" in self._wanted:
                self._say(wire.SpeechUpdate(**self._envelope(), role=role, status=status, turn=turn))
            case told.Transcript():
                self._transcript(message)
            case told.VoiceInput(text) if "voice-input" in self._wanted:
                self._say(wire.VoiceInput(timestamp=self._now_epoch_ms(), input=text))
            case told.SpeechProgress() if "assistant.speechStarted" in self._wanted:
                self._progress(message)
            case told.Hang() if "hang" in self._wanted:
                self._say(wire.Hang(**self._envelope()))
            case _:
                pass

    def _transcript(self, message: told.Transcript) -> None:
        if "transcript" not in self._wanted and not (message.final and FINALS_ONLY in self._wanted):
            return
        # Partials come many a second: they go without the envelope.
        envelope: dict[str, Any] = self._envelope() if message.final else {"timestamp": self._now_epoch_ms()}
        kind = "final" if message.final else "partial"
        self._say(wire.Transcript(**envelope, role=message.role, transcript_type=kind, transcript=message.text))

    def _progress(self, message: told.SpeechProgress) -> None:
        timing = wire.WordProgress(words_spoken=message.words_spoken, total_words=message.total_words)
        source = "custom-voice" if self._custom_voice and message.source == "model" else message.source
        now = self._now_epoch_ms()
        self._say(
            wire.AssistantSpeech(timestamp=now, text=message.text, turn=message.turn, source=source, timing=timing)
        )

    def _envelope(self) -> dict[str, Any]:
        return {
            "timestamp": self._now_epoch_ms(),
            "call": self._cast.call,
            "assistant": self._cast.assistant,
            "customer": self._cast.customer,
            "phone_number": self._cast.phone_number,
        }

    def _say(self, message: wire.ClientMessage) -> None:
        kind = str(getattr(message, "type", ""))
        final = isinstance(message, wire.Transcript) and message.transcript_type == "final"
        if (kind in self._for_client or (final and FINALS_ONLY in self._for_client)) and self._read():
            self._send(message.to_text())
        if self._line is None or not self._for_server:
            return
        if isinstance(message, wire.StatusUpdate) and message.status == "ended":
            return  # a server gets this with what became of the call, once that is on record
        if kind in self._for_server:
            self._line.send(message.without_envelope())
        elif final and FINALS_ONLY in self._for_server:
            self._line.send({**message.without_envelope(), "type": FINALS_ONLY})  # by this name servers know it

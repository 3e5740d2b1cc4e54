"""Client messages of a call, as far as `assistant.clientMessages` and `serverMessages` name them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bargein.call.record.history import as_openai, call_json, history_messages
from bargein.call.tools.executor import ToolInvocation
from bargein.ports import OwnerMessenger
from bargein.turns import commands
from bargein.wire import client_messages as wire
from bargein.wire.assistant import DEFAULT_CLIENT_MESSAGES, FINALS_ONLY, Assistant, server_messages_of
from bargein.wire.base import JsonObject
from bargein.wire.client_view import assistant_view, call_view, customer_view, message_view, phone_number_view
from bargein.wire.json import as_object_or_none
from bargein.wire.redact import without_secrets
from bargein.wire.tools import tool_with_call


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """The participants of a call as its messages have them.

    Attributes:
        call: what clients see of the call's record.
        assistant: what clients see of the current assistant.
        owners_assistant: what the owner's server sees of it: all but secrets.
        customer: what clients see of the customer.
        phone_number: what clients see of the phone number.
    """

    call: JsonObject
    assistant: JsonObject
    owners_assistant: JsonObject
    customer: JsonObject | None = None
    phone_number: JsonObject | None = None

    @classmethod
    def of(cls, call: JsonObject, assistant: JsonObject) -> "Participants":
        """Return the participants from a call's record and its current assistant."""
        customer, number = as_object_or_none(call.get("customer")), as_object_or_none(call.get("phoneNumber"))
        return cls(
            call=call_view(call),
            assistant=assistant_view(assistant),
            owners_assistant=without_secrets(assistant),
            customer=None if customer is None else customer_view(customer),
            phone_number=None if number is None else phone_number_view(number),
        )


_DESTINATION_TYPES = ("assistant", "number", "sip")
"""The destinations that Vapi's `transfer-update` has a schema for."""


class ClientMessenger:
    """The writer of one call's client messages, as `bargein.wire.client_view` has them.

    Args:
        participants: the envelope of the messages.
        assistant: names the messages that are sent (`clientMessages`, `serverMessages`).
        epoch_ms: when the call began, in milliseconds since 1970.
        now_epoch_ms: returns the time in milliseconds since 1970.
        send: sends the text of a message to the client.
        owner: receives the messages that `serverMessages` names; None: there is no server.
        has_reader: returns whether anybody reads what `send` sends; if not, as mostly on the telephone, no message is
            serialized.
    """

    def __init__(
        self,
        participants: Participants,
        assistant: Assistant,
        epoch_ms: int,
        now_epoch_ms: Callable[[], int],
        send: Callable[[str], None],
        *,
        owner: OwnerMessenger | None = None,
        has_reader: Callable[[], bool] = lambda: True,
    ) -> None:
        self._owner = owner
        self._has_reader = has_reader
        self._epoch_ms = epoch_ms
        self._now_epoch_ms = now_epoch_ms
        self._send_text = send
        self.switch_agent(participants, assistant)

    def switch_agent(self, participants: Participants, assistant: Assistant) -> None:
        """Use another assistant's participants and lists of messages from here on."""
        self._participants = participants
        requested = assistant.client_messages
        self._for_client = DEFAULT_CLIENT_MESSAGES if requested is None else frozenset(map(str, requested))
        has_server = self._owner is not None and self._owner.has_server
        self._for_server = server_messages_of(assistant) if has_server else frozenset[str]()
        self._wanted = self._for_client | self._for_server
        self._custom_voice = assistant.voice is not None and assistant.voice.provider == "custom-voice"

    def transfer_update(self, destination: JsonObject, to_assistant: JsonObject | None = None) -> None:
        """Send `transfer-update`: the call goes to another assistant, a number or a SIP address."""
        if "transfer-update" not in self._wanted:
            return
        assistants: dict[str, Any] = {}
        if to_assistant is not None:
            assistants = {
                "to_assistant": without_secrets(to_assistant),
                "from_assistant": self._participants.owners_assistant,
            }
        sent = without_secrets(destination) if destination.get("type") in _DESTINATION_TYPES else None
        if sent is not None and sent.get("type") == "assistant":
            sent.setdefault("assistantName", str((to_assistant or {}).get("name") or ""))
        self._send(wire.TransferUpdate(**self._envelope(), destination=sent, **assistants))

    def status(
        self,
        status: Literal["in-progress", "forwarding", "ended"],
        ended_reason: str | None = None,
        *,
        announce: bool = True,
    ) -> None:
        """Set the call's status in the envelope and, with `announce`, send `status-update`."""
        self._participants.call["status"] = status
        if ended_reason is not None:
            self._participants.call["endedReason"] = ended_reason
        if announce and "status-update" in self._wanted:
            self._send(wire.StatusUpdate(**self._envelope(), status=status, ended_reason=ended_reason))

    def ended(self, reason: str, message: str) -> None:
        """Send the last `status-update`.

        Args:
            reason: the `endedReason`.
            message: the `endedMessage` of the call in the envelope, which says to its client why it failed; empty: it
                did not fail.
        """
        if message:
            self._participants.call["endedMessage"] = message
        self.status("ended", reason)

    def assistant_started(self) -> None:
        """Send `assistant.started`."""
        if "assistant.started" in self._wanted:
            self._send(wire.AssistantStarted(**self._envelope(), new_assistant=self._participants.owners_assistant))

    def conversation(self, history: tuple[commands.Remember, ...]) -> None:
        """Send `conversation-update`: the history has changed."""
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
        self._send(update)

    def tool_calls(self, invocations: Sequence[ToolInvocation]) -> None:
        """Send `tool-calls`: these tools are being run."""
        if not invocations or "tool-calls" not in self._wanted:
            return
        calls = [call_json(invocation.call) for invocation in invocations]
        self._send(
            wire.ToolCalls(
                **self._envelope(),
                tool_calls=calls,
                tool_call_list=calls,
                tool_with_tool_call_list=[
                    tool_with_call(without_secrets(invocation.tool or {}), call)
                    for invocation, call in zip(invocations, calls, strict=True)
                ],
            )
        )

    def tool_result(self, entry: commands.Remember, invocation: ToolInvocation | None) -> None:
        """Send `tool-calls-result` and `tool.completed`."""
        if invocation is None:
            return
        result: JsonObject = {"name": invocation.call.name, "toolCallId": invocation.call.id}
        result["error" if entry.failed else "result"] = entry.text
        if entry.metadata is not None:
            result["metadata"] = json.loads(entry.metadata)
        if "tool-calls-result" in self._wanted:
            self._send(wire.ToolCallsResult(**self._envelope(), tool_call_result=result))
        if "tool.completed" in self._wanted:
            call = call_json(invocation.call)
            self._send(wire.ToolCompleted(**self._envelope(), tool_call=call, tool_call_result=result))

    def send(self, message: commands.Message) -> None:
        """Send a message of the engine."""
        match message:
            case commands.ModelOutput(turn_id, text) if "model-output" in self._wanted:
                self._send(wire.ModelOutput(timestamp=self._now_epoch_ms(), turn_id=turn_id, output=text))
            case commands.UserInterrupted(turn_id) if "user-interrupted" in self._wanted:
                self._send(wire.UserInterrupted(**self._envelope(), turn_id=turn_id))
            case commands.SpeechUpdate(role, status, turn) if "speech-update" in self._wanted:
                self._send(wire.SpeechUpdate(**self._envelope(), role=role, status=status, turn=turn))
            case commands.Transcript():
                self._transcript(message)
            case commands.VoiceInput(text) if "voice-input" in self._wanted:
                self._send(wire.VoiceInput(timestamp=self._now_epoch_ms(), input=text))
            case commands.SpeechProgress() if "assistant.speechStarted" in self._wanted:
                self._progress(message)
            case commands.Hang() if "hang" in self._wanted:
                self._send(wire.Hang(**self._envelope()))
            case _:
                pass

    def _transcript(self, message: commands.Transcript) -> None:
        if "transcript" not in self._wanted and not (message.final and FINALS_ONLY in self._wanted):
            return
        # There are many partials a second: they are sent without the envelope.
        envelope: dict[str, Any] = self._envelope() if message.final else {"timestamp": self._now_epoch_ms()}
        kind = "final" if message.final else "partial"
        self._send(wire.Transcript(**envelope, role=message.role, transcript_type=kind, transcript=message.text))

    def _progress(self, message: commands.SpeechProgress) -> None:
        timing = wire.WordProgress(words_spoken=message.words_spoken, total_words=message.total_words)
        source = "custom-voice" if self._custom_voice and message.source == "model" else message.source
        now = self._now_epoch_ms()
        self._send(
            wire.AssistantSpeech(timestamp=now, text=message.text, turn=message.turn, source=source, timing=timing)
        )

    def _envelope(self) -> dict[str, Any]:
        return {
            "timestamp": self._now_epoch_ms(),
            "call": self._participants.call,
            "assistant": self._participants.assistant,
            "customer": self._participants.customer,
            "phone_number": self._participants.phone_number,
        }

    def _send(self, message: wire.ClientMessage) -> None:
        """Send a message, as the owner's server gets it; clients get what they may see of it."""
        kind = str(getattr(message, "type", ""))
        final = isinstance(message, wire.Transcript) and message.transcript_type == "final"
        if (kind in self._for_client or (final and FINALS_ONLY in self._for_client)) and self._has_reader():
            self._send_text(message_view(message).to_text())
        if self._owner is None or not self._for_server:
            return
        if isinstance(message, wire.StatusUpdate) and message.status == "ended":
            return  # the server gets this one with the call's outcome, once that is stored
        if kind in self._for_server:
            self._owner.send(message.without_envelope())
        elif final and FINALS_ONLY in self._for_server:
            self._owner.send({**message.without_envelope(), "type": FINALS_ONLY})  # servers know it by this name

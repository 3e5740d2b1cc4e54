"""Client messages of a call, as far as `assistant.clientMessages` and `serverMessages` name them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bargein.call.record.history import as_openai, history_messages
from bargein.call.tools.executor import ToolInvocation
from bargein.ports import OwnerMessenger
from bargein.turns import commands
from bargein.wire import client_messages as wire
from bargein.wire.assistant import FINALS_ONLY, Assistant, client_messages_of, server_messages_of
from bargein.wire.base import JsonObject
from bargein.wire.call import call_in_messages
from bargein.wire.client_view import assistant_view, call_view, customer_view, message_view, phone_number_view
from bargein.wire.json import as_object_or_none
from bargein.wire.redact import without_secrets
from bargein.wire.tools import told_call, tool_with_call


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """The participants of a call as its messages have them.

    Attributes:
        record: the call's record.
        assistant: the current assistant, with its secrets.
        owners_client: whether the call's client is the owner, who sees the call as the owner's server does.
        envelope: what the client sees of the call, the assistant, the customer and the phone number, as JSON text.
        page_envelope: what every client may see of them; it is the shorter one.
        owners_assistant: what the owner's server sees of the assistant: all but secrets.
    """

    record: JsonObject
    assistant: JsonObject
    owners_client: bool
    envelope: str
    page_envelope: str
    owners_assistant: JsonObject

    @classmethod
    def of(cls, call: JsonObject, assistant: JsonObject, *, owners_client: bool = False) -> "Participants":
        """Return the participants from a call's record and its current assistant."""
        customer, number = as_object_or_none(call.get("customer")), as_object_or_none(call.get("phoneNumber"))
        beside = {
            "assistant": assistant_view(assistant),
            "customer": None if customer is None else customer_view(customer),
            "phoneNumber": None if number is None else phone_number_view(number),
        }
        # the record of a live call has no `endedMessage` but the one that its client is told
        ended: JsonObject = {name: call[name] for name in ("endedMessage",) if name in call}
        seen = call_view(call) | ended
        page_envelope = wire.envelope_text(call=seen, **beside)
        return cls(
            record=call,
            assistant=assistant,
            owners_client=owners_client,
            envelope=wire.envelope_text(call={**seen, **_owners(call)}, **beside) if owners_client else page_envelope,
            page_envelope=page_envelope,
            owners_assistant=without_secrets(assistant),
        )

    def changed(self, changes: JsonObject) -> "Participants":
        """Return the participants with changed fields of the call's record."""
        return Participants.of({**self.record, **changes}, self.assistant, owners_client=self.owners_client)

    def switched(self, assistant: JsonObject) -> "Participants":
        """Return the participants with another assistant."""
        return Participants.of(self.record, assistant, owners_client=self.owners_client)


def _owners(call: JsonObject) -> JsonObject:
    """Return what the owner's client sees of a call: all but `monitor`, with which a listener could steer it."""
    return {name: value for name, value in call_in_messages(call).items() if name != "monitor"}


_NONE = "{}"
"""The envelope of messages that are sent many times a second: none."""

_DESTINATION_TYPES = ("assistant", "number", "sip")
"""The destinations that Vapi's `transfer-update` has a schema for."""


class ClientMessenger:
    """The writer of one call's client messages, as `bargein.wire.client_view` has them.

    Args:
        participants: the call and the others that the messages are about.
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
        self._participants = participants
        self._subscribe(assistant)

    def switch_agent(self, assistant_json: JsonObject, assistant: Assistant) -> None:
        """Use another assistant and its lists of messages from here on.

        Args:
            assistant_json: the assistant with overrides applied and with its secrets.
            assistant: the same, parsed.
        """
        self._participants = self._participants.switched(assistant_json)
        self._subscribe(assistant)

    def _subscribe(self, assistant: Assistant) -> None:
        self._for_client = client_messages_of(assistant)
        has_server = self._owner is not None and self._owner.has_server
        self._for_server = server_messages_of(assistant) if has_server else frozenset[str]()
        self._wanted = self._for_client | self._for_server
        self._custom_voice = assistant.voice is not None and assistant.voice.provider == "custom-voice"

    def change_call(self, changes: JsonObject) -> None:
        """Put changed fields of the call's record into the messages to both sides, from here on."""
        self._participants = self._participants.changed(changes)
        if self._owner is not None:
            self._owner.change_call(changes)

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
        self._send(wire.TransferUpdate(timestamp=self._now_epoch_ms(), destination=sent, **assistants))

    def status(
        self,
        status: Literal["in-progress", "forwarding", "ended"],
        ended_reason: str | None = None,
        *,
        announce: bool = True,
        destination: JsonObject | None = None,
    ) -> None:
        """Set the call's status in the envelope and, with `announce`, send `status-update`.

        Args:
            status: the status.
            ended_reason: the `endedReason` of a call that has ended.
            announce: whether to send the message.
            destination: the number or SIP address that the call is forwarded to.
        """
        reason: JsonObject = {} if ended_reason is None else {"endedReason": ended_reason}
        self.change_call({"status": status, **reason})
        if announce and "status-update" in self._wanted:
            now, shown = self._now_epoch_ms(), None if destination is None else without_secrets(destination)
            self._send(wire.StatusUpdate(timestamp=now, status=status, ended_reason=ended_reason, destination=shown))

    def ended(self, reason: str, message: str) -> None:
        """Send the last `status-update`.

        Args:
            reason: the `endedReason`.
            message: the `endedMessage` of the call in the envelope, which says to its client why it failed; empty: it
                did not fail.
        """
        if message:
            self._participants = self._participants.changed({"endedMessage": message})  # the owner's may say more
        self.status("ended", reason)

    def assistant_started(self) -> None:
        """Send `assistant.started`."""
        if "assistant.started" in self._wanted:
            self._send(
                wire.AssistantStarted(timestamp=self._now_epoch_ms(), new_assistant=self._participants.owners_assistant)
            )

    def conversation(self, history: tuple[commands.Remember, ...]) -> None:
        """Send `conversation-update`: the history has changed."""
        if "conversation-update" not in self._wanted:
            return
        chat = [wire.ChatEntry.from_json(message) for message in as_openai(history)]
        update = wire.ConversationUpdate(
            timestamp=self._now_epoch_ms(),
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
        """Send `tool-calls` and, for each function among them, `function-call`: these tools are being run."""
        if "function-call" in self._wanted:
            for invocation in invocations:
                if (invocation.tool or {}).get("type") == "function":
                    called: JsonObject = {"name": invocation.call.name, "parameters": invocation.arguments or {}}
                    self._send(wire.FunctionCall(timestamp=self._now_epoch_ms(), function_call=called))
        if not invocations or "tool-calls" not in self._wanted:
            return
        calls = [_told(invocation) for invocation in invocations]
        self._send(
            wire.ToolCalls(
                timestamp=self._now_epoch_ms(),
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
            self._send(wire.ToolCallsResult(timestamp=self._now_epoch_ms(), tool_call_result=result))
        if "tool.completed" in self._wanted:
            self._send(
                wire.ToolCompleted(timestamp=self._now_epoch_ms(), tool_call=_told(invocation), tool_call_result=result)
            )

    def send(self, message: commands.Message) -> None:
        """Send a message of the engine."""
        match message:
            case commands.ModelOutput(turn_id, text) if "model-output" in self._wanted:
                self._send(wire.ModelOutput(timestamp=self._now_epoch_ms(), turn_id=turn_id, output=text), _NONE)
            case commands.UserInterrupted(turn_id) if "user-interrupted" in self._wanted:
                self._send(wire.UserInterrupted(timestamp=self._now_epoch_ms(), turn_id=turn_id))
            case commands.SpeechUpdate(role, status, turn) if "speech-update" in self._wanted:
                update = wire.SpeechUpdate(timestamp=self._now_epoch_ms(), role=role, status=status, turn=turn)
                self._send(update, self._participants.page_envelope)
            case commands.Transcript():
                self._transcript(message)
            case commands.VoiceInput(text) if "voice-input" in self._wanted:
                self._send(wire.VoiceInput(timestamp=self._now_epoch_ms(), input=text), _NONE)
            case commands.SpeechProgress() if "assistant.speechStarted" in self._wanted:
                self._progress(message)
            case commands.Hang() if "hang" in self._wanted:
                self._send(wire.Hang(timestamp=self._now_epoch_ms()))
            case _:
                pass

    def _transcript(self, message: commands.Transcript) -> None:
        if "transcript" not in self._wanted and not (message.final and FINALS_ONLY in self._wanted):
            return
        kind = "final" if message.final else "partial"
        now = self._now_epoch_ms()
        told = wire.Transcript(timestamp=now, role=message.role, transcript_type=kind, transcript=message.text)
        self._send(told, self._participants.envelope if message.final else _NONE)

    def _progress(self, message: commands.SpeechProgress) -> None:
        timing = wire.WordProgress(words_spoken=message.words_spoken, total_words=message.total_words)
        source = "custom-voice" if self._custom_voice and message.source == "model" else message.source
        now = self._now_epoch_ms()
        speech = wire.AssistantSpeech(timestamp=now, text=message.text, turn=message.turn, source=source, timing=timing)
        self._send(speech, _NONE)

    def _send(self, message: wire.ClientMessage, envelope: str | None = None) -> None:
        """Send a message, as the owner's server gets it; clients get what they may see of it, in an envelope."""
        kind = str(getattr(message, "type", ""))
        final = isinstance(message, wire.Transcript) and message.transcript_type == "final"
        if (kind in self._for_client or (final and FINALS_ONLY in self._for_client)) and self._has_reader():
            self._send_text(
                message_view(message).to_text(self._participants.envelope if envelope is None else envelope)
            )
        if self._owner is None or not self._for_server:
            return
        if isinstance(message, wire.StatusUpdate) and message.status == "ended":
            return  # the server gets this one with the call's outcome, once that is stored
        told = message.without_envelope()
        if isinstance(message, wire.Transcript):
            told |= self._beside_a_transcript(message)
        if kind in self._for_server:
            self._owner.send(told)
        elif final and FINALS_ONLY in self._for_server:
            self._owner.send({**told, "type": FINALS_ONLY})  # servers know it by this name

    def _beside_a_transcript(self, message: wire.Transcript) -> JsonObject:
        """Return what a server is told with a transcript: that nothing was filtered, and which assistant speaks.

        No transcript is filtered here. Receivers that are written to Vapi's page on server events read the fields.
        """
        unfiltered: JsonObject = {"isFiltered": False, "detectedThreats": [], "originalTranscript": message.transcript}
        name: object = self._participants.assistant.get("name")
        speaks = message.role == "assistant" and isinstance(name, str)
        return {**unfiltered, "assistantName": name} if speaks else unfiltered


def _told(invocation: ToolInvocation) -> JsonObject:
    """Return a tool call as messages have it; arguments that are not a JSON object stay the text that they are."""
    call, arguments = invocation.call, invocation.arguments
    return told_call(call.id, call.name, call.arguments if arguments is None else arguments)

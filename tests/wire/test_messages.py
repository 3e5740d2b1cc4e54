"""Messages of the server to a client, and of a client to the server."""

import json
from typing import Any

import pytest

from bargein.wire import client_messages as m
from bargein.wire.client_controls import (
    AddMessage,
    Control,
    EndCall,
    Handoff,
    PressKeys,
    Say,
    Transfer,
    parse_client_control,
)
from bargein.wire.errors import WireError
from tests.vapi_schema import problems

NOW = 1_763_925_000_123
CALL = {"id": "c", "orgId": "o", "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
AROUND: dict[str, Any] = {
    "timestamp": NOW,
    "call": CALL,
    "assistant": {"name": "Ada"},
    "customer": {"number": "+14155550123"},
    "phone_number": {"provider": "vapi"},
}
USER = m.UserMessage(message="hi", time=NOW, end_time=NOW + 400, seconds_from_start=1.5, duration=400)
BOT = m.BotMessage(message="hello", time=NOW, end_time=NOW + 400, seconds_from_start=2, duration=400)
SYSTEM = m.SystemMessage(message="be kind", time=NOW, seconds_from_start=0)

MESSAGES: list[tuple[str, m.ClientMessage]] = [
    ("ServerMessageStatusUpdate", m.StatusUpdate(**AROUND, status="in-progress")),
    ("ServerMessageStatusUpdate", m.StatusUpdate(**AROUND, status="ended", ended_reason="customer-ended-call")),
    ("ClientMessageSpeechUpdate", m.SpeechUpdate(**AROUND, status="started", role="user", turn=3)),
    ("ClientMessageTranscript", m.Transcript(**AROUND, role="user", transcript_type="partial", transcript="wai")),
    ("ClientMessageVoiceInput", m.VoiceInput(**AROUND, input="Hello.")),
    (
        "ClientMessageConversationUpdate",
        m.ConversationUpdate(
            **AROUND,
            conversation=[m.ChatEntry(role="user", content="hi")],
            messages=[SYSTEM, USER, BOT],
            messages_openai_formatted=[m.ChatEntry(role="assistant", content="hello")],
        ),
    ),
    ("ClientMessageAssistantStarted", m.AssistantStarted(**AROUND, new_assistant={"name": "Ada"})),
    (
        "ClientMessageAssistantSpeech",
        m.AssistantSpeech(
            **AROUND, text="Hello.", turn=1, source="model", timing=m.WordProgress(words_spoken=1, total_words=4)
        ),
    ),
    ("ClientMessageHang", m.Hang(**AROUND)),
    ("ClientMessageUserInterrupted", m.UserInterrupted(**AROUND, turn_id="t")),
    ("ClientMessageUserInterrupted", m.UserInterrupted(**AROUND)),
]


@pytest.mark.parametrize(("schema", "message"), MESSAGES, ids=[f"{n}-{s}" for n, (s, _) in enumerate(MESSAGES)])
def test_client_messages_are_valid_by_vapis_schema(schema: str, message: m.ClientMessage) -> None:
    sent = json.loads(message.to_text())
    assert "message" not in sent
    assert sent["timestamp"] == NOW
    assert sent["phoneNumber"] == {"provider": "vapi"}
    assert m.CLIENT_MESSAGES[sent["type"]] is type(message)
    assert m.CLIENT_MESSAGES[sent["type"]].from_json(sent) == message
    assert problems(schema, sent) == []


def test_model_output_is_a_string_with_its_turn_id() -> None:
    # the schema declares `output` as an object; Vapi's clients read a string
    text = m.ModelOutput(timestamp=NOW, turn_id="t", output="Your ").to_text()
    assert json.loads(text) == {"timestamp": NOW, "type": "model-output", "turnId": "t", "output": "Your "}


def test_fields_that_are_none_are_not_sent() -> None:
    sent = json.loads(m.UserInterrupted(timestamp=NOW).to_text())
    assert sent == {"timestamp": NOW, "type": "user-interrupted"}


def test_nulls_inside_of_a_call_are_kept() -> None:
    sent = json.loads(m.Hang(timestamp=NOW, call={**CALL, "metadata": {"a": None}}).to_text())
    assert sent["call"]["metadata"] == {"a": None}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "say", "content": "hi"}, Say(type="say", content="hi")),
        (
            {"type": "say", "message": "hi", "interruptionsEnabled": False, "endCallAfterSpoken": True},
            Say(type="say", content="hi", interruptions_enabled=False, end_call_after_spoken=True),
        ),
        (
            {"type": "say", "content": "hi", "interruptAssistantEnabled": True, "endCallAfterSpoken": None},
            Say(type="say", content="hi", interrupt_assistant_enabled=True),
        ),
        ({"message": {"type": "say", "content": "hi"}}, Say(type="say", content="hi")),
        ({"type": "control", "control": "mute-customer"}, Control(type="control", control="mute-customer")),
        ({"type": "end-call"}, EndCall(type="end-call")),
        (
            {"type": "transfer", "destination": {"type": "number", "number": "+1"}, "content": "Bye."},
            Transfer(type="transfer", destination={"type": "number", "number": "+1"}, content="Bye."),
        ),
        (
            {"type": "handoff", "destination": {"type": "assistant", "assistantName": "Bea"}},
            Handoff(type="handoff", destination={"type": "assistant", "assistantName": "Bea"}),
        ),
        ({"type": "hangup"}, EndCall(type="hangup")),
        ({"type": "dtmf", "keys": "1A#*"}, PressKeys(type="dtmf", keys="1A#*")),
        ({"message": {"type": "end-call"}}, EndCall(type="end-call")),
    ],
)
def test_controls_are_parsed(data: dict[str, Any], message: object) -> None:
    assert parse_client_control(data) == message


def test_an_added_message_triggers_a_response_by_default() -> None:
    data = {"type": "add-message", "message": {"role": "system", "content": "be brief"}}
    added = parse_client_control(data)
    assert isinstance(added, AddMessage)
    assert (added.message.role, added.message.content) == ("system", "be brief")
    assert added.trigger_response_enabled is True
    silent = parse_client_control({**data, "triggerResponseEnabled": False})
    assert isinstance(silent, AddMessage)
    assert silent.trigger_response_enabled is False


def test_unknown_fields_of_a_control_are_kept() -> None:
    data = {"type": "control", "control": "say-first-message", "videoRecordingStartDelaySeconds": 1}
    assert parse_client_control(data).to_json() == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "a message must be a JSON object"),
        ([], "a message must be a JSON object"),
        ({}, "type must be one of the following values: add-message, control, say, end-call, hangup"),
        ({"type": ["say"]}, "type must be one of the following values: add-message, control, say, end-call, hangup"),
        ({"type": "dance"}, "type must be one of the following values: add-message, control, say, end-call, hangup"),
        ({"message": {"message": {"type": "end-call"}}}, "type must be one of the following values"),
        ({"type": "say"}, "content should not be null or undefined"),
        ({"type": "say", "content": ""}, "content must be longer than or equal to 1 characters"),
        ({"type": "say", "message": 3}, "content must be a string"),
        ({"type": "control", "control": "explode"}, "control must be one of the following values: mute-assistant, "),
        ({"type": "dtmf", "keys": ""}, "keys must be longer than or equal to 1 characters"),
        ({"type": "dtmf", "keys": "1 2"}, "keys must match /^[0-9*#A-D]+$/ regular expression"),
        ({"type": "add-message"}, "message should not be null or undefined"),
        ({"type": "add-message", "message": {"role": "bot", "content": "x"}}, "message.role must be one of"),
    ],
)
def test_invalid_controls_are_refused(data: object, text: str) -> None:
    with pytest.raises(WireError) as caught:
        parse_client_control(data)
    assert caught.value.status == 400
    assert any(message.startswith(text) for message in caught.value.messages)


@pytest.mark.parametrize("kind", ["send-transport-message"])
def test_unsupported_controls_are_not_implemented(kind: str) -> None:
    with pytest.raises(WireError) as caught:
        parse_client_control({"type": kind})
    assert caught.value.body() == {
        "message": f"{kind} is not supported by this server",
        "error": "Not Implemented",
        "statusCode": 501,
    }

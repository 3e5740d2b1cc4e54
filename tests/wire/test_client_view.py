"""The view that clients have of a call: only the fields listed here, in messages that are valid by Vapi's schemas."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bargein.wire import client_messages as m
from bargein.wire.assistant import merge_overrides
from bargein.wire.client_view import (
    assistant_view,
    call_view,
    customer_view,
    message_view,
    phone_number_view,
    server_message_view,
)
from bargein.wire.ownership import marked as marked_as
from tests.vapi_schema import fill, problems, registry, requirement

MARK = "HUSH-HUSH"
NOW = 1_763_925_000_123
NUMBERS = ("Byo", "Twilio", "Vonage", "Vapi", "Telnyx")

VISIBLE = {
    "assistant": {
        "name", "firstMessage", "firstMessageMode", "firstMessageInterruptionsEnabled", "clientMessages",
        "maxDurationSeconds", "silenceTimeoutSeconds", "model.provider", "model.model", "voice.provider",
        "voice.voiceId", "voice.model", "voice.language", "transcriber.provider", "transcriber.model",
        "transcriber.language", "startSpeakingPlan.waitSeconds",
        "startSpeakingPlan.transcriptionEndpointingPlan.onPunctuationSeconds",
        "startSpeakingPlan.transcriptionEndpointingPlan.onNoPunctuationSeconds",
        "startSpeakingPlan.transcriptionEndpointingPlan.onNumberSeconds", "stopSpeakingPlan.numWords",
        "stopSpeakingPlan.voiceSeconds", "stopSpeakingPlan.backoffSeconds",
    },
    "call": {
        "id", "orgId", "createdAt", "updatedAt", "startedAt", "endedAt", "endedReason", "type", "status", "name",
        "assistantId", "squadId", "phoneNumberId", "customerId", "customer.number", "customer.sipUri",
        "customer.extension", "customer.name", "customer.email", "phoneNumber.provider", "phoneNumber.number",
        "phoneNumber.name", "phoneNumber.twilioPhoneNumber", "transport.provider", "transport.conversationType",
        "transport.audioFormat.format", "transport.audioFormat.container", "transport.audioFormat.sampleRate",
        "transport.websocketCallUrl", "transport.callUrl", "transport.assistantVideoEnabled",
        "transport.roomDeleteOnUserLeaveEnabled",
    },
    "customer": {"number", "sipUri", "extension", "name", "email"},
    "phoneNumber": {"provider", "number", "name"},
    "destination": {"type", "assistantName", "assistantId", "number", "extension", "sipUri"},
    "tool": {"type", "subType", "name", "async", "displayWidthPx", "displayHeightPx", "function.name",
             "function.strict", "function.parameters.type", "function.parameters.required"},
}  # fmt: skip
"""The fields of which a client sees the value."""


def marked(data: Any, visible: set[str], path: str = "") -> Any:
    """Return JSON with every value that is not visible replaced by a marked text."""
    if path in visible:
        return data
    if isinstance(data, dict):
        return {name: marked(value, visible, f"{path}.{name}".lstrip(".")) for name, value in data.items()}
    if isinstance(data, list):
        return [marked(value, visible, f"{path}.*") for value in data]
    return MARK


def whole(name: str, kind: str, branch: int) -> Any:
    """Return an instance of Vapi's type with every field, and its hidden values marked."""
    return json.loads(_whole(name, kind, branch))


@lru_cache
def _whole(name: str, kind: str, branch: int) -> str:
    return json.dumps(marked(fill(name, lambda _: False, "", branch=branch), VISIBLE[kind]))


def around(branch: int, number: str = "Twilio") -> dict[str, Any]:
    return {
        "timestamp": NOW,
        "call": call_view(whole("Call", "call", branch)),
        "assistant": assistant_view(whole("CreateAssistantDTO", "assistant", branch)),
        "customer": customer_view(whole("CreateCustomerDTO", "customer", branch)),
        "phone_number": phone_number_view(whole(f"Create{number}PhoneNumberDTO", "phoneNumber", branch)),
    }


def messages(branch: int) -> Iterator[tuple[str, m.ClientMessage]]:
    """Yield the messages that hold something of the assistant besides the envelope, as the owner gets them."""
    envelope, assistant = around(branch), whole("CreateAssistantDTO", "assistant", branch)
    yield "ClientMessageAssistantStarted", m.AssistantStarted(**envelope, new_assistant=assistant)
    for kind in ("Assistant", "Number", "Sip"):
        destination = whole(f"TransferDestination{kind}", "destination", branch)
        update = m.TransferUpdate(**envelope, destination=destination, to_assistant=assistant, from_assistant=assistant)
        yield "ClientMessageTransferUpdate", update
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for kind in ("Function", "Ghl", "Make", "Bash", "Computer", "TextEditor", "GoogleCalendarCreateEvent"):
        tool = {**whole(f"{kind}ToolWithToolCall", "tool", branch), "toolCall": call}
        yield (
            "ClientMessageToolCalls",
            m.ToolCalls(**envelope, tool_calls=[call], tool_call_list=[call], tool_with_tool_call_list=[tool]),
        )
    entries = [
        m.ChatEntry(role="system", content=MARK),
        m.ChatEntry(role="user", content="Hi."),
        m.ChatEntry(role="assistant", content="Hello."),
    ]
    yield (
        "ClientMessageConversationUpdate",
        m.ConversationUpdate(
            **envelope,
            conversation=entries,
            messages=[
                m.SystemMessage(message=MARK, time=NOW, seconds_from_start=0),
                m.UserMessage(message="Hi.", time=NOW, end_time=NOW, seconds_from_start=1),
            ],
            messages_openai_formatted=entries,
        ),
    )


@pytest.mark.parametrize("branch", range(36))
def test_a_client_gets_valid_messages_without_a_hidden_value(branch: int) -> None:
    for schema, message in messages(branch):
        shown = json.loads(message_view(message).to_text())
        assert MARK not in json.dumps(shown), schema
        assert problems(schema, shown) == []
        assert MARK in message.to_text(), "the owner's message has it"


@pytest.mark.parametrize("number", NUMBERS)
def test_an_interruption_stays_what_it_is_required_to_be(number: str) -> None:
    # Some phone numbers fit more than one of the kinds: "one of" is to be read as "any of".
    schema = json.loads(json.dumps(requirement()).replace('"oneOf"', '"anyOf"'))
    required = Draft202012Validator(schema, registry=registry())
    for branch in range(36):
        message = json.loads(message_view(m.UserInterrupted(**around(branch, number), turn_id="t")).to_text())
        assert [error.message for error in required.iter_errors(message)] == []
        assert MARK not in json.dumps(message)
        assert message["phoneNumber"]["provider"]
        assert message["assistant"]["model"]["provider"]
        assert problems(f"Create{number}PhoneNumberDTO", message["phoneNumber"]) == []


UNKNOWN = st.recursive(
    st.just(MARK), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2)
)
INTO = st.lists(st.sampled_from(["model", "voice", "transcriber", "startSpeakingPlan", "stopSpeakingPlan", "transport",
                                 "server", "function"]), max_size=2)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=12), UNKNOWN, max_size=3), INTO, st.integers(0, 35))
def test_a_field_that_nobody_knows_is_hidden(more: dict[str, Any], into: list[str], branch: int) -> None:
    for name, kind, view in (
        ("CreateAssistantDTO", "assistant", assistant_view),
        ("Call", "call", call_view),
        ("CreateCustomerDTO", "customer", customer_view),
        ("CreateTwilioPhoneNumberDTO", "phoneNumber", phone_number_view),
    ):
        data = whole(name, kind, branch)
        inner = data
        for part in into:
            inner = inner.setdefault(part, {}) if isinstance(inner.setdefault(part, {}), dict) else inner
        inner |= {f"x-{unknown}": value for unknown, value in more.items()}
        assert MARK not in json.dumps(view(data))


def test_a_visible_value_of_another_type_is_hidden() -> None:
    assert assistant_view({"name": {"deep": MARK}, "model": MARK, "voice": {"voiceId": [{"a": MARK}, "v"]}}) == {
        "voice": {"voiceId": ["v"]}
    }


def test_a_tools_parameters_are_shown_by_name_and_type() -> None:
    schema = {
        "type": "object",
        "description": MARK,
        "properties": {
            "city": {"type": "string", "description": MARK, "enum": [MARK], "default": MARK},
            "days": {"type": "array", "items": {"type": "number", "description": MARK}},
        },
        "required": ["city"],
    }
    tool = {"type": "function", "function": {"name": "weather", "description": MARK, "parameters": schema}}
    calls = m.ToolCalls(timestamp=NOW, tool_calls=[], tool_call_list=[], tool_with_tool_call_list=[tool])
    (shown,) = json.loads(message_view(calls).to_text())["toolWithToolCallList"]
    assert shown["function"] == {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "number"}}},
            "required": ["city"],
        },
    }


def test_a_hooks_tool_call_is_shown_without_its_arguments() -> None:
    hooks, models = [
        {"id": call_id, "type": "function", "function": {"name": "dtmf", "arguments": arguments}}
        for call_id, arguments in (("hook_0001", MARK), ("call_1", "{}"))
    ]
    entry = m.ChatEntry.from_json({"role": "assistant", "content": "", "tool_calls": [hooks, models]})
    item = m.ToolCallMessage(tool_calls=[hooks, models], time=NOW, seconds_from_start=0)
    tools = [{"type": "dtmf", "toolCall": one} for one in (hooks, models)]
    calls = [hooks, models]
    shown = [
        message_view(one).to_text()
        for one in (
            m.ToolCalls(timestamp=NOW, tool_calls=calls, tool_call_list=calls, tool_with_tool_call_list=tools),
            m.ToolCompleted(timestamp=NOW, tool_call=hooks, tool_call_result={}),
            m.ConversationUpdate(
                timestamp=NOW, conversation=[entry], messages=[item], messages_openai_formatted=[entry]
            ),
        )
    ]
    assert all(MARK not in text and "hook_0001" in text for text in shown)
    assert MARK in str(hooks), "the owner's is not changed"


@pytest.mark.parametrize("branch", range(0, 36, 3))
def test_a_callers_server_is_told_what_pages_are_told(branch: int) -> None:
    parts = {
        "call": whole("Call", "call", branch),
        "assistant": whole("CreateAssistantDTO", "assistant", branch),
        "customer": whole("CreateCustomerDTO", "customer", branch),
        "phoneNumber": whole("CreateTwilioPhoneNumberDTO", "phoneNumber", branch),
    }
    system, spoken = {"role": "system", "message": MARK, "content": MARK}, {"role": "user", "message": "Hi."}
    history = {name: [system, spoken] for name in ("messages", "messagesOpenAIFormatted", "conversation")}
    artifact = {**history, "variableValues": {"token": MARK}, "recordingUrl": MARK, "logUrl": MARK, "transcript": "Hi."}
    own = [one for _, message in messages(branch) for one in [message.without_envelope()]]
    for message in (*own, {"type": "end-of-call-report", "artifact": artifact, "analysis": {"summary": MARK}}, history):
        shown = server_message_view({**parts, **message, "x": MARK, "chat": {"input": MARK}})
        assert MARK not in json.dumps(shown)
        assert shown.get("type") == message.get("type")
        assert shown["call"]["id"] == parts["call"]["id"]


@pytest.mark.parametrize(
    "model",
    [{"provider": "custom-llm", "model": "m", "url": "https://mine.example"}, {"url": "https://mine.example"}],
)
def test_a_model_at_a_callers_address_does_not_get_the_owners_prompt(model: dict[str, Any]) -> None:
    prompt = {"messages": [{"role": "system", "content": MARK}], "tools": [{"type": "function", "name": MARK}],
              "toolIds": [MARK], "knowledgeBase": {"name": MARK}, "systemPrompt": MARK}  # fmt: skip
    for own in ({"provider": "custom-llm", "url": "https://owner.example"}, {"provider": "openai"}):
        stored = {"model": {**own, **prompt, "temperature": 0.5}}
        changed = merge_overrides(stored, marked_as({"model": model}, "caller"), "caller")["model"]
        assert MARK not in json.dumps(changed)
        assert changed["url"] == "https://mine.example"
        assert MARK in json.dumps(merge_overrides(stored, {"model": model}))  # the owner's own override
        mine = {"messages": [{"role": "system", "content": "Mine."}]}
        changed = merge_overrides(stored, marked_as({"model": {**model, **mine}}, "caller"), "caller")["model"]
        assert [one["content"] for one in changed["messages"]] == ["Mine."]

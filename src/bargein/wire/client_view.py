"""The view that clients have of a call: pages, apps, listeners and clients of the WebSocket transport.

A client is not the owner: a page is in the hands of whoever visits it. It sees what it needs to show a call and to
follow the conversation, and the owner's server sees everything but secrets (`bargein.wire.redact`). The fields below
are the whole list. A field that is not in it is not sent: no prompt, tool, server, address, credential, hook or
analysis plan, and no field that Vapi adds later.

Vapi's schemas require some of the hidden fields, so that a message without them would not be valid (`url` of a custom
model, `server` of a custom voice, `credentialId` of a phone number). Those are sent without their value.
"""

from collections.abc import Callable, Mapping
from typing import Any, Union

from bargein.wire.base import JsonObject
from bargein.wire.call import number_in_call
from bargein.wire.client_messages import (
    AssistantStarted,
    ChatEntry,
    ClientMessage,
    ConversationUpdate,
    StatusUpdate,
    SystemMessage,
    ToolCalls,
    ToolCompleted,
    TransferUpdate,
)
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects
from bargein.wire.redact import MASK, without_secrets
from bargein.wire.tools import HOOK_CALL

_HIDDEN = object()

_View = Callable[[object], object]
_Fields = Mapping[str, Union[_View, "_Fields"]]


def _plain(value: object) -> object:
    """Return a text, number or boolean, or a list of them; nothing else."""
    items = as_list_or_none(value)
    if items is not None:
        return [item for item in items if isinstance(item, str | int | float)]
    return value if isinstance(value, str | int | float) else _HIDDEN


def _masked(_value: object) -> object:
    return MASK


def _emptied(value: object) -> object:
    return [] if isinstance(value, list) else JsonObject()


def _schema(value: object) -> object:
    """Return the names and types of a JSON Schema's properties, without the descriptions, which are for the model."""
    given = as_object(value)
    shown = _shown(given, {"type": _plain, "required": _plain})
    properties = as_object_or_none(given.get("properties"))
    if properties is not None:
        shown["properties"] = {name: _schema(each) for name, each in properties.items()}
    if "items" in given:
        shown["items"] = _schema(given["items"])
    return shown


_ASSISTANT: _Fields = {
    "name": _plain,
    "firstMessage": _plain,
    "firstMessageMode": _plain,
    "firstMessageInterruptionsEnabled": _plain,
    "clientMessages": _plain,
    "maxDurationSeconds": _plain,
    "silenceTimeoutSeconds": _plain,
    "model": {"provider": _plain, "model": _plain, "url": _masked},
    "voice": {"provider": _plain, "voiceId": _plain, "model": _plain, "language": _plain, "server": _emptied},
    "transcriber": {
        "provider": _plain,
        "model": _plain,
        "language": _plain,
        "server": _emptied,
        "customVocabulary": _emptied,
    },
    "startSpeakingPlan": {
        "waitSeconds": _plain,
        "transcriptionEndpointingPlan": {
            "onPunctuationSeconds": _plain,
            "onNoPunctuationSeconds": _plain,
            "onNumberSeconds": _plain,
        },
    },
    "stopSpeakingPlan": {"numWords": _plain, "voiceSeconds": _plain, "backoffSeconds": _plain},
}

_CUSTOMER: _Fields = dict.fromkeys(("number", "sipUri", "extension", "name", "email"), _plain)

_PHONE_NUMBER: _Fields = {
    "id": _plain,
    "provider": _plain,
    "number": _plain,
    "name": _plain,
    "credentialId": _masked,
    "twilioAccountSid": _masked,
}

_PHONE_NUMBER_IN_CALL: _Fields = {**_PHONE_NUMBER, "twilioPhoneNumber": _plain}

_CALL: _Fields = {
    **dict.fromkeys(
        (
            "id", "orgId", "createdAt", "updatedAt", "startedAt", "endedAt", "endedReason", "type", "status", "name",
            "assistantId", "squadId", "phoneNumberId", "customerId",
        ),
        _plain,
    ),
    "customer": _CUSTOMER,
    "phoneNumber": _PHONE_NUMBER_IN_CALL,
    "transport": {
        "provider": _plain,
        "conversationType": _plain,
        "audioFormat": {"format": _plain, "container": _plain, "sampleRate": _plain},
        "websocketCallUrl": _plain,
        "callUrl": _plain,
        "assistantVideoEnabled": _plain,
        "roomDeleteOnUserLeaveEnabled": _plain,
    },
}  # fmt: skip

_DESTINATION: _Fields = dict.fromkeys(("type", "assistantName", "assistantId", "number", "extension", "sipUri"), _plain)

_TOOL: _Fields = {
    "type": _plain,
    "subType": _plain,
    "name": _plain,
    "async": _plain,
    "displayWidthPx": _plain,
    "displayHeightPx": _plain,
    "function": {"name": _plain, "parameters": _schema, "strict": _plain},
    "metadata": _emptied,
}


def assistant_view(assistant: JsonObject) -> JsonObject:
    """Return what clients see of an assistant."""
    return _view(assistant, _ASSISTANT)


def call_view(call: JsonObject) -> JsonObject:
    """Return what clients see of a call's record."""
    number = as_object_or_none(call.get("phoneNumber"))
    if number is None:
        return _view(call, _CALL)
    # the required fields are filled in from what is shown: a SIP address of the owner's is not
    return _view({**call, "phoneNumber": number_in_call(_shown(number, _PHONE_NUMBER_IN_CALL))}, _CALL)


def customer_view(customer: JsonObject) -> JsonObject:
    """Return what clients see of a customer."""
    return _view(customer, _CUSTOMER)


def phone_number_view(phone_number: JsonObject) -> JsonObject:
    """Return what clients see of a phone number."""
    return _view(phone_number, _PHONE_NUMBER)


def message_view(message: ClientMessage) -> ClientMessage:
    """Return a message as clients get it; the given one is the owner's.

    The envelope (`call`, `assistant`, `customer`, `phoneNumber`) is the clients' already: it is made once for each
    assistant of a call, and the owner's server gets another one.
    """
    # a look-up instead of `match`: `isinstance` of a pydantic model costs more than a token's message
    changed = _CHANGED.get(type(message))
    return message if changed is None else message.model_copy(update=changed(message))


def _assistant_started(message: Any) -> JsonObject:
    return {"new_assistant": assistant_view(message.new_assistant)}


def _transfer_update(message: Any) -> JsonObject:
    fields = {"to_assistant": _ASSISTANT, "from_assistant": _ASSISTANT, "destination": _DESTINATION}
    given = {name: getattr(message, name) for name in fields}
    return {name: None if value is None else _view(value, fields[name]) for name, value in given.items()}


def _conversation_update(message: Any) -> JsonObject:
    return {
        "conversation": _spoken(message.conversation),
        "messages": [_with_calls(one) for one in message.messages if not isinstance(one, SystemMessage)],
        "messages_openai_formatted": _spoken(message.messages_openai_formatted),
    }


def _tool_calls(message: Any) -> JsonObject:
    tools: list[JsonObject] = message.tool_with_tool_call_list
    calls = [_call(one) for one in message.tool_call_list]
    return {
        "tool_calls": calls,
        "tool_call_list": calls,
        "tool_with_tool_call_list": [_tool_view(one) for one in tools],
    }


def _tool_completed(message: Any) -> JsonObject:
    return {"tool_call": _call(message.tool_call)}


def _call(call: JsonObject) -> JsonObject:
    """Return a tool call as clients see it: that of a hook without its arguments, which the owner wrote."""
    if not str(call.get("id")).startswith(HOOK_CALL):
        return call
    # messages to servers have the arguments beside the function, too
    kept = {name: value for name, value in call.items() if name not in ("parameters", "arguments")}
    function = as_object(call.get("function"))
    # text in the history, an object in the messages about a call
    none: object = "{}" if isinstance(function.get("arguments"), str) else JsonObject()
    return {**kept, "function": {**function, "arguments": none}}


def _status_update(message: Any) -> JsonObject:
    return {"destination": None if message.destination is None else _view(message.destination, _DESTINATION)}


_CHANGED: dict[type[ClientMessage], Callable[[Any], JsonObject]] = {
    StatusUpdate: _status_update,
    AssistantStarted: _assistant_started,
    TransferUpdate: _transfer_update,
    ConversationUpdate: _conversation_update,
    ToolCalls: _tool_calls,
    ToolCompleted: _tool_completed,
}
"""The messages with something of the owner's besides their envelope, and the fields that clients get instead."""


def server_message_view(message: JsonObject) -> JsonObject:
    """Return a message to a server, with its envelope, as a server gets it whose address a caller set.

    A page may set a server of its own by `assistantOverrides`. That server is told what a page is told.
    """
    return _shown(message, _SERVER_MESSAGE)


def _list_of(view: Callable[[JsonObject], JsonObject]) -> _View:
    def shown(value: object) -> object:
        return [view(item) for item in as_objects(value)]

    return shown


def _object(view: Callable[[JsonObject], JsonObject]) -> _View:
    def shown(value: object) -> object:
        given = as_object_or_none(value)
        return _HIDDEN if given is None else view(given)

    return shown


def _spoken_json(value: object) -> object:
    """Return the messages of a history without those of the role `system`."""
    return [
        one
        | ({"toolCalls": [_call(call) for call in as_objects(one["toolCalls"])]} if "toolCalls" in one else {})
        | ({"tool_calls": [_call(call) for call in as_objects(one["tool_calls"])]} if "tool_calls" in one else {})
        for one in as_objects(value)
        if one.get("role") != "system"
    ]


def _whole(value: object) -> object:
    return value


def _tool_view(tool: JsonObject) -> JsonObject:
    return {**_view(tool, _TOOL), "toolCall": _call(as_object(tool.get("toolCall")))}


_HISTORY: _Fields = {
    "conversation": _spoken_json,
    "messages": _spoken_json,
    "messagesOpenAIFormatted": _spoken_json,
}

_SERVER_MESSAGE: _Fields = {
    **dict.fromkeys(
        (
            "type", "timestamp", "status", "endedReason", "role", "turn", "turnId", "transcriptType", "transcript",
            "isFiltered", "originalTranscript",
            "input", "output", "text", "source", "startedAt", "endedAt", "durationSeconds", "language", "request",
        ),
        _plain,
    ),
    "call": _object(call_view),
    "assistant": _object(assistant_view),
    "customer": _object(customer_view),
    "phoneNumber": _object(phone_number_view),
    "newAssistant": _object(assistant_view),
    "toAssistant": _object(assistant_view),
    "fromAssistant": _object(assistant_view),
    "destination": _object(lambda destination: _view(destination, _DESTINATION)),
    **_HISTORY,
    "artifact": {**_HISTORY, "transcript": _plain, "performanceMetrics": _whole},
    "toolCalls": _list_of(_call),
    "toolCallList": _list_of(_call),
    "toolWithToolCallList": _list_of(_tool_view),
    "toolCall": _object(_call),
    "toolCallResult": _whole,
    "timing": _whole,
    "detectedThreats": _whole,
    "parameters": _whole,
    "functionCall": _whole,
}  # fmt: skip
"""The fields of messages to servers; `parameters` and `functionCall` are a model's arguments."""


def _spoken(entries: list[ChatEntry]) -> list[ChatEntry]:
    return [_with_calls(one) for one in entries if one.role != "system"]


def _with_calls(message: Any) -> Any:
    """Return a message of the history with its tool calls as clients see them."""
    calls: list[JsonObject] | None = getattr(message, "tool_calls", None)
    if not calls or not any(str(one.get("id")).startswith(HOOK_CALL) for one in calls):
        return message
    return message.model_copy(update={"tool_calls": [_call(one) for one in calls]})


def _view(data: JsonObject, fields: _Fields) -> JsonObject:
    # A name, text or address among the shown fields may hold a password.
    return without_secrets(_shown(data, fields))


def _shown(data: JsonObject, fields: _Fields) -> JsonObject:
    shown: JsonObject = {}
    for name, view in fields.items():
        if data.get(name) is None:
            continue
        if callable(view):
            value = view(data[name])
        else:
            inner = as_object_or_none(data[name])
            value = _HIDDEN if inner is None else _shown(inner, view)
        if value is not _HIDDEN:
            shown[name] = value
    return shown

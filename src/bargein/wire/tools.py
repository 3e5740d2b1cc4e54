"""The tools that an assistant may call, by their `type`.

Fields that bargein uses are typed; fields that only a tool's vendor uses are kept.
"""

import re
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, Field

from bargein.wire.assistant import without_nulls
from bargein.wire.base import Bool, JsonObject, Number, WireModel
from bargein.wire.errors import bad_request, one_of, parse_request
from bargein.wire.json import as_object, as_object_or_none
from bargein.wire.plans import BackoffPlan, Server
from bargein.wire.rejection import check_rejection_plan


def _matches(pattern: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must match /^{pattern}$/ regular expression")
        return value

    return AfterValidator(check)


FunctionName = Annotated[str, _matches("[a-zA-Z0-9_-]{1,64}")]
"""A function's name, as OpenAI requires (`OpenAIFunction.name`)."""
RequestName = Annotated[str, _matches("[a-zA-Z0-9_-]{1,40}")]
"""The name of an apiRequest tool (`CreateApiRequestToolDTO.name`)."""
Spoken = Annotated[str, Field(max_length=1000)]


class _ToolMessage(WireModel):
    content: Spoken | None = None
    conditions: list[JsonObject] | None = None


class RequestStartMessage(_ToolMessage):
    """Said when the tool is called; with `blocking` the tool runs after it was said."""

    type: Literal["request-start"]
    contents: list[JsonObject] | None = None
    blocking: Bool | None = None


class RequestCompleteMessage(_ToolMessage):
    """Said, or given to the model if the role is system, when the tool has completed."""

    type: Literal["request-complete"]
    contents: list[JsonObject] | None = None
    role: Literal["assistant", "system"] | None = None
    end_call_after_spoken_enabled: Bool | None = None


class RequestFailedMessage(_ToolMessage):
    """Said, or given to the model if the role is system, when the tool has failed."""

    type: Literal["request-failed"]
    contents: list[JsonObject] | None = None
    role: Literal["assistant", "system"] | None = None
    end_call_after_spoken_enabled: Bool | None = None


class RequestDelayedMessage(_ToolMessage):
    """Said when the tool has not answered within `timing_milliseconds`."""

    type: Literal["request-response-delayed"]
    contents: list[JsonObject] | None = None
    timing_milliseconds: Annotated[Number, Field(ge=100, le=120_000)] | None = None


ToolMessage = Annotated[
    RequestStartMessage | RequestCompleteMessage | RequestFailedMessage | RequestDelayedMessage,
    Field(discriminator="type"),
]


class FunctionParameters(WireModel):
    """The arguments of a function, as the JSON Schema of an object (`OpenAIFunctionParameters`)."""

    type: Literal["object"]
    properties: JsonObject
    required: list[str] | None = None


class Function(WireModel):
    """A tool's declaration to the model (`OpenAIFunction`)."""

    name: FunctionName
    description: str | None = None
    parameters: FunctionParameters | None = None
    strict: Bool | None = None


class ToolParameter(WireModel):
    """An argument that is added to those of the model (`ToolParameter`)."""

    key: str
    value: Any


class _Tool(WireModel):
    """The fields of every tool.

    Vapi's schema has function, async and server for some types; its older clients send them for all.
    """

    contract: ClassVar[str | None] = "CreateToolDTO"

    messages: list[ToolMessage] | None = None
    rejection_plan: Annotated[JsonObject, AfterValidator(check_rejection_plan)] | None = None
    function: Function | None = None
    is_async: Annotated[Bool | None, Field(validation_alias="async", serialization_alias="async")] = None
    server: Server | None = None


class FunctionTool(_Tool):
    """A function of the owner's server (`CreateFunctionToolDTO`)."""

    type: Literal["function"]
    parameters: list[ToolParameter] | None = None
    variable_extraction_plan: JsonObject | None = None


class ApiRequestTool(_Tool):
    """A request to any HTTP API (`CreateApiRequestToolDTO`)."""

    type: Literal["apiRequest"]
    method: Literal["POST", "GET", "PUT", "PATCH", "DELETE"] | None = None
    url: str
    name: RequestName | None = None
    description: str | None = None
    timeout_seconds: Annotated[Number, Field(ge=1, le=300)] | None = None
    credential_id: str | None = None
    encrypted_paths: list[str] | None = None
    parameters: list[ToolParameter] | None = None
    body: JsonObject | None = None
    headers: JsonObject | None = None
    backoff_plan: BackoffPlan | None = None
    variable_extraction_plan: JsonObject | None = None


class CodeTool(_Tool):
    """TypeScript that Vapi runs (`CreateCodeToolDTO`)."""

    type: Literal["code"]
    code: Annotated[str, Field(max_length=50_000)]
    environment_variables: list[JsonObject] | None = None
    timeout_seconds: Annotated[Number, Field(ge=1, le=30)] | None = None
    credential_id: str | None = None
    variable_extraction_plan: JsonObject | None = None


class DtmfTool(_Tool):
    """Presses keys (`CreateDtmfToolDTO`)."""

    type: Literal["dtmf"]
    sip_info_dtmf_enabled: Bool | None = None


class TransferCallTool(_Tool):
    """Transfers the caller to a number or SIP address (`CreateTransferCallToolDTO`)."""

    type: Literal["transferCall"]
    destinations: list[JsonObject] | None = None


class HandoffTool(_Tool):
    """Hands the call over to another assistant (`CreateHandoffToolDTO`)."""

    type: Literal["handoff"]
    destinations: list[JsonObject] | None = None
    default_result: str | None = None


class BashTool(_Tool):
    """Anthropic's shell (`CreateBashToolDTO`)."""

    type: Literal["bash"]
    sub_type: Literal["bash_20241022"]
    name: Literal["bash"]


class ComputerTool(_Tool):
    """Anthropic's screen and mouse (`CreateComputerToolDTO`)."""

    type: Literal["computer"]
    sub_type: Literal["computer_20241022"]
    name: Literal["computer"]
    display_width_px: Number
    display_height_px: Number
    display_number: Number | None = None


class TextEditorTool(_Tool):
    """Anthropic's text editor (`CreateTextEditorToolDTO`)."""

    type: Literal["textEditor"]
    sub_type: Literal["text_editor_20241022"]
    name: Literal["str_replace_editor"]


class QueryTool(_Tool):
    """Searches files (`CreateQueryToolDTO`)."""

    type: Literal["query"]
    knowledge_bases: list[JsonObject] | None = None


class McpTool(_Tool):
    """The tools of an MCP server (`CreateMcpToolDTO`)."""

    type: Literal["mcp"]
    tool_messages: list[JsonObject] | None = None
    metadata: JsonObject | None = None


class SipRequestTool(_Tool):
    """A SIP request within the call's dialog (`CreateSipRequestToolDTO`)."""

    type: Literal["sipRequest"]
    verb: Literal["INFO", "MESSAGE", "NOTIFY"]
    headers: JsonObject | None = None
    body: Any = None


class VoicemailTool(_Tool):
    """Leaves a message on voicemail (`CreateVoicemailToolDTO`)."""

    type: Literal["voicemail"]
    beep_detection_enabled: Bool | None = None


class EndCallTool(_Tool):
    """Hangs up (`CreateEndCallToolDTO`)."""

    type: Literal["endCall"]


class VendorTool(_Tool):
    """A vendor's tool, without settings of its own."""

    type: Literal[
        "google.calendar.event.create", "google.calendar.availability.check", "google.sheets.row.append",
        "slack.message.send", "sms", "gohighlevel.calendar.availability.check", "gohighlevel.calendar.event.create",
        "gohighlevel.contact.create", "gohighlevel.contact.get",
    ]  # fmt: skip


_KINDS: tuple[type[_Tool], ...] = (
    ApiRequestTool, CodeTool, DtmfTool, EndCallTool, FunctionTool, TransferCallTool, HandoffTool, BashTool,
    ComputerTool, TextEditorTool, QueryTool, McpTool, SipRequestTool, VoicemailTool, VendorTool,
)  # fmt: skip


def _types(model: type[_Tool]) -> tuple[str, ...]:
    return cast("Any", model.model_fields["type"].annotation).__args__


TOOLS: dict[str, type[_Tool]] = {name: model for model in _KINDS for name in _types(model)}
"""All types of tools of Vapi's `POST /tool`, with their models."""


def parse_tool(data: object) -> _Tool:
    """Validate a tool of any type and return it as its model.

    Raises:
        WireError: 400, with all problems; for an unknown type, with the list of types.
    """
    body = as_object_or_none(data)
    if body is None:
        raise bad_request("the body must be a JSON object")
    kind: object = body.get("type")
    if kind is None:
        raise bad_request("type should not be null or undefined")
    if not isinstance(kind, str) or kind not in TOOLS:
        raise bad_request(f"type {one_of(TOOLS)}")
    return parse_request(TOOLS[kind], body)


_FREE_FORM = ("body", "variableExtractionPlan", "rejectionPlan", "destinations")


def without_null_fields(tool: JsonObject) -> JsonObject:
    """Return a tool without its null fields, which Vapi reads as not given; nulls inside of JSON Schemas are kept."""
    kept = without_nulls(tool)
    if kept.get("type") == "apiRequest":
        kept.setdefault("method", "POST")  # the default, which Vapi's clients expect in the answer
    kept |= {name: tool[name] for name in _FREE_FORM if tool.get(name) is not None}
    parameters: object = as_object(tool.get("function")).get("parameters")
    if parameters is not None:
        kept["function"]["parameters"] = parameters
    return kept


HOOK_CALL = "hook_"
"""The beginning of the id of a tool call that comes from a hook: its arguments are the owner's, not the model's."""

_SENT_UNCHANGED = frozenset({
    "function", "ghl", "make", "bash", "computer", "textEditor", "google.calendar.event.create",
})  # fmt: skip
_FUNCTION_FIELDS = ("messages", "async", "server", "function", "rejectionPlan")


def told_call(call_id: str, name: str, arguments: JsonObject | str) -> JsonObject:
    """Return a tool call as the messages about it have it: in OpenAI's format, with its arguments as an object.

    Vapi's schema has the arguments as text. Vapi's documents and the receivers written to them read an object, here or
    as `parameters` or `arguments` beside the function.

    Args:
        call_id: the id of the tool call.
        name: the name of the function.
        arguments: the arguments; text only if the model wrote something else than a JSON object.
    """
    function: JsonObject = {"name": name, "arguments": arguments}
    beside: JsonObject = {"name": name, "parameters": arguments, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, **beside}


def tool_with_call(tool: JsonObject, call: JsonObject) -> JsonObject:
    """Return a tool with a call of it, as an item of `toolWithToolCallList`.

    Vapi's schema has no such item for `apiRequest`, `mcp`, `query` and others: such a tool is sent as a function.

    Args:
        tool: the expanded tool, without secrets.
        call: the call (`told_call`).
    """
    called: JsonObject = {"name": call["name"], "toolCall": call}
    if tool.get("type") in _SENT_UNCHANGED:
        return {**tool, **called}
    return {"type": "function", **{n: tool[n] for n in _FUNCTION_FIELDS if n in tool}, **called}

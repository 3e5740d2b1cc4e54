"""The tools that an assistant may call, told apart by `type`.

What bargein itself reads of a tool is typed; what only its vendor reads is kept as it came.
"""

import re
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, Field

from bargein.wire.assistant import without_nulls
from bargein.wire.base import Bool, JsonObject, Number, WireModel
from bargein.wire.errors import bad_request, one_of, parse_request
from bargein.wire.plans import BackoffPlan, Server


def _matches(pattern: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must match /^{pattern}$/ regular expression")
        return value

    return AfterValidator(check)


FunctionName = Annotated[str, _matches("[a-zA-Z0-9_-]{1,64}")]
"""A function's name as OpenAI takes it (`OpenAIFunction.name`)."""
RequestName = Annotated[str, _matches("[a-zA-Z0-9_-]{1,40}")]
"""The name of an apiRequest tool (`CreateApiRequestToolDTO.name`)."""
Spoken = Annotated[str, Field(max_length=1000)]


class _ToolMessage(WireModel):
    content: Spoken | None = None
    conditions: list[JsonObject] | None = None


class RequestStartMessage(_ToolMessage):
    """Said when the tool is called; `blocking` holds the call back until it is said."""

    type: Literal["request-start"]
    contents: list[JsonObject] | None = None
    blocking: Bool | None = None


class RequestCompleteMessage(_ToolMessage):
    """Said, or for the role system told to the model, when the tool has answered."""

    type: Literal["request-complete"]
    contents: list[JsonObject] | None = None
    role: Literal["assistant", "system"] | None = None
    end_call_after_spoken_enabled: Bool | None = None


class RequestFailedMessage(_ToolMessage):
    """Said, or for the role system told to the model, when the tool has failed."""

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
    """The arguments of a function, as JSON Schema describes an object (`OpenAIFunctionParameters`)."""

    type: Literal["object"]
    properties: JsonObject
    required: list[str] | None = None


class Function(WireModel):
    """What the model is told of a tool (`OpenAIFunction`)."""

    name: FunctionName
    description: str | None = None
    parameters: FunctionParameters | None = None
    strict: Bool | None = None


class ToolParameter(WireModel):
    """An argument that is sent along without the model's doing (`ToolParameter`)."""

    key: str
    value: Any


class _Tool(WireModel):
    """What every tool may have.

    Vapi's schema names function, async and server for some types; its older clients send them for all.
    """

    contract: ClassVar[str | None] = "CreateToolDTO"

    messages: list[ToolMessage] | None = None
    rejection_plan: JsonObject | None = None
    function: Function | None = None
    is_async: Annotated[Bool | None, Field(validation_alias="async", serialization_alias="async")] = None
    server: Server | None = None


class FunctionTool(_Tool):
    """A function of the assistant's owner, called over its server (`CreateFunctionToolDTO`)."""

    type: Literal["function"]
    parameters: list[ToolParameter] | None = None
    variable_extraction_plan: JsonObject | None = None


class ApiRequestTool(_Tool):
    """A request to any HTTP API (`CreateApiRequestToolDTO`)."""

    type: Literal["apiRequest"]
    method: Literal["POST", "GET", "PUT", "PATCH", "DELETE"]
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
    """TypeScript that Vapi would run (`CreateCodeToolDTO`)."""

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
    """Gives the caller to somebody else (`CreateTransferCallToolDTO`)."""

    type: Literal["transferCall"]
    destinations: list[JsonObject] | None = None


class HandoffTool(_Tool):
    """Gives the call to another assistant (`CreateHandoffToolDTO`)."""

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
    """Looks something up in files (`CreateQueryToolDTO`)."""

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
    """Leaves a message where a machine has answered (`CreateVoicemailToolDTO`)."""

    type: Literal["voicemail"]
    beep_detection_enabled: Bool | None = None


class EndCallTool(_Tool):
    """Hangs up (`CreateEndCallToolDTO`)."""

    type: Literal["endCall"]


class VendorTool(_Tool):
    """A tool that is wholly its vendor's: it has no settings but those of every tool."""

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
"""Every type of tool that Vapi's `POST /tool` takes -> what such a tool looks like."""


def parse_tool(data: object) -> _Tool:
    """Read a tool of any type.

    Raises:
        WireError: 400, with every finding; for an unknown type, with the list of types.
    """
    if not isinstance(data, dict):
        raise bad_request("the body must be a JSON object")
    kind = cast("JsonObject", data).get("type")
    if kind is None:
        raise bad_request("type should not be null or undefined")
    if not isinstance(kind, str) or kind not in TOOLS:
        raise bad_request(f"type {one_of(TOOLS)}")
    return parse_request(TOOLS[kind], cast("JsonObject", data))


_FREE = ("body", "variableExtractionPlan", "rejectionPlan", "destinations")


def tidied(tool: JsonObject) -> JsonObject:
    """A tool without the fields that are null, which Vapi reads as not given; within JSON Schema null has a meaning."""
    tidy = without_nulls(tool)
    tidy |= {name: tool[name] for name in _FREE if tool.get(name) is not None}
    function: object = tool.get("function")
    if isinstance(function, dict):
        parameters: object = cast("JsonObject", function).get("parameters")
        if parameters is not None:
            tidy["function"]["parameters"] = parameters
    return tidy


_TOLD_AS_THEY_ARE = frozenset({
    "function", "ghl", "make", "bash", "computer", "textEditor", "google.calendar.event.create",
})  # fmt: skip
_OF_A_FUNCTION = ("messages", "async", "server", "function", "rejectionPlan")


def tool_with_call(tool: JsonObject, call: JsonObject) -> JsonObject:
    """A tool and a call of it, as `toolWithToolCallList` has them.

    Vapi's schema has no member for `apiRequest`, `mcp`, `query` and others there: such a tool is told as the function
    that the model took it for.

    Args:
        tool: expanded, without secrets.
        call: as OpenAI has it.
    """
    if tool.get("type") in _TOLD_AS_THEY_ARE:
        return {**tool, "toolCall": call}
    return {"type": "function", **{n: tool[n] for n in _OF_A_FUNCTION if n in tool}, "toolCall": call}

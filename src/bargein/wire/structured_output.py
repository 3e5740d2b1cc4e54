"""The structured output: a value that is extracted from a call after its end (Vapi's `CreateStructuredOutputDTO`)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from bargein.wire.base import Bool, JsonObject, WireModel
from bargein.wire.errors import bad_request, parse_request


class StructuredOutput(WireModel):
    """A structured output.

    Attributes:
        type: `ai`, the default: a model extracts the value; `regex`: a pattern does.
        regex: the pattern, in RE2's syntax.
        model: the model, with the prompt in its `messages`; None: the assistant's own, with a default prompt.
        conditions: what a call must meet so that the value is extracted.
        assistant_ids: the assistants from whose calls the value is extracted, beside those that name it.
    """

    contract: ClassVar[str | None] = "CreateStructuredOutputDTO"

    type: Literal["ai", "regex"] | None = None
    regex: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    model: JsonObject | None = None
    compliance_plan: JsonObject | None = None
    conditions: list[JsonObject] | None = None
    name: Annotated[str, Field(min_length=1, max_length=40)]
    # pydantic's own method has the name `schema`
    schema_: Annotated[JsonObject, Field(validation_alias="schema", serialization_alias="schema")]
    description: str | None = None
    assistant_ids: list[str] | None = None
    workflow_ids: list[str] | None = None


class StructuredOutputRun(WireModel):
    """A request to extract a value from calls that are over (Vapi's `StructuredOutputRunDTO`).

    Attributes:
        preview_enabled: whether to return the value instead of storing it in the call.
        structured_output_id: the stored structured output.
        structured_output: one that is not stored.
        call_ids: the calls.
    """

    contract: ClassVar[str | None] = "StructuredOutputRunDTO"

    preview_enabled: Bool | None = None
    structured_output_id: str | None = None
    structured_output: dict[str, Any] | None = None
    call_ids: Annotated[list[str], Field(min_length=1, max_length=100)]

    def check(self) -> None:
        """Check what the fields must be together.

        Raises:
            WireError: 400.
        """
        if (self.structured_output_id is None) == (self.structured_output is None):
            raise bad_request("either structuredOutputId or structuredOutput must be given")
        if self.preview_enabled and len(self.call_ids) != 1:
            raise bad_request("callIds must contain exactly 1 element when previewEnabled is true")
        if self.structured_output is not None:
            parse_request(StructuredOutput, self.structured_output)

"""Schemas of tools without the validation that strict function calls refuse (Vapi's `toolStrictCompatibilityMode`)."""

from typing import Literal

from bargein.providers.strict_schemas import without_validation
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object

StrictMode = Literal["strip-parameters-with-unsupported-validation", "strip-unsupported-validation"]
"""`strip-parameters-with-unsupported-validation` removes such parameters, `strip-unsupported-validation` keeps them
without their validation."""


def compatible_tool(tool: JsonObject, mode: StrictMode | None) -> JsonObject:
    """Return a tool whose parameters strict function calls accept.

    Args:
        tool: as OpenAI declares functions.
        mode: how; None: a tool that is strict loses its validation, as is Vapi's default, and any other stays as it is.
    """
    function = as_object(tool.get("function"))
    parameters = as_object(function.get("parameters"))
    if not parameters or (mode is None and function.get("strict") is not True):
        return tool
    whole = mode == "strip-parameters-with-unsupported-validation"
    return {**tool, "function": {**function, "parameters": without_validation(parameters, whole=whole)}}

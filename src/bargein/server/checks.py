"""What only the engine can tell of an assistant: found when it is given, not when a caller is on the line."""

from bargein.call.rules import RulesError, compile_plan
from bargein.wire.assistant import Assistant
from bargein.wire.errors import bad_request


def check_rules(assistant: Assistant, within: str = "") -> None:
    """See that the engine can run by the assistant's plans.

    Args:
        assistant: the assistant.
        within: where in the request it stands, with a dot at its end.

    Raises:
        WireError: 400, naming the field.
    """
    try:
        compile_plan(assistant)
    except RulesError as error:
        raise bad_request(f"{within}{error}") from None

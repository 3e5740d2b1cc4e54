"""The header that says what will not work in a call with an assistant, although the request was accepted."""

from collections.abc import Sequence

from bargein.server.agents.problems import Problem, problems_of_participants
from bargein.server.agents.squads import MissingAgentError
from bargein.server.api.services import Services
from bargein.wire.base import JsonObject

WARNING_HEADER = "X-Bargein-Warning"
"""A header of Bargein's own: Vapi's clients ignore headers that they do not know."""

SEPARATOR = "; "
"""Between two warnings; a warning itself has none."""

MAX_WARNING_CHARS = 2000
"""Proxies commonly accept 4 to 8 KiB of headers in all."""


async def participants_warning(
    services: Services, participants: JsonObject, more: Sequence[Problem] = ()
) -> dict[str, str]:
    """Return the header for a call: empty if all will work.

    Args:
        services: the services.
        participants: the fields that name the assistant or squad, with their author (`made_by`). One that has been
            deleted since is not judged.
        more: problems of the request itself, which come first.
    """
    try:
        found = await problems_of_participants(participants, services.store, services.settings)
    except MissingAgentError:
        found = []
    return warning_of([*more, *found])


def warning_of(problems: Sequence[Problem]) -> dict[str, str]:
    """Return the header for some problems; empty if there are none."""
    return warning_header([str(problem) for problem in problems])


def warning_header(warnings: Sequence[str]) -> dict[str, str]:
    """Return the header for some warnings: ASCII, at most `MAX_WARNING_CHARS` characters; empty if there are none."""
    texts = [_plain(warning) for warning in warnings]
    if not texts:
        return {}
    value = SEPARATOR.join(texts)
    kept = len(texts)
    while len(value) > MAX_WARNING_CHARS and kept > 1:
        kept -= 1
        value = SEPARATOR.join([*texts[:kept], f"and {len(texts) - kept} more"])
    return {WARNING_HEADER: value[:MAX_WARNING_CHARS]}


def _plain(text: str) -> str:
    """Return a text on one line, in printable ASCII (RFC 9110, 5.5), without the separator; a field's name is in it."""
    line = " ".join(text.split()).replace(SEPARATOR, ", ")
    return "".join(character if " " <= character <= "~" else "?" for character in line)

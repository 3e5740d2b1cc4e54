"""The squad: assistants that hand a call to each other (Vapi's `CreateSquadDTO`)."""

from typing import Annotated, ClassVar

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides, PinnedVersion
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import bad_request


class SquadMember(WireModel):
    """A member of a squad: an assistant in full or by its id, and the assistants it may hand over to."""

    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_version: PinnedVersion | None = None
    assistant_overrides: AssistantOverrides | None = None
    assistant_destinations: list[JsonObject] | None = None


class Squad(WireModel):
    """A squad; its first member begins the call."""

    contract: ClassVar[str | None] = "CreateSquadDTO"

    name: str | None = None
    members: Annotated[list[SquadMember], Field(min_length=1)]
    members_overrides: AssistantOverrides | None = None


def check_members(squad: Squad, within: str = "") -> None:
    """Check that each member has either an assistant or an assistant's id.

    Args:
        squad: the squad.
        within: the path of the squad in the request, with a dot at its end.

    Raises:
        WireError: 400, naming the other members.
    """
    found = [
        f"{within}members.{index} needs either assistantId or assistant"
        for index, member in enumerate(squad.members)
        if (member.assistant_id is None) == (member.assistant is None)
    ]
    if found:
        raise bad_request(*found)

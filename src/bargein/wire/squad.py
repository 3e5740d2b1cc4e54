"""The squad: assistants that hand a call to each other (Vapi's `CreateSquadDTO`)."""

from typing import Annotated, ClassVar

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides, PinnedVersion
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import bad_request


class SquadMember(WireModel):
    """One of a squad: a stored assistant or one of its own, and whom it may hand over to."""

    assistant_id: str | None = None
    assistant: Assistant | None = None
    assistant_version: PinnedVersion | None = None
    assistant_overrides: AssistantOverrides | None = None
    assistant_destinations: list[JsonObject] | None = None


class Squad(WireModel):
    """Who takes part; the first member begins."""

    contract: ClassVar[str | None] = "CreateSquadDTO"

    name: str | None = None
    members: Annotated[list[SquadMember], Field(min_length=1)]
    members_overrides: AssistantOverrides | None = None


def check_members(squad: Squad) -> None:
    """See that each member is somebody.

    Raises:
        WireError: 400, naming the members that are not.
    """
    found = [
        f"members.{index} needs either assistantId or assistant"
        for index, member in enumerate(squad.members)
        if (member.assistant_id is None) == (member.assistant is None)
    ]
    if found:
        raise bad_request(*found)

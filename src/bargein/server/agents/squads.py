"""Squads: the stored or inline squad of a call, and its members with their overrides applied."""

from dataclasses import dataclass
from typing import Literal

from bargein.call.plan.variables import Values
from bargein.errors import BargeinError
from bargein.store import Store
from bargein.wire.assistant import merge_overrides
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, unknown_id
from bargein.wire.json import as_list, as_object, as_object_or_none, as_objects, as_string
from bargein.wire.ownership import Author, is_callers, marked


class MissingAgentError(BargeinError):
    """A record names an assistant or a squad that is not in the store.

    Attributes:
        kind: the resource that is missing.
        id: its id, as the record has it.
    """

    def __init__(self, kind: Literal["assistant", "squad"], id: str) -> None:  # noqa: A002  # the resource's own name for it
        super().__init__(f"the {kind} does not exist.")
        self.kind = kind
        self.id = id

    def as_bad_request(self) -> WireError:
        """Return the 400 with which a request that names the missing resource is refused."""
        return unknown_id(self.kind, self.id, 400)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a squad, or an assistant in the place of one.

    Attributes:
        id: the id of a stored assistant; None for an inline one.
        assistant: its JSON, with the member's overrides and the squad's applied.
        values: `variableValues` of those overrides, in the order of their precedence.
        destinations: the member's `assistantDestinations`.
    """

    id: str | None
    assistant: JsonObject
    values: tuple[Values, ...]
    destinations: tuple[object, ...] = ()

    def with_handoff_tool(self) -> JsonObject:
        """Return the assistant's JSON with the member's destinations as a `handoff` tool of its model."""
        model = as_object_or_none(self.assistant.get("model"))
        if not self.destinations or model is None:
            return self.assistant
        handoff: JsonObject = {"type": "handoff", "destinations": list(self.destinations)}
        tools = [*as_list(model.get("tools")), handoff]
        return {**self.assistant, "model": {**model, "tools": tools}}


async def squad_of(record: JsonObject, store: Store, author: Author) -> JsonObject | None:
    """Return the squad that a call, chat, session or handoff destination names; None if it names none.

    Args:
        record: the call, chat, session or destination.
        store: where squads are.
        author: who wrote the squad if it is in the record.

    Raises:
        MissingAgentError: `squadId` names a squad that is not stored.
    """
    inline, squad_id = as_object_or_none(record.get("squad")), record.get("squadId")
    if inline is not None:
        return marked(inline, author)
    if squad_id is None:
        return None
    stored = await store.squads.get(str(squad_id))
    if stored is None:
        raise MissingAgentError("squad", str(squad_id))
    return stored


async def members_of(squad: JsonObject, store: Store, overrides: object, author: Author) -> list[Member]:
    """Return a squad's members, in order.

    Args:
        squad: the squad's JSON.
        store: where the members' assistants are.
        overrides: `squadOverrides` of the call, which are applied after the squad's own `membersOverrides`.
        author: who wrote `overrides`.

    Raises:
        MissingAgentError: the assistant of a member is not stored.
    """
    return [await member_of(given, squad, store, overrides, author) for given in as_objects(squad.get("members"))]


async def member_of(
    given: JsonObject, squad: JsonObject, store: Store, overrides: object = None, author: Author = "owner"
) -> Member:
    """Return one member: its assistant with `assistantOverrides`, `membersOverrides` and `overrides` applied, in order.

    Raises:
        MissingAgentError: its assistant is not stored.
    """
    assistant_id = as_string(given.get("assistantId"))
    inline = as_object_or_none(given.get("assistant"))
    of_squad: Author = "caller" if is_callers(squad) else "owner"
    assistant = await stored_assistant(str(assistant_id), store) if inline is None else marked(inline, of_squad)
    values: list[Values] = []
    layers: tuple[tuple[JsonObject, Author], ...] = (
        (as_object(given.get("assistantOverrides")), of_squad),
        (as_object(squad.get("membersOverrides")), of_squad),
        (as_object(overrides), author),
    )
    for layer, by in layers:
        assistant = merge_overrides(assistant, marked(layer, by), by)
        values.append(Values(as_object(layer.get("variableValues")), by))
    return Member(assistant_id, assistant, tuple(values), tuple(as_list(given.get("assistantDestinations"))))


async def stored_assistant(assistant_id: str, store: Store) -> JsonObject:
    """Return a stored assistant.

    Raises:
        MissingAgentError: there is none with the id.
    """
    stored = await store.assistants.get(assistant_id)
    if stored is None:
        raise MissingAgentError("assistant", assistant_id)
    return stored

"""The limits of a token to some assistants (Vapi's `token.restrictions`), for a request and for the call it makes.

They hold for all that the token's holder sends: the request, and every message over the call's socket until the call
ends. They do not hold for what the owner wrote: the tools, hooks and squads of stored assistants, and the control URL
with the private key. A call's limits are stored in its record (`CALLER_LIMITS`), so that they outlive a reconnection
and a restart; they are shown to nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects, as_strings

CALLER_LIMITS = "callerLimits"
"""A field of the stored record of a call. Vapi's `Call` has no field for it."""

_NO_TRANSIENT = "This token may not be used with an assistant of the request's own."
_NOT_ALLOWED = "This token may not be used with this assistant."
_BY_SERVER = "This token may not be used with a server of the request's own that names assistants."

_OVERRIDES = ("assistantOverrides", "squadOverrides", "membersOverrides")
_VALUES = frozenset({"metadata", "variableValues", "properties", "messages"})
"""Fields whose contents name no assistant, whatever their names are."""


@dataclass(frozen=True, slots=True)
class AssistantLimits:
    """The assistants that a token may be used with.

    Attributes:
        ids: the stored ones; None: all, and all squads.
        transient: whether it may be used with assistants that its holder makes.
    """

    ids: frozenset[str] | None = None
    transient: bool = True

    @classmethod
    def of_record(cls, record: JsonObject) -> "AssistantLimits":
        """Return the limits that a call's record holds; without any if it holds none."""
        stored = as_object_or_none(record.get(CALLER_LIMITS))
        if stored is None:
            return cls()
        ids = as_list_or_none(stored.get("assistantIds"))
        return cls(None if ids is None else frozenset(as_strings(ids)), stored.get("transient") is True)

    def limited(self, record: JsonObject) -> JsonObject:
        """Return a call's record with these limits, and with no others."""
        kept = {name: value for name, value in record.items() if name != CALLER_LIMITS}
        if not self:
            return kept
        ids = None if self.ids is None else sorted(self.ids)
        return {**kept, CALLER_LIMITS: {"assistantIds": ids, "transient": self.transient}}

    def __bool__(self) -> bool:
        """Return False if there is no limit."""
        return self.ids is not None or not self.transient

    def check_named(self, named: JsonObject) -> None:
        """Check the assistant or squad that a request, session or chat names (`assistantId`, `assistant`, …).

        Raises:
            WireError: 403.
        """
        inline = [named[name] for name in ("assistant", "squad") if named.get(name) is not None]
        if inline and not self.transient:
            raise WireError(403, _NO_TRANSIENT)
        if not inline and self.ids is not None:
            if named.get("squadId") is not None:
                raise WireError(403, _NOT_ALLOWED)
            self.check_id(named.get("assistantId"))
        for member in as_objects(as_object(named.get("squad")).get("members")):
            if member.get("assistantId") is not None:
                self.check_id(member["assistantId"])

    def check_id(self, assistant_id: object) -> None:
        """Check the id of a stored assistant; None: the assistant has none, as that of an inline member of a squad.

        Raises:
            WireError: 403.
        """
        if self.ids is not None and assistant_id not in self.ids:
            raise WireError(403, _NOT_ALLOWED)

    def check_written(self, json: JsonObject) -> None:
        """Check all that the holder of the token wrote into a request or a message, at any depth.

        An override or an assistant of its own may hand the call on: by a tool, a hook or a squad that names assistants,
        or by a server that is asked for one.

        Raises:
            WireError: 403.
        """
        if not self:
            return
        for name in _OVERRIDES:
            self._check_servers(as_object(json.get(name)))
        self._check_servers(as_object(json.get("assistant")))
        for inner in _objects(json):
            self._check_object(inner)

    def _check_servers(self, assistant: JsonObject) -> None:
        if assistant.get("server") is not None or assistant.get("serverUrl") is not None:
            raise WireError(403, _BY_SERVER)

    def _check_object(self, inner: JsonObject) -> None:
        if not self.transient and (_is_object(inner.get("assistant")) or _is_object(inner.get("squad"))):
            raise WireError(403, _NO_TRANSIENT)
        if inner.get("assistantId") is not None:
            self.check_id(inner["assistantId"])
        # The name in a destination may be that of any member of the call's squad.
        by_name = inner.get("type") == "assistant" and inner.get("assistantName") is not None
        if self.ids is not None and (by_name or inner.get("squadId") is not None):
            raise WireError(403, _NOT_ALLOWED)
        for overrides in _OVERRIDES:
            self._check_servers(as_object(inner.get(overrides)))
        kind = inner.get("type")
        if kind == "dynamic" or (kind in ("handoff", "transferCall") and not as_objects(inner.get("destinations"))):
            raise WireError(403, _BY_SERVER)


def _is_object(value: object) -> bool:
    return as_object_or_none(value) is not None


def _objects(value: object) -> Iterator[JsonObject]:
    """Yield every object of some JSON, except in fields whose contents name no assistant."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if (given := as_object_or_none(one)) is not None:
            yield given
            waiting.extend(inner for name, inner in given.items() if name not in _VALUES)
        elif (items := as_list_or_none(one)) is not None:
            waiting.extend(items)

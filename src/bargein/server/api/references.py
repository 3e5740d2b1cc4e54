"""References to stored records in request bodies, as `assistantId`."""

from collections.abc import Callable

from bargein.store import Store
from bargein.store.records import Records
from bargein.wire.base import JsonObject
from bargein.wire.errors import unknown_id
from bargein.wire.json import as_string

_RECORDS: dict[str, tuple[str, Callable[[Store], Records]]] = {
    "assistantId": ("assistant", lambda store: store.assistants),
    "squadId": ("squad", lambda store: store.squads),
    "phoneNumberId": ("phone number", lambda store: store.phone_numbers),
}
"""Field of a body -> the kind of record that its id is of, in messages, and the table of these records."""


async def check_references(store: Store, body: JsonObject, *fields: str) -> None:
    """Check that the records to which a body refers by their ids are stored.

    Args:
        store: the store.
        body: the body of a request.
        fields: the fields to check, in this order; one that is missing is skipped.

    Raises:
        WireError: 400.
    """
    for field in fields:
        kind, records = _RECORDS[field]
        record_id = as_string(body.get(field))
        if record_id is not None and await records(store).get(record_id) is None:
            raise unknown_id(kind, record_id, 400)

"""References between the records of simulations."""

from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.errors import unknown_id
from bargein.wire.json import as_objects, as_string, as_strings


async def check_references_of(store: Store, body: JsonObject) -> None:
    """Check that the records which a simulation or a suite names are stored.

    Raises:
        WireError: 400, naming the first that is not.
    """
    named = [("scenario", store.scenarios, as_string(body.get("scenarioId")))]
    named.append(("personality", store.personalities, as_string(body.get("personalityId"))))
    named += [("simulation", store.simulations, one) for one in as_strings(body.get("simulationIds"))]
    for one in as_objects(body.get("targetAssignments")):
        kind = str(one.get("targetType"))
        records = store.squads if kind == "squad" else store.assistants
        named.append((kind, records, as_string(one.get("targetId"))))
    for kind, records, record_id in named:
        if record_id is not None and await records.get(record_id) is None:
            raise unknown_id(kind, record_id, 400)

"""References between the records of simulations."""

from bargein.server.analysis.outputs import check_output
from bargein.store import Store
from bargein.wire.base import JsonObject
from bargein.wire.errors import unknown_id
from bargein.wire.json import as_object_or_none, as_objects, as_string, as_strings


async def check_references_of(store: Store, body: JsonObject) -> None:
    """Check that the records which a scenario, a simulation or a suite names are stored.

    Those of a simulation are also the structured outputs of its scenario.

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
    scenario_id = as_string(body.get("scenarioId"))
    scenario = None if scenario_id is None else await store.scenarios.get(scenario_id)
    for one in (*as_objects(body.get("evaluations")), *as_objects((scenario or {}).get("evaluations"))):
        named.append(("structured output", store.structured_outputs, as_string(one.get("structuredOutputId"))))
    for kind, records, record_id in named:
        if record_id is not None and await records.get(record_id) is None:
            raise unknown_id(kind, record_id, 400)


async def check_evaluations(store: Store, scenario: JsonObject, within: str = "") -> None:
    """Check the structured outputs of a scenario: that stored ones exist, and that its own ones can be extracted.

    Args:
        store: the store.
        scenario: the scenario, whose types have been checked.
        within: its path in the request, with a dot at its end.

    Raises:
        WireError: 400, naming the first that is wrong.
    """
    await check_references_of(store, {"evaluations": scenario.get("evaluations")})
    check_own_outputs(scenario, within)


def check_own_outputs(scenario: JsonObject, within: str = "") -> None:
    """Check the structured outputs that a scenario has inline (`evaluations.*.structuredOutput`).

    Raises:
        WireError: 400, naming the first that is wrong.
    """
    for number, one in enumerate(as_objects(scenario.get("evaluations"))):
        if (own := as_object_or_none(one.get("structuredOutput"))) is not None:
            check_output(own, f"{within}evaluations.{number}.structuredOutput.")

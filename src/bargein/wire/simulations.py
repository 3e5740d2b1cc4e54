"""Simulations: conversations of a tester with an assistant, and what is expected of them (`/eval/simulation`)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from bargein.wire.assistant import Assistant, AssistantOverrides
from bargein.wire.base import Bool, Integer, JsonObject, Number, WireModel
from bargein.wire.errors import bad_request
from bargein.wire.json import as_object, as_objects, as_string
from bargein.wire.squad import Squad

MOST_ITEMS = 500
"""The most conversations of one run."""

_Name = Annotated[str, Field(max_length=80)]
Comparator = Literal["=", "!=", ">", "<", ">=", "<="]


class CreatePersonality(WireModel):
    """The body of `POST /eval/simulation/personality` (Vapi's `CreatePersonalityDTO`)."""

    contract: ClassVar[str | None] = "CreatePersonalityDTO"

    name: _Name
    assistant: Assistant
    path: str | None = None


class EvaluationPlanItem(WireModel):
    """A structured output, and the value that is expected of it."""

    structured_output_id: str | None = None
    structured_output: JsonObject | None = None
    path: str | None = None
    comparator: Comparator
    value: Bool | Number | str
    required: Bool | None = None


class LatencyExpectation(WireModel):
    """A ceiling for a latency of the assistant's turns, in milliseconds (`thresholdMs`)."""

    metric: Literal["turn", "model", "voice"]
    aggregation: Literal["mean", "median", "p95", "max"]
    threshold_ms: Annotated[Number, Field(ge=0)]
    required: Bool | None = None


class ToolMock(WireModel):
    """A result in the place of a tool's."""

    tool_name: str
    result: str | None = None
    enabled: Bool | None = None


class CreateScenario(WireModel):
    """The body of `POST /eval/simulation/scenario` (Vapi's `CreateScenarioDTO`)."""

    contract: ClassVar[str | None] = "CreateScenarioDTO"

    name: _Name
    instructions: Annotated[str, Field(max_length=10_000)]
    evaluations: Annotated[list[EvaluationPlanItem], Field(max_length=100)]
    latency_expectations: Annotated[list[LatencyExpectation], Field(max_length=100)] | None = None
    hooks: Annotated[list[JsonObject], Field(max_length=20)] | None = None
    target_overrides: AssistantOverrides | None = None
    tool_mocks: Annotated[list[ToolMock], Field(max_length=128)] | None = None
    path: str | None = None


class CreateSimulation(WireModel):
    """The body of `POST /eval/simulation` (Vapi's `CreateSimulationDTO`)."""

    contract: ClassVar[str | None] = "CreateSimulationDTO"

    name: _Name | None = None
    scenario_id: str
    personality_id: str
    path: str | None = None


class CreateSimulationSuite(WireModel):
    """The body of `POST /eval/simulation/suite` (Vapi's `CreateSimulationSuiteDTO`)."""

    contract: ClassVar[str | None] = "CreateSimulationSuiteDTO"

    name: _Name
    slack_webhook_url: str | None = None
    simulation_ids: Annotated[list[str], Field(max_length=MOST_ITEMS)]
    target_assignments: list[JsonObject] | None = None
    path: str | None = None


class RunEntry(WireModel):
    """A simulation or a suite of a run."""

    type: Literal["simulation", "simulationSuite"]
    simulation_id: str | None = None
    scenario_id: str | None = None
    scenario: CreateScenario | None = None
    personality_id: str | None = None
    personality: CreatePersonality | None = None
    simulation_suite_id: str | None = None
    suite_id: str | None = None
    name: _Name | None = None


class RunTarget(WireModel):
    """The assistant or squad that is tested."""

    type: Literal["assistant", "squad"]
    assistant: Assistant | None = None
    assistant_id: str | None = None
    squad: Squad | None = None
    squad_id: str | None = None


class RunTransport(WireModel):
    """The kind of conversation: with voices, or written."""

    provider: Literal["vapi.websocket", "vapi.webchat"]


class CreateSimulationRun(WireModel):
    """The body of `POST /eval/simulation/run` (Vapi's `CreateSimulationRunDTO`)."""

    contract: ClassVar[str | None] = "CreateSimulationRunDTO"

    simulations: Annotated[list[RunEntry], Field(min_length=1, max_length=MOST_ITEMS)]
    target: RunTarget
    iterations: Annotated[Integer, Field(ge=1, le=10)] | None = None
    transport: RunTransport | None = None


class GenerateScenarios(WireModel):
    """The body of `POST /eval/simulation/scenario/generate` (Vapi's `GenerateScenariosDTO`)."""

    contract: ClassVar[str | None] = "GenerateScenariosDTO"

    assistant_id: str | None = None
    squad_id: str | None = None


_ORDERED = frozenset({">", "<", ">=", "<="})
_PRIMITIVES = frozenset({"string", "number", "integer", "boolean"})


def check_scenario(body: JsonObject, within: str = "") -> None:
    """Check what a scenario's types do not say: each evaluation has one structured output, whose value can be compared.

    Args:
        body: the scenario, whose types have been checked.
        within: its path in the request, with a dot at its end.

    Raises:
        WireError: 400, naming the evaluations.
    """
    found: list[str] = []
    for index, item in enumerate(as_objects(body.get("evaluations"))):
        where = f"{within}evaluations.{index}"
        inline = item.get("structuredOutput")
        if (inline is None) == (as_string(item.get("structuredOutputId")) is None):
            found.append(f"{where} needs either structuredOutputId or structuredOutput")
        if item.get("comparator") in _ORDERED and not _is_number(item.get("value")):
            found.append(f"{where}.value must be a number for the comparator {item['comparator']}")
        kind = as_object(as_object(inline).get("schema")).get("type")
        if inline is not None and item.get("path") is None and kind not in _PRIMITIVES:
            found.append(f"{where}.structuredOutput.schema.type must be one of the following values: "
                         f"{', '.join(sorted(_PRIMITIVES))}")  # fmt: skip
    if found:
        raise bad_request(*found)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_run_entry(entry: RunEntry, within: str) -> None:
    """Check that an entry of a run names what it runs, once.

    Raises:
        WireError: 400.
    """
    if entry.type == "simulationSuite":
        if entry.simulation_suite_id is None and entry.suite_id is None:
            raise bad_request(f"{within}simulationSuiteId should not be null or undefined")
        return
    if entry.simulation_id is not None:
        return
    pairs = {
        "scenario": (entry.scenario, entry.scenario_id),
        "personality": (entry.personality, entry.personality_id),
    }
    for name, given in pairs.items():
        if sum(one is not None for one in given) != 1:
            raise bad_request(f"{within}{name} or {name}Id is needed, and only one of them")

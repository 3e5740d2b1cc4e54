"""Jobs that analyse ended calls: first the analysis, then the report that has it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import structlog

from bargein.call.record.costs import analysed_fields
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import StoreError
from bargein.server.analysis.analyst import Analyst, Outcome
from bargein.server.analysis.outputs import Planned, part_or_skipped, plan_analysis
from bargein.server.analysis.plan import Part
from bargein.server.calls.owner_jobs import CALL_ANALYSIS, OwnerJobs
from bargein.server.calls.private_calls import PrivateCallMemory
from bargein.server.ops.logs import CALL_LOGS
from bargein.store import Store
from bargein.store.journals import append_lines, call_log_path
from bargein.wire.base import JsonObject
from bargein.wire.call import ANALYSIS_STATE
from bargein.wire.json import as_object, as_string

STRUCTURED_OUTPUT: Final = "structured-output"
"""The kind of job that extracts one structured output from the call `payload["call"]`, which ended some time ago: the
stored one of `payload["outputId"]`, or `payload["output"]`.
"""

_log = structlog.get_logger("bargein.server")


class AnalysisJobs:
    """Does the jobs of the kinds `CALL_ANALYSIS` and `STRUCTURED_OUTPUT`.

    Each part's outcome is stored when the model has answered, and the end of the analysis together with the job that
    sends the report. So a server that is killed at any moment asks for nothing twice that it has, and no report is lost
    or sent without what is known.

    Args:
        store: where calls, structured outputs and jobs are.
        analyst: asks the models.
        owner_jobs: finds the words of calls, and makes their reports.
        private_calls: the ends of this server's private calls, whose analysis is kept there alone.
        data_dir: where the logs of calls are.
        clock: the time of an analysis.
        always: whether calls of assistants without an `analysisPlan` are analysed, too.
    """

    def __init__(
        self,
        store: Store,
        analyst: Analyst,
        owner_jobs: OwnerJobs,
        private_calls: PrivateCallMemory,
        *,
        data_dir: Path,
        clock: Clock,
        always: bool,
    ) -> None:
        self._store = store
        self._analyst = analyst
        self._owner_jobs = owner_jobs
        self._private_calls = private_calls
        self._data_dir = data_dir
        self._clock = clock
        self._always = always

    async def analyse(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `CALL_ANALYSIS`.

        Raises:
            WordsElsewhereError: the words of a private call are on another server.
            StoreError: the database is away.
        """
        call_id, node_id = str(payload.get("call")), as_string(payload.get("nodeId"))
        call = await self._owner_jobs.ended_call(call_id, node_id)
        if call is None or as_object(call.get(ANALYSIS_STATE)).get("done"):
            return
        assistant = await self._owner_jobs.assistant(call)
        planned = await plan_analysis(call, assistant, self._store, always=self._always, tells=True)
        known = await self._outcomes(call, assistant, planned, private=node_id is not None)
        found = self._fields(planned, known)
        stored = found if node_id is None else _without_words(planned, found)
        if node_id is not None and (outcome := self._private_calls.outcome(call_id)):
            self._private_calls.withhold(call_id, _merged(outcome, found))
        report = await self._owner_jobs.report_job(_merged(call, found), node_id)

        def change(record: JsonObject) -> JsonObject | None:
            if as_object(record.get(ANALYSIS_STATE)).get("done"):
                return None
            return {**_changes(record, stored), ANALYSIS_STATE: {"done": True}}

        await self._store.calls.advance(call_id, change, [] if report is None else [report])
        if report is None:
            self._private_calls.forget(call_id)

    async def _outcomes(
        self, call: JsonObject, assistant: JsonObject, planned: Planned, *, private: bool
    ) -> dict[str, Outcome]:
        """Return the outcome of each part by its name: those that are stored already, and the others of a model."""
        call_id = str(call["id"])
        stored = as_object(as_object(call.get(ANALYSIS_STATE)).get("outcomes"))
        known = {name: Outcome(one.get("value"), one.get("problem")) for name, one in stored.items()}

        async def keep(part: Part, outcome: Outcome) -> None:
            known[part.name] = outcome
            if not private:
                outcomes = {name: {"value": one.value, "problem": one.problem} for name, one in known.items()}
                await self._store.calls.update(call_id, {ANALYSIS_STATE: {"outcomes": outcomes}})

        left = [part for part in planned.parts if part.name not in known]
        if private:
            self._private_calls.begin(call_id)
        lines: list[str] = []
        try:
            with CALL_LOGS.collect(call_id) as lines:
                await self._analyst.analyse(call, assistant, left, keep)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # a bug costs the owner the rest of the analysis, not the report
            _log.error("unexpected", call_id=call_id, error=type(error).__name__, during="analysis")
        finally:
            if private:
                self._private_calls.close(call_id)
        if lines and not private:
            await anyio.to_thread.run_sync(append_lines, call_log_path(self._data_dir, call_id), lines)
        return known

    async def rerun(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `STRUCTURED_OUTPUT`: replace one value in the artifact of a call.

        Raises:
            StoreError: the database is away.
        """
        call_id, output_id = str(payload.get("call")), as_string(payload.get("outputId"))
        call = await self._store.calls.get(call_id)
        output = payload.get("output") if output_id is None else await self._store.structured_outputs.get(output_id)
        if call is None or output is None:
            _log.warning("a structured output is left out: it or its call has been deleted", call_id=call_id)
            return
        found = await self.extract(as_object(output), call)

        def change(record: JsonObject) -> JsonObject:
            return _changes(record, found)

        await self._store.calls.advance(call_id, change, [])

    async def extract(self, output: JsonObject, call: JsonObject) -> JsonObject:
        """Extract a structured output from an ended call, and return the fields for the call's record."""
        part, skipped = part_or_skipped(output, call)
        planned = Planned([] if part is None else [part], {} if part is not None else {str(output["id"]): skipped})
        assistant = await self._owner_jobs.assistant(call)
        known: dict[str, Outcome] = {}

        async def keep(done: Part, outcome: Outcome) -> None:
            known[done.name] = outcome

        await self._analyst.analyse(call, assistant, planned.parts, keep)
        return self._fields(planned, known)

    def _fields(self, planned: Planned, known: Mapping[str, Outcome]) -> JsonObject:
        """Return the fields of a call's record that an analysis fills in: `analysis`, and of `artifact` some."""
        analysis: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        problems: list[JsonObject] = []
        for part in planned.parts:
            outcome = known.get(part.name, Outcome(None, "it was not done"))
            if outcome.problem is not None:
                problems.append({"part": part.name, "reason": outcome.problem})
            if part.target == "structuredOutputs":
                outputs[part.key] = _shown(part.output, outcome)
            elif outcome.problem is not None:
                continue
            elif part.target == "structuredDataMulti":
                analysis.setdefault(part.target, []).append({part.key: outcome.value})
            else:
                analysis[part.target] = outcome.value
        if problems:
            analysis["problems"] = problems
        artifact: JsonObject = {}
        if outputs:
            updated_at = iso_from_epoch_ms(self._clock.epoch_ms())
            artifact = {"structuredOutputs": outputs, "structuredOutputsLastUpdatedAt": updated_at}
        if planned.skipped:
            artifact["skippedStructuredOutputs"] = planned.skipped
        found: JsonObject = {"analysis": analysis} if analysis else {}
        return found | ({"artifact": artifact} if artifact else {})


def _shown(output: JsonObject, outcome: Outcome) -> JsonObject:
    """Return a value as an artifact has it (Vapi's `StructuredOutputRunResult`)."""
    plan: JsonObject = {"compliancePlan": output["compliancePlan"]} if output.get("compliancePlan") else {}
    return {"name": str(output.get("name") or ""), "result": outcome.value, **plan}


def _without_words(planned: Planned, found: JsonObject) -> JsonObject:
    """Return what may be stored of a private call's analysis: the outputs that their owner forces to be."""
    forced = {
        part.key
        for part in planned.parts
        if as_object(part.output.get("compliancePlan")).get("forceStoreOnHipaaEnabled") is True
    }
    artifact = as_object(found.get("artifact"))
    kept = {name: value for name, value in as_object(artifact.get("structuredOutputs")).items() if name in forced}
    if not kept:
        return {}
    return {"artifact": {**artifact, "structuredOutputs": kept}}


def _changes(record: JsonObject, found: JsonObject) -> JsonObject:
    """Return the top-level fields of a record that the fields of an analysis change."""
    artifact, more = as_object(record.get("artifact")), as_object(found.get("artifact"))
    changed: JsonObject = {}
    if more:
        changed["artifact"] = {**artifact, **more}
        for name in ("structuredOutputs", "skippedStructuredOutputs"):
            if name in more:
                changed["artifact"][name] = {**as_object(artifact.get(name)), **as_object(more[name])}
    problems = as_object(found.get("analysis")).get("problems")
    if "analysis" in found:
        before = as_object(record.get("analysis"))
        changed["analysis"] = {**before, **found["analysis"]}
        if problems is None:
            changed["analysis"].pop("problems", None)
        changed |= analysed_fields(record, changed["analysis"])
    return changed


def _merged(record: JsonObject, found: JsonObject) -> JsonObject:
    return {**record, **_changes(record, found)}


__all__ = ["CALL_ANALYSIS", "STRUCTURED_OUTPUT", "AnalysisJobs"]

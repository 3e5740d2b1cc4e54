"""Runs of simulations: their items are stored first, then each is done by a job of its own."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

import anyio

from bargein.client.errors import ClientError
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.errors import BargeinError
from bargein.fleet.jobs import LONG_JOBS
from bargein.ports import ProviderError, ServerError
from bargein.server.agents.assemble import AssemblyError
from bargein.server.agents.squads import MissingAgentError
from bargein.server.calls.live_calls import RefusedError, StartError
from bargein.server.evals.runs import cancelled_without
from bargein.server.simulations.items import ItemError, SimulationRunner, transport_of
from bargein.server.simulations.outcome import Conversation
from bargein.server.simulations.voice_call import VoiceCall
from bargein.store import Query, Store
from bargein.store.jobs import NewJob
from bargein.store.store import NewRecord
from bargein.webhooks.owner_channel import OwnerChannels
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, bad_request, unknown_id
from bargein.wire.json import as_object, as_objects, as_string, as_strings
from bargein.wire.simulations import MOST_ITEMS

SIMULATION_ITEM = "simulation-item"
"""The kind of job that does the item `payload["itemId"]`."""

MOST_AT_ONCE = 4
"""The most simulated conversations that one server holds at once; the others wait."""

SIMULATION_LIMITS = replace(LONG_JOBS, running=MOST_AT_ONCE)
"""The limits of the jobs that hold conversations."""

SLOTS = 2 * MOST_AT_ONCE
"""The call slots for simulations; a conversation with voices takes two, as Vapi counts them."""

OVER = frozenset({"passed", "failed", "canceled"})
_HOOK_S = 20.0
LONGEST_ITEM_S = 500.0
"""The longest time of a simulated conversation with its evaluation; then it fails."""
_LONGEST_REASON = 2000
"""The most characters of a `failureReason`."""


class _OverError(BargeinError):
    """An item that was canceled, so that nothing more is written to it."""


@dataclass(frozen=True, slots=True)
class SimulationRuns:
    """Begins and cancels runs of simulations, and does their items.

    Args:
        store: where everything is.
        clock: the time.
        runner: holds and evaluates conversations.
        owner_channels: sends hooks.
    """

    store: Store
    clock: Clock
    runner: SimulationRunner
    owner_channels: OwnerChannels

    async def begin(self, body: JsonObject, base_url: str) -> JsonObject:
        """Store a run and its items, which jobs do, and return it (Vapi's `CreateSimulationRunResponse`).

        Args:
            body: the body of `POST /eval/simulation/run`, checked and without nulls.
            base_url: the address of this server, for the URLs of the calls.

        Raises:
            WireError: 400: a simulation, scenario, personality or suite does not exist, or there are too many items.
        """
        pairs = [pair for entry in as_objects(body["simulations"]) for pair in await self._simulations(entry)]
        iterations = int(body.get("iterations") or 1)
        if len(pairs) * iterations > MOST_ITEMS:
            raise bad_request(f"simulations must not make more than {MOST_ITEMS} conversations")
        now = iso_from_epoch_ms(self.clock.epoch_ms())
        run_id, target = str(uuid4()), as_object(body["target"])
        transport = as_object(body.get("transport")) or {"provider": "vapi.websocket"}
        shared = {"runId": run_id, "status": "queued", "queuedAt": now, "target": target}
        shared["configurations"] = {"transport": transport}
        snapshot = await self._snapshot(target)
        items: list[JsonObject] = [
            {
                **pair,
                **shared,
                "metadata": {**snapshot, **pair["metadata"]},
                "iterationNumber": number,
            }
            for pair in pairs
            for number in range(1, iterations + 1)
        ]
        ids = [str(uuid4()) for _ in items]
        run: JsonObject = {
            **body,
            "iterations": iterations,
            "transport": transport,
            "status": "queued",
            "queuedAt": now,
        }
        for name in ("assistantId", "squadId"):
            if name in target:
                run["targetId"] = target[name]
        new = [NewRecord(self.store.simulation_runs, run, run_id)]
        new += [NewRecord(self.store.simulation_items, item, one) for item, one in zip(items, ids, strict=True)]
        jobs = [
            NewJob(SIMULATION_ITEM, {"itemId": one, "baseUrl": base_url}, f"{one}:{SIMULATION_ITEM}") for one in ids
        ]
        stored, *_ = await self.store.create_all(new, jobs)
        (shown,) = await self.with_counts([stored])
        return {**shown, "simulationRunItemIds": ids, "url": f"{base_url}/eval/simulation/run/{run_id}"}

    async def _simulations(self, entry: JsonObject) -> list[JsonObject]:
        """Return the parts of items that an entry of a run names: a scenario and a personality each."""
        suite_id = as_string(entry.get("simulationSuiteId")) or as_string(entry.get("suiteId"))
        if entry.get("type") == "simulationSuite":
            suite = await self.store.simulation_suites.get(str(suite_id))
            if suite is None:
                raise unknown_id("simulation suite", str(suite_id), 400)
            return [await self._simulation(one) for one in as_strings(suite.get("simulationIds"))]
        if (simulation_id := as_string(entry.get("simulationId"))) is not None:
            return [await self._simulation(simulation_id)]
        return [await self._pair(entry, str(uuid4()), {})]

    async def _simulation(self, simulation_id: str) -> JsonObject:
        simulation = await self.store.simulations.get(simulation_id)
        if simulation is None:
            raise unknown_id("simulation", simulation_id, 400)
        return await self._pair(simulation, simulation_id, {"simulation": simulation})

    async def _pair(self, named: JsonObject, simulation_id: str, metadata: JsonObject) -> JsonObject:
        found: dict[str, JsonObject] = {}
        made: JsonObject = {"simulationId": simulation_id}
        for name, records in (("scenario", self.store.scenarios), ("personality", self.store.personalities)):
            record_id = as_string(named.get(f"{name}Id"))
            if record_id is None:
                found[name] = as_object(named.get(name))
                continue
            stored = await records.get(record_id)
            if stored is None:
                raise unknown_id(name, record_id, 400)
            found[name], made[f"{name}Id"] = stored, record_id
        hooks = as_objects(found["scenario"].get("hooks"))
        return {**made, "metadata": {**metadata, **found}, **({"hooks": hooks} if hooks else {})}

    async def _snapshot(self, target: JsonObject) -> JsonObject:
        """Return the target as it is now, for the items' `metadata`."""
        kind = str(target.get("type"))
        inline = as_object(target.get(kind))
        records = self.store.assistants if kind == "assistant" else self.store.squads
        stored = inline or await records.get(str(target.get(f"{kind}Id"))) or {}
        return {kind: stored}

    async def items(self, run_id: str) -> Sequence[JsonObject]:
        """Return all items of a run."""
        return await self.store.simulation_items.list(Query(limit=MOST_ITEMS, where={"run_id": run_id}))

    async def with_counts(self, runs: Sequence[JsonObject]) -> list[JsonObject]:
        """Return runs as they are shown, with the numbers of their items by status."""
        statuses = await self._statuses([str(run["id"]) for run in runs])
        return [_shown(run, statuses[str(run["id"])]) for run in runs]

    async def _statuses(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Return the numbers of the items of runs by status."""
        found: dict[str, dict[str, int]] = {one: {} for one in run_ids}
        counted = await self.store.simulation_items.counts(Query(where={"run_id": run_ids}), "run_id", "status")
        for (run_id, status), count in counted.items():
            found[run_id][status] = count
        return found

    async def active(self) -> int:
        """Return the number of call slots that simulations use now."""
        where = {"status": ("running", "evaluating")}
        found = await self.store.simulation_items.list(Query(limit=MOST_ITEMS, where=where))
        return sum(1 if transport_of(one) == "vapi.webchat" else 2 for one in found)

    async def cancel(self, run_id: str) -> None:
        """Cancel the items of a run that are not over."""
        for item in await self.items(run_id):
            await self.cancel_item(str(item["id"]))

    async def cancel_item(self, item_id: str) -> JsonObject | None:
        """Cancel an item that is not over, and return it; None if there is none."""
        now = iso_from_epoch_ms(self.clock.epoch_ms())
        with suppress(_OverError):
            await self.store.simulation_items.patch(item_id, {"status": "canceled", "canceledAt": now}, check=_not_over)
        item = await self.store.simulation_items.get(item_id)
        if item is not None:
            await self._end_run(str(item["runId"]))
        return item

    async def do(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `SIMULATION_ITEM`. An item that was interrupted by the end of a server begins anew."""
        item_id = str(payload.get("itemId"))
        items = self.store.simulation_items
        item = await items.get(item_id)
        if item is None or item["status"] in OVER:
            return
        now = iso_from_epoch_ms(self.clock.epoch_ms())
        with suppress(_OverError):
            item = await items.patch(item_id, {"status": "running", "startedAt": now}, check=_not_over) or item
            await self._start_run(str(item["runId"]), now)
            async with cancelled_without(items, item_id, lambda one: one is None or one["status"] == "canceled"):
                await self._held(item, str(payload.get("baseUrl")))
        await self._end_run(str(item["runId"]))

    async def _held(self, item: JsonObject, base_url: str) -> None:
        """Hold and evaluate a conversation, and record what came of it."""
        item_id = str(item["id"])
        await self._hook("simulation.run.started", item)
        changes: JsonObject
        try:
            with anyio.fail_after(LONGEST_ITEM_S):
                conversation = await self.runner.conversation(item, base_url)
                calls = isinstance(conversation, VoiceCall)
                held_in = {"callId": conversation.call["id"]} if calls else {"sessionId": conversation.session["id"]}
                await self._write(item_id, held_in)
                held = await conversation.hold()
                now_stored = await self._write(item_id, {"status": "evaluating"})
                metadata = {**as_object(now_stored.get("metadata")), "call": _call_metadata(held)}
                await self._write(item_id, {"metadata": metadata})
                results = await self.runner.results(item, held)
                changes = {"results": results, "status": "passed" if results["passed"] else "failed"}
                if not results["passed"]:
                    changes["failureReason"] = _why(results)
        except TimeoutError:
            changes = {"status": "failed", "failureReason": f"It was not complete within {LONGEST_ITEM_S:g} s."}
        except MissingAgentError as error:
            changes = {"status": "failed", "failureReason": str(error.as_bad_request())}
        except (ItemError, AssemblyError, ProviderError, WireError, RefusedError, StartError, ClientError) as error:
            changes = {"status": "failed", "failureReason": str(error)[:_LONGEST_REASON]}
        now = iso_from_epoch_ms(self.clock.epoch_ms())
        changes["failedAt" if changes["status"] == "failed" else "completedAt"] = now
        done = await self._write(item_id, changes)
        await self._hook("simulation.run.ended", done)

    async def _write(self, item_id: str, changes: JsonObject) -> JsonObject:
        return await self.store.simulation_items.patch(item_id, changes, check=_not_over) or {}

    async def _start_run(self, run_id: str, now: str) -> None:
        run = await self.store.simulation_runs.get(run_id)
        if run is not None and run["status"] == "queued":
            await self.store.simulation_runs.patch(run_id, {"status": "running", "startedAt": now})

    async def _end_run(self, run_id: str) -> None:
        """Record the end of a run whose items are all over."""
        statuses = (await self._statuses([run_id]))[run_id]
        run = await self.store.simulation_runs.get(run_id)
        if run is None or run["status"] == "ended" or not OVER.issuperset(statuses):
            return
        reason = "canceled" if "canceled" in statuses else "completed"
        now = iso_from_epoch_ms(self.clock.epoch_ms())
        await self.store.simulation_runs.patch(run_id, {"status": "ended", "endedReason": reason, "endedAt": now})

    async def _hook(self, event: str, item: JsonObject) -> None:
        """Send the webhooks of an event, and record which were taken; a failed one does not change the result."""
        actions = [action for hook in as_objects(item.get("hooks")) if hook.get("on") == event
                   for action in as_objects(hook.get("do"))]  # fmt: skip
        sent: JsonObject = {}
        for number, action in enumerate(actions):
            key = f"{item['id']}:{event}:{number}"
            server = as_object(action.get("server"))
            channel = self.owner_channels.channel({}, {"server": server} if server else {})
            try:
                with anyio.fail_after(_HOOK_S):
                    await channel.deliver(_hook_message(event, item, as_object(action.get("include"))), key=key)
                sent[f"{event}:{number}"] = "sent" if channel.has_server else "skipped: there is no server"
            except TimeoutError:
                sent[f"{event}:{number}"] = f"failed: the server did not answer within {_HOOK_S:g} s"
            except ServerError as error:
                sent[f"{event}:{number}"] = f"failed: {error}"
        stored = await self.store.simulation_items.get(str(item.get("id"))) if sent else None
        if stored is not None:
            metadata = as_object(stored.get("metadata"))
            hooks = {**as_object(metadata.get("hooks")), **sent}
            await self.store.simulation_items.patch(str(item["id"]), {"metadata": {**metadata, "hooks": hooks}})


def _shown(run: JsonObject, statuses: Mapping[str, int]) -> JsonObject:
    counts = {name: statuses.get(name, 0) for name in ("passed", "failed", "queued", "canceled")}
    running = statuses.get("running", 0) + statuses.get("evaluating", 0)
    shown = {name: value for name, value in run.items() if name != "targetId"}
    return {**shown, "itemCounts": {"total": sum(statuses.values()), "running": running, **counts}}


def _hook_message(event: str, item: JsonObject, include: JsonObject) -> JsonObject:
    names = ("id", "runId", "simulationId", "scenarioId", "personalityId", "status", "iterationNumber", "callId",
             "sessionId", "startedAt", "completedAt", "failedAt", "failureReason", "results")  # fmt: skip
    message: JsonObject = {"type": event, "simulationRunItem": {name: item[name] for name in names if name in item}}
    call = as_object(as_object(item.get("metadata")).get("call"))
    wanted = {
        name: call[name]
        for name in ("transcript", "messages", "recordingUrl")
        if include.get(name) is True and name in call
    }
    return {**message, **wanted}


def _call_metadata(held: Conversation) -> JsonObject:
    artifact = as_object(held.record.get("artifact"))
    made: JsonObject = {"transcript": held.transcript, "messages": held.messages}
    if (url := as_string(artifact.get("recordingUrl"))) is not None:
        made["recordingUrl"] = url
    return made


def _why(results: Mapping[str, object]) -> str:
    """Return what of the results was required and has not passed."""
    reasons: list[str] = []
    for one in as_objects(results.get("evaluations")):
        if one["required"] and not one["passed"] and not one.get("isSkipped"):
            found = one.get("error") or f"it is {one['extractedValue']!r}"
            reasons.append(
                f"{one['name'] or one['structuredOutputId']} {one['comparator']} {one['expectedValue']!r}: {found}"
            )
    for one in as_objects(results.get("latencyEvaluations")):
        if one["required"] and not one["passed"] and not one.get("isSkipped"):
            actual = f"{one['actualMs']} ms" if "actualMs" in one else "no turn measured it"
            reasons.append(f"{one['aggregation']} of {one['metric']} <= {one['thresholdMs']} ms: {actual}")
    return "; ".join(reasons)[:_LONGEST_REASON]


def _not_over(before: JsonObject, _after: JsonObject) -> None:
    """Refuse a change of an item that is over.

    Raises:
        _OverError: it is.
    """
    if before.get("status") in OVER:
        raise _OverError("the item is over")

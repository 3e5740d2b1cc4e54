"""Runs of evals: stored first, then played by a job, so that a server that is killed loses none."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from uuid import uuid4

import anyio

from bargein.call.record.costs import model_costs
from bargein.call.record.usage import Usage
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.ports import ProviderError, StoreError
from bargein.server.agents.assemble import AgentAssembler, AssemblyError
from bargein.server.agents.resolve import resolve_chat
from bargein.server.agents.squads import MissingAgentError
from bargein.server.evals.conversation import MockConversation
from bargein.server.evals.judge import Judge
from bargein.server.evals.metering import MeteredModel
from bargein.store import Store
from bargein.store.jobs import NewJob
from bargein.store.records import Records
from bargein.store.store import NewRecord
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, unknown_id
from bargein.wire.json import as_object, as_objects
from bargein.wire.ownership import made_by
from bargein.wire.prices import Prices

EVAL_RUN = "eval-run"
"""The kind of job that plays the run `payload["evalRunId"]`."""

TIMEOUT_S = 240.0
"""The longest time of an eval's run."""
_LOOK_S = 1.0
"""Interval at which a job looks whether its run was deleted, perhaps on another server."""


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a run: its `endedReason`, and why."""

    reason: str
    message: str | None = None


class EvalRuns:
    """Begins runs of evals, and plays them.

    Args:
        store: where evals and runs are.
        clock: the time.
        assembler: assembles the assistants and the judges' models.
        prices: the owner's prices; None: there are none, and the costs are 0.
    """

    def __init__(self, store: Store, clock: Clock, assembler: AgentAssembler, prices: Prices | None = None) -> None:
        self._store = store
        self._clock = clock
        self._assembler = assembler
        self._prices = prices

    async def begin(self, body: JsonObject) -> JsonObject:
        """Store a run, which a job plays, and return it.

        Args:
            body: the body of `POST /eval/run`, checked and without nulls.

        Raises:
            WireError: 400: there is no eval with the id.
        """
        eval_id = body.get("evalId")
        if eval_id is not None and await self._store.evals.get(eval_id) is None:
            raise unknown_id("eval", eval_id, 400)
        run_id = str(uuid4())
        document: JsonObject = {**body, "status": "queued", "results": [], "cost": 0, "costs": []}
        (run,) = await self._store.create_all(
            [NewRecord(self._store.eval_runs, document, run_id)],
            [NewJob(EVAL_RUN, {"evalRunId": run_id}, f"{run_id}:{EVAL_RUN}")],
        )
        return run

    async def play(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `EVAL_RUN`. A run that was interrupted by the end of a server begins anew."""
        run_id = str(payload.get("evalRunId"))
        run = await self._store.eval_runs.get(run_id)
        if run is None or run.get("status") == "ended":
            return
        began = iso_from_epoch_ms(self._clock.epoch_ms())
        run |= {"startedAt": began}
        await self._store.eval_runs.patch(run_id, {"status": "running", "startedAt": began})
        async with cancelled_without(self._store.eval_runs, run_id, lambda found: found is None):
            usage = Usage()
            end, results = await self._played(run, usage)
            await self._store.eval_runs.patch(
                run_id,
                {
                    "status": "ended",
                    "endedReason": end.reason,
                    "endedMessage": end.message,
                    "endedAt": iso_from_epoch_ms(self._clock.epoch_ms()),
                    "results": results,
                    **model_costs(usage, self._prices),
                },
            )

    async def _played(self, run: JsonObject, usage: Usage) -> tuple[_End, list[JsonObject]]:
        """Play a run, and return its end and results."""
        messages = await self._messages(run)
        if messages is None:
            return _End("error", "The eval was deleted before it was run."), []
        conversation: MockConversation | None = None
        end = _End("mockConversation.done")
        try:
            with anyio.fail_after(TIMEOUT_S):
                conversation = await self._conversation(run, usage)
                await conversation.play(messages)
        except TimeoutError:
            end = _End("timeout", f"The run was not complete within {TIMEOUT_S:g} s.")
        except MissingAgentError as error:
            end = _End("error", str(error.as_bad_request()))
        except (AssemblyError, ProviderError, WireError) as error:
            end = _End("error", str(error))
        if conversation is None:
            return end, []
        if not any("judge" in one for one in conversation.messages) and end.message is None:
            end = _End("error", "The eval has no message with a judgePlan, so that it checks nothing.")
        passed = end.message is None and not conversation.failed
        result: JsonObject = {
            "status": "pass" if passed else "fail",
            "messages": conversation.messages,
            "startedAt": run["startedAt"],
            "endedAt": iso_from_epoch_ms(self._clock.epoch_ms()),
        }
        return end, [result]

    async def _messages(self, run: JsonObject) -> list[JsonObject] | None:
        """Return the messages of a run's eval; None if it is not stored any more."""
        found = run.get("eval")
        if found is None:
            found = await self._store.evals.get(str(run.get("evalId")))
        return None if found is None else as_objects(as_object(found).get("messages"))

    async def _conversation(self, run: JsonObject, usage: Usage) -> MockConversation:
        """Assemble the target of a run, as a chat does; the tokens of its models are counted.

        Raises:
            MissingAgentError: it is not stored any more.
            AssemblyError: it cannot be run on this server.
        """
        target = as_object(run.get("target"))
        record = made_by({name: value for name, value in target.items() if name != "type"}, "owner")
        context: JsonObject = {"id": run["id"], "transport": {"conversationType": "chat"}}
        agent = replace(await resolve_chat(record, self._store, handoffs=True), record=context)
        ready = await self._assembler.assemble_chat(agent, {"id": run["id"]})
        ready = replace(ready, model=MeteredModel(ready.model, agent.assistant_json.get("model"), usage))

        async def judge_of(plan: JsonObject) -> Judge:
            given = as_object(plan.get("model"))
            model = ready.model
            if given.get("provider") is not None:
                model = MeteredModel(await self._assembler.assemble_model(given, agent), given, usage)
            return Judge(model, plan, self._clock.epoch_ms())

        return MockConversation(ready, judge_of)


@asynccontextmanager
async def cancelled_without(
    records: Records, record_id: str, is_cancelled: Callable[[JsonObject | None], bool]
) -> AsyncGenerator[None]:
    """Cancel the block when a record says so: another server, or another request, may have changed or deleted it."""
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            over = False
            while not over:
                await anyio.sleep(_LOOK_S)
                with suppress(StoreError):  # the block goes on while the database is away
                    over = is_cancelled(await records.get(record_id))
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        yield
        tasks.cancel_scope.cancel()

"""Traces of calls for Langfuse (`assistant.observabilityPlan`), sent over OTLP as JSON after the call.

A call is a trace; each request to the model is a generation in it, and each run of a tool a tool observation. The
names of the attributes are Langfuse's (`langfuse.…`), the request is that of OpenTelemetry's OTLP/HTTP. The trace is
made from the journal, by a job: after a crash of the server or of Langfuse it is sent later, under the same ids.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread
import httpx
import structlog

from bargein.call.plan.variables import Variables
from bargein.call.record.journal import JournalError, read
from bargein.call.record.privacy import is_private
from bargein.call.record.replay import replay
from bargein.call.record.trace import CallTrace, Generation, ToolRun, trace_of
from bargein.clock import Clock, iso_from_epoch_ms
from bargein.errors import BargeinError
from bargein.fleet.lease import SILENT_MS
from bargein.http_client import read_url
from bargein.server.agents.resolve import fill_in, first_agent, last_assistant
from bargein.store import Query, Store
from bargein.store.journals import journal_path
from bargein.wire.base import JsonObject, Template
from bargein.wire.json import as_object, as_objects, as_string, as_strings
from bargein.wire.ownership import is_callers, without_marks
from bargein.wire.redact import without_secrets

TRACE = "langfuse-trace"
"""The kind of job that sends the trace of the call `payload["call"]`, whose journal is on the server `nodeId`."""

_PROVIDER = "langfuse"
_PATH = "/api/public/otel/v1/traces"
_TIMEOUT_S = 20.0
_MOST_CHARS = 100_000
"""The longest input or output of an observation; the rest is cut off."""

_REPLAYING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: each that replays a call delays the event loop, so only one does at a time."""

_log = structlog.get_logger("bargein.server")


class TraceError(BargeinError):
    """A trace that cannot be sent now; the job is tried again."""


def plan_of(assistant: JsonObject) -> JsonObject | None:
    """Return the plan of an assistant that asks for traces; None: it does not, a caller wrote it, or it is private."""
    plan = as_object(assistant.get("observabilityPlan"))
    callers = is_callers(assistant) or is_callers(plan)
    return None if plan.get("provider") != _PROVIDER or callers or is_private(assistant) else plan


class LangfuseTraces:
    """Sends the traces of calls.

    Args:
        store: where calls and credentials are.
        data_dir: where the journals are.
        client: the guarded client: the address is the owner's.
        clock: the time that templates may name.
    """

    def __init__(self, store: Store, data_dir: Path, client: httpx.AsyncClient, clock: Clock) -> None:
        self._store = store
        self._data_dir = data_dir
        self._client = client
        self._clock = clock

    async def send(self, payload: JsonObject, key: str) -> None:
        """Do a job of the kind `TRACE`.

        Raises:
            TraceError: Langfuse cannot be reached or is busy, or another server has the journal.
        """
        call_id = str(payload.get("call"))
        node_id = as_string(payload.get("nodeId")) or self._store.calls.node_id
        path = journal_path(self._data_dir, call_id)
        if not await anyio.Path(path).exists():
            if node_id != self._store.calls.node_id and await self._store.nodes.is_alive(node_id, SILENT_MS):
                raise TraceError("another server has the journal of this call")
            _log.warning("a trace is left out: the call has no journal here", call_id=call_id)
            return
        call = await self._store.calls.get(call_id)
        if call is None:
            return
        first, now_ms = await first_agent(call, self._store), self._clock.epoch_ms()
        assistants = (
            await fill_in(first.assistant_json, first.variables(), now_ms),
            await last_assistant(call, self._store, now_ms),
        )
        plan = plan_of(assistants[-1])
        if plan is None or any(map(is_private, assistants)):
            return
        credential = await self._credential(assistants[-1])
        if credential is None:
            _log.warning("a trace is left out: there is no credential of provider langfuse", call_id=call_id)
            return
        body = await anyio.to_thread.run_sync(self._body, call, assistants, plan, path, limiter=_REPLAYING)
        if body is not None:
            await self._post(credential, body, call_id)

    async def _credential(self, assistant: JsonObject) -> JsonObject | None:
        """Return the owner's credential: the assistant's own, a stored one that it names, the newest stored one."""
        for one in as_objects(assistant.get("credentials")):
            if one.get("provider") == _PROVIDER and not is_callers(one):
                return one
        for name in as_strings(assistant.get("credentialIds")):
            named = await self._store.credentials.find(name)
            if named is not None and named.get("provider") == _PROVIDER:
                return named
        return next(iter(await self._store.credentials.list(Query(limit=1, where={"provider": _PROVIDER}))), None)

    def _body(
        self, call: JsonObject, assistants: tuple[JsonObject, JsonObject], plan: JsonObject, path: Path
    ) -> bytes | None:
        """Return the body of the request, as text: that of a long call has megabytes."""
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                head, events = read(lines)
                trace = trace_of(replay(head, events))
        except (OSError, JournalError) as error:
            _log.warning("a trace is left out: its journal cannot be read", call_id=call["id"], reason=str(error))
            return None
        body = TraceRequest(call, assistants, plan, self._name(call, assistants[0], plan)).body(trace)
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")

    def _name(self, call: JsonObject, assistant: JsonObject, plan: JsonObject) -> str:
        """Return `traceName` with its templates filled in; the call's id if there is none."""
        template = as_string(plan.get("traceName"))
        if not template:
            return str(call["id"])
        named: JsonObject = {"id": call.get("assistantId") or "", "name": assistant.get("name") or ""}
        return Variables.of(call).render(Template(template), self._clock.epoch_ms(), {"assistant": named})

    async def _post(self, credential: JsonObject, body: bytes, call_id: str) -> None:
        url = f"{str(credential.get('apiUrl')).rstrip('/')}{_PATH}"
        auth = httpx.BasicAuth(str(credential.get("publicKey")), str(credential.get("apiKey")))
        if read_url(url) is None:
            _log.error("a trace cannot be sent: apiUrl of the langfuse credential is no URL", call_id=call_id)
            return
        try:
            with anyio.fail_after(_TIMEOUT_S):
                headers = {"Content-Type": "application/json"}
                async with self._client.stream("POST", url, content=body, headers=headers, auth=auth) as answer:
                    status = answer.status_code
        except (TimeoutError, httpx.HTTPError) as error:
            raise TraceError(f"Langfuse cannot be reached: {type(error).__name__}") from None
        if status in (408, 429) or status >= 500:
            raise TraceError(f"Langfuse answered {status}")
        if status >= 300:
            _log.error("Langfuse refused a trace", call_id=call_id, status=status)


class TraceRequest:
    """The OTLP request for one call.

    Args:
        call: the call's record.
        assistants: the assistant that began the call, and the one that had it last.
        plan: `observabilityPlan`.
        name: the name of the trace.
    """

    def __init__(
        self, call: JsonObject, assistants: tuple[JsonObject, JsonObject], plan: JsonObject, name: str
    ) -> None:
        self._call = call
        self._assistants = assistants
        self._plan = plan
        self._name = name
        self._call_id = str(call["id"])
        self._trace_id = hashlib.sha256(f"trace:{self._call_id}".encode()).hexdigest()[:32]
        self._zero_ms = _epoch_ms(call)

    def body(self, trace: CallTrace) -> JsonObject:
        """Return the request's body (`ExportTraceServiceRequest` as JSON)."""
        spans = [self._root(trace), *map(self._generation, trace.generations), *map(self._tool, trace.tools)]
        for span in spans:
            span["traceId"] = self._trace_id
        service = _attributes({"service.name": "bargein"})
        return {
            "resourceSpans": [
                {
                    "resource": {"attributes": service},
                    "scopeSpans": [{"scope": {"name": "bargein"}, "spans": spans}],
                }
            ]
        }

    def _root(self, trace: CallTrace) -> JsonObject:
        metadata = {**self._default_metadata(), **as_object(self._plan.get("metadata"))}
        attributes: dict[str, object] = {
            "langfuse.trace.name": self._name,
            "langfuse.trace.tags": tuple(as_strings(self._plan.get("tags"))),
            **{f"langfuse.trace.metadata.{name}": value for name, value in metadata.items()},
            "langfuse.trace.output": trace.conversation,
            "langfuse.observation.type": "span",
            "langfuse.observation.output": trace.conversation,
            "langfuse.observation.metadata.endedReason": self._call.get("endedReason"),
        }
        return self._span("call", self._name, 0, trace.ended_ms, attributes, parent=False)

    def _default_metadata(self) -> JsonObject:
        """Return what Vapi adds by default: the metadata of call and assistant, and the overrides."""
        found: JsonObject = {"callId": self._call_id}
        for name, value in (
            ("call", self._call.get("metadata")),
            ("assistant", self._assistants[-1].get("metadata")),
            ("assistantOverrides", self._call.get("assistantOverrides")),
        ):
            if value:
                found[name] = without_secrets(without_marks({name: value}))[name]
        return found

    def _generation(self, one: Generation) -> JsonObject:
        model = as_object(self._assistants[min(one.assistant, 1)].get("model"))
        instructions = [{"role": m.get("role"), "content": m.get("content")} for m in as_objects(model.get("messages"))]
        parameters = {name: model[name] for name in ("temperature", "maxTokens") if model.get(name) is not None}
        output: object = {"role": "assistant", "content": one.text, "tool_calls": one.tool_calls}
        attributes: dict[str, object] = {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": model.get("model") or model.get("provider") or "vapi",
            "langfuse.observation.model.parameters": parameters or None,
            "langfuse.observation.input": without_marks({"_": [*instructions, *one.messages]})["_"],
            "langfuse.observation.output": output if one.tool_calls else one.text,
            "langfuse.observation.metadata.turnId": one.turn_id,
            "langfuse.observation.metadata.outcome": one.outcome,
            "langfuse.observation.prompt.name": self._plan.get("promptName"),
            "langfuse.observation.prompt.version": _integer(self._plan.get("promptVersion")),
        }
        if one.first_token_ms is not None:
            began = iso_from_epoch_ms(self._zero_ms + one.first_token_ms)
            attributes["langfuse.observation.completion_start_time"] = json.dumps(began)
        if one.problem is not None:
            attributes |= {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": one.problem}
        return self._span(f"generation:{one.turn_id}", "generation", one.started_ms, one.ended_ms, attributes)

    def _tool(self, run: ToolRun) -> JsonObject:
        attributes: dict[str, object] = {
            "langfuse.observation.type": "tool",
            "langfuse.observation.input": run.arguments,
            "langfuse.observation.output": run.result,
            "langfuse.observation.level": "ERROR" if run.failed else None,
        }
        return self._span(f"tool:{run.call_id}", run.name, run.started_ms, run.ended_ms, attributes)

    def _span(
        self,
        key: str,
        name: str,
        started_ms: int,
        ended_ms: int | None,
        attributes: Mapping[str, object],
        *,
        parent: bool = True,
    ) -> JsonObject:
        begun = self._zero_ms + started_ms
        span: JsonObject = {
            "spanId": self._span_id(key),
            "name": name,
            "kind": 1,
            "startTimeUnixNano": f"{begun}000000",
            "endTimeUnixNano": f"{begun if ended_ms is None else self._zero_ms + max(ended_ms, started_ms)}000000",
            "attributes": _attributes(attributes),
            "status": {},
        }
        return {**span, "parentSpanId": self._span_id("call")} if parent else span

    def _span_id(self, key: str) -> str:
        return hashlib.sha256(f"{self._call_id}:{key}".encode()).hexdigest()[:16]


def _attributes(values: Mapping[str, object]) -> list[JsonObject]:
    """Return attributes as OTLP has them; None is left out, and what is no plain value is JSON text."""
    return [{"key": name, "value": value} for name, given in values.items() for value in _value(given)]


def _value(given: object) -> Iterator[JsonObject]:
    match given:
        case None:
            return
        case bool():
            yield {"boolValue": given}
        case int():
            yield {"intValue": str(given)}
        case float():
            yield {"doubleValue": given}
        case str():
            yield {"stringValue": given[:_MOST_CHARS]}
        case tuple():  # of texts: tags
            yield {"arrayValue": {"values": [{"stringValue": str(one)} for one in cast("tuple[object, ...]", given)]}}
        case _:
            yield {"stringValue": json.dumps(given, ensure_ascii=False)[:_MOST_CHARS]}


def _integer(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _epoch_ms(call: JsonObject) -> int:
    """Return when a call began, in milliseconds since 1970."""
    try:
        return round(datetime.fromisoformat(str(call.get("startedAt"))).timestamp() * 1000)
    except ValueError:
        return 0

"""The outcome of a call: its summary, its final record and its artifact (Vapi's `Artifact`).

All of it follows from the call's record, its assistant and its journal, so that a call whose server died gets the same
as one that ended: a `CallSummary` can be built from a replay of the journal.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bargein.call.plan.variables import given_values
from bargein.call.record.costs import cost_fields
from bargein.call.record.end import CallEnd
from bargein.call.record.history import as_openai, history_messages
from bargein.call.record.metrics import CallMetrics
from bargein.call.record.privacy import is_private
from bargein.call.record.usage import Usage
from bargein.clock import iso_from_epoch_ms
from bargein.turns.commands import Command, EndCall, Remember, SwitchAssistant
from bargein.turns.events import Event, HandoffRequested, ToolReturned, VariablesSet
from bargein.turns.state import State
from bargein.wire.artifact_urls import ArtifactUrls
from bargein.wire.base import JsonObject
from bargein.wire.call import ACTIVE_ASSISTANT
from bargein.wire.json import as_object
from bargein.wire.plans import ArtifactPlan, TranscriptPlan
from bargein.wire.prices import Prices

_NOTHING: JsonObject = {"recordingEnabled": False, "loggingEnabled": False}
"""The part of an `artifactPlan` that is not up to the owner where nothing may be kept."""


@dataclass(slots=True)
class CallSummary:
    """The summary of a call, updated at each step of the engine.

    Attributes:
        first_activation: the assistant that began the call (`Artifact.assistantActivations`); None: not known yet.
        later_activations: the assistants that took over, in order.
        variables: the values that tools have extracted, and those of keys.
        metrics: latencies and interruptions.
        history: the conversation as the engine has it.
        removed: the entries that handoffs have removed from the history.
        now_ms: the time of the last event, in milliseconds of the call.
        ended: why and how the call ended; None while it goes on, or if its server died.
        usage: the use of providers.
    """

    first_activation: JsonObject | None = None
    later_activations: list[JsonObject] = field(default_factory=list[JsonObject])
    variables: JsonObject = field(default_factory=JsonObject)
    _pending_activations: dict[int, JsonObject] = field(default_factory=dict[int, JsonObject])
    metrics: CallMetrics = field(default_factory=CallMetrics)
    history: tuple[Remember, ...] = ()
    removed: list[Remember] = field(default_factory=list[Remember])
    now_ms: int = 0
    ended: EndCall | None = None
    usage: Usage = field(default_factory=Usage)

    def apply(self, state: State, event: Event, commands: tuple[Command, ...]) -> None:
        """Apply one step of the engine: the state after it, the event and its commands."""
        self.now_ms = state.now_ms
        if state.history is not self.history:
            kept = {one for entry in state.history for one in (id(entry), entry.tool_call_id)}
            # a result may be replaced by another one
            self.removed += [
                one for one in self.history if id(one) not in kept and one.tool_call_id not in kept - {None}
            ]
            self.history = state.history
        match event:
            case HandoffRequested():
                self._pending_activations[event.successor] = _activation(event.name, event.assistant_id)
            case ToolReturned(variables=str(variables)) | VariablesSet(variables=str(variables)):
                self.variables |= json.loads(variables)
            case _:
                pass
        for command in commands:
            if isinstance(command, EndCall):
                self.ended = command
            elif isinstance(command, SwitchAssistant):
                self.later_activations.append(self._pending_activations[command.successor])
        self.metrics.apply(state.now_ms, event, commands)  # last: its watcher belongs to the server, and may fail

    @property
    def full_history(self) -> tuple[Remember, ...]:
        """Return all entries, including those that the history no longer has."""
        if not self.removed:
            return self.history
        return tuple(sorted((*self.removed, *self.history), key=lambda entry: entry.start_ms))


def ended_fields(
    call: JsonObject,
    assistant: JsonObject,
    summary: CallSummary,
    *,
    epoch_ms: int,
    ended_at_ms: int,
    end: CallEnd,
    prices: Prices | None = None,
) -> dict[str, Any]:
    """Return the fields that a call's record gets when the call is over.

    Args:
        call: the record.
        assistant: the last assistant, with overrides.
        summary: the call's summary.
        epoch_ms: when the call began, in milliseconds since 1970.
        ended_at_ms: when it ended, in milliseconds since 1970.
        end: why it ended.
        prices: the owner's prices; None: there are none, and the costs are 0.
    """
    artifact = artifact_of(call, assistant, summary, epoch_ms=epoch_ms)
    return {
        **essential_fields(end, ended_at_ms),
        "messages": artifact["messages"],
        "artifact": artifact,
        **duration_fields(ended_at_ms - epoch_ms),
        **cost_fields(call, summary.usage, prices, ended_at_ms - epoch_ms),
        "analysis": {},  # the call is analysed after its end, if at all (`analysed_fields`)
        "summary": "",
        **(active_assistant_fields(assistant) if summary.later_activations else {}),
    }


def duration_fields(length_ms: int) -> dict[str, Any]:
    """Return how long a call was, as receivers read it; Vapi's `Call` has no field for it."""
    return {
        "durationMs": length_ms,
        "durationSeconds": length_ms / 1000,
        "durationMinutes": round(length_ms / 60_000, 4),
    }


def essential_fields(end: CallEnd, ended_at_ms: int) -> dict[str, Any]:
    """Return the fields without which a call has not ended: its status, and why and when (Unix ms) it ended."""
    message = {"endedMessage": end.message} if end.message else {}
    return {"status": "ended", "endedReason": end.reason, **message, "endedAt": iso_from_epoch_ms(ended_at_ms)}


def active_assistant_fields(assistant: JsonObject) -> JsonObject:
    """Return the fields that a call's record gets when another assistant takes the call over.

    Args:
        assistant: the assistant with overrides applied, templates rendered, and its secrets.
    """
    return {ACTIVE_ASSISTANT: assistant}


def activation_of(call: JsonObject, assistant: JsonObject) -> JsonObject:
    """Return Vapi's `AssistantActivation` of the assistant that begins a call."""
    return _activation(str(assistant.get("name") or ""), assistant.get("id") or call.get("assistantId"))


def _activation(name: str, assistant_id: object) -> JsonObject:
    return {"assistantName": name} if assistant_id is None else {"assistantName": name, "assistantId": assistant_id}


def artifact_of(call: JsonObject, assistant: JsonObject, summary: CallSummary, *, epoch_ms: int) -> JsonObject:
    """Return a call's artifact as of its summary.

    `assistant.artifactPlan` says what is in it. The addresses are those of this server's routes; they are left out if
    the call's record does not have the address of the server.

    Args:
        call: the record.
        assistant: the last assistant, with overrides.
        summary: the call's summary.
        epoch_ms: when the call began, in milliseconds since 1970.
    """
    plan = artifact_plan_of(assistant)
    first = summary.first_activation or activation_of(call, assistant)
    history = summary.full_history if plan.full_message_history_enabled else summary.history
    messages = [m.model_dump(by_alias=True, exclude_none=True) for m in history_messages(history, epoch_ms)]
    artifact: JsonObject = {
        "messages": messages,
        "messagesOpenAIFormatted": as_openai(history),
        "assistantActivations": [first, *summary.later_activations],
        "performanceMetrics": summary.metrics.to_json(),
        "variableValues": {**given_values(call), **summary.variables},
    }
    transcript_plan = plan.transcript_plan or TranscriptPlan()
    if transcript_plan.enabled is not False:
        artifact["transcript"] = transcript_of(history, transcript_plan)
    return artifact | _addresses(call, plan)


def transcript_of(history: Iterable[Remember], plan: TranscriptPlan) -> str:
    """Return the conversation as text, a line for each message, with the plan's names for the two sides."""
    names = {"assistant": plan.assistant_name or "AI", "user": plan.user_name or "User"}
    return "".join(f"{names[m.role]}: {m.text}\n" for m in history if m.role in names and m.text)


def artifact_plan_of(assistant: JsonObject) -> ArtifactPlan:
    """Return an assistant's `artifactPlan`; the legacy field `recordingEnabled` applies if the plan has none."""
    plan = ArtifactPlan.from_json(as_object(assistant.get("artifactPlan")))
    legacy: object = assistant.get("recordingEnabled")
    if plan.recording_enabled is None and isinstance(legacy, bool):
        return plan.model_copy(update={"recording_enabled": legacy})
    return plan


def initial_artifact_plan(assistant: JsonObject) -> JsonObject:
    """Return the `artifactPlan` of a call's record: that of its first assistant, with defaults."""
    return {
        "recordingEnabled": True,
        "recordingFormat": "wav;l16",
        "loggingEnabled": True,
        **artifact_plan_of(assistant).model_dump(mode="json", by_alias=True, exclude_none=True),
        "videoRecordingEnabled": False,  # there is no video, but Vapi's iOS client needs this field
        **(_NOTHING if is_private(assistant) else {}),
    }


def artifact_plan_after_handoff(kept: JsonObject, assistant: JsonObject) -> JsonObject:
    """Return the `artifactPlan` of a call's record after a handoff.

    It is the new assistant's, except that a recording that was begun stays enabled, and that logging stays as the first
    assistant has it.
    """
    after = initial_artifact_plan(assistant)
    if is_private(assistant):
        return after
    recorded = kept["recordingEnabled"] or after["recordingEnabled"]
    return {**after, "recordingEnabled": recorded, "loggingEnabled": kept["loggingEnabled"]}


def is_recorded(assistant: JsonObject) -> bool:
    """Return whether the audio is recorded while this assistant has the call."""
    return not is_private(assistant) and artifact_plan_of(assistant).recording_enabled is not False


def _addresses(call: JsonObject, plan: ArtifactPlan) -> JsonObject:
    urls = ArtifactUrls.of(call)
    if urls is None:
        return {}
    kept = as_object(call.get("artifactPlan"))  # of all assistants that the call has had
    recorded = kept.get("recordingEnabled", plan.recording_enabled) is not False
    logged = kept.get("loggingEnabled", plan.logging_enabled) is not False
    return (urls.recording() if recorded else {}) | (urls.logging() if logged else {})

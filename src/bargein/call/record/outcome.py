"""What a call came to: the record of its end and its artifact (Vapi's `Artifact`).

All of it follows from the call's record, its assistant and its journal, so that a call which was killed gets the same
as one that ended: `CallSummary.of_journal` takes the place of the live account.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from bargein.call.plan.variables import given_values
from bargein.call.record.history import as_openai, history_messages
from bargein.call.record.journal import Head, read
from bargein.call.record.metrics import CallMetrics
from bargein.call.record.replay import replay
from bargein.clock import iso_from_epoch_ms
from bargein.turns.commands import Command, EndCall, Remember, SwitchAssistant
from bargein.turns.events import Event, HandoffRequested, ToolReturned
from bargein.turns.state import State
from bargein.wire.artifact_urls import ArtifactUrls
from bargein.wire.base import JsonObject
from bargein.wire.call import ACTIVE_ASSISTANT
from bargein.wire.plans import ArtifactPlan, TranscriptPlan


@dataclass(slots=True)
class CallSummary:
    """The account of a call, kept while it goes on.

    Attributes:
        first_activation: the assistant that began the call (`Artifact.assistantActivations`); None: not known yet.
        taken: those that took over, in their order.
        variables: what its tools have found out.
        metrics: its latencies and interruptions.
        history: the conversation as the engine has it.
        left: what was in the history once and was taken out, by a handoff.
        now_ms: the time of the call's last event.
        ended: why and how it ended; None while it goes on, or where it was killed.
    """

    first_activation: JsonObject | None = None
    taken: list[JsonObject] = field(default_factory=list[JsonObject])
    variables: JsonObject = field(default_factory=JsonObject)
    _coming: dict[int, JsonObject] = field(default_factory=dict[int, JsonObject])
    metrics: CallMetrics = field(default_factory=CallMetrics)
    history: tuple[Remember, ...] = ()
    left: list[Remember] = field(default_factory=list[Remember])
    now_ms: int = 0
    ended: EndCall | None = None

    def apply(self, state: State, event: Event, commands: tuple[Command, ...]) -> None:
        """Take one step: the event, what the engine answered, and where it then stands."""
        self.now_ms = state.now_ms
        if state.history is not self.history:
            kept = set(map(id, state.history))
            self.left += [entry for entry in self.history if id(entry) not in kept]
            self.history = state.history
        self.metrics.apply(state.now_ms, event, commands)
        match event:
            case HandoffRequested():
                self._coming[event.successor] = _activation(event.name, event.assistant_id)
            case ToolReturned(variables=str(variables)):
                self.variables |= json.loads(variables)
            case _:
                pass
        for command in commands:
            if isinstance(command, EndCall):
                self.ended = command
            elif isinstance(command, SwitchAssistant):
                self.taken.append(self._coming[command.successor])

    @property
    def all_said(self) -> tuple[Remember, ...]:
        """All that was ever said, also what the history no longer holds."""
        if not self.left:
            return self.history
        return tuple(sorted((*self.left, *self.history), key=lambda entry: entry.start_ms))

    @classmethod
    def of_journal(cls, lines: Iterable[str]) -> tuple[Head, "CallSummary"]:
        """The head of a journal, and the account of its call as far as it goes.

        Raises:
            JournalError: it is no journal.
        """
        head, events = read(lines)
        account = cls()
        for moment in replay(head, events):
            account.apply(moment.state, moment.event, moment.commands)
        return head, account


def ended_fields(
    call: JsonObject, assistant: JsonObject, told: CallSummary, *, epoch_ms: int, ended_at_ms: int, reason: str
) -> dict[str, Any]:
    """The fields that a call's record gets when the call is over.

    Args:
        call: the record as it is.
        assistant: what it ran last, with overrides.
        told: its account.
        epoch_ms: when its time began, in milliseconds since 1970.
        ended_at_ms: when it ended, in milliseconds since 1970.
        reason: the `endedReason`.
    """
    artifact = artifact_of(call, assistant, told, epoch_ms=epoch_ms)
    return {
        "status": "ended",
        "endedReason": reason,
        "endedAt": iso_from_epoch_ms(ended_at_ms),
        "messages": artifact["messages"],
        "artifact": artifact,
        **(active_assistant_fields(assistant) if told.taken else {}),
    }


def active_assistant_fields(assistant: JsonObject) -> JsonObject:
    """What is put on record when another assistant takes a call over: it is the one to be reported for.

    Args:
        assistant: overrides applied, templates filled in, with its secrets.
    """
    return {ACTIVE_ASSISTANT: assistant}


def activation_of(call: JsonObject, assistant: JsonObject) -> JsonObject:
    """Vapi's `AssistantActivation` of the assistant that a call begins with."""
    return _activation(str(assistant.get("name") or ""), assistant.get("id") or call.get("assistantId"))


def _activation(name: str, assistant_id: object) -> JsonObject:
    return {"assistantName": name} if assistant_id is None else {"assistantName": name, "assistantId": assistant_id}


def artifact_of(call: JsonObject, assistant: JsonObject, told: CallSummary, *, epoch_ms: int) -> JsonObject:
    """A call's artifact, as far as the call's own account goes.

    `assistant.artifactPlan` says what is in it. The addresses are of this server's own routes, and are there only if
    the call's record tells where the server is reached.

    Args:
        call: the record.
        assistant: what the call ran last, with overrides.
        told: the call's account.
        epoch_ms: when the call's time began, in milliseconds since 1970.
    """
    plan = artifact_plan_of(assistant)
    history = told.all_said if plan.full_message_history_enabled else told.history
    messages = [m.model_dump(by_alias=True, exclude_none=True) for m in history_messages(history, epoch_ms)]
    artifact: JsonObject = {
        "messages": messages,
        "messagesOpenAIFormatted": as_openai(history),
        "assistantActivations": [told.first_activation or activation_of(call, assistant), *told.taken],
        "performanceMetrics": told.metrics.to_json(),
    }
    transcript_plan = plan.transcript_plan or TranscriptPlan()
    if transcript_plan.enabled is not False:
        artifact["transcript"] = transcript_of(history, transcript_plan)
    if values := {**given_values(call), **told.variables}:
        artifact["variableValues"] = values
    return artifact | _addresses(call, plan)


def transcript_of(history: Iterable[Remember], plan: TranscriptPlan) -> str:
    """The conversation as text, a line for each message, by the names that the plan gives the two sides."""
    names = {"assistant": plan.assistant_name or "AI", "user": plan.user_name or "User"}
    return "".join(f"{names[m.role]}: {m.text}\n" for m in history if m.role in names and m.text)


def artifact_plan_of(assistant: JsonObject) -> ArtifactPlan:
    """An assistant's `artifactPlan`; the legacy field `recordingEnabled` counts where the plan says nothing."""
    given: object = assistant.get("artifactPlan")
    plan = ArtifactPlan.from_json(cast("JsonObject", given) if isinstance(given, dict) else {})
    legacy: object = assistant.get("recordingEnabled")
    if plan.recording_enabled is None and isinstance(legacy, bool):
        return plan.model_copy(update={"recording_enabled": legacy})
    return plan


def initial_artifact_plan(assistant: JsonObject) -> JsonObject:
    """The `artifactPlan` that a call keeps: what its assistant asked for when it began, the defaults filled in."""
    return {
        "recordingEnabled": True,
        "recordingFormat": "wav;l16",
        "loggingEnabled": True,
        **artifact_plan_of(assistant).model_dump(mode="json", by_alias=True, exclude_none=True),
        "videoRecordingEnabled": False,  # there is no video here, and Vapi's iOS client wants this field
    }


def artifact_plan_after_handoff(kept: JsonObject, assistant: JsonObject) -> JsonObject:
    """The `artifactPlan` that a call keeps when another assistant takes it over.

    It is the new one's, but for what there is already: a recording that was begun, and the log, which is kept or not
    as the first assistant wanted it.
    """
    after = initial_artifact_plan(assistant)
    recorded = kept["recordingEnabled"] or after["recordingEnabled"]
    return {**after, "recordingEnabled": recorded, "loggingEnabled": kept["loggingEnabled"]}


def is_recorded(assistant: JsonObject) -> bool:
    """Whether what is said while this assistant has the call is recorded."""
    return artifact_plan_of(assistant).recording_enabled is not False


def _addresses(call: JsonObject, plan: ArtifactPlan) -> JsonObject:
    urls = ArtifactUrls.of(call)
    if urls is None:
        return {}
    kept = cast("JsonObject", call.get("artifactPlan") or {})  # of all assistants that the call has had
    recorded = kept.get("recordingEnabled", plan.recording_enabled) is not False
    logged = kept.get("loggingEnabled", plan.logging_enabled) is not False
    return (urls.recording() if recorded else {}) | (urls.logging() if logged else {})

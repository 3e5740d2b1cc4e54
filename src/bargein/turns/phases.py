"""The phases of a call, for people: the state diagram of `docs/engine.md` is generated from them.

The engine itself has no phases, it decides by the fields of its state. A test checks that every change of phase over
random conversations is in `TRANSITIONS`, and that each of these happens.
"""

from typing import Literal, NamedTuple

from bargein.turns.state import State

Phase = Literal[
    "new", "idle", "caller speaking", "pause", "preemptive", "generating", "speaking", "ducked", "interrupted",
    "closing", "ended",
]  # fmt: skip

PHASES: dict[Phase, str] = {
    "new": "The call has not begun.",
    "idle": "Nobody speaks, and no words of the caller wait for an answer.",
    "caller speaking": "A voice is heard, or its words have not come.",
    "pause": "The caller has said something and pauses; the endpointing rules decide how long to wait.",
    "preemptive": "The same pause, in which the model is already asked.",
    "generating": "A reply was requested and does not sound yet.",
    "speaking": "A reply sounds.",
    "ducked": "A reply sounds at a lower level, while a voice over it is judged.",
    "interrupted": "The caller has cut a reply, and it is not known yet whether that was a false interruption.",
    "closing": "The call is ending, and its `call.ending` hooks run.",
    "ended": "The call is over.",
}

GROUPS: dict[str, tuple[Phase, ...]] = {
    "listening": ("idle", "caller speaking", "pause", "preemptive"),
    "replying": ("generating", "speaking", "ducked"),
    "live": ("idle", "caller speaking", "pause", "preemptive", "generating", "speaking", "ducked", "interrupted"),
}
"""Phases with common transitions."""


class Transition(NamedTuple):
    """A change of phase.

    Attributes:
        source: a phase, or a group of phases.
        target: a phase, or a group: which of its phases depends on the caller.
        causes: the events and agenda items that cause it.
    """

    source: str
    target: str
    causes: tuple[str, ...]


_ENDS = (
    "HangUp", "CallFailed", "ReplyFailed", "reply finished", "end by tool", "false interruption", "stalled reply",
    "silence timeout", "maximum duration",
)  # fmt: skip

TRANSITIONS = (
    Transition("new", "idle", ("CallStarted",)),
    Transition("new", "generating", ("CallStarted",)),
    Transition("new", "ended", ("HangUp",)),
    Transition("idle", "caller speaking", ("VoiceStarted", "TranscriptReceived")),
    Transition("idle", "pause", ("TranscriptReceived",)),
    Transition("idle", "generating", ("pending response",)),
    Transition("caller speaking", "idle", ("TranscriptReceived", "transcript timeout", "background voice")),
    Transition(
        "caller speaking", "pause", ("TranscriptReceived", "VoiceStopped", "transcript timeout", "background voice")
    ),
    Transition("pause", "caller speaking", ("VoiceStarted", "TranscriptReceived")),
    Transition("pause", "preemptive", ("preemptive reply",)),
    Transition("pause", "generating", ("end of turn",)),
    Transition("preemptive", "listening", ("stale preemptive reply",)),
    Transition("preemptive", "generating", ("end of turn",)),
    Transition("listening", "generating", ("pending say", "handoff")),
    Transition("generating", "speaking", ("start of playout",)),
    Transition("generating", "interrupted", ("superseded reply",)),
    Transition("speaking", "ducked", ("duck",)),
    Transition("speaking", "interrupted", ("interruption",)),
    Transition("ducked", "speaking", ("end duck",)),
    Transition("ducked", "interrupted", ("interruption",)),
    Transition(
        "replying",
        "listening",
        ("reply finished", "Say", "Mute", "AddMessage", "model timeout hook", "unneeded idle message"),
    ),
    Transition("interrupted", "generating", ("false interruption", "end of turn", "pending say", "handoff")),
    Transition("interrupted", "listening", ("false interruption", "Say", "AddMessage", "handoff")),
    Transition("live", "closing", _ENDS),
    Transition("live", "ended", _ENDS),
    Transition("closing", "listening", ("handoff",)),
    Transition("closing", "generating", ("handoff",)),
    Transition(
        "closing",
        "ended",
        ("end after hooks", "HangUp", "CallFailed", "ReplyFailed", "reply finished", "stalled reply"),
    ),
)


def phase_of(state: State) -> Phase:
    """Return the phase of a state."""
    if state.phase != "live":
        return state.phase
    if state.closing is not None:
        return "closing"
    reply = state.reply
    if reply is not None and reply.audible_ms is None:
        return "generating"
    if reply is not None:
        return "ducked" if reply.ducked else "speaking"
    return _phase_without_reply(state)


def _phase_without_reply(state: State) -> Phase:
    if state.false_interruption is not None:
        return "interrupted"
    if state.preemptive is not None:
        return "preemptive"
    if state.caller.holds_turn:
        return "caller speaking"
    return "pause" if state.caller.said else "idle"


def find_transition(source: Phase, target: Phase, cause: str) -> Transition | None:
    """Return the transition that has this change of phase; None: there is none."""
    for transition in TRANSITIONS:
        if (
            source in GROUPS.get(transition.source, (transition.source,))
            and target in GROUPS.get(transition.target, (transition.target,))
            and cause in transition.causes
        ):
            return transition
    return None


def diagram() -> str:
    """Return the state diagram as Mermaid text."""
    lines = ["stateDiagram-v2", "    direction TB"]
    for group in ("listening", "replying"):
        lines.append(f"    state {group} {{")
        lines.extend(f'        state "{phase}" as {_id(phase)}' for phase in GROUPS[group])
        lines.append("    }")
    lines.append("    [*] --> new")
    for source, target, causes in TRANSITIONS:
        if source == "live":
            continue  # from almost everywhere: the text says so
        lines.append(f"    {_id(source)} --> {_id(target)}: {', '.join(causes)}")
    lines.append("    ended --> [*]")
    return "\n".join(lines)


def _id(phase: str) -> str:
    return phase.replace(" ", "_")

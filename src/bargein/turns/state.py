"""The state of a call, as frozen values: every change makes a new one."""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.commands import Command, Remember
from bargein.turns.events import DelayMessage, HandoffRequested, InterruptionJudged
from bargein.turns.plan import Plan
from bargein.turns.replies.reply import FalseInterruption, PendingSay, PreemptiveReply, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool call that runs, waits to run, or whose result the model has not seen.

    Attributes:
        call_id: id of the tool call, unique within the call.
        turn_id: the reply (or the hook's command) that called it.
        name: the function's name.
        arguments: JSON text, as the model wrote it.
        status: `waiting` for its start message to be heard; `running`; `done`, but the model has not seen the result.
        timeout_ms: it is given up after so long.
        is_async: the assistant does not wait for it.
        started_ms: when it began to run.
        delayed: the messages that are still to be said while it runs.
        duplicate_of: id of a running tool call of another reply with the same name and arguments: this one does not
            run and gets that one's result.
        by_hook: a hook called it: the model is not asked to answer its result.
        needs_response: the model is asked to answer once all awaited tools of the reply are done.
    """

    call_id: str
    turn_id: str
    name: str
    arguments: str
    status: Literal["waiting", "running", "done"]
    timeout_ms: int
    is_async: bool = False
    started_ms: int = 0
    delayed: tuple[DelayMessage, ...] = ()
    duplicate_of: str | None = None
    by_hook: bool = False
    needs_response: bool = False

    @property
    def awaited(self) -> bool:
        """Return True if the assistant waits for it."""
        return not self.is_async and self.status != "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller's voice and words.

    Attributes:
        voiced: the detector hears a voice now.
        onset_ms: where the running (or last) run of voice began; short dips do not end a run.
        rising_ms: when the detector's probability for that run began to rise: the run's length counts from there.
        offset_ms: where the voice last fell silent.
        has_interrupted: this run has cut a reply, and must not cut another by its length alone.
        background: this run brings no words: it is background noise and does not count as the caller's turn.
        judged: the latest judgement of this run's sound; None: none yet.
        judged_before: the judgement of a younger age before it; None: none.
        unducked: a reply was ducked for this run and has come back: it is not ducked for it again.
        speaking_turn: the turn for which `speech-update` has said started, and not yet stopped.
        turn: Vapi's `turn` of the caller's open turn; None: no turn is open.
        began_ms: where that turn began.
        awaiting_transcript: there was a voice, and its words have not all come.
        final_text: the closed utterances of the open turn.
        utterance: the text of the latest utterance.
        utterance_final: its final transcript has come.
        final_confidence: the transcriber's least confidence in one of the closed utterances, from 0 to 1; None: it is
            not known.
        utterance_confidence: its confidence in the latest utterance; None: it is not known.
        committed_words: how many words a partial had that was answered before its final came; 0: none.
        words_at_ms: when new words last came.
        answered_ms: where the voice had fallen silent when the previous turn was answered or dropped.
        preemptive_count: how many preemptive replies the open turn has had.
        preemptive_offset_ms: the pause in which the last of them was requested.
        unheard_ms: how much voice has ended since the transcriber last said anything: not over the
            assistant, and no background voice.
    """

    voiced: bool = False
    onset_ms: int = 0
    rising_ms: int = 0
    offset_ms: int = 0
    has_interrupted: bool = False
    background: bool = False
    judged: InterruptionJudged | None = None
    judged_before: InterruptionJudged | None = None
    unducked: bool = False
    speaking_turn: int | None = None
    turn: int | None = None
    began_ms: int = 0
    awaiting_transcript: bool = False
    final_text: str = ""
    utterance: str = ""
    utterance_final: bool = False
    final_confidence: float | None = None
    utterance_confidence: float | None = None
    committed_words: int = 0
    words_at_ms: int = 0
    answered_ms: int = 0
    preemptive_count: int = 0
    preemptive_offset_ms: int | None = None
    unheard_ms: int = 0

    @property
    def said(self) -> str:
        """All words of the open turn."""
        return " ".join(filter(None, (self.final_text, self.utterance)))

    @property
    def confidence(self) -> float | None:
        """The transcriber's least confidence in an utterance of the open turn; None: it is not known of any."""
        return least_confidence(self.final_confidence, self.utterance_confidence)

    @property
    def holds_turn(self) -> bool:
        """Return True if the caller is speaking, or the words of what was spoken have not come."""
        return (self.voiced and not self.background) or self.awaiting_transcript


def least_confidence(*confidences: float | None) -> float | None:
    """Return the least of the confidences that are known; None if none is."""
    return min((one for one in confidences if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class HookCount:
    """The number of times that a hook has triggered.

    Attributes:
        hook: its index in `Plan.hooks`.
        count: since its count was last reset (`triggerResetMode`).
        total: in the whole call.
        at_ms: when it last triggered.
        fired_in_wait: it has triggered in this silence of the caller, or in this wait for the model.
    """

    hook: int
    count: int = 0
    total: int = 0
    at_ms: int = 0
    fired_in_wait: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """A call that is ending while its `call.ending` hooks run.

    Attributes:
        reason: the `endedReason`.
        detail: more about it, without secrets.
        until_ms: the call ends at this time at the latest.
        caller_present: the caller is still there and can be told something.
        unanswered: the caller spoke last.
        final: the model has failed and the assistant says so; no other assistant takes the call over.
    """

    reason: str
    detail: str
    until_ms: int
    caller_present: bool
    unanswered: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointingRequest:
    """The last request to the owner's endpointing model: has the caller finished?

    Attributes:
        number: counts the requests.
        said: the words of the turn when it was sent.
        offset_ms: where the voice had fallen silent.
        asked_ms: when it was sent.
        answered: the answer has come, or it is known that none will.
        pause_ms: the answer: how long to wait after the voice; None: there is none.
    """

    number: int
    said: str
    offset_ms: int
    asked_ms: int
    answered: bool = False
    pause_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseJudgement:
    """The last pause that was sent to the end-of-turn detector: is the turn over?

    Attributes:
        number: counts the judgements.
        said: the words of the turn when it was requested.
        offset_ms: where the voice had fallen silent.
        asked_ms: when it was requested.
        answered: the answer has come, or it is known that none will.
        probability: that the turn is over; None: there is no answer.
    """

    number: int
    said: str
    offset_ms: int
    asked_ms: int
    answered: bool = False
    probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of a call between two events.

    Attributes:
        call_id: Vapi's id of the call, a UUID; turn ids are made from it.
        now_ms: the latest time that any event carried.
        started_ms: when the call began.
        phase: `new` until `CallStarted`, `ended` after `EndCall`.
        history: the conversation so far, as it was heard.
        reply: the reply that is being generated or spoken.
        caller: the caller's voice and words.
        false_interruption: a cut reply that may have to be resumed.
        pending_says: texts to be said, in order.
        tool_call_ids: ids of all tool calls of the call.
        tools: the tool calls whose results the model has not seen.
        endpointing_request: the last request to the owner's endpointing model.
        pause_judgement: the last pause that was sent to the end-of-turn detector.
        preemptive: a reply that is generated before the turn is certainly over.
        tool_rounds: how often the model was asked because of tool results since the caller last spoke.
        end_call_reason: the call ends with this `endedReason` when nothing more is to be said.
        ending_calls: ids of the tool calls that have asked for the end of the call.
        handoff: the requested handoff, which happens once nothing more is to be said.
        plan: the plan of the assistant that took over last; None: the call's first plan applies.
        response_pending: the model is to be asked as soon as possible, without waiting for the caller.
        goes_on: only because a reply was cut, which the model is to go on with: nothing else needs an answer.
        sounded_ms: when the assistant last began to sound.
        backoff_until_ms: no assistant audio before this time (`backoffSeconds`).
        idle_since_ms: when the caller's last words came, or the assistant was last heard (`silenceTimeoutSeconds`).
        assistant_muted: the assistant was muted by a control message.
        customer_muted: the caller was muted by a control message.
        hook_counts: the hooks that have triggered.
        silent_since_ms: when the assistant last finished speaking or the caller last said something; None: never.
        pending_hook_tools: turn ids of the hook tools that `HookToolCalled` has not answered.
        closing: the call is ending.
        reply_count: how many replies have been requested.
        turn_count: how many turns the conversation has had.
    """

    call_id: str
    now_ms: int = 0
    started_ms: int = 0
    phase: Literal["new", "live", "ended"] = "new"
    history: tuple[Remember, ...] = ()
    reply: Reply | None = None
    caller: Caller = Caller()
    false_interruption: FalseInterruption | None = None
    pending_says: tuple[PendingSay, ...] = ()
    tool_call_ids: frozenset[str] = frozenset()
    tools: tuple[Tool, ...] = ()
    endpointing_request: EndpointingRequest | None = None
    pause_judgement: PauseJudgement | None = None
    preemptive: PreemptiveReply | None = None
    tool_rounds: int = 0
    end_call_reason: str | None = None
    ending_calls: tuple[str, ...] = ()
    handoff: HandoffRequested | None = None
    plan: Plan | None = None
    response_pending: bool = False
    goes_on: bool = False
    sounded_ms: int = 0
    backoff_until_ms: int = 0
    idle_since_ms: int = 0
    assistant_muted: bool = False
    customer_muted: bool = False
    hook_counts: tuple[HookCount, ...] = ()
    silent_since_ms: int | None = None
    pending_hook_tools: tuple[str, ...] = ()
    closing: Closing | None = None
    reply_count: int = 0
    turn_count: int = 0

    @property
    def next_turn_id(self) -> str:
        """The id of the next reply: unique, shaped as a UUID, and the same when the call is replayed."""
        return f"{self.call_id[:24]}{self.reply_count:012x}"

    @property
    def may_speak(self) -> bool:
        """Return True if the assistant may say something."""
        return not self.assistant_muted and (self.closing is None or self.closing.caller_present)

    @property
    def last_assistant_text(self) -> str:
        """The last text of the assistant that was heard."""
        return next((m.text for m in reversed(self.history) if m.role == "assistant" and m.text), "")


Change = tuple[State, list[Command]]
"""The next state and the commands that lead to it, in order."""

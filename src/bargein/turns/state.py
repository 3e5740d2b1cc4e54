"""Where a call stands. Frozen values: every change makes a new one."""

from dataclasses import dataclass
from typing import Literal

from bargein.turns.commands import Remember
from bargein.turns.events import (
    HandedOff,
    InterruptionJudged,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    Staged,
    TimedWord,
    ToolsCalled,
)
from bargein.turns.hooks.plan import HookOn
from bargein.turns.plan import Plan
from bargein.turns.roles import Role

ReplyKind = Literal["model", "resumed", "first", "say"]
"""Asked of the model; the unheard rest of a reply that a false alarm cut; the first message; a `say`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """Something that is to be said as it stands.

    Attributes:
        ends: the `endedReason` with which the call ends once it has been heard.
        starts: the tool call that runs once it has been heard.
        about: the tool call that it has to do with, and that has not answered yet.
        of_turn: the reply that called that tool.
        stale: it is not said any more once the tool has answered.
        prompt: the model is asked what to say, and sees this after the history.
        by: the hook that says it.
    """

    text: str
    interruptible: bool = True
    ends: str | None = None
    starts: str | None = None
    about: str | None = None
    of_turn: str | None = None
    stale: bool = False
    prompt: tuple[tuple[Role, str], ...] = ()
    by: HookOn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool call that somebody waits for, or that still runs.

    Attributes:
        turn_id: the reply that called it.
        status: waiting for its start message to be heard; running; done, but the model has not been told.
        is_async: nobody waits for it.
        run_ms: since when it runs.
        delayed: what is still to be said while it runs.
        same_as: another reply had called the same with the same arguments before: this one runs not, and gets its
            result.
        hook: a hook has called it, and no reply: the model is not asked.
        answer: the model is to be asked once all the tools that the reply waits for are done.
    """

    call_id: str
    turn_id: str
    name: str
    arguments: str
    status: Literal["waiting", "running", "done"]
    timeout_ms: int
    is_async: bool = False
    run_ms: int = 0
    delayed: tuple[Staged, ...] = ()
    same_as: str | None = None
    hook: bool = False
    answer: bool = False

    @property
    def awaited(self) -> bool:
        """Whether the assistant waits for it."""
        return not self.is_async and self.status != "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of a reply's text, and the audio that says it.

    Attributes:
        char_start: where `text` begins in the reply's text.
        start_ms: where its audio begins in the reply's audio.
        audio_ms: how much audio of it is queued so far.
        words: its words' timings, as far as they are known.
        done: all its audio is queued.
        told: how many of its characters the last assistant `transcript` held; -1: its final has been sent.
    """

    char_start: int
    text: str
    start_ms: int
    audio_ms: int = 0
    words: tuple[TimedWord, ...] = ()
    done: bool = False
    told: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the assistant is about to say, is saying, or has just been saying. There is at most one.

    Attributes:
        turn: Vapi's `turn`, once it is audible.
        text: all of its text so far.
        interruptible: whether the caller's speech may cut it.
        ends: the `endedReason` with which the call ends once it has been heard.
        starts: the tool call that runs once it has been heard.
        called: it has called tools, so the model is through with it.
        gate_ms: it may not sound before this.
        begun_ms: when it was asked for.
        alive_ms: when it last showed a sign of life.
        audible_ms: when it began to sound; None: not yet.
        told_client: a `model-output` of it was sent.
        words_told: the last `wordsSpoken` that was sent.
        ended: model and voice are through.
        drained: everything queued has been played.
        hang_sent: `hang` has been reported for the silence it is in.
        ducked: it sounds at a lower level now.
        by: the hook that says it.
        overtook: it began to sound while the caller went on, and that has been told to the hooks.
    """

    turn_id: str
    kind: ReplyKind
    begun_ms: int
    alive_ms: int
    gate_ms: int
    interruptible: bool = True
    ends: str | None = None
    starts: str | None = None
    called: bool = False
    turn: int = -1
    text: str = ""
    segments: tuple[Segment, ...] = ()
    audible_ms: int | None = None
    played_ms: int = 0
    told_client: bool = False
    words_told: int = -1
    ended: bool = False
    drained: bool = False
    hang_sent: bool = False
    ducked: bool = False
    by: HookOn | None = None
    overtook: bool = False

    @property
    def by_model(self) -> bool:
        """Whether a model made it, so that it has `model-output` and its `turnId` is known to clients."""
        return self.kind in ("model", "resumed")

    @property
    def audio_ms(self) -> int:
        """How much audio of it is queued so far."""
        return sum(s.audio_ms for s in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What the person on the other side is doing.

    Attributes:
        voiced: the detector hears a voice now.
        onset_ms: where the running (or last) run of voice began; short dips do not end a run.
        rising_ms: since when the detector leaned towards that voice: its length counts from there.
        offset_ms: where the voice last fell silent.
        fired: this run has cut a reply already, and may not cut another by its length alone.
        stuck: this run brings no words: background, which holds no floor.
        judged: what the sound of this run said last; None: nothing yet.
        eased: the reply was ducked for this run and has come back: it is not ducked for it again.
        speaking_turn: the turn for which `speech-update` has said started, and not yet stopped.
        turn: Vapi's `turn` of the caller's open turn; None: no turn is open.
        began_ms: where that turn began.
        awaiting: there was a voice, and its words have not all come.
        settled: the closed utterances of the open turn.
        utterance: the text of the latest utterance.
        utterance_closed: its final has come.
        committed_words: its partial was answered before its final came: how many words that partial had.
        words_at_ms: when words last came that were new.
        answered_ms: where the voice had last fallen silent when the turn before the open one was answered, or dropped.
        drafts: how many answers to the open turn were begun before it was over.
        drafted_ms: the pause in which the last of them was begun.
    """

    voiced: bool = False
    onset_ms: int = 0
    rising_ms: int = 0
    offset_ms: int = 0
    fired: bool = False
    stuck: bool = False
    judged: InterruptionJudged | None = None
    eased: bool = False
    speaking_turn: int | None = None
    turn: int | None = None
    began_ms: int = 0
    awaiting: bool = False
    settled: str = ""
    utterance: str = ""
    utterance_closed: bool = False
    committed_words: int = 0
    words_at_ms: int = 0
    answered_ms: int = 0
    drafts: int = 0
    drafted_ms: int | None = None

    @property
    def said(self) -> str:
        """All the words of the open turn."""
        return " ".join(filter(None, (self.settled, self.utterance)))

    @property
    def holds_floor(self) -> bool:
        """Whether the assistant would talk over the caller if it began now."""
        return (self.voiced and not self.stuck) or self.awaiting


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseInterruption:
    """A reply was cut; the words that follow, or their absence, will tell whether that was right.

    While it stands no other reply has begun.

    Attributes:
        kind: what the recovery would be.
        asks: the reply was a question, so that even a "yes" answers it.
        rest: what was not heard of it; None: the model had not finished, so it is asked again.
        ends: as it was.
        starts: as it was.
        floor_ms: until when the assistant had to be silent anyhow.
    """

    turn_id: str
    kind: ReplyKind
    asks: bool
    rest: str | None
    ends: str | None
    starts: str | None
    floor_ms: int


@dataclass(frozen=True, slots=True)
class Fired:
    """How often a hook has triggered.

    Attributes:
        hook: which, in the plan.
        count: since its count was set back.
        total: in the whole call.
        at_ms: when it last did.
        again: it did in this silence of the caller's, or in this wait for the model.
    """

    hook: int
    count: int = 0
    total: int = 0
    at_ms: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """The call ends with this `endedReason` once its hooks are done, and at `until_ms` in any case.

    `present` tells whether somebody is there who may be told something, `unanswered` whether it was the caller who
    spoke last.
    """

    reason: str
    detail: str
    until_ms: int
    present: bool
    unanswered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody's own endpointing model was asked last: whether the caller has finished.

    Attributes:
        number: tells it from the questions before it.
        said: the words of the turn when it was asked.
        offset_ms: where the voice had fallen silent.
        asked_ms: when it was asked.
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
class Judgement:
    """What was asked last about a pause of the caller's: whether the turn is over.

    Attributes:
        number: tells it from the judgements before it.
        said: the words of the turn when it was asked for.
        offset_ms: where the voice had fallen silent.
        asked_ms: when it was asked for.
        answered: it has come, or it is known that none will.
        done: the probability that the turn is over; None: there is none.
    """

    number: int
    said: str
    offset_ms: int
    asked_ms: int
    answered: bool = False
    done: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreemptiveReply:
    """An answer that is being made before the turn is certainly over. Nobody has been told of it.

    Attributes:
        said: the words that it answers, without what does not matter.
        history: the conversation that the model was given.
        events: what came of it so far, in order.
    """

    turn_id: str
    said: tuple[str, ...]
    history: tuple[Remember, ...]
    events: tuple[ReplyToken | ToolsCalled | SpeechRequested | SpeechQueued | ReplyEnded | ReplyFailed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A call, between two events.

    Attributes:
        call_id: Vapi's id of the call, a UUID; turn ids are made from it.
        now_ms: the latest time any event carried.
        phase: new until `CallStarted`, ended after `EndCall`.
        history: the conversation so far, as it was heard.
        sayings: what is to be said once the floor is free.
        owed: the assistant should speak as soon as it may, without waiting for the caller.
        floor_ms: no assistant audio before this (`backoffSeconds`).
        quiet_ms: since when nobody has been doing anything (`silenceTimeoutSeconds`).
        called: the ids of all tool calls there have been.
        tools: the tool calls in flight.
        question: what an endpointing model of the owner's was asked last.
        judgement: the last pause that was to be judged.
        draft: an answer that may be thrown away again.
        rounds: how often the model has been asked because of tools since the caller last spoke.
        handoff: who takes over once what is being said has been heard.
        plan: what the call goes by since another assistant took over; None: none has.
        ending: the call ends with this `endedReason` when nothing more is to be said.
        hooks: those that have triggered.
        silence_ms: when the assistant was last through, or the caller last said something; None: neither ever was.
        errands: the turns of the hook tools that have not been made out yet.
        closing: the call is ending.
        replies: how many replies have been begun.
        turns: how many turns the conversation has had.
    """

    call_id: str
    now_ms: int = 0
    started_ms: int = 0
    phase: Literal["new", "live", "ended"] = "new"
    history: tuple[Remember, ...] = ()
    reply: Reply | None = None
    caller: Caller = Caller()
    alarm: FalseInterruption | None = None
    sayings: tuple[Saying, ...] = ()
    called: frozenset[str] = frozenset()
    tools: tuple[Tool, ...] = ()
    question: Question | None = None
    judgement: Judgement | None = None
    draft: PreemptiveReply | None = None
    rounds: int = 0
    ending: str | None = None
    handoff: HandedOff | None = None
    plan: Plan | None = None
    owed: bool = False
    floor_ms: int = 0
    quiet_ms: int = 0
    assistant_muted: bool = False
    customer_muted: bool = False
    hooks: tuple[Fired, ...] = ()
    silence_ms: int | None = None
    errands: tuple[str, ...] = ()
    closing: Closing | None = None
    replies: int = 0
    turns: int = 0

    @property
    def turn_id(self) -> str:
        """The id of the next reply: unique, shaped as a UUID, and the same when the call is replayed."""
        return f"{self.call_id[:24]}{self.replies:012x}"

    @property
    def may_speak(self) -> bool:
        """Whether the assistant may say something."""
        return not self.assistant_muted and (self.closing is None or self.closing.present)

    @property
    def last_assistant_text(self) -> str:
        """What the assistant was last heard to say."""
        return next((m.text for m in reversed(self.history) if m.role == "assistant" and m.text), "")

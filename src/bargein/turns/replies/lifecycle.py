"""The life of a reply: begun, put out, spoken, and ended exactly once.

Every function takes a state and gives the next one with the commands that lead there. A reply is known by its turn
id: what comes in for another turn is dropped by that id.
"""

from dataclasses import replace

from bargein.turns.commands import (
    CloseReply,
    Command,
    Decide,
    EndCall,
    KeepReply,
    ModelOutput,
    Outcome,
    Play,
    Remember,
    Send,
    Source,
    SpeechProgress,
    SpeechUpdate,
    StartReply,
    StopPlayback,
    Transcript,
    UserInterrupted,
    VoiceInput,
)
from bargein.turns.endpointing import preemptive
from bargein.turns.events import Played, ReplyEnded, ReplyToken, SpeechQueued, SpeechRequested
from bargein.turns.hooks import triggers
from bargein.turns.hooks.plan import HookOn
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.phrases import count_words, find_phrase
from bargein.turns.plan import Plan
from bargein.turns.replies.history import chars_heard, heard_chars, heard_text
from bargein.turns.roles import Role
from bargein.turns.state import Caller, PreemptiveReply, Reply, ReplyKind, Segment, State
from bargein.turns.tools import tool_calls

Change = tuple[State, list[Command]]

SPOKEN_AND_ENDED = "assistant-ended-call-after-message-spoken"
"""The `endedReason` when the last thing the assistant had to say has been said."""

# "Yes" over the last word of a question answers it, though a "yes" amid a speech is only listening aloud.
_ANSWER_BEFORE_END_MS = 1000


def running(state: State) -> Reply:
    """The reply that runs, for what is due only while there is one."""
    reply = state.reply
    if reply is None:
        raise AssertionError
    return reply


def begin(
    state: State,
    kind: ReplyKind,
    text: str | None = None,
    *,
    gate_ms: int = 0,
    interruptible: bool = True,
    ends: str | None = None,
    starts: str | None = None,
    prompt: tuple[tuple[Role, str], ...] = (),
    by: HookOn | None = None,
) -> Change:
    """Begin a reply; there must be none. It settles an alarm; only one that is asked of the model pays what is owed."""
    answers = kind == "model" and not prompt
    state, before = preemptive.throw_away(state)
    reply = Reply(
        turn_id=state.turn_id,
        kind=kind,
        begun_ms=state.now_ms,
        alive_ms=state.now_ms,
        gate_ms=max(gate_ms, state.floor_ms),
        interruptible=interruptible and state.closing is None,
        ends=ends,
        starts=starts,
        text=text or "",
        told_client=kind == "resumed",
        by=by,
    )
    state = replace(state, reply=reply, alarm=None, replies=state.replies + 1, owed=state.owed and not answers)
    state = tool_calls.told(state) if answers else state
    may_call = answers and state.rounds < tool_calls.MOST_ROUNDS and state.closing is None
    commands: list[Command] = [*before, StartReply(reply.turn_id, text, may_call or text is not None, prompt)]
    if kind == "resumed":
        commands.append(Send(ModelOutput(reply.turn_id, reply.text)))
    return state, commands


def adopt(state: State, draft: PreemptiveReply, *, gate_ms: int) -> Change:
    """Make a draft the answer; there must be no reply. What came of it is still to be taken, in order."""
    reply = Reply(
        turn_id=draft.turn_id,
        kind="model",
        begun_ms=state.now_ms,
        alive_ms=state.now_ms,
        gate_ms=max(gate_ms, state.floor_ms),
    )
    state = tool_calls.told(replace(state, reply=reply, draft=None, alarm=None, owed=False))
    return state, [KeepReply(reply.turn_id)]


def put_out(state: State, reply: Reply, event: ReplyToken) -> Change:
    """A piece of text from the model."""
    if reply.kind != "model" or not event.text:
        return state, []
    reply = replace(reply, text=reply.text + event.text, told_client=True, alive_ms=state.now_ms, hang_sent=False)
    return replace(state, reply=reply), [Send(ModelOutput(reply.turn_id, event.text))]


def request_speech(state: State, reply: Reply, event: SpeechRequested) -> Change:
    """A segment went to the voice."""
    if event.segment != len(reply.segments) or reply.text[event.char_start :][: len(event.text)] != event.text:
        return state, []
    segment = Segment(char_start=event.char_start, text=event.text, start_ms=reply.audio_ms)
    reply = replace(reply, segments=(*reply.segments, segment), alive_ms=state.now_ms)
    return replace(state, reply=reply), [Send(VoiceInput(event.text))]


def queue_speech(state: State, reply: Reply, event: SpeechQueued) -> Change:
    """Audio of the latest segment is ready."""
    if event.segment != len(reply.segments) - 1:
        return state, []
    segment = reply.segments[-1]
    if segment.done or event.audio_ms < segment.audio_ms:
        return state, []
    more = event.audio_ms > segment.audio_ms
    segment = replace(segment, audio_ms=event.audio_ms, words=event.words or segment.words, done=event.done)
    reply = replace(
        reply,
        segments=(*reply.segments[:-1], segment),
        alive_ms=state.now_ms,
        drained=reply.drained and not more,
        hang_sent=False,
    )
    return replace(state, reply=reply), []


def end(state: State, reply: Reply, _event: ReplyEnded) -> Change:
    """Model and voice are through."""
    return replace(state, reply=replace(reply, ended=True, alive_ms=state.now_ms)), []


def hear_played(state: State, reply: Reply, event: Played) -> Change:
    """The caller has heard so much of it."""
    if reply.audible_ms is None:
        return state, []
    # Positions are whole milliseconds and may fall short of the end by their roundings; `drained` may not.
    position_ms = reply.audio_ms if event.drained else event.position_ms
    played_ms = min(max(position_ms, reply.played_ms), reply.audio_ms)
    moved = played_ms > reply.played_ms
    reply = replace(
        reply,
        played_ms=played_ms,
        drained=event.drained,
        alive_ms=state.now_ms if moved else reply.alive_ms,
    )
    reply, commands = _progress(reply)
    return replace(state, reply=reply), commands


def play(state: State, reply: Reply) -> Change:
    """Let it sound."""
    reply = replace(reply, audible_ms=state.now_ms, turn=state.turns, alive_ms=state.now_ms)
    commands: list[Command] = [Play(reply.turn_id), Send(SpeechUpdate("assistant", "started", reply.turn))]
    reply, progress = _progress(reply)
    return replace(state, reply=reply, turns=state.turns + 1), [*commands, *progress]


def _progress(reply: Reply) -> tuple[Reply, list[Command]]:
    """Tell what has been heard since it was last told."""
    commands: list[Command] = []
    segments = list(reply.segments)
    for index, segment in enumerate(segments):
        if segment.told < 0:
            continue
        heard = chars_heard(segment, reply)
        final = segment.done and reply.played_ms >= segment.start_ms + segment.audio_ms
        if heard <= segment.told and not final:
            break
        if heard:
            commands.append(Send(Transcript("assistant", final, segment.text[:heard].strip())))
        segments[index] = replace(segment, told=-1 if final else heard)
    words = count_words(reply.text[: heard_chars(reply)])
    if words > reply.words_told:
        total = count_words(reply.text)
        commands.append(Send(SpeechProgress(reply.turn, reply.text.strip(), _source(reply), words, total)))
    return replace(reply, segments=tuple(segments), words_told=max(words, reply.words_told)), commands


def finish(state: State, reply: Reply, plan: Plan) -> Change:
    """It has been heard to its end."""
    text = reply.text.strip() if plan.remember_model_output else heard_text(reply).strip()
    state, commands = _close(state, reply, "spoken", text, plan)
    if reply.starts is not None:
        state, running = tool_calls.run(state, reply.starts)
        commands.extend(running)
    if reply.ends is not None:
        return end_call(state, reply.ends, "", plan, commands)
    if phrase := find_phrase(text, plan.end_call_phrases):
        commands.append(Decide("ending", f'the assistant said "{phrase}"', reply.turn_id))
        return end_call(state, "assistant-said-end-call-phrase", "", plan, commands)
    caller = state.caller
    if (
        is_backchannel(caller.said, plan)
        and state.now_ms - caller.words_at_ms > _ANSWER_BEFORE_END_MS
        and not text.endswith("?")
    ):
        commands.append(Decide("ignored", f'"{caller.said}" was only listening aloud', reply.turn_id))
        state = replace(state, caller=forget_words(caller))
    return state, commands


def forget_words(caller: Caller) -> Caller:
    """The caller's open turn is answered, or needs no answer; a voice that still sounds opens the next one."""
    return replace(
        caller,
        settled="",
        utterance="",
        utterance_closed=False,
        turn=None,
        answered_ms=caller.offset_ms,
        drafts=0,
        drafted_ms=None,
        committed_words=0 if caller.utterance_closed else count_words(caller.utterance),
    )


def cut(state: State, reply: Reply, outcome: Outcome, plan: Plan) -> Change:
    """End it before its end."""
    heard = heard_text(reply)
    text = reply.text.strip() if plan.remember_model_output and reply.audible_ms is not None else heard
    return _close(state, reply, outcome, text, plan)


def _close(state: State, reply: Reply, outcome: Outcome, text: str, plan: Plan) -> Change:
    commands: list[Command] = []
    audible = reply.audible_ms is not None
    if outcome != "spoken":
        commands.append(StopPlayback(reply.turn_id))
    commands.append(CloseReply(reply.turn_id, outcome))
    by_caller = outcome in ("interrupted", "superseded")
    if by_caller and (audible or reply.told_client):
        commands.append(Send(UserInterrupted(reply.turn_id if reply.by_model else None)))
    if audible:
        commands.append(Send(SpeechUpdate("assistant", "stopped", reply.turn)))
        commands.extend(_last_transcript(reply))
    if text:
        start_ms = reply.begun_ms if reply.audible_ms is None else reply.audible_ms
        entry = Remember(
            "assistant", text, start_ms, state.now_ms, reply.turn_id, interrupted=by_caller, source=_source(reply)
        )
        state = replace(state, history=tool_calls.with_text(state.history, entry))
        commands.append(entry)
    if by_caller and reply.by_model:
        state = tool_calls.drop_words(state, reply.turn_id)
    state = replace(state, reply=None, quiet_ms=state.now_ms)
    state = triggers.spoke(state, reply) if audible else state
    if by_caller and (audible or reply.told_client):
        state, more = triggers.trigger(state, "assistant.speech.interrupted", plan, of_turn=reply.turn_id)
        commands.extend(more)
    return state, commands


def _last_transcript(reply: Reply) -> list[Command]:
    """The final of the segment that was cut in the middle."""
    for segment in reply.segments:
        if segment.told >= 0 and (heard := chars_heard(segment, reply)):
            return [Send(Transcript("assistant", final=True, text=segment.text[:heard].strip()))]
    return []


def _source(reply: Reply) -> Source:
    return "model" if reply.by_model else "force-say"


def end_call(
    state: State, reason: str, detail: str, plan: Plan, commands: list[Command], *, present: bool = True
) -> Change:
    """The last thing that a call does, but for its hooks; `present` tells whether the caller may be told something."""
    state, closing = preemptive.throw_away(state)
    commands = [*commands, *closing]
    if state.reply is not None:
        state, closing = cut(state, state.reply, "call-ended", plan)
        commands = [*commands, *closing]
    if said := state.caller.said:
        entry = Remember("user", said, state.caller.began_ms, state.now_ms)
        state = replace(state, history=(*state.history, entry))
        commands = [*commands, entry]
    state, closing = tool_calls.close_all(state)
    commands = [*commands, *closing]
    state = replace(state, caller=forget_words(state.caller), sayings=(), alarm=None, owed=False, ending=None)
    if (last := triggers.close(state, reason, detail, plan, present=present)) is not None:
        return last[0], [*commands, *last[1]]
    if state.closing is not None:
        reason, detail = state.closing.reason, state.closing.detail
    return replace(state, phase="ended", caller=Caller()), [*commands, EndCall(reason, detail)]

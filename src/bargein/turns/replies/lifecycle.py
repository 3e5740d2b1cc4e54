"""The life of a reply: started, generated, spoken, and closed exactly once.

Every function returns the next state with the commands that lead to it. A reply is known by its turn id: events of
another turn are dropped by that id (`bargein.turns.replies.reply_events`).
"""

from dataclasses import replace

from bargein.turns import conversation
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
from bargein.turns.events import Played, ReplyToken, SpeechQueued, SpeechRequested
from bargein.turns.hooks import triggers
from bargein.turns.hooks.plan import HookOn
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.phrases import count_words, find_phrase
from bargein.turns.plan import Plan
from bargein.turns.replies.flush_tags import without_flush_tags
from bargein.turns.replies.history import heard_chars, heard_chars_of, heard_text
from bargein.turns.replies.reply import FalseInterruption, PreemptiveReply, Reply, ReplyKind, Segment
from bargein.turns.roles import Role
from bargein.turns.state import Caller, Change, State
from bargein.turns.tools import tool_calls

MOST_REPLY_CHARS = 50_000
"""The most characters of a reply, about an hour of speech; the rest of a longer text is dropped."""

SPOKEN_AND_ENDED = "assistant-ended-call-after-message-spoken"
"""The `endedReason` when the call ends after the assistant has said its last message."""

# "Yes" over the last word of a question answers it, while a "yes" in the middle of a speech is a backchannel.
_ANSWER_BEFORE_END_MS = 1000


def current_reply(state: State) -> Reply:
    """Return the running reply, for items that are due only while there is one."""
    reply = state.reply
    if reply is None:
        raise AssertionError
    return reply


def start(
    state: State,
    kind: ReplyKind,
    text: str | None = None,
    *,
    not_before_ms: int = 0,
    interruptible: bool = True,
    end_call_reason: str | None = None,
    ends_for: str | None = None,
    starts_tool: str | None = None,
    prompt: tuple[tuple[Role, str], ...] = (),
    hook: HookOn | None = None,
    asked: bool = False,
) -> Change:
    """Start a reply; none may be running. An open interruption is settled by it.

    Only a reply of the model without a `prompt` answers the conversation, so that no further response is pending. Where
    it was `asked` for, and the assistant has said something since, the model is told that this is no answer yet.
    """
    answers = kind == "model" and not prompt
    text = None if text is None else text[:MOST_REPLY_CHARS]
    unanswered = answers and text is None and conversation.ends_unanswered(state, asked=asked)
    state, before = preemptive.discard(state)
    reply = Reply(
        turn_id=state.next_turn_id,
        kind=kind,
        requested_ms=state.now_ms,
        last_activity_ms=state.now_ms,
        not_before_ms=max(not_before_ms, state.backoff_until_ms),
        interruptible=interruptible and state.closing is None,
        end_call_reason=end_call_reason,
        ends_for=ends_for,
        starts_tool=starts_tool,
        text=without_flush_tags(text or ""),
        model_output_sent=kind == "resumed",
        hook=hook,
    )
    state = replace(
        state,
        reply=reply,
        false_interruption=None,
        reply_count=state.reply_count + 1,
        response_pending=state.response_pending and not answers,
        goes_on=state.goes_on and not answers,
    )
    state = tool_calls.mark_results_seen(state) if answers else state
    may_call = answers and state.tool_rounds < tool_calls.MAX_ROUNDS and state.closing is None
    tools = may_call or text is not None
    commands: list[Command] = [*before, StartReply(reply.turn_id, text, tools, prompt, unanswered=unanswered)]
    return state, [*commands, *_resumed_output(reply)]


def keep_preemptive(state: State, kept: PreemptiveReply, *, not_before_ms: int) -> Change:
    """Make a preemptive reply the running one; none may be running. Its events are still to be applied, in order."""
    reply = Reply(
        turn_id=kept.turn_id,
        kind="model",
        requested_ms=state.now_ms,
        last_activity_ms=state.now_ms,
        not_before_ms=max(not_before_ms, state.backoff_until_ms),
    )
    state = replace(state, reply=reply, preemptive=None, false_interruption=None, response_pending=False, goes_on=False)
    return tool_calls.mark_results_seen(state), [KeepReply(reply.turn_id)]


def resume(state: State, cut: FalseInterruption, kept: PreemptiveReply | None) -> Change:
    """Start the rest of a reply that was cut, or keep it where it is prepared; none may be running."""
    if kept is None:
        state, commands = start(
            state,
            cut.kind,
            cut.rest,
            end_call_reason=cut.end_call_reason,
            ends_for=cut.ends_for,
            starts_tool=cut.starts_tool,
        )
        reply = current_reply(state)
    else:
        reply = Reply(
            turn_id=kept.turn_id,
            kind=cut.kind,
            requested_ms=state.now_ms,
            last_activity_ms=state.now_ms,
            not_before_ms=state.backoff_until_ms,
            end_call_reason=cut.end_call_reason,
            ends_for=cut.ends_for,
            starts_tool=cut.starts_tool,
            text=cut.rest,
            model_output_sent=cut.kind == "resumed",
        )
        state = replace(state, preemptive=None, false_interruption=None)
        commands = [KeepReply(reply.turn_id), *_resumed_output(reply)]
    state = replace(state, reply=replace(reply, repeated_chars=cut.repeated_chars))
    if cut.asks_model and not state.response_pending:
        state = replace(state, response_pending=True, goes_on=True)
    return state, commands


def _resumed_output(reply: Reply) -> list[Command]:
    """Return the `model-output` of a resumed reply: its text is known at once."""
    return [Send(ModelOutput(reply.turn_id, reply.text))] if reply.kind == "resumed" else []


def end_text(state: State, reply: Reply) -> State:
    """Note that the model has finished the reply's text."""
    return replace(state, reply=replace(reply, text_ended=True, last_activity_ms=state.now_ms))


def add_text(state: State, reply: Reply, event: ReplyToken) -> Change:
    """Add a piece of text from the model."""
    added = event.text[: MOST_REPLY_CHARS - len(reply.text)]
    if reply.kind != "model" or not added:
        return state, []
    text = reply.text + added
    reply = replace(reply, text=text, model_output_sent=True, last_activity_ms=state.now_ms, hang_sent=False)
    return replace(state, reply=reply), [Send(ModelOutput(reply.turn_id, added))]


def add_segment(state: State, reply: Reply, event: SpeechRequested) -> Change:
    """Add a segment that went to the voice, if it is the next one and its text matches."""
    if event.segment != len(reply.segments) or not reply.text.startswith(event.text, event.char_start):
        return state, []
    spoken = event.text if event.spoken is None else event.spoken
    segment = Segment(char_start=event.char_start, text=event.text, start_ms=reply.audio_ms, unspoken=not spoken)
    reply = replace(reply, segments=(*reply.segments, segment), last_activity_ms=state.now_ms)
    return replace(state, reply=reply), [Send(VoiceInput(spoken))] if spoken else []


def add_audio(state: State, reply: Reply, event: SpeechQueued) -> Change:
    """Add queued audio to the latest segment."""
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
        last_activity_ms=state.now_ms,
        drained=reply.drained and not more,
        hang_sent=False,
    )
    return replace(state, reply=reply), []


def mark_ended(state: State, reply: Reply) -> Change:
    """Note that model and voice have finished the reply."""
    return replace(state, reply=replace(reply, ended=True, last_activity_ms=state.now_ms)), []


def update_playout(state: State, reply: Reply, event: Played) -> Change:
    """Note how much of the reply the caller has heard, and report it."""
    if reply.audible_ms is None:
        return state, []
    # Positions are whole milliseconds, so that rounding may leave them short of the end; `drained` is exact.
    position_ms = reply.audio_ms if event.drained else event.position_ms
    played_ms = min(max(position_ms, reply.played_ms), reply.audio_ms)
    moved = played_ms > reply.played_ms
    sound_ms = played_ms if event.heard_ms is None else min(event.heard_ms, played_ms)
    if sound_ms > reply.sound_ms:
        state = replace(state, idle_since_ms=state.now_ms)
    reply = replace(
        reply,
        played_ms=played_ms,
        sound_ms=max(sound_ms, reply.sound_ms),
        drained=event.drained,
        last_activity_ms=state.now_ms if moved else reply.last_activity_ms,
    )
    reply, commands = _report_progress(reply)
    return replace(state, reply=reply), commands


def start_playout(state: State, reply: Reply, plan: Plan) -> Change:
    """Let the reply sound; what the caller has said before stands before it."""
    state, settled = conversation.settle_before(state, reply, plan)
    reply = replace(reply, audible_ms=state.now_ms, turn=state.turn_count, last_activity_ms=state.now_ms)
    commands: list[Command] = [*settled, Play(reply.turn_id), Send(SpeechUpdate("assistant", "started", reply.turn))]
    reply, progress = _report_progress(reply)
    state = replace(state, reply=reply, turn_count=state.turn_count + 1, sounded_ms=state.now_ms)
    return state, [*commands, *progress]


def _report_progress(reply: Reply) -> tuple[Reply, list[Command]]:
    """Send the transcripts and the word count of what has been heard since the last report."""
    commands: list[Command] = []
    segments = list(reply.segments)
    for index, segment in enumerate(segments):
        if segment.transcript_sent < 0:
            continue
        heard = heard_chars_of(segment, reply)
        final = segment.done and reply.played_ms >= segment.start_ms + segment.audio_ms
        if heard <= segment.transcript_sent and not final:
            break
        if heard and not segment.unspoken:
            commands.append(Send(Transcript("assistant", final, segment.text[:heard].strip())))
        segments[index] = replace(segment, transcript_sent=-1 if final else heard)
    words = count_words(reply.text[: heard_chars(reply)])
    if words > reply.words_reported:
        total = count_words(reply.text)
        commands.append(Send(SpeechProgress(reply.turn, reply.text.strip(), _source(reply), words, total)))
    return replace(reply, segments=tuple(segments), words_reported=max(words, reply.words_reported)), commands


def finish(state: State, reply: Reply, plan: Plan) -> Change:
    """Close a reply that has been heard to its end, with what follows from that: a tool, or the end of the call."""
    text = reply.text.strip() if plan.remember_model_output else heard_text(reply).strip()
    state, commands = _close(state, reply, "spoken", text, plan)
    if reply.starts_tool is not None:
        state, running = tool_calls.run(state, reply.starts_tool)
        commands.extend(running)
    if reply.end_call_reason is not None:
        return end_call(state, reply.end_call_reason, "", plan, commands)
    if phrase := find_phrase(text, plan.end_call_phrases):
        commands.append(Decide("ending", f'the assistant said "{phrase}"', reply.turn_id))
        return end_call(state, "assistant-said-end-call-phrase", "", plan, commands)
    caller = state.caller
    if (
        is_backchannel(caller.said, plan)
        and state.now_ms - caller.words_at_ms > _ANSWER_BEFORE_END_MS
        and not text.endswith("?")
    ):
        commands.append(Decide("ignored", f'"{caller.said}" was a backchannel', reply.turn_id))
        state = replace(state, caller=conversation.close_turn(caller))
    return state, commands


def cut(state: State, reply: Reply, outcome: Outcome, plan: Plan) -> Change:
    """Stop a reply before its end and close it."""
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
    if by_caller and (audible or reply.model_output_sent):
        commands.append(Send(UserInterrupted(reply.turn_id if reply.by_model else None)))
    if audible:
        commands.append(Send(SpeechUpdate("assistant", "stopped", reply.turn)))
        commands.extend(_final_transcript(reply))
    if text:
        start_ms = reply.requested_ms if reply.audible_ms is None else reply.audible_ms
        entry = Remember(
            "assistant", text, start_ms, state.now_ms, reply.turn_id, interrupted=by_caller, source=_source(reply)
        )
        state = replace(state, history=conversation.with_reply(state.history, entry))
        commands.append(entry)
    if by_caller and reply.by_model:
        state = tool_calls.drop_pending_says(state, reply.turn_id)
    state = replace(state, reply=None)
    state = triggers.assistant_finished(state, reply) if audible else state
    if by_caller and (audible or reply.model_output_sent):
        state, more = triggers.trigger(state, "assistant.speech.interrupted", plan, turn_id=reply.turn_id)
        commands.extend(more)
    return state, commands


def _final_transcript(reply: Reply) -> list[Command]:
    """Return the final transcript of the segment that was cut in the middle."""
    for segment in reply.segments:
        if segment.transcript_sent >= 0 and not segment.unspoken and (heard := heard_chars_of(segment, reply)):
            return [Send(Transcript("assistant", final=True, text=segment.text[:heard].strip()))]
    return []


def _source(reply: Reply) -> Source:
    return "model" if reply.by_model else "force-say"


def end_call(
    state: State,
    reason: str,
    detail: str,
    plan: Plan,
    commands: list[Command],
    *,
    caller_present: bool = True,
    last_words: str = "",
) -> Change:
    """End the call, or begin to end it where it has `call.ending` hooks.

    Args:
        state: the state.
        reason: the `endedReason`.
        detail: more about it, without secrets.
        plan: the call's plan.
        commands: the commands that come before.
        caller_present: the caller is still there and can be told something.
        last_words: said before the end, if the assistant may speak and no hook decides what is said; empty: nothing.
    """
    state, closing = preemptive.discard(state)
    commands = [*commands, *closing]
    if state.reply is not None:
        state, closing = cut(state, state.reply, "call-ended", plan)
        commands = [*commands, *closing]
    if said := state.caller.said:
        entry = Remember("user", said, state.caller.began_ms, state.now_ms)
        state = replace(state, history=conversation.with_utterance(state.history, entry))
        commands = [*commands, entry]
    state, closing = tool_calls.close_all(state)
    commands = [*commands, *closing]
    state = replace(
        state,
        caller=conversation.close_turn(state.caller),
        pending_says=(),
        false_interruption=None,
        response_pending=False,
        end_call_reason=None,
        ending_calls=(),
    )
    if (hooked := triggers.start_closing(state, reason, detail, plan, caller_present=caller_present)) is not None:
        return hooked[0], [*commands, *hooked[1]]
    if last_words and state.closing is None and state.phase == "live" and state.may_speak:
        commands = [*commands, Decide("ending", "the model has failed, and the assistant says so")]
        return triggers.close_with(state, last_words, reason, detail), commands
    if state.closing is not None:
        reason, detail = state.closing.reason, state.closing.detail
    return replace(state, phase="ended", caller=Caller()), [*commands, EndCall(reason, detail)]

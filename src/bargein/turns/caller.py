"""The caller's events: voice that starts and stops, its judgement, and its words."""

from dataclasses import replace

from bargein.turns.commands import Command, Decide, Send, SpeechUpdate, Transcript
from bargein.turns.events import InterruptionJudged, TranscriptReceived, VoiceStarted, VoiceStopped
from bargein.turns.hooks import triggers
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from bargein.turns.phrases import count_words
from bargein.turns.plan import Plan
from bargein.turns.state import Caller, Change, State, least_confidence

MOST_TRANSCRIPT_CHARS = 10_000
"""The most characters of one transcript, about ten minutes of speech; the rest is dropped."""
MOST_TURN_CHARS = 20_000
"""The most characters of the closed utterances of a turn; the first ones are dropped."""


def start_voice(state: State, event: VoiceStarted, plan: Plan) -> Change:
    """Begin a run of voice, or continue the last one after a short dip."""
    caller = state.caller
    if state.customer_muted or caller.voiced:
        return state, []
    onset_ms = min(event.onset_ms, state.now_ms)
    if caller.offset_ms and 0 <= onset_ms - caller.offset_ms <= BRIDGED_DIP_MS:
        caller = replace(caller, voiced=True)
    else:
        caller = replace(
            _settle_utterance(state, caller, plan),
            voiced=True,
            onset_ms=onset_ms,
            rising_ms=_rising_ms(event, onset_ms, caller.offset_ms),
            has_interrupted=False,
            background=False,
            judged=None,
            judged_before=None,
            unducked=False,
        )
    caller = replace(caller, awaiting_transcript=not caller.background, committed_words=0)
    state, caller, turn = _open_turn(state, caller, onset_ms)
    commands = list[Command]()
    if state.reply is not None and state.reply.audible_ms is not None and onset_ms < state.reply.audible_ms:
        state, commands = _interrupt_caller(state, plan)
    if caller.speaking_turn is not None:
        return replace(state, caller=caller), commands
    started = Send(SpeechUpdate("user", "started", turn))
    return replace(state, caller=replace(caller, speaking_turn=turn)), [started, *commands]


def _rising_ms(event: VoiceStarted, onset_ms: int, offset_ms: int) -> int:
    """Return since when the voice has lasted: not since before its onset, nor during the voice before it."""
    rising_ms = onset_ms if event.rising_ms is None else event.rising_ms
    return min(onset_ms, max(rising_ms, offset_ms))


def stop_voice(state: State, event: VoiceStopped, plan: Plan) -> Change:
    """End the run of voice; a short dip may still continue it."""
    caller = state.caller
    if not caller.voiced:
        return state, []
    offset_ms = min(max(event.offset_ms, caller.onset_ms), state.now_ms)
    # The detector may be later than the final transcript of the last sound: then there is nothing to wait for.
    complete = caller.utterance_final and caller.words_at_ms >= offset_ms
    awaiting = caller.awaiting_transcript and not complete
    reply = state.reply
    # Over the assistant a voice may be its own echo, and one that lasts may be noise.
    doubtful = caller.background or (reply is not None and reply.audible_ms is not None)
    unheard_ms = caller.unheard_ms + (0 if doubtful else max(0, offset_ms - max(caller.onset_ms, caller.offset_ms)))
    caller = replace(caller, voiced=False, offset_ms=offset_ms, awaiting_transcript=awaiting, unheard_ms=unheard_ms)
    state = replace(state, caller=caller)
    if reply is None or reply.audible_ms is None or plan.adaptive_interruption:
        return state, []
    lasted_ms = offset_ms - caller.rising_ms
    if lasted_ms >= plan.voice_ms:
        return state, []
    return state, [Decide("ignored", f"{lasted_ms} ms of voice", reply.turn_id)]


def apply_judgement(state: State, event: InterruptionJudged) -> Change:
    """Keep a judgement of the latest run of voice; one of an earlier run, or of a younger age, is dropped."""
    caller = state.caller
    outdated = caller.judged is not None and event.age_ms < caller.judged.age_ms
    if state.customer_muted or event.onset_ms != caller.onset_ms or outdated:
        return state, []
    judged = caller.judged
    before = judged if judged is not None and judged.age_ms < event.age_ms else caller.judged_before
    return replace(state, caller=replace(caller, judged=event, judged_before=before)), []


def apply_transcript(state: State, event: TranscriptReceived, plan: Plan) -> Change:
    """Apply a partial or final transcript to the caller's open turn."""
    caller = replace(state.caller, unheard_ms=0)
    if state.customer_muted:
        return state, []
    state = replace(state, caller=caller)
    text, interrupted = event.text[:MOST_TRANSCRIPT_CHARS].strip(), list[Command]()
    if not count_words(text):
        return replace(state, caller=_withdraw_utterance(caller) if event.final else caller), []
    if event.final and (dropped := triggers.drop_low_confidence(state, event.confidence, plan)) is not None:
        state, commands = dropped
        return replace(state, caller=_withdraw_utterance(caller)), commands
    if caller.committed_words:
        # A partial of this utterance has been answered. The rest is new only if it is much more than that.
        if count_words(text) <= caller.committed_words + 1:
            late: list[Command] = [Send(Transcript("user", final=True, text=text))] if event.final else []
            kept = 0 if event.final else caller.committed_words
            return replace(state, caller=replace(caller, committed_words=kept)), late
        caller = replace(caller, committed_words=0)
        state, interrupted = _interrupt_caller(state, plan)
    caller = _settle_utterance(state, caller, plan)
    began_ms = caller.onset_ms if caller.awaiting_transcript else state.now_ms
    state, caller, _ = _open_turn(state, caller, began_ms)
    is_new = event.final or text != caller.utterance
    caller = replace(
        caller,
        utterance=text,
        utterance_final=event.final,
        utterance_confidence=event.confidence,
        words_at_ms=state.now_ms if is_new else caller.words_at_ms,
        background=caller.background and not is_new,
    )
    # A partial that is only repeated during a background voice does not make it the caller's turn again.
    complete = event.final or (event.complete and plan.judges_pauses)
    awaiting = not caller.background and (caller.voiced or not complete)
    caller = replace(caller, awaiting_transcript=awaiting)
    state = triggers.caller_spoke(replace(state, caller=caller, idle_since_ms=state.now_ms), plan)
    return state, [Send(Transcript("user", final=event.final, text=text)), *interrupted]


def _interrupt_caller(state: State, plan: Plan) -> Change:
    """Trigger `customer.speech.interrupted`: the caller goes on with the turn that the sounding reply answers."""
    reply = state.reply
    if reply is None or reply.audible_ms is None or reply.interrupted_caller:
        return state, []
    state = replace(state, reply=replace(reply, interrupted_caller=True))
    return triggers.trigger(state, "customer.speech.interrupted", plan)


def _withdraw_utterance(caller: Caller) -> Caller:
    """Remove the partial of an utterance that turned out to be no speech."""
    awaiting = caller.voiced and not caller.background
    caller = replace(caller, awaiting_transcript=awaiting, committed_words=0)
    return caller if caller.utterance_final else replace(caller, utterance="", utterance_confidence=None)


def _settle_utterance(state: State, caller: Caller, plan: Plan) -> Caller:
    """Move a final utterance to the turn's final text; drop it if it was a backchannel over a reply."""
    if not caller.utterance_final:
        return caller
    reply = state.reply
    overlaps = reply is not None and reply.audible_ms is not None
    if overlaps and is_backchannel(caller.utterance, plan):
        return replace(caller, utterance="", utterance_final=False, utterance_confidence=None)
    return replace(
        caller,
        final_text=caller.said[-MOST_TURN_CHARS:],
        final_confidence=least_confidence(caller.final_confidence, caller.utterance_confidence),
        utterance="",
        utterance_final=False,
        utterance_confidence=None,
    )


def _open_turn(state: State, caller: Caller, began_ms: int) -> tuple[State, Caller, int]:
    """Open the caller's turn with the first voice or word; a voice without words did not begin it.

    A voice is detected late. Where the assistant has begun to sound meanwhile, the turn counts as begun over it.

    Returns:
        The state, the caller and the number of the turn.
    """
    began_ms = max(began_ms, state.sounded_ms)
    if caller.turn is None:
        turn = state.turn_count
        return replace(state, turn_count=turn + 1), replace(caller, turn=turn, began_ms=began_ms), turn
    turn = caller.turn
    if not caller.said:
        caller = replace(caller, began_ms=began_ms)
    return state, caller, turn

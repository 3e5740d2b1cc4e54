"""Messages that a client adds to the conversation (Vapi's `add-message`), and what the caller types.

A message of the user that asks for a response is what the caller types in place of speaking. It stops the assistant as
the same words would by voice, by the plan's rules for words: an interruption phrase always does, an acknowledgement
phrase never, and other words from `numWords` on. Protected speech is not stopped. There is no sound to judge and
nothing to be misheard, so that a typed interruption is never a false one.

No other message stops what is being said: an instruction of the system, or a message without a response.
"""

from dataclasses import replace

from bargein.turns import conversation
from bargein.turns.commands import Command, Decide, Remember
from bargein.turns.events import AddMessage
from bargein.turns.hooks import triggers
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.interruption.explicit import may_supersede
from bargein.turns.phrases import count_words, find_phrase
from bargein.turns.plan import Plan
from bargein.turns.replies import lifecycle
from bargein.turns.replies.reply import Reply
from bargein.turns.state import Change, State


def add_message(state: State, event: AddMessage, plan: Plan) -> Change:
    """Add a message to the history, behind the words that have been heard so far."""
    commands = list[Command]()
    if event.role == "user" and event.respond and count_words(event.text):
        state, commands = _interrupt(state, event.text, plan)
    entry = Remember(event.role, event.text, state.now_ms, state.now_ms)
    state = replace(
        state,
        history=conversation.with_utterance(state.history, entry),
        tool_rounds=0 if event.respond else state.tool_rounds,
        idle_since_ms=state.now_ms,
    )
    return (conversation.ask_for_response(state) if event.respond else state), [*commands, entry]


def _interrupt(state: State, text: str, plan: Plan) -> Change:
    """Stop what is being said, or about to be said, if the typed words do that, and call off an end of the call."""
    state = triggers.caller_spoke(state, plan)
    phrase = find_phrase(text, plan.interruption_phrases)
    if phrase is None and is_backchannel(text, plan):
        return state, []
    reply, commands = state.reply, list[Command]()
    if reply is not None and reply.audible_ms is not None and (why := _why_stopped(reply, text, phrase, plan)):
        state, commands = lifecycle.cut(state, reply, "interrupted", plan)
        commands.append(Decide("stopped", why, reply.turn_id))
        state = replace(state, backoff_until_ms=state.now_ms + plan.backoff_ms)
    elif reply is not None and (may_supersede(reply, text, plan) or triggers.is_unneeded(reply)):
        state, commands = lifecycle.cut(state, reply, "superseded", plan)
        commands.append(Decide("superseded", f'the caller typed: "{text}"', reply.turn_id))
    if state.reply is None:  # a reply that was cut before is not resumed
        state = replace(state, false_interruption=None)
    state, called_off = conversation.call_off_end(state)
    return state, [*commands, *called_off]


def _why_stopped(reply: Reply, text: str, phrase: str | None, plan: Plan) -> str | None:
    """Return why typed words stop a reply that sounds; None: they do not."""
    if not reply.interruptible:
        return None
    if phrase is not None:
        return f'"{phrase}" was typed, an interruption phrase'
    words = count_words(text)
    return f"{words} words were typed, numWords is {plan.num_words}" if words >= plan.num_words else None

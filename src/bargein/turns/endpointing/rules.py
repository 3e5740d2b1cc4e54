"""When the caller's turn is over.

The order of Vapi's plans: `customEndpointingRules` > `smartEndpointingPlan` > `transcriptionEndpointingPlan`. Where the
assistant gives neither of the latter two, `bargein.turns.endpointing.end_of_turn` stands in their place.
Rules and the wait function count from the end of the voice; the transcription plan from the last words or the end of
the voice, whichever is later, as its fields are worded. None of them ends a turn before its words have come.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from bargein.turns.endpointing import end_of_turn
from bargein.turns.endpointing.smart import open_question
from bargein.turns.endpointing.wait_function import wait_ms
from bargein.turns.phrases import normalise
from bargein.turns.plan import Plan, Rule
from bargein.turns.state import State

# A caller's regular expression sees no more than this: patterns are the assistant's owner's, but their cost is ours.
_LONGEST_MATCHED = 1000

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_NUMBER_END = re.compile(
    r"(?:\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million))[\s.,!?-]*$",
    re.IGNORECASE,
)
_PUNCTUATION_END = re.compile(r"[.!?\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*\s*$")
_MORE_TO_COME = frozenset({
    "and", "but", "or", "so", "because", "if", "when", "while", "then", "than", "that", "which", "who", "the",
    "a", "an", "to", "of", "for", "with", "in", "on", "at", "from", "by", "as", "my", "your", "our", "his",
    "her", "their", "its", "is", "are", "was", "were", "am", "be", "been", "will", "would", "could", "should",
    "can", "may", "might", "do", "does", "did", "have", "has", "had", "i", "we", "you", "he", "she", "they",
    "it", "not", "very", "really", "just", "also", "like", "um", "uh", "er", "hmm", "well", "about", "into",
})  # fmt: skip


class Endpoint(NamedTuple):
    """When the turn ends, and by which rule.

    Attributes:
        likely: how likely it is over by now, from 0 to 1.
        judged: by a judgement of the pause.
    """

    at_ms: int
    why: str
    likely: float = 0.0
    judged: bool = False


def endpoint(state: State, plan: Plan) -> Endpoint | None:
    """When the caller's open turn ends if nothing more is heard; None while it cannot end."""
    caller = state.caller
    if not caller.said or caller.holds_floor:
        return None
    silent_since = caller.words_at_ms if caller.stuck else caller.offset_ms
    said = caller.said
    for rule in plan.rules:
        if _matches(rule, state.last_assistant_text, said):
            at_ms = max(silent_since + rule.timeout_ms, caller.words_at_ms)
            return Endpoint(at_ms, f"a custom endpointing rule waits {rule.timeout_ms} ms", 1 - unfinished(said))
    question = open_question(state)
    if question is not None and question.pause_ms is not None:
        at_ms = max(silent_since + question.pause_ms, caller.words_at_ms)
        return Endpoint(at_ms, f"the owner's endpointing model waits {question.pause_ms} ms", 1 - unfinished(said))
    judgement = end_of_turn.open_judgement(state) if plan.judges_pauses else None
    waits_until_ms = 0 if judgement is None or judgement.answered else judgement.asked_ms + end_of_turn.JUDGING_MS
    if plan.by_judgement and judgement is not None and judgement.done is not None:
        pause_ms = end_of_turn.pause_ms(judgement.done, plan)
        at_ms = max(silent_since + pause_ms, caller.words_at_ms)
        why = f"the turn is {judgement.done:.0%} likely to be over: {pause_ms} ms"
        return Endpoint(at_ms, why, judgement.done, judged=True)
    if plan.wait_function is not None:
        likely = unfinished(said) if judgement is None or judgement.done is None else 1 - judgement.done
        pause_ms = wait_ms(plan.wait_function, likely)
        at_ms = max(silent_since + pause_ms, caller.words_at_ms, waits_until_ms)
        why = f"{likely:.2f} likely unfinished: the wait function gives {pause_ms} ms"
        return Endpoint(at_ms, why, 0.0 if waits_until_ms else 1 - likely)
    pause_ms, what = _transcription_pause(said, plan)
    at_ms = max(silent_since, caller.words_at_ms) + pause_ms
    if question is not None and not question.answered and plan.ask_ms is not None:
        at_ms = max(at_ms, question.asked_ms + plan.ask_ms)  # it may still come
    at_ms = max(at_ms, waits_until_ms)
    return Endpoint(at_ms, f"{what}: {pause_ms} ms", 0.0 if waits_until_ms else 1 - unfinished(said))


def _transcription_pause(said: str, plan: Plan) -> tuple[int, str]:
    if _NUMBER_END.search(said):
        return plan.on_number_ms, "the words end with a number"
    if _PUNCTUATION_END.search(said):
        return plan.on_punctuation_ms, "the words end with punctuation"
    return plan.on_no_punctuation_ms, "the words end without punctuation"


def unfinished(said: str) -> float:
    """How likely it is, from 0 to 1, that somebody who has said this will go on: by its last word and punctuation.

    It stands for the judge's opinion where there is none.
    """
    words = normalise(said)
    if not words:
        return 1.0
    if _NUMBER_END.search(said):
        return 0.5
    ends_open = words[-1] in _MORE_TO_COME
    if said.rstrip().endswith(("...", "\u2026", ",", "-", "\u2013", "\u2014")):
        return 0.9 if ends_open else 0.7
    if _PUNCTUATION_END.search(said):
        return 0.35 if ends_open else 0.05
    return 0.8 if ends_open else 0.4


@lru_cache(maxsize=512)
def pattern(source: str, flags: str) -> re.Pattern[str]:
    """Compile a rule's pattern, which the wire has brought into Python's spelling.

    Raises:
        re.error: it is none.
    """
    combined = 0
    for flag in flags:
        combined |= _FLAGS.get(flag, 0)
    return re.compile(source, combined)


def _matches(rule: Rule, assistant: str, customer: str) -> bool:
    for source, flags, text in (
        (rule.assistant, rule.assistant_flags, assistant),
        (rule.customer, rule.customer_flags, customer),
    ):
        if source is not None and not pattern(source, flags).search(text[-_LONGEST_MATCHED:]):
            return False
    return True

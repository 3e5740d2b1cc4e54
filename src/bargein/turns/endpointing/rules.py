"""The end of the caller's turn, by Vapi's `startSpeakingPlan`.

The order of Vapi's plans: `customEndpointingRules`, then `smartEndpointingPlan`, then `transcriptionEndpointingPlan`.
Where the assistant gives neither of the latter two, `bargein.turns.endpointing.end_of_turn` decides.

The transcription plan counts from the last words or the end of the voice, whichever is later, as its fields are
worded. Which of its times applies depends on how the words end:

    caller      #####|..............................
    transcript           "at nine."
                         |<100 ms>|                    onPunctuationSeconds 0.1      "at nine."
                         |<--500 ms-->|                onNumberSeconds 0.5           "at nine"
                         |<------ 1.5 s ------>|       onNoPunctuationSeconds 1.5    "at"
                         last words            end of turn

Rules and the wait function count from the end of the voice. None of them ends a turn before its words have come:

    caller      #####|..............................
    transcript           "my number is"
                     |<---- timeoutSeconds ---->|
                     end of voice               end of turn
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from bargein.patterns import LONGEST_SUBJECT_BYTES, Pattern, PatternError, compile_pattern
from bargein.turns.endpointing import end_of_turn
from bargein.turns.endpointing.smart import current_request
from bargein.turns.endpointing.wait_function import wait_ms
from bargein.turns.languages import ENGLISH_CODE, find_language
from bargein.turns.phrases import longest_ending, normalise
from bargein.turns.plan import Plan, Rule
from bargein.turns.state import State

_ENDING_CHARS = 500
"""How much of the end of the words shows how they end."""
_AFTER_NUMBER = " \t\n\r\f\v\u00a0.,!?-\u3001\u3002\uff0c\uff0e\uff01\uff1f\u060c\u061f\u06d4\u0964"
_PUNCTUATION_END = re.compile(
    r"[.!?\u3002\uff0e\uff01\uff1f\u061f\u06d4\u0964][\"'\u201d\u2019\u00bb\u300d\u300f)\]]*\s*$"
)
_OPEN_ENDINGS = ("...", "\u2026", ",", "-", "\u2013", "\u2014", "\u3001", "\uff0c", "\u060c")


class Endpoint(NamedTuple):
    """The end of the caller's turn: its time, and the rule that gives it.

    Attributes:
        at_ms: when it ends if nothing more is heard.
        why: the rule, for people.
        probability: how likely it is over by now, from 0 to 1.
        judged: the end-of-turn detector has decided.
    """

    at_ms: int
    why: str
    probability: float = 0.0
    judged: bool = False


def find_endpoint(state: State, plan: Plan) -> Endpoint | None:
    """Find when the caller's open turn ends if nothing more is heard; None while it cannot end."""
    caller = state.caller
    if not caller.said or caller.holds_turn:
        return None
    silent_since_ms = caller.words_at_ms if caller.background else caller.offset_ms
    said = caller.said
    if plan.rules:
        texts = (text[-LONGEST_SUBJECT_BYTES:] for text in (state.last_assistant_text, said))
        rule = _first_match(plan.rules, *texts)
        if rule is not None:
            at_ms = max(silent_since_ms + rule.timeout_ms, caller.words_at_ms)
            why = f"a custom endpointing rule waits {rule.timeout_ms} ms"
            return Endpoint(at_ms, why, 1 - unfinished(said, plan.language))
    request = current_request(state)
    if request is not None and request.pause_ms is not None:
        at_ms = max(silent_since_ms + request.pause_ms, caller.words_at_ms)
        why = f"the owner's endpointing model waits {request.pause_ms} ms"
        return Endpoint(at_ms, why, 1 - unfinished(said, plan.language))
    judgement = end_of_turn.current_judgement(state) if plan.judges_pauses else None
    judged_by_ms = 0 if judgement is None or judgement.answered else judgement.asked_ms + end_of_turn.JUDGING_MS
    if plan.adaptive_endpointing and judgement is not None and judgement.probability is not None:
        pause_ms = end_of_turn.pause_ms(judgement.probability, plan)
        at_ms = max(silent_since_ms + pause_ms, caller.words_at_ms)
        why = f"the turn is {judgement.probability:.0%} likely to be over: {pause_ms} ms"
        return Endpoint(at_ms, why, judgement.probability, judged=True)
    if plan.wait_function is not None:
        probability = None if judgement is None else judgement.probability
        x = unfinished(said, plan.language) if probability is None else 1 - probability
        pause_ms = wait_ms(plan.wait_function, x, (silent_since_ms - state.started_ms) / 1000)
        at_ms = max(silent_since_ms + pause_ms, caller.words_at_ms, judged_by_ms)
        why = f"the turn is {x:.0%} likely unfinished: the wait function gives {pause_ms} ms"
        return Endpoint(at_ms, why, 0.0 if judged_by_ms else 1 - x)
    pause_ms, ending = _transcription_pause(said, plan)
    at_ms = max(silent_since_ms, caller.words_at_ms) + pause_ms
    if request is not None and not request.answered and plan.endpointing_timeout_ms is not None:
        at_ms = max(at_ms, request.asked_ms + plan.endpointing_timeout_ms)  # its answer may still come
    at_ms = max(at_ms, judged_by_ms)
    return Endpoint(at_ms, f"{ending}: {pause_ms} ms", 0.0 if judged_by_ms else 1 - unfinished(said, plan.language))


def _transcription_pause(said: str, plan: Plan) -> tuple[int, str]:
    said = said[-_ENDING_CHARS:]
    if ends_with_number(said, plan.language):
        return plan.on_number_ms, "the words end with a number"
    if _PUNCTUATION_END.search(said):
        return plan.on_punctuation_ms, "the words end with punctuation"
    return plan.on_no_punctuation_ms, "the words end without punctuation"


def unfinished(said: str, language: str = ENGLISH_CODE) -> float:
    """Estimate from the last words and the punctuation how likely it is, from 0 to 1, that the caller will go on.

    It is used where the end-of-turn detector gives no judgement.

    Args:
        said: the words of the turn.
        language: their language, as `Plan.language`.
    """
    said = said[-_ENDING_CHARS:]
    if not normalise(said):
        return 1.0
    if ends_with_number(said, language):
        return 0.5
    ends_open = _ends_open(said, language)
    if said.rstrip().endswith(_OPEN_ENDINGS):
        return 0.9 if ends_open else 0.7
    if _PUNCTUATION_END.search(said):
        return 0.35 if ends_open else 0.05
    return 0.8 if ends_open else 0.4


@lru_cache(maxsize=512)
def ends_with_number(said: str, language: str = ENGLISH_CODE) -> bool:
    """Return True if the last word is a number, in digits or in words of the language (`Plan.language`)."""
    last = said.rstrip(_AFTER_NUMBER)[-1:]
    if not last or unicodedata.category(last)[0] not in "LNM":
        return False
    words, known = normalise(said), find_language(language)
    if last.isdecimal() or longest_ending(said, known.number_words):
        return True
    return any(word != end and word.endswith(end) for word in words[-1:] for end in known.number_endings)


def _ends_open(said: str, language: str) -> bool:
    """Return True if the last words need another one, and are not the end of a phrase that is complete."""
    known = find_language(language)
    open_words = max(longest_ending(said, known.unfinished), longest_ending(said, known.fillers))
    return open_words > longest_ending(said, known.complete)


@lru_cache(maxsize=256)
def _first_match(rules: tuple[Rule, ...], assistant: str, customer: str) -> Rule | None:
    """Return the first rule that matches; the result is cached, because most steps change neither text."""
    for rule, (about_assistant, about_customer) in zip(rules, _compiled(rules), strict=True):
        if about_assistant.found_in(assistant) and about_customer.found_in(customer):
            return rule
    return None


@lru_cache(maxsize=256)
def _compiled(rules: tuple[Rule, ...]) -> tuple[tuple["_Condition", "_Condition"], ...]:
    return tuple(
        (_Condition.of(rule.assistant, rule.assistant_flags), _Condition.of(rule.customer, rule.customer_flags))
        for rule in rules
    )


class _Condition(NamedTuple):
    """One side of a rule: matches any text without a pattern, and none if the pattern cannot be compiled.

    The latter are patterns in journals of older versions, which had another syntax.
    """

    pattern: Pattern | None
    broken: bool = False

    @classmethod
    def of(cls, source: str | None, flags: str) -> "_Condition":
        try:
            return cls(None if source is None else compile_pattern(source, flags))
        except PatternError:
            return cls(None, broken=True)

    def found_in(self, text: str) -> bool:
        return not self.broken and (self.pattern is None or self.pattern.found_in(text))

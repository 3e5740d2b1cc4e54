"""Adaptive interruption: the decision by growing evidence, for assistants that give no numbers.

`Plan.adaptive_interruption` applies to an assistant whose `stopSpeakingPlan` has neither `numWords` nor
`voiceSeconds`. At the onset of a voice the reply is ducked, which costs nothing if it was a cough. Then the sound of
the voice is judged repeatedly (`InterruptionJudged`), and the longer it lasts, the lower the probability that
suffices. Words help where they come in time.

An interruption, and a backchannel:

    caller      .....|############..............  .....|########...........
    judged           .  .4   .7   .92                  .  .3   .2
    assistant   =====|----------|                 =====|----------|========
                     ducked     interrupted            ducked     end duck
                     |<-220 ms->|                      |<-480 ms->|

The ages at which a probability suffices stand in `THRESHOLDS`; a little less suffices in two judgements in succession.
A voice whose sound speaks against an interruption (below 30 % from 480 ms on, or an echo) ends the duck at once, a
voice that has stopped does so after 250 ms.
"""

from functools import lru_cache

from bargein.turns.events import InterruptionJudged
from bargein.turns.languages import ENGLISH_CODE, find_language
from bargein.turns.phrases import begins_phrase, consists_of, count_words, find_phrase, normalise
from bargein.turns.plan import Plan
from bargein.turns.replies.reply import FalseInterruption, Reply
from bargein.turns.state import Caller

THRESHOLDS = (
    (128, 0.93), (160, 0.88), (192, 0.85), (224, 0.83), (256, 0.82), (288, 0.82), (320, 0.82), (352, 0.82), (384, 0.81),
    (416, 0.80), (480, 0.75), (544, 0.72), (608, 0.69), (672, 0.67), (736, 0.66), (800, 0.65),
)  # fmt: skip
"""From this age of a voice on (ms) this probability suffices (`docs/measurements/interruption.md`)."""

TWICE_LESS = 0.05
"""By so much less suffices if two judgements in succession have it: a sound that grows surer need not be sure."""

ECHO = 0.4
"""A voice whose echo share is at least this is the assistant's own and does not interrupt."""

POSSIBLE_ECHO = 0.1
"""From this echo share on it does not interrupt if its words are those that the assistant has just said."""

JUDGED_BY_MS = 450
"""At this age a voice has been judged, if the call has a classifier: mostly at 220 ms, later under load."""

UNJUDGED_MS = 700
"""Without a classifier, a voice that lasts this long interrupts: most backchannels are shorter."""

OVER_MS = 150
"""A voice that stopped longer ago than this does not interrupt by its sound any more; its words still may."""

LONG_MS = 1400
"""A voice that lasts this long interrupts, unless its probability is below `UNLIKELY`."""

UNLIKELY = 0.3
"""A probability below this speaks against an interruption."""

WORDS = (0.75, 0.5, 0.4)
"""With one, two, three or more words that are no backchannel this probability suffices at any age."""

LIKELY = 0.6
"""An interruption phrase that a transcriber also makes of hums (`Language.hums`) needs this probability."""

CERTAIN = 0.85
"""From this probability on the sound outweighs a partial transcript that is a backchannel."""

FEW_WORDS = 3
"""Any other interruption phrase in a final of so few words interrupts; elsewhere unless the sound is `UNLIKELY`."""

MOSTLY_JUDGED_MS = 480
"""At this age of a voice further sound changes its probability little."""


def threshold(age_ms: int) -> float:
    """Return the probability that suffices for a voice of this age; more than 1 for a voice that is too young."""
    return next((least for from_ms, least in reversed(THRESHOLDS) if age_ms >= from_ms), 2.0)


def suffices(judged: InterruptionJudged, before: InterruptionJudged | None) -> bool:
    """Return True if the sound alone is an interruption: by the latest judgement, or by the latest two together.

    Two judgements in succession suffice from a lower probability on, which both must have.
    """
    least = threshold(judged.age_ms)
    if judged.probability >= least:
        return True
    return before is not None and min(judged.probability, before.probability) >= least - TWICE_LESS


def is_backchannel(said: str, plan: Plan) -> bool:
    """Return True if words only show that the caller is listening ("yeah", "mhm")."""
    if plan.adaptive_interruption:
        return consists_of(said, _backchannels(plan.acknowledgement_phrases, plan.language))
    return consists_of(said, plan.acknowledgement_phrases)


@lru_cache(maxsize=256)
def _backchannels(acknowledgement_phrases: tuple[str, ...], language: str) -> tuple[str, ...]:
    return acknowledgement_phrases + find_language(language).backchannels


def find_interruption(
    caller: Caller, plan: Plan, said: str, now_ms: int, spoken: tuple[str, ...] = ()
) -> tuple[int, str] | None:
    """Find when the voice interrupts if it goes on, and why; None: not in this state.

    Args:
        caller: the caller's voice and words.
        plan: the call's plan.
        said: the words of the running utterance that came while the reply sounded.
        now_ms: the time.
        spoken: the words that the assistant has just said.
    """
    judged, words = caller.judged, count_words(said)
    if judged is not None and (judged.echo >= ECHO or (judged.echo >= POSSIBLE_ECHO and repeats(said, spoken))):
        return None
    phrase = find_phrase(said, plan.interruption_phrases)
    if phrase and phrase_interrupts(phrase, caller, words, plan.language):
        if judged is None:  # the words may belong to the voice before; a young voice will be judged yet
            return max(now_ms, caller.onset_ms + JUDGED_BY_MS), f'"{phrase}" is an interruption phrase'
        return now_ms, f'"{phrase}" is an interruption phrase, with {_percent(judged)} for the sound'
    if said and is_backchannel(said, plan):
        # "Yeah." is also what a partial makes of "May I": a very certain sound outweighs it.
        if caller.utterance_final or judged is None or judged.probability < CERTAIN:
            return None
        return _find_by_sound(caller, judged, now_ms)
    if may_become_backchannel(caller, plan, said):
        words = 0
    if judged is None:
        return _find_unjudged(caller, words, now_ms)
    if words and judged.probability >= WORDS[min(words, len(WORDS)) - 1]:
        return now_ms, f"{words} words, with {_percent(judged)} for the sound"
    return _find_by_sound(caller, judged, now_ms)


def phrase_interrupts(phrase: str, caller: Caller, words: int, language: str = ENGLISH_CODE) -> bool:
    """Return True if an interruption phrase among this many words stops the assistant.

    A partial after half a second is often misheard, a final is not; but among many words the phrase may be somebody
    else's, and the shortest of the default phrases (`Language.hums`) are also what a transcriber makes of a hum.
    """
    judged = caller.judged
    if judged is None:
        return True
    if phrase in find_language(language).hums:
        return judged.probability >= LIKELY
    return judged.probability >= UNLIKELY or (caller.utterance_final and words <= FEW_WORDS)


def repeats(said: str, spoken: tuple[str, ...]) -> bool:
    """Return True if words occur, one after the other, in what the assistant has just said."""
    heard = normalise(said)
    return bool(heard) and any(spoken[at : at + len(heard)] == heard for at in range(len(spoken) - len(heard) + 1))


def may_be_false(caller: Caller, cut: FalseInterruption, plan: Plan) -> bool:
    """Return True if what has been said since a cut does not make it a true interruption.

    That is nothing, or a backchannel that answers no question.
    """
    return not caller.said or (not cut.was_question and is_backchannel(caller.said, plan))


def may_become_backchannel(caller: Caller, plan: Plan, said: str) -> bool:
    """Return True if a partial may be the beginning of a backchannel ("I", "got"), so that its words do not count."""
    return not caller.utterance_final and begins_phrase(
        said, _backchannels(plan.acknowledgement_phrases, plan.language)
    )


def _find_unjudged(caller: Caller, words: int, now_ms: int) -> tuple[int, str] | None:
    if words:  # perhaps of the run before; a young voice will be judged yet
        return max(now_ms, caller.onset_ms + JUDGED_BY_MS), f"{words} words, and no judgement of the voice"
    if not caller.voiced or caller.has_interrupted:
        return None
    return caller.onset_ms + UNJUDGED_MS, f"{UNJUDGED_MS} ms of voice, and no judgement of it"


def _find_by_sound(caller: Caller, judged: InterruptionJudged, now_ms: int) -> tuple[int, str] | None:
    if caller.has_interrupted or (not caller.voiced and now_ms - caller.offset_ms > OVER_MS):
        return None
    if suffices(judged, caller.judged_before):
        return now_ms, f"{judged.age_ms} ms of voice are an interruption with {_percent(judged)}"
    if caller.voiced and judged.probability >= UNLIKELY:
        return caller.onset_ms + LONG_MS, f"{LONG_MS} ms of voice, an interruption with {_percent(judged)}"
    return None


def should_duck(reply: Reply, caller: Caller, plan: Plan) -> bool:
    """Return True if the reply should sound at a lower level now."""
    if not plan.adaptive_interruption or not reply.interruptible:
        return False
    if caller.unducked or caller.has_interrupted or caller.background:
        return False
    return caller.voiced and not _is_unlikely(caller)


def end_duck_at(caller: Caller, plan: Plan, now_ms: int) -> int | None:
    """Return when a ducked reply comes back to its full level; None: not in this state."""
    if _is_unlikely(caller) or caller.background or is_backchannel(caller.utterance, plan):
        return now_ms
    return None if caller.voiced else caller.offset_ms + plan.unduck_after_ms


def _is_unlikely(caller: Caller) -> bool:
    judged = caller.judged
    if judged is None:
        return False
    return judged.echo >= ECHO or (judged.age_ms >= MOSTLY_JUDGED_MS and judged.probability < UNLIKELY)


def _percent(judged: InterruptionJudged) -> str:
    return f"{100 * judged.probability:.0f} %"

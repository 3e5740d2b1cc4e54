"""Whether the caller takes the floor, where the assistant leaves that to us: decided on growing evidence.

`Plan.by_evidence` is the policy of an assistant whose `stopSpeakingPlan` gives neither `numWords` nor `voiceSeconds`.
At a voice's onset the assistant is ducked, which costs nothing if it was a cough. Then its sound is judged again and
again (`InterruptionJudged`), and the longer it has been heard, the less it takes to believe it.
Words help where they come in time.
"""

from bargein.turns.events import InterruptionJudged
from bargein.turns.phrases import begins_one_of, count_words, find_phrase, is_made_of, normalise
from bargein.turns.plan import Plan
from bargein.turns.state import Caller, Reply

THRESHOLDS = (
    (160, 0.90), (224, 0.88), (288, 0.85), (352, 0.84), (416, 0.80), (480, 0.72), (544, 0.67), (608, 0.63), (704, 0.61),
    (800, 0.61),
)  # fmt: skip
"""From this much of a voice on (ms), this probability suffices. Found by cross-validation
(`docs/measurements/interruption.md`), the first three raised: the youngest voices are told worst."""

ECHO = 0.4
"""A voice that is so likely our own come back is not the caller's."""

DOUBTFUL_ECHO = 0.1
"""And so likely, if its words are what the assistant has just been saying."""

JUDGED_BY_MS = 450
"""At this age a voice has been judged, if anything judges voices: mostly at 220 ms, later where many calls want it."""

UNJUDGED_MS = 700
"""Where nothing judges voices, one that lasts so long takes the floor: most listening aloud is shorter."""

OVER_MS = 150
"""A voice that fell silent longer ago is over, and stops nothing by its sound any more; its words still may."""

LONG_MS = 1400
"""A voice that lasts so long takes the floor, unless its sound speaks plainly against it."""

DOUBT = 0.3
"""Below this the sound speaks plainly against it."""

WORDS = (0.75, 0.5, 0.4)
"""With one, two, three or more words that are no listening aloud this probability suffices, at whatever age."""

HUMMED = ("but", "dont", "no", "not", "up")
"""Interruption phrases that a transcriber also makes of hums: the sound must speak for it."""

SPEAKS_FOR = 0.6
SURE = 0.85
"""So sure a sound outweighs a partial that only listens aloud."""

FEW_WORDS = 3
"""Any other among so few final words stops at once; else only if the sound does not speak against it."""

LISTENING = (
    "absolutely", "aha", "all right", "alright then", "cool", "exactly", "gosh", "great", "good", "go on", "huh", "hm",
    "hmm", "indeed", "mm", "mmm", "mhm", "mm hmm", "nice", "of course", "oh", "really", "true", "uh", "uh huh",
    "um", "wow", "yep", "yup",
)  # fmt: skip
"""Listening aloud that Vapi's default `acknowledgementPhrases` lack. They hold under this policy only."""


def threshold(age_ms: int) -> float:
    """The probability that suffices for a voice of this age; more than 1 for one that is too young to tell."""
    return next((least for from_ms, least in reversed(THRESHOLDS) if age_ms >= from_ms), 2.0)


def is_backchannel(said: str, plan: Plan) -> bool:
    """Whether words only say that the caller is listening."""
    if plan.by_evidence:
        return is_made_of(said, plan.acknowledgement_phrases + LISTENING)
    return is_made_of(said, plan.acknowledgement_phrases)


def is_interruption(
    caller: Caller, plan: Plan, said: str, now_ms: int, spoken: tuple[str, ...] = ()
) -> tuple[int, str] | None:
    """When the voice that is heard takes the floor if it goes on, and why; None: not as things stand.

    Args:
        caller: the person.
        plan: the call's.
        said: the words of the running utterance that came while the reply sounded.
        now_ms: the time.
        spoken: the words that the assistant has just been saying.
    """
    judged, words = caller.judged, count_words(said)
    if judged is not None and (judged.echo >= ECHO or (judged.echo >= DOUBTFUL_ECHO and repeats(said, spoken))):
        return None
    phrase = find_phrase(said, plan.interruption_phrases)
    if phrase and stops_by(phrase, caller, words):
        if judged is None:  # the words may be of the voice before: one that is young will be judged yet
            return max(now_ms, caller.onset_ms + JUDGED_BY_MS), f'"{phrase}" is an interruption phrase'
        return (
            now_ms,
            f'"{phrase}" is an interruption phrase, and the voice is {_percent(judged)} sure to take the floor',
        )
    if said and is_backchannel(said, plan):
        # "Yeah." is also what a partial makes of "May I": a sound that is very sure knows better.
        if caller.utterance_closed or judged is None or judged.floor < SURE:
            return None
        return _by_sound(caller, judged, now_ms)
    if may_listen(caller, plan, said):
        words = 0
    if judged is None:
        return _unjudged(caller, words, now_ms)
    if words and judged.floor >= WORDS[min(words, len(WORDS)) - 1]:
        return now_ms, f"{words} words, and the voice is {_percent(judged)} sure to take the floor"
    return _by_sound(caller, judged, now_ms)


def stops_by(phrase: str, caller: Caller, words: int) -> bool:
    """Whether an interruption phrase, heard among so many words, stops the assistant.

    A partial of half a second is often misheard, a final is not; but amid many words it may be somebody else's, and
    the shortest of Vapi's default phrases are also what a transcriber makes of a hum.
    """
    judged = caller.judged
    if judged is None:
        return True
    if phrase in HUMMED:
        return judged.floor >= SPEAKS_FOR
    return judged.floor >= DOUBT or (caller.utterance_closed and words <= FEW_WORDS)


def repeats(said: str, spoken: tuple[str, ...]) -> bool:
    """Whether words are what the assistant has just been saying, one after the other."""
    heard = normalise(said)
    return bool(heard) and any(spoken[at : at + len(heard)] == heard for at in range(len(spoken) - len(heard) + 1))


def may_listen(caller: Caller, plan: Plan, said: str) -> bool:
    """Whether words that are still coming are the beginning of listening aloud ("I", "got"): they say nothing yet."""
    return not caller.utterance_closed and begins_one_of(said, plan.acknowledgement_phrases + LISTENING)


def _unjudged(caller: Caller, words: int, now_ms: int) -> tuple[int, str] | None:
    if words:  # of the run before, perhaps: a voice that is young will be judged yet
        return max(now_ms, caller.onset_ms + JUDGED_BY_MS), f"{words} words, and nothing has judged the voice"
    if not caller.voiced or caller.fired:
        return None
    return caller.onset_ms + UNJUDGED_MS, f"{UNJUDGED_MS} ms of voice, and nothing has judged it"


def _by_sound(caller: Caller, judged: InterruptionJudged, now_ms: int) -> tuple[int, str] | None:
    if caller.fired or (not caller.voiced and now_ms - caller.offset_ms > OVER_MS):
        return None
    if judged.floor >= threshold(judged.age_ms):
        return now_ms, f"{judged.age_ms} ms of voice are {_percent(judged)} sure to take the floor"
    if caller.voiced and judged.floor >= DOUBT:
        return caller.onset_ms + LONG_MS, f"{LONG_MS} ms of voice, {_percent(judged)} sure to take the floor"
    return None


def ducks(reply: Reply, caller: Caller, plan: Plan) -> bool:
    """Whether the reply should sound at a lower level now."""
    if not plan.by_evidence or not reply.interruptible or caller.eased or caller.fired or caller.stuck:
        return False
    return caller.voiced and not _speaks_against(caller)


def eases(caller: Caller, plan: Plan, now_ms: int) -> int | None:
    """When a ducked reply comes back to its full level; None: not as things stand."""
    if _speaks_against(caller) or caller.stuck or is_backchannel(caller.utterance, plan):
        return now_ms
    return None if caller.voiced else caller.offset_ms + plan.ease_ms


def _speaks_against(caller: Caller) -> bool:
    judged = caller.judged
    return judged is not None and (judged.echo >= ECHO or (judged.age_ms >= LATE_MS and judged.floor < DOUBT))


LATE_MS = 480
"""By this age of a voice its sound has said most of what it can say."""


def _percent(judged: InterruptionJudged) -> str:
    return f"{100 * judged.floor:.0f} %"

"""The form of the words of a turn: a complete short answer, a question, a command, or plainly unfinished. Pure.

"My number is" needs more words, "No, thank you." does not, and "five five five" depends on what the assistant asked.
The end-of-turn detector takes the form as features, and chooses by it which of its networks applies. The lists are
English; of other languages only the length, open endings and numbers are known.
"""

import re
from enum import Enum, IntEnum

from bargein.providers.embedded.expected_answer import ExpectedAnswer, expected_answer, fits
from bargein.turns.endpointing.rules import ends_with_number, unfinished
from bargein.turns.languages import ENGLISH_CODE
from bargein.turns.phrases import normalise


class Form(Enum):
    """The form of the words of a turn."""

    EMPTY = "empty"
    NUMBER = "number"
    UNFINISHED = "unfinished"
    ANSWER = "answer"
    QUESTION = "question"
    COMMAND = "command"
    OTHER = "other"


SHORT_WORDS = 4
"""A turn of at most so many words is a short one."""

_KINDS = ("open", "yes-no", "number", "spelled", "name", "date")
_OPEN_ENDINGS = ("...", "\u2026", ",", "-", "\u2013", "\u2014")
_FEWEST_DIGITS = 4
"""The digits of a number or letters of a name that are expected where the question does not say how many."""

_AMOUNT = re.compile(r"\bhow (?:many|much|old|tall|long|far)\b")
_TELEPHONE_DIGITS = 7
"""Numbers of so many digits have several usual lengths, so that the expected count is not their end."""

_SURE = 0.7
"""Half of the words that the embedded transcriber hears right have a confidence of 0.78 or more."""

_MISHEARD, _HEARD = 0.65, 0.75
"""Of the words of a complete form, 62 % end their turn with a confidence below 0.7, and 92 % above it."""

_SHORTEST_MS = 200
_ENDING_WORDS = 40
_DIGITS = frozenset({
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple",
})  # fmt: skip
_TENS = frozenset({
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
    "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand",
})  # fmt: skip
_NUMERIC_SHARE = 0.5
_UNFINISHED_FROM = 0.7

_ANSWERS = frozenset({
    "yes", "yeah", "yep", "yup", "no", "nope", "nah", "okay", "ok", "sure", "right", "correct", "exactly",
    "absolutely",
    "definitely", "certainly", "please", "thanks", "maybe", "perhaps", "never", "always", "nothing", "neither",
    "both",
    "fine", "great", "good", "perfect", "alright", "hello", "hi", "hey", "bye", "goodbye", "true", "wrong", "wow",
    "today", "tomorrow", "tonight", "now", "later", "enough",
})  # fmt: skip
_ANSWER = re.compile(
    r"(?:(?:oh |well )?(?:yes|yeah|yep|no|nope|okay|ok|sure|thanks|right)"
    r" (?:please|thanks|thank you|thats right|thats all|thats it|it is|it isnt|i do|i dont|i am|im not|i did|i didnt"
    r"|of course|sure|that works|that was it|not really|sir|maam)|thank you(?: very much| so much)?|thats (?:right"
    r"|all|it"
    r"|correct|fine|wrong|not right)(?: for today)?|i (?:think|hope|guess) (?:so|not)|i dont (?:know|think so|care)"
    r"|i do|i dont|of course(?: not)?|not (?:really|yet|quite|now|at all)|please do|no need|no way|no problem"
    r"|go ahead"
    r"|just (?:me|one|two)|nothing (?:else|more)|never mind|sounds good|that works|that was it|all right|got it"
    r"|fair enough|any day is fine)"
)
_REFUSING = frozenset({"no", "nope", "nah", "not", "dont", "never", "nothing", "later", "wrong", "bye", "goodbye"})
"""Words of a short answer that gives no number where one was asked for."""

_ASKING = frozenset({
    "what", "who", "whose", "when", "where", "why", "which", "how", "whats", "wheres", "whos", "hows", "is", "are",
    "am",
    "was", "were", "do", "does", "did", "can", "could", "would", "will", "shall", "should", "may", "has", "have",
    "isnt",
    "arent", "dont", "doesnt", "didnt", "cant", "wont",
})  # fmt: skip
_COMMANDS = frozenset({
    "stop", "wait", "cancel", "repeat", "continue", "go", "help", "tell", "give", "show", "book", "send", "call",
    "turn",
    "put", "let", "leave", "change", "make", "add", "read", "say", "play", "pause", "skip", "transfer", "connect",
    "hold",
    "order", "open", "close", "forget", "remove", "take", "bring", "get", "find", "check", "start", "speak", "slow",
    "listen", "remind", "set", "delete",
})  # fmt: skip
_OPEN_WORDS = frozenset({
    "and", "but", "or", "so", "because", "if", "while", "than", "the", "a", "an", "to", "of", "for", "with", "from",
    "by",
    "as", "my", "your", "our", "his", "their", "its", "is", "are", "was", "were", "am", "be", "been", "at", "i", "im",
    "id", "ill", "ive", "we", "they", "theyre", "very", "um", "uh", "er", "erm", "hmm", "like", "about", "into",
    "which",
    "who", "that", "plus", "every",
})  # fmt: skip
_FINAL_OPEN_WORDS = frozenset(
    {"i", "we", "they", "that", "so", "is", "are", "am", "was", "were", "for", "to", "at", "who"}
)
"""Of those, words that may end a turn: "Yes, I am.", "I think so.", "I want that."."""

_FINAL_OPEN_IN_QUESTIONS = frozenset(
    {"like", "about", "for", "to", "at", "from", "with", "who", "which", "is", "it", "i", "we"}
)
"""Words that may end a question: "What's it like?", "Who with?"."""

_UNFINISHED = re.compile(
    r"(?:(?:id|i would|we would|wed|i|we) (?:like|want|need|have)(?: to)?"
    r"|(?:my|the|our)(?: \w+){1,3} is|(?:id|i would|we would|wed) like to \w+ (?:a|an|the|my)"
    r"|(?:can|could|would|will) (?:you|i|we)(?: please)?(?: tell me)?|im (?:calling|looking|trying)(?: about| for"
    r"| to)?"
    r"|i was (?:wondering|calling)(?: if| about)?|do you (?:know|have)(?: if)?|is there(?: any| a)?|what i (?:need"
    r"|want) is"
    r"|let me (?:see|think)|you know|i mean|well|okay so|and then|it was|i think|i think (?:it|its|it was)"
    r"|please send it to"
    r"|ill be there)"
)


def words_of(said: str) -> tuple[str, ...]:
    """Return the last words of a turn, in lower case and without punctuation."""
    return normalise(said)[-_ENDING_WORDS:]


def is_numeric(word: str) -> bool:
    """Return True for a digit, a number or a single letter that is spelled."""
    return (
        word in _DIGITS or word in _TENS or word.isdigit() or (len(word) == 1 and word.isalpha() and word not in "ai")
    )


def count_digits(said: str) -> int:
    """Return how many digits and letters are spoken: "552 one" has four, "twenty five" two."""
    return sum(len(word) if word.isdigit() else int(is_numeric(word)) for word in words_of(said))


def form_of(said: str, language: str = ENGLISH_CODE) -> Form:
    """Return the form of the words of a turn; `language` as `Plan.language`."""
    words = words_of(said)
    if not words:
        return Form.EMPTY
    if language != ENGLISH_CODE:
        return _form_in(said, language)
    if sum(map(is_numeric, words)) >= _NUMERIC_SHARE * len(words):
        return Form.NUMBER
    text = " ".join(words)
    if _ANSWER.fullmatch(text) or all(word in _ANSWERS for word in words):
        return Form.ANSWER
    if reads_unfinished(said):
        return Form.UNFINISHED
    if said.rstrip().endswith("?") or (words[0] in _ASKING and len(words) >= 3):
        return Form.QUESTION
    first = next((word for word in words if word != "please"), "")
    return Form.COMMAND if first in _COMMANDS else Form.OTHER


def _form_in(said: str, language: str) -> Form:
    """Return the form of words that are not English, by their ending."""
    if ends_with_number(said, language):
        return Form.NUMBER
    if said.rstrip().endswith("?"):
        return Form.QUESTION
    return Form.UNFINISHED if unfinished(said, language) >= _UNFINISHED_FROM else Form.OTHER


def reads_unfinished(said: str) -> bool:
    """Return True if the words need others after them: "I'd like to", "my number is", "and the", "um"."""
    words = words_of(said)
    if not words:
        return True
    if _UNFINISHED.fullmatch(" ".join(words)):
        return True
    if said.rstrip().endswith("?") and words[-1] in _FINAL_OPEN_IN_QUESTIONS:
        return False
    ended = said.rstrip().endswith((".", "!", "?")) and not said.rstrip().endswith("...")
    return words[-1] in _OPEN_WORDS and not (ended and words[-1] in _FINAL_OPEN_WORDS and len(words) > 1)


def lacks_digits(expected: ExpectedAnswer, said: str, confidence: float | None = None) -> bool:
    """Return True if digits or letters were asked for and there are fewer: the rest comes, or they were misheard.

    Args:
        expected: what was asked for.
        said: the words of the turn.
        confidence: the transcriber's confidence in them; None: it is not known.
    """
    if expected.kind not in ("number", "spelled") or count_digits(said) >= (expected.digits or _FEWEST_DIGITS):
        return False
    if expected.kind == "number" and expected.digits is None and fits(expected, said):
        return False  # "How many?" - "Two."
    form, words = form_of(said), words_of(said)
    asks = form is Form.QUESTION and any(word in _ASKING for word in words[:1]) and not any(map(is_numeric, words))
    refuses = form is Form.ANSWER and not _REFUSING.isdisjoint(words) and (confidence is None or confidence >= _SURE)
    return not refuses and not asks  # "A, what one?" is a misheard number, and after "Okay." the number comes


def features_of(said: str, asked: str, voice_ms: int, language: str = ENGLISH_CODE) -> list[float]:
    """Return the features of the words: their form, their rate, and whether they are what was asked for.

    Args:
        said: the words of the turn.
        asked: the assistant's last text.
        voice_ms: how long the caller's voice was heard.
        language: the language of the words, as `Plan.language`.
    """
    words, form, expected = words_of(said), form_of(said, language), expected_answer(asked)
    digits = expected.digits or _FEWEST_DIGITS
    counted = expected.kind in ("number", "spelled")
    return [
        *(float(form is one) for one in Form),
        float(len(words) <= SHORT_WORDS),
        float(len(words) == 1),
        min(1000 * len(words) / max(voice_ms, _SHORTEST_MS), 8.0) / 4,
        float(said.rstrip().endswith(_OPEN_ENDINGS)),
        *(float(expected.kind == kind) for kind in _KINDS),
        float(fits(expected, said)),
        float(lacks_digits(expected, said)),
        min(count_digits(said) / digits, 2.0) / 2 if counted else 0.5,
        float(not asked.strip()),
    ]


def doubt(confidence: float | None) -> float:
    """Return the doubt about the words, from 0 to 1, given the transcriber's confidence; None: it is not known."""
    return 0.0 if confidence is None else min(max((_HEARD - confidence) / (_HEARD - _MISHEARD), 0.0), 1.0)


class Group(IntEnum):
    """A kind of words for which the probability of the end of the turn is calibrated on its own."""

    NUMBER = 0
    UNFINISHED = 1
    COMPLETE = 2
    SHORT = 3
    LONG = 4


def group_of(said: str, asked: str, language: str = ENGLISH_CODE, confidence: float | None = None) -> Group:
    """Return the group of the words of a turn after the assistant's text.

    Digits, letters, and words that were heard where digits were asked for are a `NUMBER`, unless they are the amount,
    the time, or the count of digits that was asked for. `COMPLETE` is an answer, a question, a command, or what was
    asked for.
    """
    form, expected = form_of(said, language), expected_answer(asked)
    counted = expected.kind == "spelled" or (expected.kind == "number" and _AMOUNT.search(asked.casefold()) is None)
    fitting = fits(expected, said) or (expected.kind == "date" and form is Form.NUMBER)
    answers = fitting and not counted and form not in (Form.UNFINISHED, Form.EMPTY)
    digits = count_digits(said)
    if form is Form.NUMBER and digits == expected.digits and _FEWEST_DIGITS <= digits < _TELEPHONE_DIGITS:
        return Group.COMPLETE
    if lacks_digits(expected, said, confidence) or (form is Form.NUMBER and not answers):
        return Group.NUMBER
    if form in (Form.UNFINISHED, Form.EMPTY):
        return Group.UNFINISHED
    if (answers or form in (Form.ANSWER, Form.QUESTION, Form.COMMAND)) and not said.rstrip().endswith(_OPEN_ENDINGS):
        return Group.COMPLETE
    return Group.SHORT if len(words_of(said)) <= SHORT_WORDS else Group.LONG

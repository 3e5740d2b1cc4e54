"""Transcription of an answer to a question for a number or for letters, held to a grammar where that is plausible.

Digits have little context, and the model prefers words that make a sentence: "two black whites" for "two one one".
Where the question asks for digits, the likeliest text of the grammar replaces such a text, unless that is much
likelier: "I don't have one" remains what it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bargein.providers.embedded.answer_grammar import (
    DIGITS,
    NUMBER,
    SPELLED,
    WHOLE_NUMBER,
    WHOLE_SPELLING,
    Grammar,
    TokenGrammar,
)
from bargein.providers.embedded.expected_answer import ExpectedAnswer
from bargein.providers.embedded.moonshine_model import (
    END,
    START,
    Abandoned,
    Float32Array,
    Listening,
    Transcript,
    never,
)

_BEAM = 4
"""Beginnings of a text that are followed at once."""

_LENGTH_POWER = 0.5
"""Texts of different lengths are compared by the logarithm of their probability over this power of their length.

Without it the shortest text of the grammar would win too often, as every token costs something.
"""

_MOST_LOSS = 8.0
"""The free text remains if it is more likely than the held one by more than this (natural logarithm).

Whole sentences without a number lose more than 10, most of them over 20; a single word may lose less, and is then taken
for a number. Three of four misheard digits lose less than 4.
"""

_MOST_LOSS_USUAL = 1.0
"""The same for a free text that is a usual short answer, as "no" is, which sounds like "nine"."""

_USUAL = (
    "no", "no thanks", "nope", "none", "yes", "yeah", "okay", "hello", "hi", "hey", "what", "sorry", "pardon", "stop",
    "wait", "right", "sure", "oh", "never", "thanks", "thank you", "huh", "hold on", "i don't", "i don't know", "go",
    "one moment", "hmm", "mm-hmm", "uh-huh", "help", "why",
)  # fmt: skip

_WORD = re.compile(r"[\w'-]+")


class Steps(Protocol):
    """A decoder, like `bargein.providers.embedded.moonshine_model.Decoding`."""

    def step(self, tokens: Sequence[int], parents: Sequence[int]) -> Float32Array:
        """Return the logarithms of the probabilities of the next token, a row for each text."""
        ...


@dataclass(frozen=True, slots=True)
class _Form:
    """The grammars of a kind of answer.

    Attributes:
        held: the texts that an unlikely transcript is held to.
        whole: the texts that are plainly an answer, and are not decoded again.
    """

    held: Grammar
    whole: Grammar


_DIGIT_FORM = _Form(DIGITS, WHOLE_NUMBER)
_AMOUNT_FORM = _Form(NUMBER, WHOLE_NUMBER)
_SPELLED_FORM = _Form(SPELLED, WHOLE_SPELLING)


@dataclass(frozen=True, slots=True)
class Heard:
    """The transcripts of a sound.

    Attributes:
        free: the likeliest of all texts.
        answer: the likeliest text that answers the question, if it is nearly as likely; None: there is none.
    """

    free: Transcript
    answer: Transcript | None = None


class AnswerDecoder:
    """Transcription with respect to the expected answer.

    Args:
        vocabulary: the tokens of the model.
    """

    def __init__(self, vocabulary: Sequence[bytes]) -> None:
        self._vocabulary = vocabulary
        self._tokens: dict[Grammar, TokenGrammar] = {}

    def transcribe(self, listening: Listening, expected: ExpectedAnswer, abandoned: Abandoned = never) -> Heard:
        """Return what was heard in a sound, and the answer in it."""
        free = listening.transcribe(abandoned)
        form = _form_of(expected)
        if form is None or abandoned():
            return Heard(free)
        if form.whole.accepts(free.text):
            return Heard(free, free)
        grammar = self._tokens.get(form.held)
        if grammar is None:
            grammar = self._tokens[form.held] = TokenGrammar(form.held, self._vocabulary)
        held = search(listening.decode(), grammar, listening.most_tokens, least(free), abandoned)
        if held is None:
            return Heard(free)
        tokens, total = held
        count = len(tokens) + 1
        return Heard(free, Transcript(listening.spell(tokens), total / count, count))


def least(free: Transcript) -> float:
    """Return how likely a held text must be to replace the free one: the least logarithm of its probability."""
    words = " ".join(_WORD.findall(free.text.casefold()))
    return free.log_probability * free.tokens - (_MOST_LOSS_USUAL if words in _USUAL else _MOST_LOSS)


def search(
    decoding: Steps, grammar: TokenGrammar, most: int, least: float, abandoned: Abandoned = never
) -> tuple[list[int], float] | None:
    """Return the likeliest text of a grammar in a sound: its tokens, and the logarithm of its probability.

    Args:
        decoding: the decoder at the beginning of the sound.
        grammar: the grammar.
        most: the most tokens.
        least: the least logarithm of its probability.
        abandoned: called before each step; once it returns True, there is no result.

    Returns:
        None if no such text was found.
    """
    texts = [_Text((), 0, 0.0)]
    parents = [0]
    best: _Text | None = None
    for _ in range(most):
        if abandoned():
            return None
        scores = decoding.step([text.tokens[-1] if text.tokens else START for text in texts], parents)
        for text, row in zip(texts, scores, strict=True):
            total = text.total + float(row[END])
            if grammar.ends_in(text.state) and total >= least:
                ended = _Text(text.tokens, text.state, total)
                best = ended if best is None or ended.worth > best.worth else best
        found = [
            (more, number)
            for number, (text, row) in enumerate(zip(texts, scores, strict=True))
            for more in _continued(text, row, grammar)
            if more.total >= least
        ]
        found.sort(key=lambda one: -one[0].total)
        texts, parents = [more for more, _ in found[:_BEAM]], [number for _, number in found[:_BEAM]]
        # a text only becomes less likely as it goes on
        if not texts or (best is not None and best.worth >= texts[0].total / (most + 1) ** _LENGTH_POWER):
            break
    return None if best is None else (list(best.tokens), best.total)


@dataclass(frozen=True, slots=True)
class _Text:
    """The beginning of a text: its tokens, its state in the grammar, and the logarithm of its probability."""

    tokens: tuple[int, ...]
    state: int
    total: float

    @property
    def worth(self) -> float:
        """Its logarithm with regard to its length."""
        return self.total / (len(self.tokens) + 1) ** _LENGTH_POWER


def _continued(text: _Text, scores: Float32Array, grammar: TokenGrammar) -> list[_Text]:
    """Return the likeliest continuations of a text by one token."""
    step = grammar.steps(text.state)
    allowed = scores[step.tokens]
    return [
        _Text((*text.tokens, int(step.tokens[at])), int(step.states[at]), text.total + float(allowed[at]))
        for at in np.argsort(-allowed)[:_BEAM]
    ]


def _form_of(expected: ExpectedAnswer) -> _Form | None:
    if expected.kind == "spelled":
        return _SPELLED_FORM
    if expected.kind == "number":
        return _AMOUNT_FORM if expected.amount else _DIGIT_FORM
    return None

"""Grammars of answers to a question for a number or for letters, as automata over the transcriber's tokens. Pure.

A text of a grammar is a sequence of items with spaces and punctuation between them, at least one of which is a value. A
value is a word for a number, or a run of digits; in `SPELLED` also a single letter, and a run of capital letters and
digits. Other items are the words around them, such as "my number is". A word may begin with a capital letter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_DIGITS_SPOKEN = ("zero", "nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NUMBERS_SPOKEN = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million",
    "half", "dozen",
)  # fmt: skip
_AMONG_DIGITS = (
    "oh", "o", "double", "triple", "and", "then", "plus", "dash", "point", "area code", "extension", "it's", "yes",
    "okay", "sure", "my number is", "please",
)  # fmt: skip
_AMONG_LETTERS = ("capital", "dot", "at", "underscore", "zed", "double u", "my name is", "my code is")
_AROUND_NUMBERS = (
    "um", "uh", "er", "yeah", "well", "so", "it is", "that's", "that is", "this is", "the number is", "is", "my",
    "the code is", "only", "just", "about", "hyphen", "slash", "dollars", "euros", "pounds", "people", "of us", "years",
    "years old", "i'm", "i am", "thank you", "thanks",
)  # fmt: skip

_SEPARATORS = frozenset(" ,.-/:;?!")
_WORD_SPACE = "\u2581"
_FIRST, _BETWEEN, _DIGITS, _LETTERS, _LETTER = range(5)

IntArray = npt.NDArray[np.intp]


@dataclass(slots=True)
class _Node:
    """A node of the tree of words: the next characters, and whether an item may end here, and is a value then."""

    after: dict[str, int] = field(default_factory=dict)
    ends: bool = False
    value: bool = False


class Grammar:
    """A grammar as an automaton over characters. Its states are numbers; 0 is the beginning of a text.

    Args:
        values: words for numbers, in lower case.
        others: other words, and phrases with single spaces.
        letters: whether letters are values.
    """

    def __init__(self, values: Iterable[str], others: Iterable[str], *, letters: bool) -> None:
        self._letters = letters
        self._nodes = [_Node(), _Node(ends=True), *(_Node(ends=True, value=True) for _ in range(3))]
        for word in values:
            self._add(word).value = True
        for word in others:
            self._add(word)
        self._nodes[_BETWEEN].after = self._nodes[_FIRST].after
        self._states = [frozenset({(_FIRST, False)})]
        self._numbers = {self._states[0]: 0}

    def next_state(self, state: int, char: str) -> int | None:
        """Return the state after one more character; None: no text of the grammar goes on so."""
        reached = frozenset(
            one for node, valued in self._states[state] for one in self._after(node, char, valued=valued)
        )
        if not reached:
            return None
        if reached not in self._numbers:
            self._numbers[reached] = len(self._states)
            self._states.append(reached)
        return self._numbers[reached]

    def ends_in(self, state: int) -> bool:
        """Return whether a text may end in a state."""
        nodes = [(self._nodes[at], valued) for at, valued in self._states[state]]
        return any(node.ends and (valued or node.value) for node, valued in nodes)

    def accepts(self, text: str) -> bool:
        """Return whether a text belongs to the grammar."""
        state: int | None = 0
        for char in text:
            state = None if state is None else self.next_state(state, char)
        return state is not None and self.ends_in(state)

    def _add(self, word: str) -> _Node:
        """Add a word to the tree; return its last node."""
        node = self._nodes[_FIRST]
        for char in word:
            if char not in node.after:
                self._nodes.append(_Node())
                node.after[char] = len(self._nodes) - 1
            node = self._nodes[node.after[char]]
        node.ends = True
        return node

    def _after(self, at: int, char: str, *, valued: bool) -> Iterator[tuple[int, bool]]:
        """Yield the nodes that a character leads to, each with whether there was a value before its item."""
        node = self._nodes[at]
        begins = at in (_FIRST, _BETWEEN)
        if (follows := node.after.get(char.lower() if begins else char)) is not None:
            yield follows, valued
        if char in _SEPARATORS and (node.ends or at == _FIRST):
            yield _BETWEEN if node.ends else _FIRST, valued or node.value
        if begins or at in (_DIGITS, _LETTERS):
            if "0" <= char <= "9":
                yield _DIGITS, valued
            elif self._letters and "A" <= char <= "Z":
                yield _LETTERS, valued
            elif self._letters and begins and "a" <= char <= "z":
                yield _LETTER, valued


class Step(NamedTuple):
    """The tokens that may follow in a state of a grammar, and the state after each of them."""

    tokens: IntArray
    states: IntArray


class TokenGrammar:
    """A grammar over the tokens of a vocabulary; the steps of a state are found when it is first reached.

    Args:
        grammar: the grammar of the texts.
        vocabulary: the bytes of each token; `\u2581` stands for a space.
    """

    def __init__(self, grammar: Grammar, vocabulary: Sequence[bytes]) -> None:
        self._grammar = grammar
        self._root: dict[str, _Branch] = {}
        for token, piece in enumerate(vocabulary):
            text = piece.decode("utf-8", errors="replace").replace(_WORD_SPACE, " ")
            if text and text.isascii() and not text.startswith("<"):
                self._add(text, token)
        self._steps: dict[int, Step] = {}

    def ends_in(self, state: int) -> bool:
        """Return whether a text may end in a state."""
        return self._grammar.ends_in(state)

    def steps(self, state: int) -> Step:
        """Return what may follow in a state."""
        found = self._steps.get(state)
        if found is None:
            pairs = list(self._walk(self._root, state))
            tokens, states = (np.array(column, dtype=np.intp) for column in zip(*pairs, strict=True))
            found = self._steps[state] = Step(tokens, states)
        return found

    def _add(self, text: str, token: int) -> None:
        branches = self._root
        for char in text[:-1]:
            branches = branches.setdefault(char, _Branch()).after
        branches.setdefault(text[-1], _Branch()).tokens.append(token)

    def _walk(self, branches: "dict[str, _Branch]", state: int) -> Iterator[tuple[int, int]]:
        for char, branch in branches.items():
            reached = self._grammar.next_state(state, char)
            if reached is not None:
                yield from ((token, reached) for token in branch.tokens)
                yield from self._walk(branch.after, reached)


@dataclass(slots=True)
class _Branch:
    """A branch of the tree of tokens: the tokens that end with its character, and what follows it."""

    tokens: list[int] = field(default_factory=list)
    after: "dict[str, _Branch]" = field(default_factory=dict)


_NUMBERS = (*_DIGITS_SPOKEN, *_NUMBERS_SPOKEN)

DIGITS = Grammar(_DIGITS_SPOKEN, _AMONG_DIGITS, letters=False)
"""A number that is spoken digit by digit."""

NUMBER = Grammar(_NUMBERS, _AMONG_DIGITS, letters=False)
"""An amount, or digits."""

SPELLED = Grammar(_DIGITS_SPOKEN, (*_AMONG_DIGITS, *_AMONG_LETTERS), letters=True)
"""Letters and digits."""

WHOLE_NUMBER = Grammar(_NUMBERS, (*_AMONG_DIGITS, *_AROUND_NUMBERS), letters=False)
"""An answer with a number and no other words than those that usually stand around one."""

WHOLE_SPELLING = Grammar(_NUMBERS, (*_AMONG_DIGITS, *_AMONG_LETTERS, *_AROUND_NUMBERS), letters=True)
"""An answer with letters or digits and no other words than those that usually stand around them."""

"""Evaluation of Vapi's `waitFunction`: an arithmetic expression in x, parsed by a grammar and never run as code.

The grammar is the part of mathjs that such expressions use: numbers, x, pi, e, + - * / ^ (right-associative, binds
tighter than a sign before it), brackets, and the functions below. The value is in milliseconds.

`20 + 500 * sqrt(x) + 2500 * x^3`, Vapi's default, counts from the end of the voice:

    caller      #####|..............................
                     |<-143 ms->|                      x = 0.06: likely over
                     |<------- 2.3 s ------->|         x = 0.9: likely unfinished
                     end of voice            end of turn
"""

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from bargein.errors import BargeinError

Term = Callable[[float], float]

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|([-+*/^(),]))")
_LONGEST_EXPRESSION = 500
_DEEPEST = 50
_LONGEST_WAIT_MS = 60_000


class _Function(NamedTuple):
    least: int
    most: int
    call: Callable[..., float]


# Python's own versions of these three give integers, which have no limit: squared repeatedly they fill the memory.
def _floor(value: float) -> float:
    return float(math.floor(value))


def _ceil(value: float) -> float:
    return float(math.ceil(value))


def _round(value: float) -> float:
    return float(math.floor(value + 0.5))  # as JavaScript does: halves go up


def _square(value: float) -> float:
    return value * value


def _cube(value: float) -> float:
    return value * value * value


def _least(*values: float) -> float:
    return min(values)


def _greatest(*values: float) -> float:
    return max(values)


_FUNCTIONS = {
    "sqrt": _Function(1, 1, math.sqrt),
    "cbrt": _Function(1, 1, math.cbrt),
    "abs": _Function(1, 1, math.fabs),
    "exp": _Function(1, 1, math.exp),
    "log": _Function(1, 2, math.log),
    "log2": _Function(1, 1, math.log2),
    "log10": _Function(1, 1, math.log10),
    "sin": _Function(1, 1, math.sin),
    "cos": _Function(1, 1, math.cos),
    "tan": _Function(1, 1, math.tan),
    "asin": _Function(1, 1, math.asin),
    "acos": _Function(1, 1, math.acos),
    "atan": _Function(1, 1, math.atan),
    "sinh": _Function(1, 1, math.sinh),
    "cosh": _Function(1, 1, math.cosh),
    "tanh": _Function(1, 1, math.tanh),
    "floor": _Function(1, 1, _floor),
    "ceil": _Function(1, 1, _ceil),
    "round": _Function(1, 1, _round),
    "square": _Function(1, 1, _square),
    "cube": _Function(1, 1, _cube),
    "pow": _Function(2, 2, math.pow),
    "min": _Function(1, 16, _least),
    "max": _Function(1, 16, _greatest),
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


class WaitFunctionError(BargeinError, ValueError):
    """The expression cannot be parsed; the text says where."""


def wait_ms(expression: str, x: float) -> int:
    """Evaluate `expression` at `x`, the probability that the caller has not finished, to a wait in milliseconds.

    A negative value, and an `x` at which the expression has no value, give 0. The wait is at most 60 s.

    Raises:
        WaitFunctionError: the expression cannot be parsed.
    """
    term = compile_expression(expression)
    try:
        value = term(x)
    except (ValueError, ZeroDivisionError, OverflowError):
        return 0
    if math.isnan(value):
        return 0
    return round(min(max(value, 0.0), _LONGEST_WAIT_MS))


@lru_cache(maxsize=256)
def compile_expression(expression: str) -> Term:
    """Parse an expression to a function of x; the result is cached.

    Raises:
        WaitFunctionError: the expression cannot be parsed.
    """
    if len(expression) > _LONGEST_EXPRESSION:
        raise WaitFunctionError(f"the expression is longer than {_LONGEST_EXPRESSION} characters")
    parser = _Parser(_tokens(expression))
    term = parser.sum(0)
    parser.expect_end()
    return term


def _tokens(expression: str) -> list[str]:
    found: list[str] = []
    at = 0
    while expression[at:].strip():
        match = _TOKEN.match(expression, at)
        if match is None:
            raise WaitFunctionError(f"cannot read {expression[at:].strip()[:20]!r}")
        found.append(match.group().strip())
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise WaitFunctionError(f"{sign!r} is missing")

    def expect_end(self) -> None:
        if self._peek():
            raise WaitFunctionError(f"did not expect {self._peek()!r}")

    def sum(self, depth: int) -> Term:
        if depth > _DEEPEST:
            raise WaitFunctionError("the brackets are too deep")
        term = self._product(depth)
        while self._peek() in ("+", "-"):
            term = _binary(self._next(), term, self._product(depth))
        return term

    def _product(self, depth: int) -> Term:
        term = self._signed(depth)
        while self._peek() in ("*", "/"):
            term = _binary(self._next(), term, self._signed(depth))
        return term

    def _signed(self, depth: int) -> Term:
        negative = False
        while self._peek() in ("+", "-"):
            negative ^= self._next() == "-"
        term = self._power(depth)
        return (lambda x: -term(x)) if negative else term

    def _power(self, depth: int) -> Term:
        base = self._atom(depth)
        if self._peek() != "^":
            return base
        self._next()
        if depth > _DEEPEST:
            raise WaitFunctionError("the powers are too deep")
        return _binary("^", base, self._signed(depth + 1))

    def _atom(self, depth: int) -> Term:
        word = self._next()
        if word == "(":
            term = self.sum(depth + 1)
            self._expect(")")
            return term
        if word[:1].isdigit() or word.startswith("."):
            number = float(word)
            return lambda _x: number
        if word == "x":
            return lambda x: x
        if word in _CONSTANTS:
            constant = _CONSTANTS[word]
            return lambda _x: constant
        if word in _FUNCTIONS:
            return self._call(word, depth)
        raise WaitFunctionError(f"did not expect {word!r}" if word else "the expression ends too early")

    def _call(self, name: str, depth: int) -> Term:
        self._expect("(")
        arguments = [self.sum(depth + 1)]
        while self._peek() == ",":
            self._next()
            arguments.append(self.sum(depth + 1))
        self._expect(")")
        function = _FUNCTIONS[name]
        if not function.least <= len(arguments) <= function.most:
            raise WaitFunctionError(f"{name} does not take {len(arguments)} values")
        return lambda x: function.call(*(a(x) for a in arguments))


def _binary(sign: str, left: Term, right: Term) -> Term:
    match sign:
        case "+":
            return lambda x: left(x) + right(x)
        case "-":
            return lambda x: left(x) - right(x)
        case "*":
            return lambda x: left(x) * right(x)
        case "/":
            return lambda x: left(x) / right(x)
        case _:
            return lambda x: math.pow(left(x), right(x))  # not **, whose value may be complex

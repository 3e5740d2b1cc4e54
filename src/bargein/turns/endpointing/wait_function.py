"""Evaluation of Vapi's `waitFunction`: an expression in x and t, parsed by a grammar and never run as code.

The grammar is the part of mathjs that such expressions use: numbers, constants, x, t (the seconds since the call
began), `a ? b : c`, or, xor, and, comparisons (also in a chain, `0 < x < 1`), + - * / % mod, a product without a sign
(`2 x`, `2(x + 1)`), not, ^ (right-associative, binds tighter than a sign before it), brackets, and the functions below.
True is 1 and false is 0. The value is in milliseconds.

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

Term = Callable[[float, float], float]
"""A compiled expression: a function of x and t."""

_NUMBER = r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_TOKEN = re.compile(rf"\s*(?:({_NUMBER})|([A-Za-z_]\w*)|([<>=!]=|[-+*/%^(),<>?:]))")
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


def _round(value: float, digits: float = 0) -> float:
    scale = math.pow(10, min(max(digits, 0), 15))
    return math.floor(value * scale + 0.5) / scale  # as JavaScript does: halves go up


def _fix(value: float) -> float:
    return float(math.trunc(value))


def _sign(value: float) -> float:
    return float((value > 0) - (value < 0))


def _mod(value: float, by: float) -> float:
    return value if by == 0 else value - by * math.floor(value / by)  # as mathjs: the sign is that of the divisor


def _sum(*values: float) -> float:
    return math.fsum(values)


def _mean(*values: float) -> float:
    return math.fsum(values) / len(values)


def _equal(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-15)  # the tolerances of mathjs


def _is_true(value: float) -> bool:
    return value != 0 and not math.isnan(value)


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
    "atan2": _Function(2, 2, math.atan2),
    "sinh": _Function(1, 1, math.sinh),
    "cosh": _Function(1, 1, math.cosh),
    "tanh": _Function(1, 1, math.tanh),
    "floor": _Function(1, 1, _floor),
    "ceil": _Function(1, 1, _ceil),
    "round": _Function(1, 2, _round),
    "fix": _Function(1, 1, _fix),
    "sign": _Function(1, 1, _sign),
    "mod": _Function(2, 2, _mod),
    "hypot": _Function(1, 16, math.hypot),
    "expm1": _Function(1, 1, math.expm1),
    "log1p": _Function(1, 1, math.log1p),
    "square": _Function(1, 1, _square),
    "cube": _Function(1, 1, _cube),
    "pow": _Function(2, 2, math.pow),
    "min": _Function(1, 16, _least),
    "max": _Function(1, 16, _greatest),
    "sum": _Function(1, 16, _sum),
    "mean": _Function(1, 16, _mean),
}
_CONSTANTS = {
    "pi": math.pi,
    "PI": math.pi,
    "tau": math.tau,
    "e": math.e,
    "E": math.e,
    "LN2": math.log(2),
    "LN10": math.log(10),
    "SQRT2": math.sqrt(2),
    "Infinity": math.inf,
    "true": 1.0,
    "false": 0.0,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": lambda left, right: left < right and not _equal(left, right),
    ">": lambda left, right: left > right and not _equal(left, right),
    "<=": lambda left, right: left <= right or _equal(left, right),
    ">=": lambda left, right: left >= right or _equal(left, right),
}
_PRECEDENCE = {
    "or": 1,
    "xor": 2,
    "and": 3,
    **dict.fromkeys(_COMPARISONS, 4),
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
    "mod": 6,
}
"""Operators between two values; one with a higher number binds tighter."""
_WORDS = frozenset({"or", "xor", "and", "not", "mod"})


class WaitFunctionError(BargeinError, ValueError):
    """The expression cannot be parsed; the text says where."""


def wait_ms(expression: str, x: float, t_s: float = 0.0) -> int:
    """Evaluate `expression` to a wait in milliseconds.

    A negative value, and an `x` at which the expression has no value, give 0. The wait is at most 60 s.

    Args:
        expression: the expression.
        x: the probability that the caller has not finished.
        t_s: t, the seconds from the beginning of the call to the end of the caller's voice.

    Raises:
        WaitFunctionError: the expression cannot be parsed.
    """
    term = compile_expression(expression)
    try:
        value = term(x, t_s)
    except (ValueError, ZeroDivisionError, OverflowError):
        return 0
    if math.isnan(value):
        return 0
    return round(min(max(value, 0.0), _LONGEST_WAIT_MS))


@lru_cache(maxsize=256)
def compile_expression(expression: str) -> Term:
    """Parse an expression to a function of x and t; the result is cached.

    Raises:
        WaitFunctionError: the expression cannot be parsed.
    """
    if len(expression) > _LONGEST_EXPRESSION:
        raise WaitFunctionError(f"the expression is longer than {_LONGEST_EXPRESSION} characters")
    parser = _Parser(_tokens(expression))
    term = parser.conditional(0)
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

    def conditional(self, depth: int) -> Term:
        if depth > _DEEPEST:
            raise WaitFunctionError("the brackets are too deep")
        condition = self._operation(1, depth)
        if self._peek() != "?":
            return condition
        self._next()
        then = self.conditional(depth + 1)
        self._expect(":")
        other = self.conditional(depth + 1)
        return lambda x, t: then(x, t) if _is_true(condition(x, t)) else other(x, t)

    def _operation(self, least: int, depth: int) -> Term:
        """Parse operators that bind at least as tight as `least`."""
        term = self._product_without_sign(depth)
        while (precedence := _PRECEDENCE.get(self._peek(), 0)) >= least:
            if self._peek() in _COMPARISONS:
                term = self._comparison(term, precedence, depth)
            else:
                term = _binary(self._next(), term, self._operation(precedence + 1, depth))
        return term

    def _comparison(self, first: Term, precedence: int, depth: int) -> Term:
        """Parse a chain of comparisons, which is true if each of them is."""
        compared = [first]
        signs: list[Callable[[float, float], bool]] = []
        while (sign := self._peek()) in _COMPARISONS:
            self._next()
            signs.append(_COMPARISONS[sign])
            compared.append(self._operation(precedence + 1, depth))

        def holds(x: float, t: float) -> float:
            values = [term(x, t) for term in compared]
            return float(all(map(lambda sign, a, b: sign(a, b), signs, values, values[1:])))

        return holds

    def _product_without_sign(self, depth: int) -> Term:
        """Parse factors next to each other; their product binds tighter than a sign for it, but not than a fraction."""
        term = self._fraction(depth)
        while self._begins_factor(self._peek()):
            term = _binary("*", term, self._signed(depth))
        return term

    def _fraction(self, depth: int) -> Term:
        """Parse `1/2` before a factor as one value, as mathjs does: `1/2 x` is half of x."""
        ahead = (*self._tokens[self._at : self._at + 4], "", "", "", "")
        if _is_number(ahead[0]) and ahead[1] == "/" and _is_number(ahead[2]) and self._begins_factor(ahead[3]):
            numerator, _, denominator = self._next(), self._next(), self._next()
            return _binary("/", _constant(float(numerator)), _constant(float(denominator)))
        return self._signed(depth)

    @staticmethod
    def _begins_factor(word: str) -> bool:
        return word == "(" or (word[:1].isalpha() and word not in _WORDS)

    def _signed(self, depth: int) -> Term:
        signs: list[str] = []
        while (sign := self._peek()) in ("+", "-", "not"):
            self._next()
            if sign == "-" == (signs or [""])[-1]:
                signs.pop()  # two cancel each other, so that many do not nest
            elif sign != "+":
                signs.append(sign)
        term = self._power(depth)
        for sign in reversed(signs):
            term = _unary(sign, term)
        return term

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
            term = self.conditional(depth + 1)
            self._expect(")")
            return term
        if _is_number(word):
            return _constant(float(word))
        if word == "x":
            return lambda x, _t: x
        if word == "t":
            return lambda _x, t: t
        if word in _CONSTANTS:
            return _constant(_CONSTANTS[word])
        if word in _FUNCTIONS:
            return self._call(word, depth)
        raise WaitFunctionError(f"did not expect {word!r}" if word else "the expression ends too early")

    def _call(self, name: str, depth: int) -> Term:
        self._expect("(")
        arguments = [self.conditional(depth + 1)]
        while self._peek() == ",":
            self._next()
            arguments.append(self.conditional(depth + 1))
        self._expect(")")
        function = _FUNCTIONS[name]
        if not function.least <= len(arguments) <= function.most:
            raise WaitFunctionError(f"{name} does not take {len(arguments)} values")
        return lambda x, t: function.call(*(argument(x, t) for argument in arguments))


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or token.startswith(".")


def _constant(value: float) -> Term:
    return lambda _x, _t: value


def _unary(sign: str, term: Term) -> Term:
    match sign:
        case "-":
            return lambda x, t: -term(x, t)
        case _:
            return lambda x, t: float(not _is_true(term(x, t)))


def _binary(sign: str, left: Term, right: Term) -> Term:
    match sign:
        case "+":
            return lambda x, t: left(x, t) + right(x, t)
        case "-":
            return lambda x, t: left(x, t) - right(x, t)
        case "*":
            return lambda x, t: left(x, t) * right(x, t)
        case "/":
            return lambda x, t: left(x, t) / right(x, t)
        case "%" | "mod":
            return lambda x, t: _mod(left(x, t), right(x, t))
        case "or":
            return lambda x, t: float(_is_true(left(x, t)) or _is_true(right(x, t)))
        case "and":
            return lambda x, t: float(_is_true(left(x, t)) and _is_true(right(x, t)))
        case "xor":
            return lambda x, t: float(_is_true(left(x, t)) != _is_true(right(x, t)))
        case _:
            return lambda x, t: math.pow(left(x, t), right(x, t))  # not **, whose value may be complex

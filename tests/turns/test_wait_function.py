"""Vapi's `waitFunction`: arithmetic and nothing else."""

import builtins
import math
import re

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from bargein.turns.endpointing.wait_function import WaitFunctionError, compile_expression, wait_ms
from bargein.turns.plan import WAIT_FUNCTION

LONGEST_MS = 60_000


def value(expression: str, x: float = 0.5, t: float = 0.0) -> float:
    return compile_expression(expression)(x, t)


@pytest.mark.parametrize(("x", "ms"), [(0.0, 20), (0.25, 309), (1.0, 3020)])
def test_vapis_default_function(x: float, ms: int) -> None:
    assert wait_ms(WAIT_FUNCTION, x) == ms


def test_the_function_of_vapis_guide() -> None:
    assert wait_ms("200 + 8000 * x", 0.5) == 4200


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("100 / 10 / 2", 5),
        ("2 * 3 ^ 2", 18),
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("(-2) ^ 2", 4),
        ("2 ^ -1", 0.5),
        ("2 ^ -2 ^ 2", 0.0625),
        ("--3", 3),
        ("-+-+-3", -3),
        ("2 - -3", 5),
        ("2 * -3", -6),
        (".5 + 1. + 1.5e2 + 2E-1 + .1e+1", 152.7),
        ("  1\t+\n2 ", 3),
        ("x * 4", 2),
        ("2 * pi", 2 * math.pi),
        ("e", math.e),
    ],
)
def test_the_grammar_is_that_of_arithmetic(expression: str, result: float) -> None:
    assert value(expression) == pytest.approx(result)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("sqrt(16)", 4),
        ("cbrt(27)", 3),
        ("abs(-3)", 3),
        ("exp(1)", math.e),
        ("log(e)", 1),
        ("log(8, 2)", 3),
        ("log2(8)", 3),
        ("log10(1000)", 3),
        ("sin(pi / 2)", 1),
        ("cos(0)", 1),
        ("tan(0)", 0),
        ("asin(1)", math.pi / 2),
        ("acos(1)", 0),
        ("atan(1)", math.pi / 4),
        ("sinh(0)", 0),
        ("cosh(0)", 1),
        ("tanh(0)", 0),
        ("floor(2.9)", 2),
        ("floor(-2.1)", -3),
        ("ceil(2.1)", 3),
        ("ceil(-2.9)", -2),
        ("round(2.5)", 3),
        ("round(-2.5)", -2),
        ("round(2.345, 2)", 2.35),
        ("fix(-2.9)", -2),
        ("sign(-3) + sign(0) + sign(2) + sign(2)", 1),
        ("mod(-1, 3)", 2),
        ("hypot(3, 4)", 5),
        ("expm1(0)", 0),
        ("log1p(0)", 0),
        ("atan2(1, 1)", math.pi / 4),
        ("sum(1, 2, 3)", 6),
        ("mean(1, 2, 3)", 2),
        ("square(-3)", 9),
        ("cube(-2)", -8),
        ("pow(2, 10)", 1024),
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("max(x)", 0.5),
        ("min(square(x), x + 1) * 4", 1),
    ],
)
def test_functions(expression: str, result: float) -> None:
    assert value(expression) == pytest.approx(result)


@pytest.mark.parametrize(
    ("expression", "x", "t", "result"),
    [
        ("t < 30 ? (x * 500 + 300) : (20 + 500 * x)", 0.5, 29.9, 550),
        ("t < 30 ? (x * 500 + 300) : (20 + 500 * x)", 0.5, 30, 270),
        ("x > 0.8 ? 2000 : x > 0.4 ? 800 : 200", 0.9, 0, 2000),
        ("x > 0.8 ? 2000 : x > 0.4 ? 800 : 200", 0.5, 0, 800),
        ("x > 0.8 ? 2000 : x > 0.4 ? 800 : 200", 0.1, 0, 200),
        ("x < 0.5 ? 1 / (x - x) : 7", 0.5, 0, 7),
        ("x >= 0.5 and t <= 10", 0.5, 10, 1),
        ("x >= 0.5 and t <= 10", 0.4, 10, 0),
        ("x == 0.1 + 0.2", 0.3, 0, 1),
        ("x != 0.3", 0.1 + 0.2, 0, 0),
        ("x < 0.3", 0.1 + 0.2, 0, 0),
        ("x > 0.3", 0.1 + 0.2, 0, 0),
        ("x <= 0.3", 0.1 + 0.2, 0, 1),
        ("x >= 0.3", 0.3 - 1e-17, 0, 1),
        ("0.2 < x < 0.6", 0.5, 0, 1),
        ("0.2 < x < 0.6", 0.7, 0, 0),
        ("not (x > 0.4) or t > 5", 0.5, 6, 1),
        ("not (x > 0.4) or t > 5", 0.5, 5, 0),
        ("not not t", 0, 7, 1),
        ("-not t", 0, 0, -1),
        ("x > 0.4 xor t > 5", 0.5, 6, 0),
        ("x > 0.4 xor t > 5", 0.5, 1, 1),
        ("true or false and false", 0, 0, 1),
        ("(x > 0.4) * 900 + 100", 0.5, 0, 1000),
        ("(Infinity - Infinity) ? 1 : 2", 0, 0, 2),
        ("t % 7", 0, 16, 2),
        ("-t mod 7", 0, 16, 5),
        ("t % 0", 0, 16, 16),
        ("2x", 0.5, 0, 1),
        ("2 x ^ 2", 0.5, 0, 0.5),
        ("500sqrt(t)", 0, 4, 1000),
        ("2(x + 1)(t + 1)", 1, 1, 8),
        ("1/2 x", 3, 0, 1.5),
        ("6 / 2x", 3, 0, 9),
        ("6 / (2x)", 3, 0, 1),
        ("6 / t x", 3, 2, 1),
        ("8 / 2", 0, 0, 4),
    ],
)
def test_conditions_and_the_time_of_the_call(expression: str, x: float, t: float, result: float) -> None:
    assert value(expression, x, t) == pytest.approx(result)


def test_the_time_is_given_in_seconds() -> None:
    assert wait_ms("t < 30 ? 900 : 100", 0.5, 29.9) == 900
    assert wait_ms("t < 30 ? 900 : 100", 0.5, 30.0) == 100


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "too early"),
        ("1 +", "too early"),
        ("* 2", "did not expect '*'"),
        ("1 2", "did not expect '2'"),
        ("2 or", "too early"),
        ("x ? 1", "':' is missing"),
        ("? 1 : 2", "did not expect '?'"),
        ("2 not x", "did not expect 'not'"),
        ("x < = 1", "cannot read '= 1'"),
        ("x ? " * 60 + "1" + " : 2" * 60, "too deep"),
        ("(1", "')' is missing"),
        ("1)", "did not expect ')'"),
        ("sqrt 4", "'(' is missing"),
        ("sqrt(4", "')' is missing"),
        ("sqrt()", "did not expect ')'"),
        ("sqrt(1, 2)", "sqrt does not take 2 values"),
        ("pow(2)", "pow does not take 1 values"),
        ("log(1, 2, 3)", "log does not take 3 values"),
        ("y", "did not expect 'y'"),
        ("x.real", "cannot read '.real'"),
        ("x = 1", "cannot read '= 1'"),
        ("1 ; 2", "cannot read '; 2'"),
        ("__import__('os')", "cannot read"),
        ("(" * 60 + "1" + ")" * 60, "too deep"),
        ("^".join("x" * 60), "too deep"),
        ("abs(" * 51 + "1" + ")" * 51, "too deep"),
        ("max(1," * 51 + "1" + ")" * 51, "too deep"),
        ("1" + "+1" * 300, "longer than 500"),
    ],
)
def test_an_invalid_expression_is_refused_with_the_reason(expression: str, complaint: str) -> None:
    with pytest.raises(WaitFunctionError, match=re.escape(complaint)):
        wait_ms(expression, 0.5)


ONE_VALUE = [
    "sqrt",
    "cbrt",
    "abs",
    "exp",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "floor",
    "ceil",
    "fix",
    "sign",
    "square",
    "cube",
]


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        *((name, 1, 1) for name in ONE_VALUE),
        ("round", 1, 2),
        ("log", 1, 2),
        ("pow", 2, 2),
        ("min", 1, 16),
        ("max", 1, 16),
    ],
)
def test_each_function_checks_its_number_of_values(name: str, least: int, most: int) -> None:
    for count in (least, most):
        assert wait_ms(f"0 * {name}({', '.join(['0.5'] * count)})", 0.5) == 0
    for count in {least - 1, most + 1} - {0}:
        with pytest.raises(WaitFunctionError, match=f"{name} does not take {count} values"):
            wait_ms(f"{name}({', '.join(['0.5'] * count)})", 0.5)


def test_brackets_and_powers_may_be_fifty_deep() -> None:
    assert value("(" * 50 + "x" + ")" * 50) == 0.5
    assert value("^".join("1" * 51)) == 1


@pytest.mark.parametrize(
    "expression", ["-5", "1 / 0", "sqrt(-1)", "log(0)", "(-1) ^ 0.5", "exp(1000)", "1e999 - 1e999"]
)
def test_an_expression_without_a_value_or_below_zero_is_no_wait(expression: str) -> None:
    assert wait_ms(expression, 0.5) == 0


@pytest.mark.parametrize("expression", ["60001", "1e999", "1e300 * 1e300"])
def test_no_wait_is_longer_than_a_minute(expression: str) -> None:
    assert wait_ms(expression, 0.5) == LONGEST_MS


@pytest.mark.parametrize("whole", ["floor", "ceil", "round"])
def test_integers_do_not_grow_without_limit(whole: str) -> None:
    # As Python's integers they would fill the memory; as floats they are infinite, which is a minute.
    assert wait_ms("square(" * 40 + f"{whole}(9e99)" + ")" * 40, 1.0) == LONGEST_MS


@given(
    expression=st.lists(
        st.one_of(
            st.sampled_from(["x", "(", ")", "+", "-", "*", "/", "^", ",", "1", "0.5", "1e300", "pi", " "]),
            st.sampled_from(["sqrt(", "log(", "pow(", "floor(", "round(", "square(", "max(", "tan("]),
            st.sampled_from(["t", "<", ">=", "==", "?", ":", " and ", " or ", " xor ", "not ", "%", " mod ", "true"]),
            st.text(max_size=3),
        ),
        max_size=25,
    ).map("".join),
    x=st.floats(0, 1),
)
@settings(max_examples=300)
def test_any_text_is_a_wait_or_a_refusal(expression: str, x: float) -> None:
    try:
        wait = wait_ms(expression, x)
    except WaitFunctionError:
        return
    assert isinstance(wait, int)
    assert 0 <= wait <= LONGEST_MS


KNOWN = {"x", "t", "e", "E", "pi", "PI", "tau", "LN2", "LN10", "SQRT2", "Infinity", "true", "false"}


@given(name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True).filter(lambda n: n not in KNOWN))
def test_names_are_never_looked_up(name: str) -> None:
    with pytest.raises(WaitFunctionError):
        compile_expression(name)


def test_nothing_is_run_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in ("eval", "exec", "compile", "__import__"):
        monkeypatch.setattr(builtins, tool, pytest.fail)
    assert wait_ms("17 * max(x, 0.25) ^ 1", 1.0) == 17
    for name in ("open", "exec", "eval", "print", "getattr"):
        with pytest.raises(WaitFunctionError):
            wait_ms(f"{name}(x)", 0.5)


ATOMS = st.sampled_from(["x", "0.0", "1.0", "2.0", "3.5", "10.0", "0.25"])
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map("({})".format),
        inner.map("-{}".format),
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "^"]), inner).map(" ".join),
    ),
    max_leaves=12,
)


@given(expression=TREES, x=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
@settings(max_examples=500)
def test_arithmetic_is_pythons_own(expression: str, x: float) -> None:
    # There are no brackets, so that the two parsers must agree on precedence.
    try:
        expected = eval(expression.replace("^", "**"), {"x": x})  # noqa: S307  # made above of digits and signs alone
    except (ZeroDivisionError, OverflowError):
        expected = None
    try:
        ours = compile_expression(expression)(x, 0.0)
    except (ValueError, ZeroDivisionError, OverflowError):
        ours = None
    if expected is None or isinstance(expected, complex):
        assert ours is None
    else:
        assert ours is not None
        assert ours == expected or (math.isnan(ours) and math.isnan(expected))

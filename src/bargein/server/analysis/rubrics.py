"""The rubrics of a success evaluation (`successEvaluationPlan.rubric` of Vapi's `AnalysisPlan`).

A rubric is a schema for the model's answer, a sentence for `{{rubric}}`, and the text that a valid answer gives in
`call.analysis.successEvaluation`. Vapi's type of that field is a text for every rubric.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bargein.wire.base import JsonObject

_DEGREES = ("Excellent", "Good", "Fair", "Poor")
_AGREEMENT = ("Strongly Agree", "Agree", "Neutral", "Disagree", "Strongly Disagree")
_PASSED = frozenset({"true", "pass", "passed", "yes", "success", "successful"})
_FAILED = frozenset({"false", "fail", "failed", "no", "failure", "unsuccessful"})
_NUMBER = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?")
_QUOTES = " \t\r\n\"'`*.!"


@dataclass(frozen=True, slots=True)
class Rubric:
    """A rubric.

    Attributes:
        name: its name in Vapi's JSON.
        description: what it means, for the model.
        schema: the schema of the value in an answer.
        read_bare: returns the value of an answer that is no JSON; None: it has none.
        write: returns the text of the evaluation for a valid value.
    """

    name: str
    description: str
    schema: JsonObject
    read_bare: Callable[[str], object]
    write: Callable[[Any], str]

    def read(self, value: object) -> object:
        """Return the value that an answer's JSON means: a number may be a text, a verdict a word."""
        return value if not isinstance(value, str) or (bare := self.read_bare(value)) is None else bare


def _number(text: str) -> object:
    found = _NUMBER.match(text.strip(_QUOTES))
    if found is None:
        return None
    value = float(found.group())
    return int(value) if value.is_integer() else value


def _verdict(text: str) -> object:
    word = text.strip(_QUOTES).lower()
    return True if word in _PASSED else False if word in _FAILED else None


def _one_of(names: tuple[str, ...]) -> Callable[[str], object]:
    def read(text: str) -> object:
        word = " ".join(text.strip(_QUOTES).lower().split())
        return next((name for name in names if name.lower() == word), None)

    return read


def _no_text(_text: str) -> object:
    return None


def _plain(value: float) -> str:
    return f"{value:g}"


def _verdict_text(value: bool) -> str:  # noqa: FBT001  # the value that is written
    return "true" if value else "false"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list_of(properties: JsonObject) -> JsonObject:
    entry: JsonObject = {"type": "object", "properties": {"criterion": {"type": "string"}, **properties}}
    entry["required"] = ["criterion", *properties]
    return {"type": "array", "items": entry, "minItems": 1}


RUBRICS: dict[str, Rubric] = {
    rubric.name: rubric
    for rubric in (
        Rubric(
            "NumericScale",
            "A scale of 1 to 10.",
            {"type": "number", "minimum": 1, "maximum": 10},
            _number,
            _plain,
        ),
        Rubric(
            "DescriptiveScale",
            "A scale of Excellent, Good, Fair, Poor.",
            {"type": "string", "enum": [*_DEGREES]},
            _one_of(_DEGREES),
            str,
        ),
        Rubric(
            "Checklist",
            "A checklist of criteria and their status: a JSON array of objects, each with `criterion` (a text) and "
            "`met` (true or false).",
            _list_of({"met": {"type": "boolean"}}),
            _no_text,
            _json,
        ),
        Rubric(
            "Matrix",
            "A grid that evaluates multiple criteria across different performance levels: a JSON array of objects, "
            "each with `criterion` (a text) and `level` (Excellent, Good, Fair or Poor).",
            _list_of({"level": {"type": "string", "enum": [*_DEGREES]}}),
            _no_text,
            _json,
        ),
        Rubric(
            "PercentageScale",
            "A scale of 0% to 100%.",
            {"type": "number", "minimum": 0, "maximum": 100},
            _number,
            lambda value: f"{value:g}%",
        ),
        Rubric(
            "LikertScale",
            "A scale of Strongly Agree, Agree, Neutral, Disagree, Strongly Disagree, for the statement that the call "
            "was successful.",
            {"type": "string", "enum": [*_AGREEMENT]},
            _one_of(_AGREEMENT),
            str,
        ),
        Rubric(
            "AutomaticRubric",
            "Break the evaluation down into several criteria, each with its own score: a JSON array of objects, each "
            "with `criterion` (a text) and `score` (1 to 10).",
            _list_of({"score": {"type": "number", "minimum": 1, "maximum": 10}}),
            _no_text,
            _json,
        ),
        Rubric(
            "PassFail",
            "'true' if the call passed, 'false' if not.",
            {"type": "boolean"},
            _verdict,
            _verdict_text,
        ),
    )
}
"""By their names."""

DEFAULT = "PassFail"

"""The pure parts of an analysis: prompts, rubrics, schemas, conditions, patterns and the plan."""

import json
from typing import Any

import pytest

from bargein.patterns import PatternError
from bargein.server.analysis.answers import AnswerError, value_in
from bargein.server.analysis.conditions import message_count, unmet_condition
from bargein.server.analysis.outputs import check_output
from bargein.server.analysis.pattern_outputs import search_of, value_of
from bargein.server.analysis.plan import inline_outputs, output_part, plan_parts
from bargein.server.analysis.prompts import cut_messages, cut_transcript, system_prompt_of, transcript_of, values_of
from bargein.server.analysis.rubrics import RUBRICS
from bargein.server.analysis.schemas import (
    MOST_SCHEMA_CHARS,
    Schema,
    SchemaError,
    unwrapped,
    without_optional_nulls,
    wrapped,
)
from bargein.wire import contract
from bargein.wire.errors import WireError
from bargein.wire.ownership import Author, callers_text, marked

TALK = [
    {"role": "system", "message": "Be brief."},
    {"role": "bot", "message": "Hello."},
    {"role": "user", "message": "I am Ada."},
    {"role": "bot", "message": "Hello Ada."},
]
CALL: dict[str, Any] = {
    "id": "c1",
    "endedReason": "customer-ended-call",
    "startedAt": "2026-01-01T00:00:00.000Z",
    "endedAt": "2026-01-01T00:00:12.500Z",
    "artifact": {"messages": TALK, "messagesOpenAIFormatted": [{"role": "user", "content": "I am Ada."}]},
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("rubric", "answer", "text"),
    [
        ("NumericScale", "7", "7"),
        ("NumericScale", "8/10", "8"),
        ("NumericScale", '{"result": 9.5}', "9.5"),
        ("DescriptiveScale", "good.", "Good"),
        ("DescriptiveScale", '"Excellent"', "Excellent"),
        ("PercentageScale", "85%", "85%"),
        ("PercentageScale", "62.5", "62.5%"),
        ("LikertScale", "strongly  agree", "Strongly Agree"),
        ("PassFail", "True", "true"),
        ("PassFail", "**Failed**", "false"),
        ("PassFail", "false", "false"),
        ("Checklist", '[{"criterion": "greets", "met": true}]', '[{"criterion": "greets", "met": true}]'),
        ("Matrix", '```json\n[{"criterion": "a", "level": "Fair"}]\n```', '[{"criterion": "a", "level": "Fair"}]'),
        ("AutomaticRubric", 'So: [{"criterion": "a", "score": 3}].', '[{"criterion": "a", "score": 3}]'),
    ],
)
def test_an_answer_becomes_the_text_of_its_rubric(rubric: str, answer: str, text: str) -> None:
    given = RUBRICS[rubric]
    try:
        value = unwrapped(value_in(answer, given.schema), given.schema)
    except AnswerError:
        value = answer
    value = given.read(value)
    assert Schema(given.schema).problems(value) == []
    assert given.write(value) == text


@pytest.mark.parametrize(
    ("rubric", "value"),
    [
        ("NumericScale", 11),
        ("NumericScale", "very good"),
        ("DescriptiveScale", "Great"),
        ("PercentageScale", 101),
        ("LikertScale", True),
        ("PassFail", "perhaps"),
        ("Checklist", []),
        ("Matrix", [{"criterion": "a", "level": "Great"}]),
        ("AutomaticRubric", [{"criterion": "a"}]),
    ],
)
def test_a_rubric_refuses_what_is_not_on_its_scale(rubric: str, value: object) -> None:
    given = RUBRICS[rubric]
    assert Schema(given.schema).problems(given.read(value)) != []


def test_there_is_a_rubric_for_each_of_vapis() -> None:
    plan = contract.definitions()["SuccessEvaluationPlan"]
    assert set(RUBRICS) == set(plan["properties"]["rubric"]["enum"])


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "strin"}, "must be a JSON Schema"),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, "must be a JSON Schema"),
        ({"$ref": "#/$defs/none"}, "must be a JSON Schema"),
        ({"type": "string", "pattern": "(?=a)"}, "must be a JSON Schema"),
        ({"type": "string", "description": "x" * MOST_SCHEMA_CHARS}, "must be shorter"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(SchemaError, match=problem):
        Schema(schema)


def test_problems_of_a_value_name_its_place_and_may_keep_its_words_out() -> None:
    schema = Schema(PERSON)
    assert schema.problems({"name": "Ada", "age": 36}) == []
    assert schema.problems({"name": 5}) == ['name: 5 is not of type "string"']
    assert schema.problems({"name": "Ada", "age": "secret"}, masked=True) == ['age: the value is not of type "integer"']
    dated = Schema({"type": "string", "format": "date"})
    assert dated.problems("2026-02-30") != []
    assert dated.problems("2026-02-28") == []
    # a pattern that would take a backtracking engine for ever
    assert Schema({"type": "string", "pattern": "^(a|a)+$"}).problems("a" * 60 + "b") != []


def test_a_value_that_is_no_object_travels_in_one() -> None:
    texts = {"type": "array", "items": {"$ref": "#/$defs/word"}, "$defs": {"word": {"type": "string"}}}
    held = wrapped(texts)
    assert Schema(held).problems({"result": ["a"]}) == []
    assert Schema(held).problems({"result": [1]}) != []
    assert unwrapped({"result": ["a"]}, texts) == ["a"]
    assert unwrapped(["a"], texts) == ["a"]
    assert wrapped(PERSON) is PERSON
    assert unwrapped({"result": 1}, PERSON) == {"result": 1}


def test_nulls_of_optional_properties_are_left_out() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": ["string", "null"]}, "c": {"type": "integer"},
                       "list": {"type": "array", "items": PERSON}},
        "required": ["c"],
    }  # fmt: skip
    value = {"a": None, "b": None, "c": None, "d": None, "list": [{"name": "x", "age": None}]}
    assert without_optional_nulls(value, schema) == {"b": None, "c": None, "d": None, "list": [{"name": "x"}]}


@pytest.mark.parametrize(
    ("answer", "schema", "value"),
    [
        ('{"name": "Ada"}', PERSON, {"name": "Ada"}),
        ('Sure!\n```json\n{"name": "Ada"}\n```\nDone.', PERSON, {"name": "Ada"}),
        ('Here it is: {"name": "Ada {x}"} - bye {', PERSON, {"name": "Ada {x}"}),
        ("{not} [1, 2]", {"type": "array"}, [1, 2]),
        ("Ada", {"type": "string"}, "Ada"),
        ('"Ada"', {"type": "string"}, "Ada"),
        ("42", {"type": "integer"}, 42),
    ],
)
def test_a_value_is_found_in_an_answer(answer: str, schema: dict[str, Any], value: object) -> None:
    assert value_in(answer, schema) == value


@pytest.mark.parametrize(("answer", "problem"), [("", "is empty"), ("no idea", "is not JSON"), ("{{{", "is not JSON")])
def test_an_answer_without_a_value_is_told(answer: str, problem: str) -> None:
    with pytest.raises(AnswerError, match=problem):
        value_in(answer, PERSON)


@pytest.mark.parametrize(
    ("regex", "kind", "value"),
    [
        (r"\d+", "string", "12"),
        (r"/ORDER (\d+)/i", "string", "12"),
        (r"order (\d+)", "integer", 12),
        (r"costs ([\d.]+)", "number", 9.5),
        (r"[a-z]+ (\d+)", "array", ["12", "9"]),
        (r"refund", "boolean", False),
        (r"/Order/g", "boolean", False),
        (r"/Order/gi", "boolean", True),
        (r"refund", "string", None),
        (r"refund", "integer", None),
        (r"order", "number", None),
    ],
)
def test_a_pattern_gives_what_the_schema_says(regex: str, kind: str, value: object) -> None:
    assert value_of(regex, {"type": kind}, "My order 12 costs 9.5 euros") == value


@pytest.mark.parametrize("regex", ["(", "(?=a)b", "//"])
def test_a_pattern_that_is_none_is_refused(regex: str) -> None:
    with pytest.raises(PatternError):
        search_of(regex)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"type": "minMessages", "count": 3}, True),
        ({"type": "minMessages", "count": 4}, False),
        ({"type": "minCallDuration", "seconds": 12.5}, True),
        ({"type": "minCallDuration", "seconds": 13}, False),
        ({"type": "endedReason", "operator": "oneOf", "values": ["customer-ended-call"]}, True),
        ({"type": "endedReason", "operator": "oneOf", "values": ["voicemail"]}, False),
        ({"type": "endedReason", "operator": "notOneOf", "values": ["voicemail"]}, True),
        ({"type": "endedReason", "operator": "notOneOf", "values": ["customer-ended-call"]}, False),
    ],
)
def test_a_condition_gates_an_output(condition: dict[str, Any], met: bool) -> None:
    assert unmet_condition([condition], CALL) == (None if met else condition)


def test_two_messages_are_needed_unless_a_condition_says_otherwise() -> None:
    short = {**CALL, "artifact": {"messages": TALK[:2]}}
    assert message_count(CALL) == 3
    assert unmet_condition([], short) == {"type": "minMessages", "count": 2}
    assert unmet_condition([{"type": "minMessages", "count": 0}], {}) is None
    assert unmet_condition([{"type": "minMessages", "count": 0}, {"type": "minCallDuration", "seconds": 9}], {}) is None


def test_without_a_plan_nothing_is_asked_and_with_an_empty_one_vapis_defaults() -> None:
    assert plan_parts({}, CALL) == []
    for found in (plan_parts({"analysisPlan": {}}, CALL), plan_parts({}, CALL, always=True)):
        assert [part.target for part in found] == ["summary", "successEvaluation"]
        assert [part.timeout_s for part in found] == [5, 5]
        assert found[1].rubric is RUBRICS["PassFail"]


def test_a_plan_says_all_of_it() -> None:
    own = [{"role": "system", "content": "Sum up: {{transcript}}"}]
    plan = {
        "summaryPlan": {"messages": own, "timeoutSeconds": 30},
        "structuredDataPlan": {"enabled": True, "schema": PERSON},
        "structuredDataMultiPlan": [
            {"key": "one", "plan": {"schema": PERSON}},
            {"key": "two", "plan": {"enabled": False}},
        ],
        "successEvaluationPlan": {"rubric": "NumericScale", "messages": own},
    }
    summary, data, multi, evaluation = plan_parts({"analysisPlan": plan}, CALL)
    assert (summary.messages, summary.timeout_s, summary.schema) == (own, 30, None)
    assert (data.name, data.schema, json.loads(data.values["schema"])) == ("structuredData", PERSON, PERSON)
    assert (multi.name, multi.key) == ("structuredDataMulti.one", "one")
    assert (evaluation.rubric, evaluation.schema) == (RUBRICS["NumericScale"], RUBRICS["NumericScale"].schema)
    assert evaluation.values["rubric"].startswith("NumericScale: A scale of 1 to 10")


@pytest.mark.parametrize(
    ("plan", "fields"),
    [
        ({"minMessagesThreshold": 4}, []),
        ({"minMessagesThreshold": 3}, ["summary", "successEvaluation"]),
        ({"summaryPlan": {"enabled": False}}, ["successEvaluation"]),
        ({"successEvaluationPlan": {"enabled": False}}, ["summary"]),
        ({"structuredDataPlan": {"schema": PERSON}}, ["summary", "successEvaluation"]),
        ({"structuredDataPrompt": "Find it.", "structuredDataSchema": PERSON},
         ["summary", "structuredData", "successEvaluation"]),
    ],
)  # fmt: skip
def test_a_plan_leaves_parts_out(plan: dict[str, Any], fields: list[str]) -> None:
    assert [part.target for part in plan_parts({"analysisPlan": plan}, CALL)] == fields


def test_a_prompt_of_its_own_without_a_rubric_is_answered_by_any_text() -> None:
    own = [{"role": "user", "content": "How was it?"}]
    (_, evaluation) = plan_parts({"analysisPlan": {"successEvaluationPlan": {"messages": own}}}, CALL)
    assert (evaluation.rubric, evaluation.schema) == (None, None)
    older = {"summaryPrompt": "Briefly.", "summaryRequestTimeoutSeconds": 9, "successEvaluationRubric": "LikertScale"}
    summary, rated = plan_parts({"analysisPlan": older}, CALL)
    assert (summary.messages[0]["content"], summary.timeout_s) == ("Briefly.", 9)
    assert "{{transcript}}" in summary.messages[-1]["content"]
    assert rated.rubric is RUBRICS["LikertScale"]


@pytest.mark.parametrize("author", ["owner", "caller"])
def test_a_part_knows_whether_its_prompt_or_schema_is_the_owners(author: Author) -> None:
    prompt = [{"role": "system", "content": "Judge it."}]
    plan = {
        "summaryPlan": {"messages": prompt},
        "structuredDataPlan": {"enabled": True, "schema": PERSON},
        "structuredDataMultiPlan": [{"key": "who", "plan": {"schema": PERSON}}],
        "successEvaluationPrompt": "Judge it.",
    }
    given = {"artifactPlan": {"structuredOutputs": [{"name": "Who", "type": "ai", "schema": PERSON}]}}
    assistant = marked({"analysisPlan": plan, **given}, author)
    parts = [*plan_parts(assistant, CALL), *map(output_part, inline_outputs(assistant, CALL))]
    assert [part.is_owners for part in parts] == [author == "owner"] * 5
    # what a caller adds to the owner's plan does not make the plan the caller's
    mixed = {"analysisPlan": {**plan, "successEvaluationPlan": marked({"timeoutSeconds": 3}, author)}}
    assert all(part.is_owners for part in plan_parts(mixed, CALL))
    assert not any(part.is_owners for part in plan_parts({"analysisPlan": {}}, CALL))


def test_outputs_of_the_assistant_itself_have_an_id_of_the_call() -> None:
    assistant = {
        "artifactPlan": {"structuredOutputs": [{"name": "who", "schema": PERSON}, {"name": "x", "schema": {}}]}
    }
    first, second = inline_outputs(assistant, CALL)
    assert [first, second] == inline_outputs(assistant, CALL)
    assert first["id"] != second["id"] != inline_outputs(assistant, {"id": "c2"})[1]["id"]
    part = output_part({**first, "model": {"provider": "openai", "model": "gpt-4.1"}})
    assert (part.name, part.key) == (f"structuredOutputs.{first['id']}", first["id"])
    assert part.values["structuredOutput"] == {"name": "who", "description": "", "schema": PERSON}
    assert part.model == {"provider": "openai", "model": "gpt-4.1"}


def test_placeholders_have_the_values_of_the_call() -> None:
    prompt = [{"role": "system", "content": callers_text("Be {{tone}}.")}, {"role": "user", "content": "no"}]
    values = values_of(CALL, {"model": {"messages": prompt}})
    assert values["transcript"] == "AI: Hello.\nUser: I am Ada.\nAI: Hello Ada.\n"
    assert json.loads(values["messages"]) == CALL["artifact"]["messagesOpenAIFormatted"]
    assert values["systemPrompt"] == "Be {{tone}}."
    assert values["endedReason"] == values["callEndedReason"] == "customer-ended-call"
    assert (values["duration"], values["startedAt"]) == ("12.5", CALL["startedAt"])
    assert transcript_of({"artifact": {"transcript": "AI: Hi.\n", "messages": TALK}}) == "AI: Hi.\n"
    assert system_prompt_of({}) == ""


def test_hours_of_a_conversation_lose_their_middle() -> None:
    lines = [f"User: sentence number {n}\n" for n in range(10_000)]
    cut = cut_transcript("".join(lines), 10_000)
    assert len(cut) < 10_100
    assert cut.startswith(lines[0])
    assert cut.endswith(lines[-1])
    (note,) = [line for line in cut.splitlines() if not line.startswith("User: sentence number ")]
    left_out = int(note.split()[0][1:])
    assert left_out == len("".join(lines)) - (len(cut) - len(note) - 1)
    assert cut_transcript("User: short\n", 100) == "User: short\n"

    messages = [{"role": "user", "content": f"number {n}"} for n in range(1000)]
    kept = json.loads(cut_messages(messages, 4_000))
    assert kept[0] == messages[0]
    assert kept[-1] == messages[-1]
    (note_at,) = [index for index, one in enumerate(kept) if one["role"] == "system"]
    assert 0 < note_at < len(kept) / 2
    assert kept[note_at]["content"] == f"[{1000 - len(kept) + 1} messages are left out here]"


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({"schema": {"type": "strin"}}, "schema must be a JSON Schema"),
        ({"type": "regex", "schema": {"type": "string"}}, "regex must be given when type is regex"),
        ({"type": "regex", "regex": "(", "schema": {"type": "string"}}, "regex must be a regular expression"),
        ({"schema": {"type": "string"}, "conditions": [{"type": "endedReason", "operator": "oneOf", "values": []}]},
         "conditions.0.values should not be empty"),
    ],
)  # fmt: skip
def test_an_output_that_could_never_work_is_refused(output: dict[str, Any], problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        check_output(output)

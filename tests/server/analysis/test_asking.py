"""Questions to a model: what is asked again, what is not, and what becomes of vendors that refuse a schema."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from typing_extensions import override

from bargein.ports import ChatMessage, Model, ProviderError
from bargein.server.analysis import asking
from bargein.server.analysis.asking import AskError, ask, ask_for_value
from bargein.server.analysis.rubrics import RUBRICS
from bargein.server.analysis.schemas import Schema

pytestmark = pytest.mark.anyio

HELLO = [ChatMessage("user", "Hello")]
NAMES = Schema({"type": "array", "items": {"type": "string"}})


class Scripted(Model):
    """A model that answers, or fails, in turn."""

    def __init__(self, *answers: str | ProviderError) -> None:
        self.answers = list(answers)
        self.asked: list[list[ChatMessage]] = []

    @override
    async def reply(self, messages: Sequence[ChatMessage], tools: Sequence[Any] = ()) -> AsyncIterator[str]:
        self.asked.append(list(messages))
        answer = self.answers.pop(0)
        if isinstance(answer, ProviderError):
            raise answer
        yield answer[:3]
        yield answer[3:]


class Held(Scripted):
    """A model that can be held to a schema, by another."""

    def __init__(self, held: Scripted, *answers: str | ProviderError) -> None:
        super().__init__(*answers)
        self.held = held
        self.schemas: list[Any] = []

    def held_to(self, schema: Any) -> Model:
        self.schemas.append(schema)
        return self.held


def failure(reason: str) -> ProviderError:
    return ProviderError("the model failed", ended_reason=f"pipeline-error-openai-{reason}")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_FIRST_WAIT_S", 0.0)


async def test_a_failure_that_may_pass_is_tried_again_twice() -> None:
    model = Scripted(failure("503-server-overloaded-error"), failure("llm-failed"), " Hello. ")
    assert await ask(model, HELLO) == "Hello."
    with pytest.raises(ProviderError):
        await ask(Scripted(*[failure("500-server-error")] * 4), HELLO)
    refused = Scripted(failure("401-unauthorized"), "Hello.")
    with pytest.raises(ProviderError):
        await ask(refused, HELLO)
    assert len(refused.asked) == 1


async def test_an_answer_that_is_empty_or_endless_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AskError, match="is empty"):
        await ask(Scripted("  "), HELLO)
    monkeypatch.setattr(asking, "_MOST_ANSWER_CHARS", 10)
    with pytest.raises(AskError, match="longer than 10 characters"):
        await ask(Scripted("a" * 11), HELLO)


async def test_a_model_that_nothing_holds_is_told_the_schema_and_corrected_once() -> None:
    model = Scripted("[1]", '```json\n["Ada"]\n```')
    assert await ask_for_value(model, HELLO, NAMES) == ["Ada"]
    first, second = model.asked
    assert first[0].role == "system"
    assert '"items": {"type": "string"}' in first[0].content
    assert [message.role for message in second[-3:]] == ["user", "assistant", "user"]
    assert '0: 1 is not of type "string"' in second[-1].content

    with pytest.raises(AskError) as error:
        await ask_for_value(Scripted("[7]", "[8]"), HELLO, NAMES)
    assert str(error.value) == 'the model\'s answer is not valid, twice: 0: the value is not of type "string"'
    with pytest.raises(AskError, match="twice: the answer is not JSON"):
        await ask_for_value(Scripted("secret words", "secret words"), HELLO, NAMES)


async def test_a_prompt_that_names_the_schema_is_left_as_it_is() -> None:
    named = [ChatMessage("user", 'Names: {"type": "array", "items": {"type": "string"}}')]
    model = Scripted("[]")
    await ask_for_value(model, named, NAMES)
    assert model.asked == [named]


async def test_what_is_no_object_is_wrapped_for_a_vendor_that_holds_its_model() -> None:
    held = Scripted('{"result": [5]}', '{"result": ["Ada"]}')
    model = Held(held)
    assert await ask_for_value(model, HELLO, NAMES) == ["Ada"]
    (schema,) = model.schemas
    assert schema["properties"] == {"result": NAMES.source}
    assert '"required": ["result"]' in held.asked[0][0].content
    assert len(held.asked) == 2


async def test_a_vendor_that_refuses_the_schema_is_asked_without_it() -> None:
    model = Held(Scripted(failure("400-bad-request-validation-failed")), '["Ada"]')
    assert await ask_for_value(model, HELLO, NAMES) == ["Ada"]
    with pytest.raises(ProviderError):
        await ask_for_value(Held(Scripted(failure("401-unauthorized")), '["Ada"]'), HELLO, NAMES)


async def test_a_rubric_reads_bare_words() -> None:
    rubric = RUBRICS["PassFail"]
    schema = Schema(rubric.schema)
    assert await ask_for_value(Scripted("Passed."), HELLO, schema, rubric.read) is True
    model = Held(Scripted('{"result": false}'))
    assert await ask_for_value(model, HELLO, schema, rubric.read) is False

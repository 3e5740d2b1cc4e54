"""The tool `function`: the request to the owner's server, and the result of its answer."""

import json
from typing import Any

import anyio
import pytest

from bargein.ports import ServerError, ToolResult
from bargein.wire.ownership import Author, marked
from tests.tools.tool_calls import ScriptedMessenger, call, tools
from tests.vapi_schema import problems
from tests.webhooks.receiver import NEVER, Receiver, as_json, response

pytestmark = pytest.mark.anyio

BOOK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "book", "parameters": {"type": "object", "properties": {"day": {"type": "string"}}}},
    "server": {"url": "https://owner.test/tools", "secret": "hush", "headers": {"X-Key": "hush"}},
}


async def run(answer: Any, tool: dict[str, Any] = BOOK, arguments: str = '{"day": "Monday"}') -> ToolResult:
    async with tools(ScriptedMessenger(answer)) as runner:
        return await runner.run(tool, call(arguments=arguments))


async def test_the_request_is_vapis_tool_calls_message() -> None:
    messenger = ScriptedMessenger({"results": [{"toolCallId": "call_1", "result": "booked"}]})
    async with tools(messenger) as runner:
        result = await runner.run(BOOK, call(arguments='{"day": "Monday"}'))
    assert result == ToolResult("booked")
    ((message, server),) = messenger.asked
    assert server == BOOK["server"]
    arguments = {"day": "Monday"}
    told = {
        "id": "call_1", "type": "function", "function": {"name": "book", "arguments": arguments},
        "name": "book", "parameters": arguments, "arguments": arguments,
    }  # fmt: skip
    assert message["type"] == "tool-calls"
    assert message["toolCallList"] == message["toolCalls"] == [told]
    (with_tool,) = message["toolWithToolCallList"]
    assert with_tool["toolCall"] == told
    assert with_tool["name"] == "book"
    assert with_tool["function"] == BOOK["function"]
    assert "hush" not in json.dumps(message)
    assert problems("ServerMessageToolCalls", message) == []


@pytest.mark.parametrize(("of_tool", "of_server", "sent"), [
    ("owner", "owner", True), ("owner", "caller", False), ("caller", "caller", True)
])  # fmt: skip
async def test_static_parameters_go_to_no_server_that_somebody_else_set(
    of_tool: Author, of_server: Author, sent: bool
) -> None:
    messenger = ScriptedMessenger({"results": [{"result": "ok"}]})
    tool = marked({**BOOK, "parameters": [{"key": "token", "value": "hush"}]}, of_tool)
    tool["server"] = marked({"url": "https://x.example/hook"}, of_server)
    async with tools(messenger) as runner:
        await runner.run(tool, call(arguments='{"day": "Monday"}'))
    assert ("token" in messenger.asked[0][0]["toolCallList"][0]["parameters"]) == sent
    assert messenger.asked[0][0]["toolCallList"][0]["parameters"]["day"] == "Monday"


async def test_static_parameters_are_sent_along_filled_in() -> None:
    messenger = ScriptedMessenger({"results": [{"result": "ok"}]})
    tool = {
        **BOOK,
        "parameters": [
            {"key": "caller", "value": "{{ customer.number }}"},
            {"key": "day", "value": "Tuesday"},
            {"key": "list", "value": [1, {"said": "{{day}}"}]},
        ],
    }
    async with tools(messenger, customer={"number": "+1555"}) as runner:
        await runner.run(tool, call(arguments='{"day": "Monday"}'))
    assert messenger.asked[0][0]["toolCallList"][0]["function"]["arguments"] == {
        "day": "Tuesday",  # the owner's static parameters override the model's arguments
        "caller": "+1555",
        "list": [1, {"said": "Monday"}],
    }


@pytest.mark.parametrize(
    ("answer", "text", "failed"),
    [
        ({"results": [{"toolCallId": "call_1", "result": {"seats": 2}}]}, '{"seats": 2}', False),
        ({"results": [{"toolCallId": "call_1", "result": None}]}, "null", False),
        ({"results": [{"result": "without an id"}]}, "without an id", False),
        (
            {"results": [{"toolCallId": "other", "result": 1}, {"toolCallId": "call_1", "result": "mine"}]},
            "mine",
            False,
        ),
        (
            {"results": [{"toolCallId": "call_1", "result": "first"}, {"toolCallId": "call_1", "result": "again"}]},
            "first",
            False,
        ),
        ({"results": [{"toolCallId": "call_1", "error": "no seats"}]}, "no seats", True),
        ({"results": [{"toolCallId": "call_1", "error": {"code": 7}}]}, '{"code": 7}', True),
        ({"result": "an older server's"}, "an older server's", False),
        ({"error": "closed on Mondays"}, "closed on Mondays", True),
        ({"results": [], "error": "closed"}, "closed", True),
    ],
)
async def test_answers(answer: Any, text: str, failed: bool) -> None:
    result = await run(answer)
    assert (result.text, result.failed) == (text, failed)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": []},
        {"results": [{"toolCallId": "other", "result": "x"}]},
        {"results": [{"result": "a"}, {"result": "b"}]},
        {"results": ["text", None]},
        {"results": [{"toolCallId": "call_1"}]},
        {"results": "text"},
    ],
)
async def test_an_answer_without_a_result_is_a_failure_with_a_text(answer: Any) -> None:
    result = await run(answer)
    assert result.failed
    assert result.text.startswith("The tool's server answered with")


async def test_the_servers_message_and_metadata_are_in_the_result() -> None:
    message = {"type": "request-complete", "content": "Done!"}
    answer = {"results": [{"toolCallId": "call_1", "result": "ok", "message": message, "metadata": {"seat": 3}}]}
    result = await run(answer)
    assert (result.message, result.metadata) == (message, {"seat": 3})
    odd = await run({"results": [{"toolCallId": "call_1", "error": "no", "message": "text", "metadata": 3}]})
    assert (odd.text, odd.message, odd.metadata) == ("no", None, None)


async def test_a_server_that_fails_is_a_result() -> None:
    result = await run(ServerError("the server did not answer within 20 s", reason="timeout"))
    assert result.failed
    assert result.text == "It failed: the server did not answer within 20 s."


async def test_a_result_too_long_for_a_model_is_a_failure() -> None:
    result = await run({"results": [{"toolCallId": "call_1", "result": "x" * 200_000}]})
    assert result.failed
    assert result.text == "The tool answered with 200000 characters; at most 100000 are read."


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", '"day"', "[" * 100_000])
async def test_invalid_arguments_are_not_sent(arguments: str) -> None:
    messenger = ScriptedMessenger({"results": []})
    async with tools(messenger) as runner:
        result = await runner.run(BOOK, call(arguments=arguments))
    assert result.failed
    assert result.text == "Not run: its arguments are not a JSON object."
    assert messenger.asked == []


async def test_no_arguments_at_all_are_an_empty_object() -> None:
    messenger = ScriptedMessenger({"result": "ok"})
    async with tools(messenger) as runner:
        assert (await runner.run(BOOK, call(arguments=""))).text == "ok"
    assert messenger.asked[0][0]["toolCalls"][0]["function"]["arguments"] == {}


@pytest.mark.parametrize("value", ["{{ day", "{% for %}", "{{ 'x' | times: 'y' | date: 3 }}{% endfor %}"])
async def test_an_invalid_template_is_a_failure(value: str) -> None:
    result = await run({"result": "ok"}, {**BOOK, "parameters": [{"key": "k", "value": value}]})
    assert result.failed
    assert result.text == "Not run: a template of the tool's settings is broken."


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("made.up", "m"),
    ],
)
async def test_an_unknown_kind_of_tool_is_a_failure(kind: str, name: str) -> None:
    async with tools() as runner:
        result = await runner.run({"type": kind}, call(name))
    assert result == ToolResult(
        f"Not run: a tool of type {kind} is unknown to this server. Go on without it.", failed=True
    )


async def test_a_vendors_tool_with_a_server_is_sent_to_that_server() -> None:
    messenger = ScriptedMessenger({"result": "ran"})
    async with tools(messenger) as runner:
        result = await runner.run({"type": "bash", "server": {"url": "https://owner.test/"}}, call("bash"))
    assert result.text == "ran"
    assert messenger.asked[0][0]["toolWithToolCallList"][0]["type"] == "bash"


async def test_the_declarations_of_tools_to_the_model() -> None:
    async with tools() as runner:
        assert await runner.expand(BOOK) == (BOOK,)
        assert await runner.expand({"type": "endCall"}) == ({"type": "endCall"},)
        assert await runner.expand({"type": "sms"}) == ({"type": "sms"},), "the call declares it"
        (slack,) = await runner.expand({"type": "slack.message.send"})
        assert slack["function"] == {"name": "slack_message_send", "parameters": {"type": "object", "properties": {}}}
        (sheet,) = await runner.expand({"type": "google.sheets.row.append", "function": {"name": "row"}})
        assert sheet["function"]["name"] == "row"
        assert await runner.expand({"type": "query", "knowledgeBases": [{"fileIds": 7}]}) == ()


class TestVariables:
    async def test_aliases_and_schema_pick_from_the_answer(self) -> None:
        plan = {
            "schema": {"type": "object", "properties": {"seat": {"type": "object", "properties": {"row": {}}}}},
            "aliases": [
                {"key": "who", "value": "{{ name.first | upcase }} of {{ customer.name }}"},
                {"key": "first", "value": "{{ $.list[0] }}/{{$.list | size}}"},
                {"key": "row", "value": "{{ tool.response.body.seat.row }}"},
                {"key": "chained", "value": "{{ who }}!"},
                {"key": "price", "value": "$5 {{ '$.list' }}"},
                {"key": "2bad", "value": "x"},
                {"key": "broken", "value": "{{ x"},
                {"key": "odd", "value": 7},
                "odd",
            ],
        }
        body = {"seat": {"row": 4, "secret": 9}, "name": {"first": "ann"}, "list": ["a", "b"]}
        messenger = ScriptedMessenger({"results": [{"result": json.dumps(body)}]})
        async with tools(messenger, customer={"name": "Lee"}) as runner:
            result = await runner.run({**BOOK, "variableExtractionPlan": plan}, call())
            assert result.variables == {
                "seat": {"row": 4},
                "who": "ANN of Lee",
                "first": "a/2",
                "row": "4",
                "chained": "ANN of Lee!",
                "price": "$5 $.list",
            }
            again = {**BOOK, "parameters": [{"key": "k", "value": "{{ who }}, row {{ seat.row }}"}]}
            await runner.run(again, call())
        assert messenger.asked[1][0]["toolCalls"][0]["function"]["arguments"] == {"k": "ANN of Lee, row 4"}

    async def test_an_array_is_kept_under_its_title(self) -> None:
        schema = {"type": "array", "title": "people", "items": {"type": "object", "properties": {"name": {}}}}
        answer = {"results": [{"result": [{"name": "A", "age": 1}, {"name": "B"}]}]}
        aliases = [{"key": "second", "value": "{{ $[1].name }}{{people[0].name}}"}]
        result = await run(answer, {**BOOK, "variableExtractionPlan": {"schema": schema, "aliases": aliases}})
        assert result.variables == {"people": [{"name": "A"}, {"name": "B"}], "second": "BA"}

    @pytest.mark.parametrize(
        "plan", [7, {}, {"schema": 1, "aliases": 2}, {"schema": {"type": "object"}}, {"schema": {"type": "array"}}]
    )
    async def test_an_invalid_plan_keeps_the_answer(self, plan: Any) -> None:
        result = await run({"result": "plain text"}, {**BOOK, "variableExtractionPlan": plan})
        assert (result.text, result.failed, result.variables) == ("plain text", False, None)


class TestRealServers:
    """The same with a real sender and a real server."""

    async def ask(self, *script: Any, **server: Any) -> tuple[ToolResult, Receiver]:
        async with Receiver(list(script)) as owner, tools() as runner:
            with anyio.fail_after(15):
                asked = {**BOOK, "server": {"url": owner.url, **server}}
                return await runner.run(asked, call(arguments='{"day": "Monday"}')), owner

    async def test_it_answers(self) -> None:
        answer = {"results": [{"toolCallId": "call_1", "result": "booked"}]}
        result, owner = await self.ask(answer, secret="s3")
        assert result == ToolResult("booked")
        (got,) = owner.got
        assert got.headers["x-vapi-secret"] == "s3"
        assert got.message["toolCalls"][0]["function"] == {"name": "book", "arguments": {"day": "Monday"}}
        assert got.message["call"] == {"id": "call-1"}

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (NEVER, "It failed: the server did not answer within 1 s."),
            (response(200, b"<html></html>", "text/html"), "It failed: the server's answer is not JSON."),
            (response(200, b"[]"), "It failed: the server's answer is not a JSON object."),
            (as_json({"result": "x" * 5_000_000}), "It failed: the server answered with more than 1048576 bytes."),
            (as_json({"result": "x" * 500_000}), "The tool answered with 500000 characters; at most 100000 are read."),
            (as_json({}, 500), "It failed: the server answered 500."),
            (
                response(302, b"", "text/plain", "location: http://169.254.169.254/"),
                "It failed: the server answered 302.",
            ),
        ],
    )
    async def test_it_does_not(self, answer: Any, text: str) -> None:
        result, owner = await self.ask(answer, timeoutSeconds=1)
        assert result == ToolResult(text, failed=True)
        assert len(owner.got) == 1

    async def test_it_answers_late(self) -> None:
        async def late(_: Any) -> Any:
            await anyio.sleep(1.2)
            return {"result": "too late"}

        async with Receiver([late, {"result": "in time"}]) as owner, tools() as runner:
            asked = {**BOOK, "server": {"url": owner.url, "timeoutSeconds": 1}}
            first = await runner.run(asked, call())
            assert first == ToolResult("It failed: the server did not answer within 1 s.", failed=True)
            # the late answer is dropped: the next call gets its own
            assert await runner.run(asked, call(call_id="call_2")) == ToolResult("in time")

    async def test_it_answers_twice(self) -> None:
        twice = as_json({"result": "once"}) + as_json({"result": "again"})
        async with Receiver([twice, {"result": "next"}]) as owner, tools() as runner:
            asked = {**BOOK, "server": {"url": owner.url}}
            assert await runner.run(asked, call()) == ToolResult("once")
            assert await runner.run(asked, call()) == ToolResult("next")

    async def test_it_fails_and_then_answers(self) -> None:
        retry = {"type": "fixed", "maxRetries": 1, "baseDelaySeconds": 0}
        result, owner = await self.ask(as_json({}, 500), {"result": "ok"}, backoffPlan=retry)
        assert result == ToolResult("ok")
        assert owner.got[0].message["toolCalls"] == owner.got[1].message["toolCalls"]

    async def test_private_addresses_are_refused_by_setting(self) -> None:
        async with Receiver() as owner, tools(allow_private=False) as runner:
            result = await runner.run({**BOOK, "server": {"url": owner.url}}, call())
        assert result.failed
        assert "private" in result.text
        assert owner.got == []

    async def test_no_server_at_all(self) -> None:
        async with tools() as runner:
            result = await runner.run({"type": "function", "function": {"name": "book"}}, call())
        assert result == ToolResult("It failed: there is no server to ask: no server.url is set.", failed=True)

"""Declarations of tools for the model, and the messages of tool calls."""

from typing import Any

import pytest

from bargein.call.tools.declarations import (
    MOST_TOOLS,
    StartMessage,
    ToolDeclarations,
    arguments_of,
    delayed_of,
    end_of,
    name_of,
    start_of,
    timeout_s,
)
from bargein.call.tools.rejection import rejected
from bargein.ports import ToolCall, ToolResult
from bargein.turns.commands import Remember
from bargein.turns.events import DelayMessage

Body = dict[str, Any]


def tool(*messages: Body, **more: Any) -> Body:
    return {"type": "function", "function": {"name": "weather"}, "messages": list(messages), **more}


def said(kind: str, content: str, **more: Any) -> Body:
    return {"type": kind, "content": content, **more}


def test_each_tool_is_declared_by_its_name() -> None:
    number, bea = (
        {"type": "number", "number": "+1", "description": "Sales."},
        {"type": "assistant", "assistantName": "Bea B"},
    )
    box = ToolDeclarations(
        [
            {"type": "endCall"},
            {"type": "endCall"},
            {"type": "apiRequest", "name": "order", "description": "Orders.", "url": "http://h", "method": "GET"},
            {"type": "transferCall", "destinations": [number, bea]},
            {"type": "handoff", "destinations": [bea]},
            {"type": "voicemail"},
            {"type": "google.sheets.row.append"},
            {
                "type": "function",
                "function": {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {}}},
            },
        ]
    )
    names = [d["function"]["name"] for d in box.declarations]
    assert names == [
        "endCall",
        "endCall_2",
        "order",
        "transferCall",
        "handoff_to_Bea_B",
        "leave_voicemail",
        "google_sheets_row_append",
        "f",
    ]
    by_name = {d["function"]["name"]: d["function"] for d in box.declarations}
    where = by_name["transferCall"]["parameters"]["properties"]["destination"]
    assert where == {"type": "string", "enum": ["+1", "Bea B"], "description": "+1: Sales."}
    assert by_name["order"]["description"] == "Orders."
    assert by_name["f"]["strict"] is True
    assert box.find("endCall_2") == {"type": "endCall"}
    assert box.find("nothing") is None
    assert len(ToolDeclarations([{"type": "endCall"}] * 500).declarations) == MOST_TOOLS


def test_variants_take_turns_and_those_with_conditions_go_first() -> None:
    city = [{"param": "city", "operator": "eq", "value": "Berlin"}]
    one, two = said("request-start", "One."), said("request-start", "Two.", blocking=True)
    three = said("request-start", "Three.", conditions=city)
    assert [start_of(tool(one, two, three), {}, n) for n in range(3)] == [
        StartMessage("One."),
        StartMessage("Two.", True),
        StartMessage("One."),
    ]
    assert start_of(tool(one, two, three), {"city": "Berlin"}, 0) == StartMessage("Three.")
    assert start_of(tool(three), {}, 0) == StartMessage(), "it has one, but not for this"
    assert start_of(tool(), {}, 0) is None


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        ("eq", "7", True),
        ("neq", 7, False),
        ("gt", "6.5", True),
        ("gte", 8, False),
        ("lt", "10", True),
        ("lte", "7", True),
        ("is", "7", False),
    ],
)
def test_conditions_compare_numbers_as_numbers(operator: str, value: Any, holds: bool) -> None:
    message = said("request-start", "Yes.", conditions=[{"param": "n", "operator": operator, "value": value}])
    assert start_of(tool(message), {"n": 7}, 0) == StartMessage("Yes." if holds else "")
    other = said("request-start", "Yes.", conditions=[{"param": "n", "operator": "lt", "value": "b"}])
    assert start_of(tool(other), {"n": "a"}, 0) == StartMessage("Yes.")


def test_delays_are_staged_and_variants_share_a_time() -> None:
    late = [
        said("request-response-delayed", text, timingMilliseconds=ms)
        for text, ms in (("b", 2000), ("a", 500), ("c", 500))
    ]
    assert delayed_of(tool(*late), {}, 0) == (DelayMessage(500, "a"), DelayMessage(2000, "b"))
    assert delayed_of(tool(*late), {}, 1) == (DelayMessage(500, "c"), DelayMessage(2000, "b"))


def test_the_servers_message_goes_before_the_tools_own() -> None:
    given = tool(
        said("request-complete", "Done.", endCallAfterSpokenEnabled=True), said("request-failed", "Oh.", role="system")
    )
    assert end_of(given, {}, ToolResult("x"), 0) == ("Done.", None, True, True)
    assert end_of(given, {}, ToolResult("x", failed=True), 0) == (None, "Oh.", False, True)
    mine = end_of(given, {}, ToolResult("x", message=said("request-complete", "Mine.")), 0)
    assert (mine.say, mine.is_template) == ("Mine.", False)
    assert end_of(tool(), {}, ToolResult("x"), 0) == (None, None, False, True)
    german = {
        "type": "request-complete",
        "contents": [{"language": "de", "text": "Gut."}, {"language": "en-US", "text": "Good."}],
    }
    assert end_of(tool(german), {}, ToolResult("x"), 0).say == "Good."


def test_an_async_tool_says_its_end_at_the_start() -> None:
    given = tool(said("request-start", "No."), said("request-complete", "Noted."), **{"async": True})
    assert start_of(given, {}, 0) == StartMessage("Noted.")
    assert end_of(given, {}, ToolResult("x"), 0) == (None, None, False, True)


def test_the_time_limit_includes_the_retries() -> None:
    assert timeout_s(tool()) == 20
    server = {"timeoutSeconds": 5, "backoffPlan": {"type": "exponential", "maxRetries": 2, "baseDelaySeconds": 1}}
    assert timeout_s(tool(server=server)) == 5 * 3 + 3
    assert timeout_s(tool(timeoutSeconds=300, backoffPlan={"type": "fixed", "maxRetries": 10})) == 600


@pytest.mark.parametrize(("text", "found"), [("", {}), (" ", {}), ('{"a": 1}', {"a": 1}), ("[1]", None), ("{", None)])
def test_arguments(text: str, found: Body | None) -> None:
    assert arguments_of(ToolCall("a", "f", text)) == found
    assert name_of({"type": "dtmf"}) == "dtmf"


SPOKEN = (
    Remember("assistant", "Can I help?", 0, 1),
    Remember("user", "Please STOP now", 1, 2),
    Remember("tool", "x", 2, 2, tool_call_id="a"),
)


@pytest.mark.parametrize(
    ("conditions", "refused"),
    [
        ([], False),
        ([{"type": "regex", "regex": "(?i)stop"}], True),
        ([{"type": "regex", "regex": "goodbye", "negate": True}], True),
        ([{"type": "regex", "regex": "help", "target": {"role": "assistant"}}], True),
        ([{"type": "regex", "regex": "help", "target": {"position": 0}}], True),
        ([{"type": "regex", "regex": "help", "target": {"position": 9}}], False),
        ([{"type": "regex", "regex": "("}], False),
        ([{"type": "liquid", "liquid": "true"}], True),
        ([{"type": "liquid", "liquid": "false"}], False),
        ([{"type": "regex", "regex": "STOP"}, {"type": "regex", "regex": "no"}, {"type": "what"}], False),
        (
            [{"type": "group", "operator": "OR", "conditions": [{"type": "what"}, {"type": "regex", "regex": "STOP"}]}],
            True,
        ),
        ([{"type": "group", "operator": "AND", "conditions": []}], False),
        (["?"], False),
    ],
)
def test_a_conversation_may_refuse_a_tool(conditions: list[Any], refused: bool) -> None:
    seen: list[Body] = []

    def render(text: str, values: Body) -> str:
        seen.append(values)
        return text

    assert rejected(tool(rejectionPlan={"conditions": conditions}), SPOKEN, render) is refused
    assert all(values["messages"][-1] == {"role": "user", "content": "Please STOP now"} for values in seen)
    assert not rejected(tool(), SPOKEN, render)

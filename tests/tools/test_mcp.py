"""MCP servers: real ones on 127.0.0.1, and ones that do not answer or speak another protocol."""

import subprocess
import sys
from typing import Any

import anyio
import pytest

from bargein.ports import ToolResult
from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.tools import mcp
from tests.tools.mcp_peer import Transport, mcp_peer
from tests.tools.tool_calls import call, tools
from tests.webhooks.sending import plan

pytestmark = pytest.mark.anyio


def tool(url: str, transport: Transport = "shttp", **server: Any) -> dict[str, Any]:
    metadata = {"metadata": {"protocol": "sse"}} if transport == "sse" else {}
    return {"type": "mcp", "server": {"url": url, **server}, **metadata}


@pytest.mark.parametrize("transport", ["shttp", "stateless", "sse"])
async def test_a_servers_tools_are_declared_and_called(transport: Transport) -> None:
    async with mcp_peer(transport) as peer, tools() as runner:
        declared = {one["function"]["name"]: one for one in await runner.expand(tool(peer.url, transport))}
        assert set(declared) == {"add", "shop_find_item", "session", "fail", "hang", "wait", "long"}
        function = declared["add"]["function"]
        assert function["description"] == "Add two numbers."
        assert function["parameters"]["properties"]["a"]["type"] == "integer"
        assert await runner.run(declared["add"], call("add", '{"a": 2, "b": 3}')) == ToolResult("5")
        found = await runner.run(declared["shop_find_item"], call("shop_find_item", '{"what": "tea"}'))
        assert found == ToolResult("found tea")
        failed = await runner.run(declared["fail"], call("fail"))
        assert failed.failed
        assert "out of stock" in failed.text
        wrong = await runner.run(declared["add"], call("add", '{"a": "x"}'))
        assert wrong.failed
        unknown = await runner.run(declared["add"], call("none_such"))
        assert unknown.failed


async def test_a_call_has_one_session_and_ends_it() -> None:
    async with mcp_peer() as peer:
        async with tools() as runner:
            declared = {one["function"]["name"]: one for one in await runner.expand(tool(peer.url))}
            for _ in range(2):
                assert (await runner.run(declared["session"], call("session"))).text == "counted"
        async with tools() as runner:
            await runner.run(tool(peer.url), call("session"))
    ids = [headers.get("mcp-session-id") for _, headers in peer.requests if headers.get("mcp-session-id")]
    # a server of the newest protocol keeps no sessions; a server that does keeps one for each call
    assert len(set(ids)) in (0, 2)
    assert len(peer.sessions) == 3


async def test_each_request_has_the_headers_with_their_templates_rendered() -> None:
    async with mcp_peer() as peer, tools(headers={"X-Call-Id": "c-1"}, key="s3") as runner:
        await runner.expand(tool(peer.url, headers={"Authorization": "Bearer {{ key }}"}))
        await runner.run(tool(peer.url, headers={"Authorization": "Bearer {{ key }}"}), call("add", '{"a":1,"b":1}'))
    assert len(peer.requests) > 2
    assert {(h.get("authorization"), h.get("x-call-id")) for _, h in peer.requests} == {("Bearer s3", "c-1")}


async def test_messages_of_single_tools_override_the_common_ones() -> None:
    common, own = [{"type": "request-start", "content": "Moment."}], [{"type": "request-start", "content": "Adding."}]
    async with mcp_peer() as peer, tools() as runner:
        asked = {
            **tool(peer.url),
            "messages": common,
            "toolMessages": [{"name": "add", "messages": own}, {"name": "fail", "messages": []}, {"name": "hang"}],
        }
        messages = {one["function"]["name"]: one["messages"] for one in await runner.expand(asked)}
    assert messages == {
        "add": own, "fail": [], "hang": common, "wait": common, "long": common, "session": common,
        "shop_find_item": common,
    }  # fmt: skip


async def test_two_servers_with_tools_of_one_name() -> None:
    async with mcp_peer() as one, mcp_peer("stateless") as other, tools() as runner:
        first, second = await runner.expand(tool(one.url)), await runner.expand(tool(other.url))
        names = [declared["function"]["name"] for declared in (*first, *second)]
        assert len(set(names)) == 14
        assert "add_2" in names
        again = await runner.expand(tool(one.url))
        assert [d["function"]["name"] for d in again] == [d["function"]["name"] for d in first]
        seen = len(other.requests)
        assert (await runner.run(second[0], call("add_2", '{"a": 1, "b": 1}'))).text == "2"
        assert len(other.requests) > seen


async def test_a_tool_that_hangs_is_given_up_and_the_next_one_works() -> None:
    async with mcp_peer() as peer, tools() as runner:
        asked = tool(peer.url, timeoutSeconds=1)
        with anyio.fail_after(5):
            result = await runner.run(asked, call("hang"))
        assert result.failed
        assert result.text in (
            "The MCP server did not answer within 1 seconds.",
            "The MCP server failed (MCPError).",
        )
        assert (await runner.run(asked, call("add", '{"a": 1, "b": 1}'))).text == "2"


async def test_a_long_result_is_a_failure() -> None:
    async with mcp_peer("stateless") as peer, tools() as runner:
        result = await runner.run(tool(peer.url), call("long", '{"chars": 300000}'))
        assert result.text == "The tool answered with 300000 characters; at most 100000 are read."
        with anyio.fail_after(10):
            result = await runner.run(tool(peer.url, timeoutSeconds=5), call("long", '{"chars": 5000000}'))
        assert result.failed
        assert (await runner.run(tool(peer.url), call("add", '{"a": 1, "b": 1}'))).text == "2"


async def test_a_restarted_server_is_reached_again() -> None:
    async with tools() as runner:
        async with mcp_peer() as peer:
            url = peer.url
            assert (await runner.run(tool(url), call("add", '{"a": 1, "b": 1}'))).text == "2"
        with anyio.fail_after(10):
            gone = await runner.run(tool(url, timeoutSeconds=2), call("add", '{"a": 1, "b": 1}'))
        assert gone.failed


async def test_a_server_that_does_not_answer_delays_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "LISTING_S", 0.2)

    async def never_answer(exchange: Exchange) -> None:
        await anyio.sleep_forever()

    async with HttpPeer(never_answer) as peer, tools() as runner:
        runner._mcp._listing_s = 0.2
        for transport in ("shttp", "sse"):
            with anyio.fail_after(3):
                assert await runner.expand(tool(peer.origin, transport)) == ()
        assert await runner.expand(tool("http://127.0.0.1:9/mcp")) == ()
        assert await runner.expand({"type": "mcp"}) == ()
        with anyio.fail_after(3):
            result = await runner.run(tool(peer.origin, timeoutSeconds=0.2), call("add"))
        assert result == ToolResult("The MCP server did not answer within 0.2 seconds.", failed=True)


@pytest.mark.parametrize("transport", ["shttp", "sse"])
@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"<html>Hello</html>", {"content_type": "text/html"}),
        (200, b"{}", {"content_type": "application/json"}),
        (500, b"oops", {}),
        (404, b"", {}),
        (307, b"", {"location": "http://169.254.169.254/mcp"}),
        (202, b"", {}),
        (200, b"x" * 5_000_000, {"content_type": "application/json"}),
        (200, b"data: " + b"x" * 5_000_000, {"content_type": "text/event-stream"}),
    ],
)
async def test_another_kind_of_server_is_a_failure_with_a_text(
    transport: Transport, status: int, body: bytes, headers: dict[str, str]
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(status, body, **headers)

    async with HttpPeer(answer) as peer, tools() as runner:
        with anyio.fail_after(10):
            assert await runner.expand(tool(peer.origin, transport, timeoutSeconds=1)) == ()
            result = await runner.run(tool(peer.origin, transport, timeoutSeconds=1), call("add"))
    assert result.failed
    assert result.text.startswith("The MCP server ")
    assert "127.0.0.1" not in result.text
    assert "169.254" not in result.text


async def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(mcp, "_load", missing)
    async with tools() as runner:
        assert await runner.expand(tool("http://127.0.0.1:9/")) == ()
        result = await runner.run(tool("http://127.0.0.1:9/"), call("add"))
    assert result.failed
    assert "pip install 'bargein[mcp]'" in result.text


async def test_without_a_url_nothing_is_sent() -> None:
    async with tools() as runner:
        result = await runner.run({"type": "mcp", "server": {}}, call("add"))
    assert result == ToolResult("Not run: the tool names no MCP server (server.url).", failed=True)


async def test_after_the_call_nothing_is_opened() -> None:
    async with mcp_peer() as peer, tools() as runner:
        runner.close()
        assert (await runner.run(tool(peer.url), call("add"))).text == "The call is over."
    assert peer.requests == []


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    heavy = "{'mcp', 'pypdf', 'docx'}"
    code = f"import sys, bargein.tools.runner; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


async def test_private_addresses_are_refused_by_setting() -> None:
    async with mcp_peer() as peer, tools(allow_private=False) as runner:
        assert await runner.expand(tool(peer.url)) == ()
        result = await runner.run(tool(peer.url), call("add"))
    assert result.failed
    assert "127.0.0.1" not in result.text
    assert peer.requests == []


async def test_a_credential_and_a_secret_authenticate_the_request() -> None:
    credentials = {"c": plan(type="bearer", token="t0p")}
    async with mcp_peer() as peer, tools(credentials=credentials) as runner:
        asked = tool(peer.url, credentialId="c", secret="s3")
        assert (await runner.run(asked, call("add", '{"a": 1, "b": 1}'))).text == "2"
        gone = await runner.run(tool(peer.url, credentialId="gone"), call("add"))
    assert gone.failed
    assert "credential" in gone.text
    assert {(h.get("authorization"), h.get("x-vapi-secret")) for _, h in peer.requests} == {("Bearer t0p", "s3")}

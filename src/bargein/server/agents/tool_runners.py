"""The tool room: what the tools of all calls share, and the tools of each call."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from bargein.call.plan.variables import Variables
from bargein.clock import Clock
from bargein.ports import Files, OwnerMessenger
from bargein.server.agents.egress import Egress
from bargein.tools.outbound import Outbound
from bargein.tools.runner import CallToolRunner, SharedToolResources, open_shared_tools
from bargein.webhooks.owner_channel import credentials_of
from bargein.wire.base import JsonObject


class ToolRunnerFactory:
    """Equips calls. `toolroom` opens it.

    Args:
        shop: what they share.
        clock: for the time that templates may name.
    """

    def __init__(self, shop: SharedToolResources, clock: Clock) -> None:
        self._shop = shop
        self._clock = clock

    def tools(
        self,
        call: JsonObject,
        assistant: JsonObject,
        line: OwnerMessenger,
        variables: Variables,
        headers: Mapping[str, str] | None = None,
    ) -> CallToolRunner:
        """What runs the tools of one call; to be closed when it is over.

        Args:
            call: its record.
            assistant: what it runs; its own credentials go before the stored ones.
            line: to the owner's servers.
            variables: what the templates of tools may name.
            headers: what MCP servers are told of a conversation that is no call.
        """

        def render(text: str, more: Mapping[str, object]) -> str:
            return variables.fill(text, self._clock.epoch_ms(), more)

        outbound = replace(self._shop.outbound, inline=credentials_of(assistant))
        return self._shop.tools(line, render, outbound, headers or {"X-Call-Id": str(call.get("id"))})


@asynccontextmanager
async def open_tool_runners(files: Files, egress: Egress, clock: Clock) -> AsyncGenerator[ToolRunnerFactory]:
    """Open the tool room of a server.

    Args:
        files: the uploaded ones.
        egress: the client for addresses that others name.
        clock: the one clock.
    """
    async with open_shared_tools(files, Outbound(egress.client, egress.authentication)) as shop:
        yield ToolRunnerFactory(shop, clock)

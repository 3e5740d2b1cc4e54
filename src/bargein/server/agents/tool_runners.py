"""Tool runners: the tools of each call or chat, on the resources that those of all of them share."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from bargein.call.plan.variables import Sees, Variables
from bargein.clock import Clock
from bargein.ports import Files, OwnerMessenger
from bargein.server.agents.egress import Egress
from bargein.tools.code import find_runtime
from bargein.tools.outbound import Outbound
from bargein.tools.runner import CallToolRunner, SharedToolResources, open_shared_tools
from bargein.webhooks.owner_channel import credentials_of
from bargein.wire.base import JsonObject, Template


class ToolRunnerFactory:
    """Makes the tool runners of calls and chats. `open_tool_runners` opens it.

    Args:
        shared: the resources that all tool runners share.
        clock: the time that templates may name.
    """

    def __init__(self, shared: SharedToolResources, clock: Clock) -> None:
        self._shared = shared
        self._clock = clock

    def tools(
        self,
        assistant_json: JsonObject,
        owner_channel: OwnerMessenger,
        variables: Variables,
        headers: Mapping[str, str],
        mocks: Mapping[str, str],
    ) -> CallToolRunner:
        """Return a runner for an assistant's tools. Close it when the call or chat is over.

        Args:
            assistant_json: the assistant; its own credentials have precedence over the stored ones.
            owner_channel: the channel to the owner's server, which runs function tools.
            variables: the variables that the templates of tools may name.
            headers: HTTP headers that tell MCP servers about the call or chat.
            mocks: results of tools that are not run, by the tools' names.
        """

        def render(text: Template, more: Mapping[str, object], sees: Sees = "all") -> str:
            return variables.render_strict(text, self._clock.epoch_ms(), more, sees)

        outbound = replace(self._shared.outbound, inline=credentials_of(assistant_json))
        return self._shared.runner(
            owner_channel,
            render,
            outbound,
            headers,
            mocks=mocks,
            render_as_owner=partial(render, sees="owner"),
            render_as_caller=partial(render, sees="callers"),
        )


@asynccontextmanager
async def open_tool_runners(
    files: Files, egress: Egress, clock: Clock, code_runtime: str | None = None
) -> AsyncGenerator[ToolRunnerFactory]:
    """Open the resources that a server's tool runners share.

    Args:
        files: the uploaded files, for knowledge bases.
        egress: sends requests to the addresses that tools name.
        clock: the time that templates may name.
        code_runtime: the program that runs tools of type code; None: they are off.
    """
    outbound = Outbound(egress.client, egress.authentication)
    async with open_shared_tools(files, outbound, find_runtime(code_runtime)) as shared:
        yield ToolRunnerFactory(shared, clock)

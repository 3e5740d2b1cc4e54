"""An owner's server for tests of an agent: it receives the server messages, and answers tools as the test says."""

from collections.abc import Callable
from typing import Any, Self

import anyio

from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, read_json


class Owner:
    """A server URL on 127.0.0.1, as an async context manager.

        owner.tool("book_table", {"table": 7})
        owner.tool("opening_hours", lambda day: f"On {day} we open at nine.")

    Attributes:
        problems: sentences about tools that were called and have no answer.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._tools: dict[str, object | Callable[..., object]] = {}
        self._answers: dict[str, JsonObject] = {}
        self._messages: list[JsonObject] = []
        self._changed = anyio.Event()
        self._peer = HttpPeer(self._answer, record=False)

    async def __aenter__(self) -> Self:
        await self._peer.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._peer.__aexit__(*exc_info)

    @property
    def url(self) -> str:
        """The URL, for `server.url`."""
        return f"{self._peer.origin}/server"

    @property
    def messages(self) -> list[JsonObject]:
        """Every message so far, in the order of arrival."""
        return list(self._messages)

    def tool(self, name: str, answer: object | Callable[..., object]) -> Self:
        """Set the result of a tool.

        Args:
            name: the tool.
            answer: JSON or text; or a function that gets the arguments as keywords and returns it. If the function
                raises, the model gets a failed result with the exception's text.
        """
        self._tools[name] = answer
        return self

    def answers(self, kind: str, body: JsonObject) -> Self:
        """Set the whole body that a message of another type gets as its answer (`assistant-request`, …)."""
        self._answers[kind] = body
        return self

    def of(self, kind: str) -> list[JsonObject]:
        """Return the messages of a type."""
        return [message for message in self._messages if message.get("type") == kind]

    async def wait_for(self, kind: str, *, within_s: float = 10.0) -> JsonObject:
        """Return the first message of a type, whether it has arrived already or not.

        Raises:
            TimeoutError: none arrived within the time; the text has the types that did.
        """
        with anyio.move_on_after(within_s):
            while not (found := self.of(kind)):
                await self._changed.wait()
            return found[0]
        types = ", ".join(dict.fromkeys(str(message.get("type")) for message in self._messages)) or "none"
        raise TimeoutError(f"the owner's server got no {kind} within {within_s:g} s; it got {types}")

    async def _answer(self, exchange: Exchange) -> None:
        message = as_object(as_object(exchange.body).get("message"))
        self._messages.append(message)
        self._changed.set()
        self._changed = anyio.Event()
        kind = str(message.get("type"))
        if kind == "tool-calls":
            calls = as_objects(message.get("toolCallList"))
            body: JsonObject = {"results": [self._run(call) for call in calls]}
        else:
            body = self._answers.get(kind, {})
        await exchange.respond_json(body)

    def _run(self, call: JsonObject) -> JsonObject:
        function = as_object(call.get("function"))
        name, result = str(function.get("name")), {"toolCallId": call.get("id")}
        if name not in self._tools:
            self.problems.append(f"the tool {name} was called, but the test has no answer: owner.tool({name!r}, …)")
            return {**result, "error": f"the test has no answer for {name}"}
        answer = self._tools[name]
        if not callable(answer):
            return {**result, "result": answer}
        run: Callable[..., Any] = answer
        try:
            return {**result, "result": run(**tool_arguments(function))}
        except Exception as error:  # noqa: BLE001  # the test's own function: its error is the tool's
            return {**result, "error": f"{type(error).__name__}: {error}"}


def tool_arguments(function: JsonObject) -> JsonObject:
    """Return a called function's arguments, which are an object or its JSON text."""
    arguments: object = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments)
        except ValueError:
            arguments = {}
    return as_object(arguments)

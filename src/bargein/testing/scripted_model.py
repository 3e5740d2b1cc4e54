"""A model for tests of an agent: it answers as the test says, turn by turn, and shows what it was asked."""

import json
from collections.abc import Sequence
from typing import Self

from bargein.testing.fake_llm import FakeLlm, LlmScript
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string

EXHAUSTED_STATUS = 500
"""HTTP status for a request that the script has no answer for."""


class ScriptedModel:
    """A model on 127.0.0.1 (OpenAI's streaming chat completions), as an async context manager.

    Each method that scripts an answer adds one for the next turn; they return the model, so that they can be chained:

        model.answers("We open at nine.").calls_tool("book_table", day="Monday").answers("It is booked.")

    A server may ask twice for the answer to one turn, if it began to answer before the caller had finished: the second
    request gets the same answer. A request without a scripted answer is refused and kept in `problems`.

    Attributes:
        problems: sentences about requests that the script has no answer for.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._script: list[LlmScript] = []
        self._turn = -1
        self._asked: tuple[int, int] | None = None
        self._llm = FakeLlm(self._next)

    async def __aenter__(self) -> Self:
        await self._llm.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._llm.__aexit__(*exc_info)

    @property
    def url(self) -> str:
        """The base URL, for `CustomLLMModel.url`."""
        return self._llm.url

    @property
    def requests(self) -> list[JsonObject]:
        """The bodies of the requests, in order: `messages` is the conversation, `tools` are the declared tools."""
        return [as_object(exchange.body) for exchange in self._llm.exchanges]

    def answers(self, *texts: str, every_ms: float = 0) -> Self:
        """Answer the next turns with these texts, one each.

        Args:
            texts: the answers.
            every_ms: time between two words; 0 sends all of them at once.
        """
        for text in texts:
            words = [f"{word} " for word in text.split()]
            self._script.append(LlmScript(tokens=words, interval_ms=every_ms))
        return self

    def streams(
        self, tokens: Sequence[str], *, every_ms: float = 50, first_ms: float = 0, forever: bool = False
    ) -> Self:
        """Answer the next turn with tokens in time.

        Args:
            tokens: pieces of the text, with their spaces.
            every_ms: time between two tokens.
            first_ms: time before the first one.
            forever: True to begin again at the end, until the answer is cut.
        """
        self._script.append(LlmScript(tokens=tokens, interval_ms=every_ms, first_token_ms=first_ms, repeat=forever))
        return self

    def calls_tool(self, name: str, /, says: str = "", **arguments: object) -> Self:
        """Answer the next turn with a call of a tool; its result is the model's next turn.

        Args:
            name: the tool.
            says: words before the call.
            arguments: the tool's arguments.
        """
        words = [f"{word} " for word in says.split()]
        self._script.append(LlmScript(tokens=words, calls=((name, json.dumps(arguments)),)))
        return self

    def fails(self, status: int = 500) -> Self:
        """Answer the next turn with an HTTP error."""
        self._script.append(LlmScript(status=status, error_code="scripted"))
        return self

    def hangs(self, text: str = "") -> Self:
        """Answer the next turn with these words, and then with nothing; the answer never ends."""
        words = [f"{word} " for word in text.split()]
        self._script.append(LlmScript(tokens=words, ending="hang"))
        return self

    def _next(self, body: dict[str, object]) -> LlmScript:
        messages = as_objects(body.get("messages"))
        roles = [str(message.get("role")) for message in messages]
        asked = (roles.count("user"), roles.count("tool"))
        if asked != self._asked:
            self._asked = asked
            self._turn += 1
        if self._turn < len(self._script):
            return self._script[self._turn]
        self.problems.append(
            f"the model was asked for answer {self._turn + 1}, but {_answers(len(self._script))} scripted;"
            f" the conversation ends with {_last(messages)}"
        )
        return LlmScript(status=EXHAUSTED_STATUS, error_code="script_exhausted")


def _answers(count: int) -> str:
    return {0: "none was", 1: "only 1 was"}.get(count, f"only {count} were")


def _last(messages: Sequence[JsonObject]) -> str:
    if not messages:
        return "nothing"
    role, content = str(messages[-1].get("role")), as_string(messages[-1].get("content")) or ""
    return f"{role}: “{content[:200]}”"

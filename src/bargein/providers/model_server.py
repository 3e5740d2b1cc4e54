"""The server of a model: its errors in words and the limits of time of its answers, for every protocol of models."""

import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import anyio
import httpx
from typing_extensions import override

from bargein.http_client import answer_problem, read_bounded
from bargein.ports import ChatMessage, Model, ProviderError, ToolCall
from bargein.providers.http import Endpoint, StreamError, json_object
from bargein.providers.vendor_errors import MAX_ERROR_BYTES, quote_of
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string

DEFAULT_TEMPERATURE = 0.5
DEFAULT_MAX_TOKENS = 250
"""Default of `model.maxTokens`, the longest reply."""

DEFAULT_TIMEOUT_S = 20.0
"""Default of `model.timeoutSeconds`."""

_LONGEST_ANSWER_S = 600.0
"""The longest time of one answer, however steadily its pieces come."""

_LONGEST_THOUGHT_S = 60.0
"""The longest time without a word of a model that shows that it thinks; a silent server has `timeout_s` alone."""

_WARM_UP_S = 5.0

_ERROR_BODY_S = 2.0
"""The wait for the body of an error."""

THINKING_TIMEOUT_S = 60.0
"""The longest wait for the first text of a model that was told to think, and shows nothing of it."""

DRAIN_S = 0.2
"""The wait for the end of the body after a finished answer, so that the connection can be used again."""

_END: Final = ""
"""Marks the end of an answer, whose pieces are never empty."""

_REASONS = {
    400: "400-bad-request-validation-failed",
    401: "401-unauthorized",
    402: "429-exceeded-quota",
    403: "403-model-access-denied",
    422: "400-bad-request-validation-failed",
    429: "429-exceeded-quota",
    500: "500-server-error",
    503: "503-server-overloaded-error",
    529: "503-server-overloaded-error",
}
"""The ends of Vapi's `pipeline-error-<provider>-…` reasons (`Call.endedReason`) by HTTP status. 402 is an empty balance
(DeepSeek, OpenRouter), 529 an overloaded server (Anthropic)."""

_SECONDS = re.compile(r"[0-9]{1,6}")
"""A `Retry-After` that is quoted; it may be a date, too."""

_SHORTEST_KEY_IN_PATH = 20
_PUBLIC_HEADERS = frozenset({"accept", "content-type", "anthropic-version"})
"""Headers without a key: their values may be quoted."""

_ABOUT_THE_KEY = re.compile(r"(?i)api[ _-]?key|credential|authenticat|security token|signature")
_ABOUT_THE_MODEL = re.compile(
    r"(?i)\b(no such|unknown|invalid|unsupported|wrong) model|model (identifier|id|name)|"
    r"model\b.{0,120}\b(not (found|exist|supported|available)|does ?n[o']t exist|is invalid)"
)


class Progress(Enum):
    """A piece of an answer that is no text: it shows that the model is at work."""

    THOUGHT = "thought"
    """The model thinks. It may do so for a limited time."""
    CALL = "call"
    """A piece of a tool call."""


Piece = str | ToolCall | Progress
"""A piece of an answer as a reader of a protocol yields it; its texts are never empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """A server of a model, and the words of its errors.

    Attributes:
        provider: the `provider` of the model, as the assistant and `Call.endedReason` name it.
        endpoint: the full URL of the requests, and the headers.
        timeout_s: the longest wait for the first piece of text, and between two pieces.
        reasons_by_code: ends of the reason for a status with a certain code in the body.
        key_setting: what to change when the key is refused; empty: there is none to change.
        url_setting: what to change when the server cannot be reached or is another one; empty: nothing.
        tokens_setting: what to change when thoughts use up the limit of tokens.
        secrets: beside those in the endpoint's headers and URL, what no quote may hold.
    """

    provider: str
    endpoint: Endpoint
    timeout_s: float = DEFAULT_TIMEOUT_S
    reasons_by_code: Mapping[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    key_setting: str = ""
    url_setting: str = ""
    tokens_setting: str = "model.maxTokens"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def failure(
        self, problem: str, *, status: int = 0, code: str = "", setting: str = "", quote: str = ""
    ) -> ProviderError:
        """Return the error for a request without a usable answer.

        Args:
            problem: what happened, after the name of the model and its server.
            status: the HTTP status, or the one that an event names; 0: none.
            code: the vendor's code for it.
            setting: what to change.
            quote: the vendor's own words (`quote`).
        """
        reason = self.reasons_by_code.get((status, code)) or _REASONS.get(status, "llm-failed")
        return ProviderError(
            f"the model {self.provider} at {self.endpoint.name} {problem}",
            ended_reason=f"pipeline-error-{self.provider}-{reason}",
            provider=self.provider,
            setting=setting,
            quote=quote,
        )

    def quote(self, body: bytes | str) -> str:
        """Return the vendor's own words in an error, without secrets."""
        return quote_of(body, (*self.secrets, *_secrets_of(self.endpoint)))

    def reported(self, status: int, code: str, body: bytes | str, *, problem: str = "") -> ProviderError:
        """Return the error that the server reports, with what to change.

        Args:
            status: the HTTP status, or the one that an event names; 0: none.
            code: the vendor's code for it.
            body: the body or the event, for the quote.
            problem: what happened; by default, that it answered with the status, or reported an error.
        """
        quote = self.quote(body)
        problem = problem or (f"answered {status}" if status else "reported an error")
        return self.failure(problem, status=status, code=code, setting=self._setting(status, quote), quote=quote)

    def _setting(self, status: int, quote: str) -> str:
        if status in {401, 403} or (status == 400 and _ABOUT_THE_KEY.search(quote)):
            return self.key_setting
        if status == 404:
            return f"model.model, or {self.url_setting}" if self.url_setting else "model.model"
        if _ABOUT_THE_MODEL.search(quote):
            return "model.model"
        if status in {402, 429}:
            return f"the limits and the balance of the account at {self.provider}"
        return self.url_setting if 300 <= status < 400 else ""


def _secrets_of(server: Endpoint) -> tuple[str, ...]:
    """Return what may be a key in the headers and the URL of an endpoint."""
    given = [value for name, value in server.headers.items() if name.lower() not in _PUBLIC_HEADERS]
    values = [word for value in given for word in value.split() if word.lower() != "bearer"]
    path = [part for part in server.url.path.split("/") if len(part) >= _SHORTEST_KEY_IN_PATH]
    return (*values, *path, *(value for _, value in server.url.params.multi_items()))


@asynccontextmanager
async def open_answer(
    client: httpx.AsyncClient, server: ModelServer, request: httpx.Request
) -> AsyncGenerator[httpx.Response]:
    """Send a request and give its answer, whose body has not been read; leaving the block closes the connection.

    A connection whose body was read to its end serves the next request; any other is closed, which stops the model's
    work.

    Raises:
        ProviderError: the server answered with another status than 200.
    """
    response = await client.send(request, stream=True)
    try:
        if response.status_code != 200:
            raise await _refusal(server, response)
        yield response
    finally:
        await response.aclose()


async def _refusal(server: ModelServer, response: httpx.Response) -> ProviderError:
    status = response.status_code
    body = b""
    with anyio.move_on_after(_ERROR_BODY_S):  # the status says enough
        with suppress(httpx.HTTPError):
            body = await read_bounded(response, MAX_ERROR_BYTES) or b""
    after = response.headers.get("retry-after", "")
    problem = f"answered {status}"
    if status in {429, 503, 529} and _SECONDS.fullmatch(after):
        problem += f" and asks to wait {int(after)} s (Retry-After)"
    return server.reported(status, error_code(body), body, problem=problem)


def error_code(body: bytes) -> str:
    """Return the code of a vendor's error: `code`, `status` or `type` of its `error`, or of the body."""
    try:
        found = json_object(body)
    except StreamError:
        return ""
    error = as_object(found.get("error")) or found
    return next((code for name in ("code", "status", "type") if (code := as_string(error.get(name)))), "")


async def paced(server: ModelServer, pieces: AsyncGenerator[Piece]) -> AsyncGenerator[str | ToolCall]:
    """Yield the texts and tool calls among the pieces of an answer, within limits of time.

    `server.timeout_s` runs until the first text and again between two pieces. Only text, thoughts and the pieces of
    tool calls count, so that a server that sends comments or empty pieces does not leave a caller in silence; thoughts
    count for `_LONGEST_THOUGHT_S`. The whole answer has a limit, too. Closing this generator closes `pieces`.

    Raises:
        ProviderError: the server cannot be reached, falls silent, or sends something else than its protocol says.
    """
    now_s = anyio.current_time()
    ends_s, spoke_s, thinking = now_s + _LONGEST_ANSWER_S, now_s, False
    async with aclosing(pieces):
        while True:
            until_s = min(anyio.current_time() + server.timeout_s, ends_s)
            if thinking:
                until_s = min(until_s, spoke_s + max(_LONGEST_THOUGHT_S, server.timeout_s))
            try:
                with anyio.fail_after(until_s - anyio.current_time()):
                    piece = await anext(pieces, _END)
            except TimeoutError:
                raise _too_late(server, over=until_s == ends_s, thinking=thinking) from None
            except httpx.HTTPError as error:
                problem = answer_problem(error) or f"could not be reached or broke off ({type(error).__name__})"
                raise server.failure(problem, setting=server.url_setting) from error
            except StreamError as error:
                raise server.failure(f"sent an unreadable answer: {error}") from error
            if piece == _END:
                return
            thinking = piece is Progress.THOUGHT
            if not thinking:
                spoke_s = anyio.current_time()
            if not isinstance(piece, Progress):
                yield piece


def _too_late(server: ModelServer, *, over: bool, thinking: bool) -> ProviderError:
    if over:
        return server.failure(f"has not ended its answer after {_LONGEST_ANSWER_S:g} s")
    if thinking:
        return server.failure("thought for too long before it said anything", setting=server.tokens_setting)
    return server.failure(f"sent no text for {server.timeout_s:g} s", setting=server.url_setting)


async def drain(events: AsyncIterator[object]) -> None:
    """Read what follows a complete answer for a moment, so that its connection can be used again."""
    with anyio.move_on_after(DRAIN_S):
        try:
            async for _ in events:
                pass
        except (httpx.HTTPError, StreamError, ProviderError):
            return  # the answer is complete: an error after it only costs the connection


def out_of_tokens(server: ModelServer, *, thought: bool) -> ProviderError:
    """Return the error for a reply without a word because its limit of tokens was used up."""
    used = "thinking" if thought else "nothing that can be said"
    return server.failure(
        f"used up its limit of tokens with {used}, before its first word", setting=server.tokens_setting
    )


class WarmConnection:
    """A connection to a vendor that is open before it is needed.

    A reply that was cut closes its connection, and opening one with TLS takes two round trips or more: a new one is
    opened as soon as that happens. The request for it costs nothing: HEAD of a list of models.

    Args:
        client: the client that replies are requested with.
        url: what is requested.
        headers: of the requests; they may hold the key.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, headers: httpx.Headers) -> None:
        self._client = client
        self._url = url
        self._headers = headers
        self._lost = anyio.Event()

    def lose(self) -> None:
        """Say that a connection was closed."""
        self._lost.set()

    async def run(self) -> None:
        """Open a connection, and another one each time that one was closed, until cancelled.

        Errors are ignored: a reply opens its connection itself, and fails then.
        """
        while True:
            self._lost = anyio.Event()
            with anyio.move_on_after(_WARM_UP_S):
                await self._open()
            await self._lost.wait()

    async def _open(self) -> None:
        try:
            await self._client.head(self._url, headers=self._headers)
        except httpx.HTTPError:
            return


async def watched(
    pieces: AsyncGenerator[str | ToolCall], connection: WarmConnection | None
) -> AsyncIterator[str | ToolCall]:
    """Yield the pieces of an answer; if it is closed before its end, say so to the connection's keeper."""
    complete = False
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
        complete = True
    finally:
        if connection is not None and not complete:
            connection.lose()


class StreamedModel(Model):
    """A model whose answers are streamed by a protocol of its vendor's own. A subclass says how (`pieces`).

    Args:
        server: the server, for the limits of time and the words of errors.
        client: shared by all calls and closed by its owner.
        connection: keeps a connection ready during a call.
    """

    def __init__(self, server: ModelServer, client: httpx.AsyncClient, connection: WarmConnection) -> None:
        self._server = server
        self._client = client
        self._connection = connection

    @abstractmethod
    def pieces(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject]) -> AsyncGenerator[Piece]:
        """Request an answer and yield its pieces.

        Raises:
            ProviderError: there is no usable answer.
            StreamError: it is not what the protocol says.
            httpx.HTTPError: the server cannot be reached, or the answer breaks off.
        """

    @override
    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        return watched(paced(self._server, self.pieces(messages, tools)), self._connection)

    @override
    async def run(self) -> None:
        await self._connection.run()

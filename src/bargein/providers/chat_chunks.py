"""The events of a stream of chat completions, with what compatible servers do differently from OpenAI."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

import httpx

from bargein.http_client import read_bounded
from bargein.ports import ProviderError, ToolCall
from bargein.ports.usage import report_usage
from bargein.providers.chat_tools import CallCollector
from bargein.providers.http import MAX_LINE_BYTES, StreamError, json_object, required_object, sse_data
from bargein.providers.model_server import ModelServer, Progress, out_of_tokens
from bargein.providers.thoughts import ThoughtFilter
from bargein.wire.base import JsonObject
from bargein.wire.json import TextJoiner, as_list_or_none, as_object, as_object_or_none, as_objects, as_string, repaired

_THOUGHT_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Fields of a delta with thoughts: DeepSeek, xAI, vLLM; Groq, OpenRouter, Cerebras, Ollama; MiniMax."""

_CALLS = "tool_calls"
_OUT_OF_TOKENS = frozenset({"length", "max_tokens", "model_length"})
_ERROR_STATUSES = range(400, 600)
_MOST_STATE_CHARS = 128 * 1024


async def answer_events(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Yield the events of an answer; a server that ignores `stream` sends one: its whole answer as JSON.

    Raises:
        StreamError: it is neither.
        httpx.HTTPError: it breaks off.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        async for event in sse_data(response.aiter_bytes()):
            yield event
        return
    body = await read_bounded(response, MAX_LINE_BYTES)
    if body is None:
        raise StreamError("it is too long")
    yield body


class ChunkReader:
    """Reads the events of one answer.

    Args:
        server: for the words of errors.
        statuses_by_code: the HTTP statuses that codes of the vendor's own mean, for servers that report every error
            with status 200.
        state_owner: the name under which the calls keep what the server wants back; empty: nothing.
        returned_fields: fields of the answer with its thoughts that the server wants back with its tool calls.

    Attributes:
        finished: whether the answer has ended as its protocol says.
        spoke: whether it had any text.
        thought: whether it had any thought.
        calls: the tool calls.
    """

    def __init__(
        self,
        server: ModelServer,
        statuses_by_code: Mapping[int, int],
        state_owner: str = "",
        returned_fields: Sequence[str] = (),
    ) -> None:
        self.finished = self.spoke = self.thought = False
        self.calls = CallCollector()
        self._server = server
        self._statuses_by_code = statuses_by_code
        self._state_owner = state_owner
        self._returned_fields = returned_fields
        self._reason = ""
        self._joiner = TextJoiner()
        self._thoughts = ThoughtFilter()
        self._state: JsonObject = {}
        self._state_chars = 0

    def push(self, event: bytes) -> str | Progress | None:
        """Read one event; return its text, or the kind of progress that it shows, if any.

        Raises:
            ProviderError: it reports an error.
            StreamError: it is no chunk of a chat completion.
        """
        if event.strip() == b"[DONE]":
            self.finished = True
            return None
        chunk = json_object(event, pieces=True)
        if (error := self._error_in(chunk)) is not None:
            raise error
        choices = as_list_or_none(chunk.get("choices"))
        if choices is None:
            raise StreamError("an event is not a chunk of a chat completion")
        _report_usage(chunk)
        if not choices:
            return None  # the usage, or a content filter's report
        choice = required_object(choices[0])
        # a few servers send the whole answer so far as `message` beside each delta; others have it instead of deltas
        delta = required_object(choice.get("delta") or choice.get("message") or {})
        reason = choice.get("finish_reason")
        if reason is not None and reason != "":
            self._reason = self._reason or as_string(reason) or ""
            self.finished = True
        return self._read_delta(delta)

    def push_late(self, event: bytes) -> None:
        """Read an event after the end of the answer, which may have its usage.

        Raises:
            StreamError: it is no JSON.
        """
        if event.strip() != b"[DONE]":
            _report_usage(json_object(event, pieces=True))

    def end(self) -> str:
        """Return the text that was kept back until the end of the answer."""
        rest = self._thoughts.push(self._joiner.flush()) + self._thoughts.flush()
        self.spoke = self.spoke or bool(rest.strip())
        return rest

    def complete_calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls of the answer."""
        return self.calls.complete(self._state_owner, as_object(repaired(self._state)))

    def silence_problem(self) -> ProviderError | None:
        """Return the error of an answer without a word and without a call; None: the model had nothing to say."""
        if self._reason in _OUT_OF_TOKENS:
            return out_of_tokens(self._server, thought=self.thought or self._thoughts.thought)
        if self._reason == "content_filter":
            return self._server.failure("gave no answer: its content filter stopped it")
        if self._reason == "error":
            return self._server.failure("ended its answer with an error")
        return None

    def _read_delta(self, delta: dict[str, object]) -> str | Progress | None:
        content, thought = _text_of(delta.get("content") or delta.get("refusal") or "")
        text = self._thoughts.push(self._joiner.push(content)) if content else ""
        for name in _THOUGHT_FIELDS:
            if found := delta.get(name):
                thought = True
                if name in self._returned_fields:
                    self._keep(name, found)
        calls: object = delta.get(_CALLS) or ()
        if not calls and delta.get("function_call"):
            calls = [{"index": 0, "function": delta["function_call"]}]  # OpenAI's older form
        called = self.calls.push(calls)
        self.thought = self.thought or thought
        self.spoke = self.spoke or bool(text.strip())
        if text:
            return text
        if called:
            return Progress.CALL
        return Progress.THOUGHT if thought or (content and self._thoughts.thinking) else None

    def _keep(self, name: str, found: object) -> None:
        """Keep a piece of a field that the server wants back; texts are joined, and entries of one index."""
        self._state_chars += len(str(found))
        if self._state_chars > _MOST_STATE_CHARS:
            self._state = {}
        elif isinstance(found, str):
            self._state[name] = str(self._state.get(name, "")) + found
        else:
            kept: list[JsonObject] = self._state.setdefault(name, [])
            for entry in as_objects(found):
                _add_entry(kept, entry)

    def _error_in(self, chunk: dict[str, object]) -> ProviderError | None:
        part: object = chunk.get("error") or _error_beside(chunk)
        if part is None:
            return None
        said = as_object(part)
        numbers = (said.get("status_code"), said.get("code"), said.get("status"), chunk.get("status_code"))
        status = next((found for number in numbers if (found := self._status(number))), 0)
        code = as_string(said.get("code")) or as_string(said.get("type")) or ""
        return self._server.reported(status, code, json.dumps(part), problem="reported an error")

    def _status(self, number: object) -> int:
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 4:
            number = int(number)
        if not isinstance(number, int):
            return 0
        number = self._statuses_by_code.get(number, number)
        return number if number in _ERROR_STATUSES else 0


def _report_usage(chunk: Mapping[str, object]) -> None:
    """Report the tokens of an answer, if a chunk has them: a few servers send them with each chunk, and so far."""
    usage = as_object_or_none(chunk.get("usage")) or as_object_or_none(as_object(chunk.get("x_groq")).get("usage"))
    if usage is not None:
        cached = as_object(usage.get("prompt_tokens_details")).get("cached_tokens")
        report_usage(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)


def _error_beside(chunk: dict[str, object]) -> object:
    """Return the error of a chunk that has it elsewhere than in `error`; None: it reports none."""
    base = as_object(chunk.get("base_resp"))  # MiniMax: the status of every answer
    if base.get("status_code"):
        return base
    if chunk.get("choices"):
        return None
    if not isinstance(chunk.get("choices"), list) and (chunk.get("message") or chunk.get("detail")):
        return chunk
    # Groq: {"choices": [], "x_groq": {"error": …}}
    beside = (as_object(value) for name, value in chunk.items() if name.startswith("x_"))
    return next((error for value in beside if (error := value.get("error"))), None)


def _text_of(content: object) -> tuple[str, bool]:
    """Return the text of a delta, and whether it holds a thought.

    Mistral's reasoning models send a list of parts: `{"type": "text", "text": …}`, and thoughts of another type.
    """
    if isinstance(content, str):
        return content, False
    parts = as_list_or_none(content)
    if parts is None or not all(isinstance(part, dict) for part in parts):
        raise StreamError("an event's content is not text")
    texts, thought = "", False
    for part in as_objects(parts):
        kind, text = part.get("type"), part.get("text")
        if kind in {"text", "output_text"} and isinstance(text, str):
            texts += text
        else:
            thought = True
    return texts, thought


def _add_entry(kept: list[JsonObject], entry: JsonObject) -> None:
    """Add a piece of `reasoning_details`: the texts of pieces with the same index and type are joined."""
    last = kept[-1] if kept else None
    same = last is not None and "index" in entry and all(last.get(n) == entry.get(n) for n in ("index", "type"))
    if last is None or not same:
        kept.append(dict(entry))
        return
    for name, value in entry.items():
        joined = name in {"text", "summary", "data"} and isinstance(value, str) and isinstance(last.get(name), str)
        last[name] = last[name] + value if joined else value

"""The events of an answer of Anthropic's Messages API, by server-sent events or by Bedrock's event stream."""

import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bargein.ports import ProviderError, ToolCall
from bargein.ports.usage import report_usage
from bargein.providers.anthropic.messages import STATE, input_text
from bargein.providers.chat_tools import MOST_ARGUMENT_CHARS, MOST_CALLS, new_call_id
from bargein.providers.http import StreamError, json_object
from bargein.providers.model_server import ModelServer, Progress, out_of_tokens
from bargein.providers.thoughts import ThoughtFilter
from bargein.providers.vendor_state import MOST_CHARS, state_text
from bargein.wire.base import JsonObject
from bargein.wire.json import TextJoiner, as_object, as_string, repair_text, repaired

_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
"""The HTTP status of each type of error, which an event names instead (Anthropic's page on errors)."""


@dataclass(slots=True)
class _Block:
    kind: Literal["tool_use", "thinking", "redacted_thinking", "text", "other"]
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    thinking: dict[str, Any] = field(default_factory=dict[str, Any])


class MessageReader:
    """Reads the events of one answer.

    Args:
        server: for the words of errors.

    Attributes:
        finished: whether the answer is complete.
        spoke: whether it had any text.
        thought: whether it had any thinking.
    """

    def __init__(self, server: ModelServer) -> None:
        self.finished = self.spoke = self.thought = False
        self._server = server
        self._blocks: dict[int, _Block] = {}
        self._reason = ""
        self._joiner = TextJoiner()
        self._thoughts = ThoughtFilter()
        self._chars = 0
        self._usage: dict[str, int] = {}
        self._thinks_silently = False

    def push(self, event: bytes) -> str | Progress | None:
        """Read one event; return its text, or the kind of progress that it shows, if any.

        Raises:
            ProviderError: it reports an error.
            StreamError: it is no event of an answer.
        """
        data = json_object(event, pieces=True)
        match data.get("type"):
            case "content_block_start":
                return self._start(data)
            case "content_block_delta":
                return self._delta(data)
            case "message_start":
                self._count(as_object(as_object(data.get("message")).get("usage")))
            case "message_delta":
                self._count(as_object(data.get("usage")))
                self._reason = as_string(as_object(data.get("delta")).get("stop_reason")) or self._reason
            case "message_stop":
                self.finished = True
            case "ping":
                # Claude may think without showing it; between the other parts of an answer a ping is no progress
                return Progress.THOUGHT if self._thinks_silently else None
            case "error":
                raise self.error(as_object(data.get("error")))
            case str():
                pass  # the begin and the end of parts, and types that were added later: the API asks to skip them
            case _:
                raise StreamError("an event has no type")
        return None

    def _count(self, usage: JsonObject) -> None:
        """Report the tokens so far: the request's come with the first event, the answer's with the last."""
        self._usage |= {name: count for name, count in usage.items() if isinstance(count, int)}
        cached = self._usage.get("cache_read_input_tokens", 0)
        prompt = self._usage.get("input_tokens", 0) + cached + self._usage.get("cache_creation_input_tokens", 0)
        report_usage(prompt, self._usage.get("output_tokens", 0), cached)

    def error(self, error: dict[str, Any]) -> ProviderError:
        """Return the error that an event reports."""
        kind = as_string(error.get("type")) or ""
        return self._server.reported(_STATUSES.get(kind, 0), kind, json.dumps(error), problem="reported an error")

    def end(self) -> str:
        """Return the text that was kept back until the end of the answer."""
        rest = self._thoughts.push(self._joiner.flush()) + self._thoughts.flush()
        self.spoke = self.spoke or bool(rest.strip())
        return rest

    def calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls of the answer; the first one carries the thinking before them."""
        blocks = [block for _, block in sorted(self._blocks.items())]
        thinking = [
            b.thinking for b in blocks if b.thinking and (b.thinking.get("signature") or b.thinking.get("data"))
        ]
        state = state_text(STATE, repaired(thinking))
        found: list[ToolCall] = []
        for block in blocks:
            if block.kind == "tool_use" and block.name:
                arguments = repair_text(input_text(block.pieces))
                call_id = repair_text(block.id) or new_call_id()
                found.append(ToolCall(call_id, repair_text(block.name), arguments, "" if found else state))
        return tuple(found)

    def silence_problem(self) -> ProviderError | None:
        """Return the error of an answer without a word and without a call; None: Claude had nothing to say."""
        match self._reason:
            case "max_tokens" | "model_context_window_exceeded":
                return out_of_tokens(self._server, thought=self.thought or self._thoughts.thought)
            case "refusal":
                return self._server.failure("refused to answer (stop_reason refusal)")
            case _:
                return None

    def _start(self, data: dict[str, object]) -> str | Progress | None:
        index, given = data.get("index"), as_object(data.get("content_block"))
        if not isinstance(index, int):
            raise StreamError("a part of its answer has no index")
        if len(self._blocks) > 2 * MOST_CALLS:
            raise StreamError("its answer has too many parts")
        self._thinks_silently = given.get("type") in {"thinking", "redacted_thinking"}
        match given.get("type"):
            case "tool_use":
                block = _Block("tool_use", as_string(given.get("id")) or "", as_string(given.get("name")) or "")
                if whole := as_object(given.get("input")):
                    block.pieces.append(json.dumps(whole, ensure_ascii=False))
                self._blocks[index] = block
                return Progress.CALL
            case "thinking" | "redacted_thinking" as kind:
                self.thought = True
                self._blocks[index] = _Block(kind, thinking=dict(given))
                return Progress.THOUGHT
            case "text":
                self._blocks[index] = _Block("text")
                return self._speak(as_string(given.get("text")) or "")
            case _:
                self._blocks[index] = _Block("other")
                return Progress.CALL

    def _delta(self, data: dict[str, object]) -> str | Progress | None:
        index, delta = data.get("index"), as_object(data.get("delta"))
        block = self._blocks.get(index) if isinstance(index, int) else None
        if block is None:
            raise StreamError("a piece belongs to no part of its answer")
        text = next(
            (t for n in ("text", "partial_json", "thinking", "signature") if (t := as_string(delta.get(n)))), ""
        )
        match delta.get("type"):
            case "text_delta":
                return self._speak(text)
            case "input_json_delta":
                self._chars += len(text)
                if self._chars > MOST_ARGUMENT_CHARS:
                    raise StreamError("the arguments of its tool calls are too long")
                block.pieces.append(text)
                return Progress.CALL
            case "thinking_delta" | "signature_delta" as kind:
                name = "thinking" if kind == "thinking_delta" else "signature"
                if len(kept := str(block.thinking.get(name) or "")) < MOST_CHARS:
                    block.thinking[name] = kept + text
                return Progress.THOUGHT
            case _:
                return None

    def _speak(self, piece: str) -> str | Progress | None:
        text = self._thoughts.push(self._joiner.push(piece))
        self.spoke = self.spoke or bool(text.strip())
        return text or (Progress.THOUGHT if self._thoughts.thinking else None)

"""Input of any peer is read in time linear in its size, and within a bound at the largest size that is accepted.

A parser is one line of `PARSERS`. Processor time is measured, not the time that passes, so that other work of the
machine does not matter; the best of several runs counts.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import anyio
import pytest

from bargein.call.plan.liquid import Budget, render_template
from bargein.call.plan.voice_text import FormatPlan, VoiceTextPlan
from bargein.call.record.history import as_openai, history_messages, model_messages, transcript_of
from bargein.call.speaking.formatter import Formatter
from bargein.call.speaking.sentences import Chunks, Sentences
from bargein.carriers.sip.codec import SipCodec
from bargein.carriers.sip.uris import display_name, read_uri
from bargein.carriers.telnyx.codec import TelnyxCodec
from bargein.carriers.twilio.codec import TwilioCodec
from bargein.carriers.vonage.codec import VonageCodec
from bargein.patterns import PatternError, compile_javascript
from bargein.providers.chat_tools import CallCollector
from bargein.providers.custom.stt import _read_response
from bargein.providers.custom.tts_frames import json_chunks
from bargein.providers.http import StreamError, lines, sse_data
from bargein.server.api.bodies import parse_json
from bargein.tools.extraction import extracted
from bargein.tools.passages import split, words
from bargein.tools.templates import Templates, markup_spans
from bargein.turns import Plan, State, step
from bargein.turns.commands import Remember
from bargein.turns.endpointing.wait_function import WaitFunctionError, compile_expression
from bargein.turns.events import (
    CallStarted,
    Played,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    Tick,
    TranscriptReceived,
)
from bargein.turns.phrases import count_words, normalise
from bargein.wire import contract
from bargein.wire.client_controls import parse_client_control
from bargein.wire.errors import WireError
from bargein.wire.json import read_json, repair_text
from bargein.wire.redact import without_secrets

SMALL = 20_000
GROWTH = 4
MOST_GROWTH = 8
"""Linear work grows fourfold, quadratic work sixteenfold."""
UNMEASURABLE_S = 0.004
"""Less than this for the large size is fast enough, whatever the small one took."""
MOST_S = 3.0
"""A bound for the large size, far above what any of these take: it fails if both sizes are slow."""


class Parser(NamedTuple):
    """A reader of what others send.

    Attributes:
        make: makes an input of about so many characters.
        read: reads it; an error of the parser counts as an answer.
    """

    make: Callable[[int], Any]
    read: Callable[[Any], object]


def drained(source: Callable[[AsyncIterator[bytes]], AsyncIterator[object]], chunks: Iterable[bytes]) -> None:
    """Read a stream to its end."""

    async def feed() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def read() -> None:
        async for _ in source(feed()):
            pass

    anyio.run(read)


def sentences(pieces: Iterable[str]) -> None:
    splitter = Sentences()
    for piece in pieces:
        splitter.push(piece)
    splitter.flush()


def chunks(pieces: Iterable[str]) -> None:
    splitter = Chunks(VoiceTextPlan())
    for piece in pieces:
        splitter.push(piece)
    splitter.end()


def events(given: list[Any]) -> None:
    """Step the engine through events."""
    state, _ = step(State(call_id="call"), CallStarted(0), PLAN)
    for event in given:
        state, _ = step(state, event, PLAN)


PLAN = Plan(first_message_mode="assistant-waits-for-user", silence_timeout_ms=10**9, max_duration_ms=10**9)


def speak(count: int) -> None:
    """Step the engine through a reply of so many words that is spoken while its model still writes."""
    state, _ = step(State(call_id="call"), CallStarted(0), PLAN)
    state, _ = step(state, TranscriptReceived(10, f"Tell me a story, {count}.", final=True), PLAN)
    state, _ = step(state, Tick(5000), PLAN)
    assert state.reply is not None
    turn = state.reply.turn_id
    for number in range(count):
        at_ms = 5000 + number * 100
        segment, place = divmod(number, 10)
        state, _ = step(state, ReplyToken(at_ms, turn, "word "), PLAN)
        if place == 9:
            state, _ = step(state, SpeechRequested(at_ms, turn, segment, segment * 50, "word " * 10), PLAN)
            state, _ = step(state, SpeechQueued(at_ms, turn, segment, 1000, (), done=True), PLAN)
        state, _ = step(state, Played(at_ms, turn, number * 90), PLAN)
    assert state.reply is not None
    assert state.reply.words_reported > count * 0.8


def history(size: int) -> tuple[Remember, ...]:
    roles = ("user", "assistant")
    return tuple(Remember(roles[n % 2], "hello there", n, n + 1) for n in range(size // 11))  # type: ignore[arg-type]


def tool_pieces(size: int) -> list[Any]:
    first = {"index": 0, "function": {"name": "f", "arguments": '{"a":"}'}}
    return [[first], *([[{"index": 0, "function": {"arguments": "}"}}]] * size)]


def collected(pieces: list[Any]) -> None:
    calls = CallCollector()
    for piece in pieces:
        calls.push(piece)
    calls.complete()


def frame_of(size: int) -> str:
    return json.dumps({"event": "media", "media": {"payload": "A" * size}, "extra": ["x"] * (size // 10)})


def extraction(template: str) -> object:
    plan = {"variableExtractionPlan": {"aliases": [{"key": "a", "value": template}]}}
    return extracted(plan, {}, {}, Templates(lambda text, _: text))


def rendered(template: str) -> str:
    return render_template(template, {"a": 1}, datetime(2024, 1, 1, tzinfo=UTC), Budget(10_000_000))


PARSERS: dict[str, Parser] = {
    "a reply without the end of a sentence": Parser(lambda n: ["word " * (n // 5)], sentences),
    "a reply of marks": Parser(lambda n: ["." * n], sentences),
    "a reply of abbreviations": Parser(lambda n: ["e.g. " * (n // 5)], sentences),
    "a reply of letters, one by one": Parser(lambda n: "a" * n, sentences),
    "a reply of marks, one by one": Parser(lambda n: "?" * n, sentences),
    "a reply of flush tags": Parser(lambda n: ["a<flush />"] * (n // 10), chunks),
    "a reply of flush tags, one by one": Parser(lambda n: "<flush>" * (n // 7), chunks),
    "the beginning of a flush tag": Parser(lambda n: "<" + " " * n, chunks),
    "a text for the voice": Parser(
        lambda n: "On 2023-05-10 **pay** $42.50 to a_b@c.de :-) \U0001f600 now. " * (n // 60),
        Formatter(FormatPlan()).format,
    ),
    "a stream without the end of a line": Parser(lambda n: [b"a"] * n, lambda c: drained(lines, c)),
    "a stream of line ends": Parser(lambda n: [b"\r\n" * n], lambda c: drained(lines, c)),
    "an event of many lines": Parser(lambda n: [b"data: a\n"] * (n // 8), lambda c: drained(sse_data, c)),
    "frames of a voice": Parser(
        lambda n: [b'{"audio":"AAAA","words":[{"word":"a","startMs":1,"endMs":2}]}'] * (n // 60),
        lambda c: drained(lambda chunks: json_chunks(chunks, "a " * 1000, 16_000), c),
    ),
    "one frame with many words": Parser(
        lambda n: [json.dumps({"words": [{"word": "a", "startMs": 1, "endMs": 2}] * (n // 40)}).encode()],
        lambda c: drained(lambda chunks: json_chunks(chunks, "a " * 100, 16_000), c),
    ),
    "a transcript": Parser(
        lambda n: json.dumps({"type": "transcriber-response", "transcription": "a " * n, "channel": "customer"}),
        _read_response,
    ),
    "the pieces of a tool call": Parser(lambda n: tool_pieces(n // 4), collected),
    "tool calls that are whole": Parser(
        lambda n: [[{"function": {"name": "f", "arguments": '{"a":"}'}}]] * (n // 40), collected
    ),
    "deep JSON": Parser(lambda n: "[" * n, read_json),
    "deep JSON objects": Parser(lambda n: '{"a":' * (n // 5), read_json),
    "a huge integer": Parser(lambda n: "9" * n, read_json),
    "huge integers": Parser(lambda n: "[" + "9" * 250 + (",1" + "0" * 250) * (n // 250) + "]", read_json),
    "JSON of escapes": Parser(lambda n: '"' + r"\ud83d" * (n // 6) + '"', read_json),
    "a body of brackets": Parser(lambda n: "[" * n, parse_json),
    "a body of pairs": Parser(lambda n: json.dumps({str(i): [i] for i in range(n // 15)}), parse_json),
    "lone surrogates": Parser(lambda n: "\ud800" * n, repair_text),
    "words": Parser(lambda n: "a'" * (n // 2), count_words),
    "words that are normalised": Parser(lambda n: "a-_' " * (n // 5), normalise),
    "partials that grow": Parser(
        lambda n: [TranscriptReceived(i, "hum " * i, final=False) for i in range(int((n / 2) ** 0.5))], events
    ),
    "many finals": Parser(lambda n: [TranscriptReceived(i, f"hum {i}", final=True) for i in range(n // 100)], events),
    "a reply that is spoken": Parser(lambda n: n // 40, speak),
    "a history, for the model": Parser(history, model_messages),
    "a history, for OpenAI": Parser(history, as_openai),
    "a history, as text": Parser(history, transcript_of),
    "a history, for clients": Parser(history, lambda given: history_messages(given, 0)),
    "a frame of Twilio": Parser(frame_of, TwilioCodec().read),
    "a frame of Telnyx": Parser(frame_of, TelnyxCodec().read),
    "a frame of Vonage": Parser(frame_of, VonageCodec().read),
    "a frame of the SIP agent": Parser(frame_of, SipCodec().read),
    "SIP URIs": Parser(lambda n: "sip:" * (n // 4), read_uri),
    "a SIP user": Parser(lambda n: "sip:" + "a" * n, read_uri),
    "a SIP name of blanks": Parser(lambda n: " " * n, display_name),
    "a SIP name of quotes": Parser(lambda n: '"' + r"\a" * (n // 2), display_name),
    "a client's message": Parser(lambda n: {"type": "say", "content": "a" * n}, parse_client_control),
    "a secret in a URL": Parser(lambda n: {"a": "://" + "a:" * n}, without_secrets),
    "many fields": Parser(lambda n: {f"token{i}": "https://a:b@c" for i in range(n // 20)}, without_secrets),
    "an assistant": Parser(
        lambda n: {"hooks": [{"on": "call.ending", "do": [{"type": "say", "exact": "a"}]}] * (n // 50)},
        lambda given: contract.problems("CreateAssistantDTO", given),
    ),
    "a text for passages": Parser(lambda n: "\n \n" * (n // 3), split),
    "a text of sentences for passages": Parser(lambda n: "a. " * (n // 3), split),
    "the words of a question": Parser(lambda n: "\u3042" * n, words),
    "markup without an end": Parser(lambda n: "{{" * (n // 2) + "{%" * (n // 2), lambda t: list(markup_spans(t))),
    "markup": Parser(lambda n: "{{a}}{%" * (n // 7), lambda t: list(markup_spans(t))),
    "an alias": Parser(lambda n: "{{$" * (n // 3) + "}}", extraction),
    "a template": Parser(lambda n: "{{a}} text " * (min(n, 20_000) // 11) + "x" * n, rendered),
    "a template of blanks": Parser(lambda n: "{%" + " " * n + "%}", rendered),
    "a pattern": Parser(lambda n: "(?<a" * (n // 4), compile_javascript),
    "a wait function": Parser(lambda n: "+".join("x" * n), compile_expression),
}

REFUSALS = (StreamError, WireError, ValueError, PatternError, WaitFunctionError)


def cpu_s(parser: Parser, given: Any) -> float:
    began = time.thread_time()
    with suppress(*REFUSALS):
        parser.read(given)
    return time.thread_time() - began


def best_s(parser: Parser, size: int, runs: int = 3) -> float:
    """Measure without the caches of earlier runs: each input differs from the others."""
    return min(cpu_s(parser, parser.make(size + number)) for number in range(runs))


@pytest.mark.parametrize("name", PARSERS)
def test_what_others_send_is_read_in_linear_time(name: str) -> None:
    parser = PARSERS[name]
    large_s = best_s(parser, SMALL * GROWTH)
    assert large_s < MOST_S
    if large_s > UNMEASURABLE_S:
        small_s = best_s(parser, SMALL)
        assert large_s < small_s * MOST_GROWTH, f"{small_s * 1000:.1f} ms, then {large_s * 1000:.1f} ms for four times"


def test_quadratic_work_is_noticed() -> None:
    def quadratic(text: str) -> None:
        for _ in range(len(text) // 100):
            text = text[1:] + "a"
            text.count("b")

    parser = Parser(lambda n: "a" * n, quadratic)
    assert best_s(parser, SMALL * GROWTH) > best_s(parser, SMALL) * MOST_GROWTH

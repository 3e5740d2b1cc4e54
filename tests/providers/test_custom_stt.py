"""The custom transcriber against a real server on loopback."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import numpy as np
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.stapled import MultiListener
from structlog.testing import capture_logs

from bargein.clock import LoopClock
from bargein.ports import Pcm16, ProviderError
from bargein.providers.custom.stt import CustomTranscriber, CustomTranscriberConfig, CustomTranscriberStream
from bargein.testing import FakeTranscriber, TimedReply, TranscriberScript, speech

pytestmark = pytest.mark.anyio

FAILED = "pipeline-error-custom-transcriber-failed"
FRAME = 320  # 20 ms


class Caller:
    """The transcripts of one call, and a wait for more of them."""

    def __init__(self, url: str, **settings: object) -> None:
        config = CustomTranscriberConfig(**{"url": url, **settings})  # type: ignore[arg-type]
        self.heard: list[tuple[str, bool]] = []
        self._more = anyio.Event()
        self.stream: CustomTranscriberStream = CustomTranscriber(config, LoopClock()).open(self._hear)

    def _hear(self, text: str, final: bool) -> None:
        self.heard.append((text, final))
        self._more.set()
        self._more = anyio.Event()

    async def transcripts(self, count: int) -> Sequence[tuple[str, bool]]:
        with anyio.fail_after(5):
            while len(self.heard) < count:
                await self._more.wait()
        return self.heard

    def feed(self, duration_ms: int, customer: Pcm16 | None = None) -> None:
        silence = np.zeros(duration_ms * 16, np.int16)
        said = silence if customer is None else customer[: silence.size]
        for start in range(0, silence.size, FRAME):
            self.stream.feed(said[start : start + FRAME], silence[start : start + FRAME])

    async def feed_for_ever(self) -> None:
        while True:
            self.feed(20)
            await anyio.sleep(0.02)  # the pace of a call, not a wait for something


@asynccontextmanager
async def calling(fake: FakeTranscriber, **settings: object) -> AsyncIterator[Caller]:
    caller = Caller(fake.url, **settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(caller.stream.run)
        yield caller
        tasks.cancel_scope.cancel()


async def test_the_server_gets_both_sides_in_stereo() -> None:
    rng = np.random.default_rng(1)
    customer, assistant = (rng.integers(-32768, 32768, 16 * 100, dtype=np.int16) for _ in range(2))
    async with FakeTranscriber() as fake, calling(fake, secret="s3", headers={"X-Key": "k"}) as caller:
        for start in range(0, customer.size, 500):
            caller.stream.feed(customer[start : start + 500], assistant[start : start + 500])
        connection = await fake.connection(received_ms=100)
    assert connection.start == {
        "type": "start",
        "encoding": "linear16",
        "container": "raw",
        "sampleRate": 16000,
        "channels": 2,
    }
    assert (connection.headers["x-vapi-secret"], connection.headers["x-key"]) == ("s3", "k")
    assert np.array_equal(connection.samples[:, 0], customer)
    assert np.array_equal(connection.samples[:, 1], assistant)


async def test_partials_and_finals_of_the_customer_are_reported() -> None:
    script = TranscriberScript(
        timed=(
            TimedReply(20, "wait", "partial"),
            TimedReply(40, "not mine", "final", "assistant"),
            TimedReply(60, "wait a moment", "partial"),
            TimedReply(80, "Wait a moment.", "final"),
            TimedReply(100, "No type.", "absent"),
            TimedReply(120, "", "final"),
        )
    )
    async with FakeTranscriber(script) as fake, calling(fake) as caller:
        caller.feed(120)
        caller.stream.voice_started(100)
        caller.stream.voice_stopped()
        heard = await caller.transcripts(5)
    assert heard == [
        ("wait", False),
        ("wait a moment", False),
        ("Wait a moment.", True),
        ("No type.", True),
        ("", True),
    ]


async def test_malformed_messages_are_ignored_and_logged_once() -> None:
    raw = (
        b"\x00\x01",
        "not json",
        "[]",
        '{"type": "error", "error": "secret words"}',
        '{"type": "transcriber-response", "transcription": 7, "channel": "customer"}',
        '{"type": "transcriber-response", "transcription": "x", "channel": ["customer"]}',
        '{"type": "transcriber-response", "transcription": "x", "channel": "customer", "transcriptType": "maybe"}',
        '{"type": "transcriber-response", "transcription": "x"}',
        '{"type": "transcriber-response", "transcription": "fine", "channel": "customer", "extra": 1}',
    )
    with capture_logs() as logs:
        async with FakeTranscriber(TranscriberScript(raw=raw)) as fake, calling(fake) as caller:
            assert await caller.transcripts(1) == [("fine", True)]
    assert len(logs) == 1
    assert "secret" not in str(logs)


async def test_a_lost_connection_is_made_once_more_and_no_queued_audio_is_lost() -> None:
    script = TranscriberScript(drop_after_ms=100, timed=(TimedReply(200, "still here"),))
    async with FakeTranscriber(script) as fake, calling(fake) as caller:
        caller.feed(100)
        with anyio.fail_after(5):
            await (await fake.connection(0)).closed.wait()
        caller.feed(200)
        assert await caller.transcripts(1) == [("still here", True)]
        assert (await fake.connection(1)).start == (await fake.connection(0)).start
    assert fake.attempts == 2


def port_of(listener: MultiListener[SocketStream]) -> int:
    return listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's


async def ends_with(fake: FakeTranscriber, what: str, within_s: float = 5, **settings: object) -> list[float]:
    """Run a call until its transcriber fails; gives the milliseconds that took."""
    clock = LoopClock()
    caller = Caller(fake.url, secret="s3cret", **settings)
    began_ms = clock.monotonic_ms()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(caller.feed_for_ever)
        with pytest.raises(ProviderError, match=what) as caught, anyio.fail_after(within_s):
            await caller.stream.run()
        tasks.cancel_scope.cancel()
    assert caught.value.ended_reason == FAILED
    assert "s3cret" not in str(caught.value)
    return [clock.monotonic_ms() - began_ms]


async def test_a_connection_that_cannot_be_made_again_ends_the_call() -> None:
    async with FakeTranscriber(TranscriberScript(drop_after_ms=40, refuse=(1,))) as fake:
        await ends_with(fake, "answered 503")
    assert fake.attempts == 2


async def test_a_connection_that_is_lost_again_and_again_ends_the_call() -> None:
    async with FakeTranscriber(TranscriberScript(drop_after_ms=40, drops=9)) as fake:
        await ends_with(fake, "keeps closing")
    assert fake.attempts == 2


async def test_a_first_connection_that_is_refused_ends_the_call() -> None:
    async with FakeTranscriber(TranscriberScript(refuse=(0,))) as fake:
        await ends_with(fake, "answered 503")
    assert fake.attempts == 1


async def test_a_server_that_is_not_there_ends_the_call() -> None:
    async with FakeTranscriber() as fake:
        caller = Caller(fake.url)
    with pytest.raises(ProviderError, match="could not be reached"), anyio.fail_after(5):
        await caller.stream.run()


async def test_a_server_that_accepts_and_sends_nothing_ends_the_call_in_time() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as deaf:
        caller = Caller(f"ws://127.0.0.1:{port_of(deaf)}/", timeout_s=0.2)
        with pytest.raises(ProviderError, match=r"within 0\.2 s"), anyio.fail_after(5):
            await caller.stream.run()


@pytest.mark.timed
async def test_a_server_that_stops_reading_ends_the_call() -> None:
    async with FakeTranscriber(TranscriberScript(stall=True)) as fake:
        [took_ms] = await ends_with(fake, "taken no audio", stall_s=0.3, ping_s=0.05)
    assert 300 <= took_ms < 2000
    assert fake.attempts == 1


async def test_the_queue_is_bounded_and_the_newest_audio_is_kept() -> None:
    rng = np.random.default_rng(2)
    customer = rng.integers(-32768, 32768, 16 * 1000, dtype=np.int16)
    async with FakeTranscriber() as fake:
        caller = Caller(fake.url, stall_s=0.5)
        with capture_logs() as logs:
            caller.feed(1000, customer)
        assert len(logs) == 1
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(caller.stream.run)
            connection = await fake.connection(received_ms=500)
            tasks.cancel_scope.cancel()
    assert np.array_equal(connection.samples[:, 0], customer[-16 * 500 :])


@pytest.mark.timed
async def test_the_end_of_the_call_closes_the_connection() -> None:
    clock = LoopClock()
    async with FakeTranscriber() as fake:
        async with calling(fake):
            connection = await fake.connection()
            ended_ms = clock.monotonic_ms()
        with anyio.fail_after(2):
            await connection.closed.wait()
    assert clock.monotonic_ms() - ended_ms < 500


async def test_no_redirect_is_followed() -> None:
    async with (
        FakeTranscriber() as fake,
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as front,
    ):

        async def redirect(stream: SocketStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(f"HTTP/1.1 307 Moved\r\nLocation: {fake.url}\r\nContent-Length: 0\r\n\r\n".encode())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(front.serve, redirect)
            with pytest.raises(ProviderError, match="answered 307"), anyio.fail_after(5):
                await Caller(f"ws://127.0.0.1:{port_of(front)}/", secret="s").stream.run()
            tasks.cancel_scope.cancel()
        assert fake.attempts == 0


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://h/p?q=1", "wss://h/p?q=1"),
        ("http://h:81", "ws://h:81"),
        ("WSS://h/p", "wss://h/p"),
        ("ws://h/", "ws://h/"),
    ],
)
def test_http_stands_for_ws(given: str, used: str) -> None:
    transcriber = CustomTranscriber(CustomTranscriberConfig(url=given), LoopClock())
    assert transcriber._target.socket_url.rstrip("/") == used.rstrip("/")


def test_an_unusable_url_is_the_providers_error() -> None:
    with pytest.raises(ProviderError) as caught:
        CustomTranscriber(CustomTranscriberConfig(url="ftp://h"), LoopClock())
    assert caught.value.ended_reason == FAILED


def test_secrets_are_not_shown() -> None:
    config = CustomTranscriberConfig(url="ws://h", secret="sk-1", headers={"X": "sk-2"})
    assert "sk-" not in repr(config)
    assert "sk-" not in repr(CustomTranscriber(config, LoopClock())._target)


async def test_the_fake_sends_its_transcript_when_the_level_rises() -> None:
    script = TranscriberScript(utterances=("Wait a moment please.", "Yes."))
    voice = np.frombuffer(speech(700, 16_000), "<i2")
    async with FakeTranscriber(script) as fake, calling(fake) as caller:
        for _ in range(2):
            caller.feed(500)
            caller.feed(700, voice)
            caller.feed(500)
        heard = list(await caller.transcripts(6))
    assert heard == [
        ("Wait", False),
        ("Wait a", False),
        ("Wait a moment", False),
        ("Wait a moment please.", True),
        ("Yes.", False),
        ("Yes.", True),
    ]

"""Voices behind HTTP: one streamed answer for each sentence, of raw audio or of JSON frames."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import ClassVar, NamedTuple

import anyio
import anyio.lowlevel
import httpx
from typing_extensions import override

from bargein.http_client import read_bounded
from bargein.ports import ProviderError, SpeechChunk, Voice
from bargein.providers.http import StreamError, json_object, lines, sse_data
from bargein.providers.vendor_errors import MAX_ERROR_BYTES
from bargein.providers.voice_audio import Aligner, Rebase, Samples, WordTiming, raw_chunks
from bargein.providers.voice_errors import VoiceErrors, VoiceLimits, paced
from bargein.wire.base import JsonObject

_ERROR_BODY_S = 2.0
_WARM_S = 5.0
_DRAIN_S = 0.25


class HttpVoice(Voice):
    """A voice that answers one request for each sentence with a stream of audio.

    A subclass says how a sentence is asked for (`build_request`) and how the answer is read (`read_speech`). Nothing is
    read ahead of the consumer, beyond the socket's buffers. Closing or cancelling the iterator closes the connection,
    which stops the vendor's work. Nothing is retried.

    Args:
        client: shared by all calls and closed by its owner (`bargein.http_client.new_client`).
        errors: makes the errors.
        limits: the time limits.
    """

    def __init__(self, client: httpx.AsyncClient, errors: VoiceErrors, limits: VoiceLimits | None = None) -> None:
        self._client = client
        self._errors = errors
        self._limits = limits or VoiceLimits()
        self._cut = anyio.Event()

    @abstractmethod
    def build_request(self, text: str) -> httpx.Request:
        """Return the request for a sentence."""

    @abstractmethod
    def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        """Read the answer (status 200).

        Raises:
            ProviderError: it is not what was asked for, or reports an error.
            StreamError: it cannot be read.
        """

    def origin(self) -> httpx.URL | None:
        """Return the URL at which a spare connection is opened during a call (`run`); None: none is."""
        return None

    @override
    def speak(self, text: str) -> AsyncGenerator[SpeechChunk]:
        return paced(self._chunks(text), text, self._errors, self._limits)

    @override
    async def run(self) -> None:
        """Open a connection at the start of a call, and another one after each cut, which closes the one in use.

        The request that opens it has no key and no body, and its answer is of no interest. The connection waits in the
        client's pool, from which the next sentence takes it: without it that sentence begins two round trips later.
        """
        url = self.origin()
        while url is not None:
            self._cut = anyio.Event()
            try:
                with anyio.move_on_after(_WARM_S):
                    await self._client.head(url)
            except httpx.HTTPError:
                pass  # the next sentence opens one, and fails then
            await self._cut.wait()

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer, whose body is not read yet."""
        return await self._client.send(request, stream=True)

    async def _chunks(self, text: str) -> AsyncGenerator[SpeechChunk]:
        response = await self.send(self.build_request(text))
        complete = False
        try:
            if response.status_code != 200:
                raise await self.refusal(response)
            async with aclosing(self.read_speech(response, text)) as chunks:
                async for chunk in chunks:
                    yield chunk
            complete = True
        finally:
            # httpx closes the socket of a response that was not read to its end, which stops the voice's work
            await response.aclose()
            if not complete:
                self._cut.set()

    async def refusal(self, response: httpx.Response) -> ProviderError:
        """Return the error for an answer with a status other than 200."""
        body = b""
        try:
            with anyio.move_on_after(_ERROR_BODY_S):
                body = await read_bounded(response, MAX_ERROR_BYTES) or b""
        except httpx.HTTPError:
            pass  # the status says enough
        return self._errors.refusal(response.status_code, response.headers, body)


class PostedVoice(HttpVoice):
    """A voice that is asked with a JSON body.

    Args:
        client: shared by all calls and closed by its owner.
        errors: makes the errors.
        url: the URL of requests.
        headers: sent with each request; they hold the key.
        body: returns the body for a text.
        rate_hz: the rate that the body asks for.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        errors: VoiceErrors,
        *,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[str], JsonObject],
        rate_hz: int,
    ) -> None:
        super().__init__(client, errors)
        self._url = httpx.URL(url)
        self._headers = dict(headers)
        self._body = body
        self._rate_hz = rate_hz

    @override
    def origin(self) -> httpx.URL:
        return self._url.copy_with(path="/", query=None)

    @override
    def build_request(self, text: str) -> httpx.Request:
        return self._client.build_request("POST", self._url, headers=self._headers, json=self._body(text))


class RawVoice(PostedVoice):
    """A voice that answers with 16-bit little-endian samples."""

    @override
    def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        return raw_chunks(response.aiter_bytes(), self._rate_hz)


class Frame(NamedTuple):
    """The meaning of one frame of an answer: bytes of audio, timings of words, and whether it is the last one."""

    audio: bytes = b""
    timings: Sequence[WordTiming] = ()
    last: bool = False


class FramedVoice(PostedVoice):
    """A voice that answers with JSON frames, one a line or one a server-sent event.

    A subclass says what a frame means (`read_frame`).

    Attributes:
        sse: whether the frames are server-sent events.
    """

    sse: ClassVar[bool] = False

    @abstractmethod
    def read_frame(self, frame: JsonObject, data: bytes) -> Frame:
        """Return the meaning of a frame; `data` is its text.

        Raises:
            ProviderError: it reports an error.
            StreamError: it cannot be read.
        """

    @override
    async def read_speech(self, response: httpx.Response, text: str) -> AsyncGenerator[SpeechChunk]:
        samples, aligner, rebase = Samples(), Aligner(text), Rebase()
        kind = response.headers.get("content-type", "")
        if self.sse and kind.startswith("application/json"):
            body = await read_bounded(response, MAX_ERROR_BYTES) or b""
            self.read_frame(json_object(body), body)
            raise self._errors.refused_frame(body)
        read = sse_data if self.sse else lines
        events = read(response.aiter_bytes())
        async for data in events:
            await anyio.lowlevel.checkpoint()  # many frames may arrive at once: other calls go on between them
            if not data.strip():
                continue
            if data.strip() == b"[DONE]":
                break
            frame = self.read_frame(json_object(data), data)
            pcm, words = samples.add(frame.audio), aligner.align(rebase.apply(frame.timings))
            if pcm.size or words:
                yield SpeechChunk(pcm, self._rate_hz, words)
            if frame.last:
                await _drain(events)
                break
        samples.end()


async def _drain(events: AsyncIterator[bytes]) -> None:
    """Read what follows the last frame, which is the end of the body: the connection serves the next sentence then."""
    with anyio.move_on_after(_DRAIN_S):
        try:
            async for _ in events:
                pass
        except (httpx.HTTPError, StreamError):
            return  # the speech is complete: an error after it only costs the connection

"""Voices behind HTTP: one streamed answer for each sentence."""

from abc import abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import httpx
from typing_extensions import override

from bargein.http_client import read_bounded
from bargein.ports import ProviderError, SpeechChunk, Voice
from bargein.providers.vendor_errors import MAX_ERROR_BYTES
from bargein.providers.voice_errors import VoiceErrors, VoiceLimits, paced

_ERROR_BODY_S = 2.0
_WARM_S = 5.0


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

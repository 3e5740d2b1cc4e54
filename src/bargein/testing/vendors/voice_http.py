"""The common part of the fakes of voices behind HTTP."""

from abc import abstractmethod

import anyio

from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.testing.vendors.voice_speech import (
    KEY,
    Asked,
    Piece,
    Production,
    RefusedError,
    TroubleError,
    VendorVoiceScript,
    pieces,
)


class HttpVoiceFake(HttpPeer):
    """A fake of a vendor that answers HTTP requests for speech.

    Args:
        script: the behaviour; may be replaced at any time.

    Attributes:
        made: the audio that was made.
    """

    content_type = "audio/pcm"

    def __init__(self, script: VendorVoiceScript | None = None) -> None:
        super().__init__(self._speak)
        self.script = script or VendorVoiceScript()
        self.made = Production()

    @abstractmethod
    def key_of(self, exchange: Exchange) -> str:
        """Return the key of a request."""

    @abstractmethod
    def read(self, exchange: Exchange) -> Asked:
        """Read a request.

        Raises:
            RefusedError: it is not one of the vendor's contract.
        """

    @abstractmethod
    def error_body(self, status: int, says: str) -> bytes:
        """Return the body of an error in the vendor's shape."""

    def http_status(self, status: int) -> int:
        """Return the HTTP status of an error; some vendors answer 200 with an error in the body."""
        return status

    def frame(self, asked: Asked, piece: Piece) -> bytes:
        """Return what is sent for a piece."""
        del asked
        return piece.audio

    def tail(self, asked: Asked) -> bytes:
        """Return what ends a complete answer."""
        del asked
        return b""

    def broken_frame(self) -> bytes:
        """Return a frame that is not JSON."""
        return b"{broken\n"

    def error_frame(self, says: str) -> bytes:
        """Return a frame that reports an error, after some audio."""
        return self.error_body(500, says) + b"\n"

    async def _speak(self, exchange: Exchange) -> None:
        if exchange.method == "HEAD":
            return await exchange.respond(404)
        script = self.script
        try:
            asked = self._admit(exchange)
        except RefusedError as error:
            headers = {} if script.retry_after is None else {"retry_after": script.retry_after}
            body = self.error_body(error.status, error.says)
            return await exchange.respond(
                self.http_status(error.status), body, content_type="application/json", **headers
            )
        self.made.requests.append(asked)
        try:
            await self._stream(exchange, asked)
        finally:
            if exchange.gone.is_set():
                self.made.learn_of_cut()
        return None

    def _admit(self, exchange: Exchange) -> Asked:
        if self.script.status != 200:
            raise RefusedError(self.script.status, self.script.says)
        if self.key_of(exchange) != KEY:
            raise RefusedError(401, self.script.says)
        return self.read(exchange)

    async def _stream(self, exchange: Exchange, asked: Asked) -> None:
        script = self.script
        await exchange.start(self.content_type)
        try:
            async for piece in pieces(asked, script, self.made):
                await exchange.send(self.frame(asked, piece))
        except TroubleError:
            match script.trouble:
                case "broken":
                    await exchange.send(self.broken_frame())
                    await anyio.sleep_forever()
                case "error":
                    await exchange.send(self.error_frame(script.says))
                    await anyio.sleep_forever()
                case _:
                    return await exchange.die()
        await exchange.send(self.tail(asked))
        return await exchange.end()

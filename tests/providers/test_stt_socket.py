"""The socket of a transcriber, and the numbers in vendors' messages that no vendor means."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from typing_extensions import override

from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.providers.audio_socket import AudioSocket, Refusal, SocketLimits
from bargein.providers.elevenlabs.alignment import CharacterAlignment
from bargein.providers.http import StreamError
from bargein.providers.stt_messages import seconds_as_ms
from bargein.providers.voice_audio import WordBuilder, WordTiming, timings_of_lists

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

pytestmark = pytest.mark.anyio


class Deaf(AudioSocket):
    """A socket whose peer connects and then takes no first message."""

    def __init__(self) -> None:
        super().__init__(SocketLimits(connect_s=0.1), LoopClock(), bytes_per_ms=32, host="deaf.example")
        self.aborted = 0

    @override
    async def _connect(self) -> "ClientConnection":
        def abort() -> None:
            self.aborted += 1

        async def send(_: object) -> None:
            await anyio.sleep_forever()

        return cast("ClientConnection", SimpleNamespace(send=send, transport=SimpleNamespace(abort=abort)))

    @override
    def _begin_connection(self) -> tuple[str, ...]:
        return ("begin",)

    @override
    def _receive(self, message: str | bytes) -> None:
        raise AssertionError(message)

    @override
    def _failure(self, problem: str, refusal: Refusal | None = None) -> ProviderError:
        return ProviderError(problem, ended_reason="any")


async def test_a_socket_that_takes_no_first_message_is_closed() -> None:
    socket = Deaf()
    with anyio.fail_after(5), pytest.raises(ProviderError, match="could not be reached"):
        await socket.run()
    assert socket.aborted == 1


@pytest.mark.parametrize("number", [1e306, 10**290, -1e306])
def test_a_time_that_does_not_fit_is_none(number: Any) -> None:
    assert seconds_as_ms(number, 1) is None
    assert timings_of_lists(["one"], [number], [number], per_ms=0.001) == ()
    times = {"character_start_times_seconds": [number], "character_end_times_seconds": [number]}
    with pytest.raises(StreamError):
        CharacterAlignment("a").add({"characters": ["a"], **times}, 0.0)


def test_letters_without_an_end_take_little_time() -> None:
    builder = WordBuilder()
    words = [*builder.add([WordTiming("a", 0.0, 1.0)] * 300_000), *builder.end()]
    assert sum(len(one.word) for one in words) == 300_000

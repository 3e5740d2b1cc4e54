"""The transcription of a call, run until the call is over, by one transcriber after the other."""

import anyio
import structlog

from bargein.call.ears import Ears
from bargein.call.host import Host
from bargein.ports import ProviderError, Transcriber, TranscriberStream
from bargein.turns.events import Fail

_log = structlog.get_logger("bargein.call")


class Transcribing:
    """Runs what the ears transcribe with.

    Args:
        host: the call.
        ears: have the transcriber.
    """

    def __init__(self, host: Host, ears: Ears) -> None:
        self._host = host
        self._ears = ears
        self._scope = anyio.CancelScope()

    async def run(self) -> None:
        """Transcribe; what fails ends the call in words."""
        stream = None
        while stream is not self._ears.transcribing:
            stream = self._ears.transcribing
            with anyio.CancelScope() as self._scope:
                await self._run(stream)

    def recast(self, transcriber: Transcriber) -> None:
        """From here on another one transcribes."""
        self._ears.listen_with(transcriber)
        self._scope.cancel()

    async def _run(self, stream: TranscriberStream) -> None:
        host = self._host
        try:
            await stream.run()
        except ProviderError as error:
            host.post(Fail(int(host.now_ms()), error.ended_reason, str(error)))
        except Exception as error:  # noqa: BLE001  # a transcriber's own bug must end the call in words, not hang it
            _log.error("the transcriber broke", call_id=host.setting.call_id, exc_info=error)
            host.post(Fail(int(host.now_ms()), "pipeline-error-custom-transcriber-failed", "internal error"))

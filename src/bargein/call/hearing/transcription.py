"""The transcription of a call, run until the call is over, by one transcriber after the other."""

import anyio
import structlog

from bargein.call.context import CallContext
from bargein.call.hearing.audio_input import AudioInput
from bargein.ports import ProviderError, Transcriber, TranscriberStream
from bargein.turns.events import CallFailed

_log = structlog.get_logger("bargein.call")


class Transcription:
    """Runs what the ears transcribe with.

    Args:
        host: the call.
        ears: have the transcriber.

    Attributes:
        over: it has come to an end of its own, and nothing is understood any more.
    """

    def __init__(self, context: CallContext, audio_input: AudioInput) -> None:
        self._context = context
        self._audio_input = audio_input
        self._scope = anyio.CancelScope()
        self.over = False

    async def run(self) -> None:
        """Transcribe until cancelled; what fails ends the call in words."""
        while True:
            with anyio.CancelScope() as self._scope:
                reason, detail = await _ended(self._audio_input.transcription, self._context.setup.call_id)
                self.over = True
                if reason is not None:
                    self._context.post(CallFailed(int(self._context.now_ms()), reason, detail))
                await anyio.sleep_forever()  # another assistant's transcriber may follow

    def switch_transcriber(self, transcriber: Transcriber) -> None:
        """From here on another one transcribes."""
        self.over = False
        self._audio_input.switch_transcriber(transcriber)
        self._scope.cancel()


async def _ended(stream: TranscriberStream, call_id: str) -> tuple[str | None, str]:
    """Run a transcription to its end, if it comes to one; why it did."""
    try:
        await stream.run()
    except ProviderError as error:
        return error.ended_reason, str(error)
    except Exception as error:  # noqa: BLE001  # a transcriber's own bug must end the call in words, not hang it
        _log.error("the transcriber broke", call_id=call_id, exc_info=error)
        return "pipeline-error-custom-transcriber-failed", "internal error"
    return None, ""

"""The transcription of a call: one transcriber after the other, each until it ends or is replaced."""

import anyio
import structlog

from bargein.call.context import CallContext
from bargein.call.hearing.audio_input import AudioInput
from bargein.ports import ProviderError, Transcriber, unexpected_error
from bargein.turns.events import CallFailed

_log = structlog.get_logger("bargein.call")


class Transcription:
    """The runner of the transcriber that the audio input feeds.

    Args:
        context: the call.
        audio_input: opens the transcriber.

    Attributes:
        over: whether the transcriber has ended by itself, so that nothing is transcribed any more.
    """

    def __init__(self, context: CallContext, audio_input: AudioInput) -> None:
        self._context = context
        self._audio_input = audio_input
        self._scope = anyio.CancelScope()
        self.over = False

    async def run(self) -> None:
        """Transcribe until cancelled; a failure ends the call with the transcriber's `endedReason`."""
        while True:
            with anyio.CancelScope() as self._scope:
                error = await self._run_to_end()
                self.over = True
                if error is not None:
                    self._context.note_error(error)
                    self._context.post(CallFailed(int(self._context.now_ms()), error.ended_reason, str(error)))
                await anyio.sleep_forever()  # until a handoff brings another transcriber

    def switch_transcriber(self, transcriber: Transcriber) -> None:
        """Replace the transcriber."""
        self.over = False
        self._audio_input.switch_transcriber(transcriber)
        self._scope.cancel()

    async def _run_to_end(self) -> ProviderError | None:
        """Run the transcription until it ends by itself; return the error, or None if it has not failed."""
        setup = self._context.setup
        try:
            await self._audio_input.transcription.run()
        except ProviderError as error:
            return error
        except Exception as error:  # noqa: BLE001  # a bug in a transcriber must end the call with a reason, not leave it hanging
            _log.error("the transcriber raised an unexpected error", call_id=setup.call_id, exc_info=error)
            return unexpected_error("transcriber", setup.plan.transcriber_failed_reason)
        return None

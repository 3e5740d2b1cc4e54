"""The connections of the model and the voice that are kept ready during a call."""

from collections.abc import Awaitable, Callable

import anyio
import structlog

from bargein.ports import Model, ProviderError, Voice

_log = structlog.get_logger("bargein.call")


class ReadyConnections:
    """The runner of `Model.run` and `Voice.run` of the assistant that the caller talks to.

    A failure is logged and ends nothing: the next reply opens a connection of its own, and fails then.

    Args:
        model: the model.
        voice: the voice.
        call_id: the call, for the log.
    """

    def __init__(self, model: Model, voice: Voice, call_id: str) -> None:
        self._model = model
        self._voice = voice
        self._call_id = call_id
        self._scope = anyio.CancelScope()

    def switch_agent(self, model: Model, voice: Voice) -> None:
        """Close the connections, and keep those of another assistant's model and voice ready."""
        self._model, self._voice = model, voice
        self._scope.cancel()

    async def run(self) -> None:
        """Keep the connections ready until cancelled."""
        while True:
            with anyio.CancelScope() as self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._keep, "model", self._model.run)
                    tasks.start_soon(self._keep, "voice", self._voice.run)
                await anyio.sleep_forever()  # until a handoff brings another assistant

    async def _keep(self, part: str, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except ProviderError as error:
            _log.warning("a connection is not kept ready", part=part, call_id=self._call_id, error=str(error))
        except Exception:  # noqa: BLE001  # a bug there costs a connection that is opened later, not the call
            _log.exception("a connection is not kept ready", part=part, call_id=self._call_id)

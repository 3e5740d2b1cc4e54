"""Denoising of the caller's audio in front of the transcriber, and of nothing else."""

from collections.abc import Callable

import structlog

from bargein.ports import TRANSCRIBER_RATE_HZ, Denoiser, Pcm16

_log = structlog.get_logger("bargein.call")


class Denoising:
    """The denoising of one call. A denoiser that fails is not asked again: the transcriber gets the audio as it is.

    Args:
        create: makes the denoiser; None: the audio is not changed.
    """

    def __init__(self, create: Callable[[], Denoiser] | None = None) -> None:
        self._denoiser: Denoiser | None = None
        self._create = create
        self.switch(create)

    def switch(self, create: Callable[[], Denoiser] | None) -> None:
        """Use another denoiser from here on."""
        if create is None:
            self._denoiser = None
        elif self._denoiser is None or create is not self._create:
            try:
                self._denoiser = create()
            except Exception as error:  # noqa: BLE001  # the operator's code: the call goes on without it
                self._give_up(error)
        self._create = create

    def process(self, pcm: Pcm16) -> Pcm16:
        """Return the next samples for the transcriber, as many as come in."""
        if self._denoiser is None:
            return pcm
        try:
            cleaned = _checked(self._denoiser.process(pcm, TRANSCRIBER_RATE_HZ), pcm)
        except Exception as error:  # noqa: BLE001  # the operator's code: the call goes on without it
            self._give_up(error)
            return pcm
        return cleaned

    def _give_up(self, error: Exception) -> None:
        self._denoiser = None
        _log.error("the denoiser failed; the call goes on without it", exc_info=error)


def _checked(cleaned: Pcm16, pcm: Pcm16) -> Pcm16:
    if cleaned.shape != pcm.shape or cleaned.dtype != pcm.dtype:
        raise ValueError(f"it made {cleaned.shape} {cleaned.dtype} of {pcm.shape} {pcm.dtype}")
    return cleaned

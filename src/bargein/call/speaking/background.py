"""The background sound of a call (`assistant.backgroundSound`): loaded beside the call, then played."""

from collections.abc import Callable

from bargein.audio.ambience import BackgroundLoop
from bargein.call.background import BackgroundTasks
from bargein.call.context import LoadBackground


class BackgroundSound:
    """The background sound of one call. The call does not wait for it: it begins once it is there.

    Args:
        tasks: runs the loading.
        on_loaded: receives the sound; None: silence.
    """

    def __init__(self, tasks: BackgroundTasks, on_loaded: Callable[[BackgroundLoop | None], None]) -> None:
        self._tasks = tasks
        self._on_loaded = on_loaded
        self._wanted: LoadBackground | None = None
        self._playing: BackgroundLoop | None = None

    def switch(self, load: LoadBackground | None) -> None:
        """Play another sound as soon as it is loaded; None: none."""
        before, self._wanted = self._wanted, load
        if load is not None:
            self._tasks.start(self._load)
        elif before is not None:
            self._play(None)

    async def _load(self) -> None:
        load = self._wanted
        loop = None if load is None else await load()
        if load is self._wanted:  # else another assistant has taken over meanwhile
            self._play(loop)

    def _play(self, loop: BackgroundLoop | None) -> None:
        if loop is not self._playing:
            self._playing = loop
            self._on_loaded(loop)

"""Waiting for things outside of this process, which notify nobody of their changes."""

from collections.abc import Callable

import anyio


async def wait_for(true: Callable[[], object], within_s: float, every_s: float = 0.05) -> bool:
    """Poll until a condition holds; return False if it does not within `within_s`."""
    with anyio.move_on_after(within_s):
        while not true():  # noqa: ASYNC110  # see the module's docstring
            await anyio.sleep(every_s)
    return bool(true())

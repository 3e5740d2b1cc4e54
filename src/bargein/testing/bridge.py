"""An event loop on a thread of its own, for callers and fakes that tests of any kind use.

A test may be synchronous, or run on the loop of whichever plugin it likes, and may block: the caller's frames of 20 ms
go on, since they are sent from here.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import Any, TypeVar, cast

import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal
from typing_extensions import override

from bargein.errors import BargeinError

T = TypeVar("T")


class Bridge:
    """Runs what is async on the loop of its thread; made by `open_bridge`."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    def open(self, manager: AbstractAsyncContextManager[T]) -> AbstractContextManager[T]:
        """Return a context manager that enters and leaves an async one on the bridge's loop."""
        return self._portal.wrap_async_context_manager(manager)

    def start(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Start work that nobody waits for; it is cancelled when the bridge closes."""
        self._portal.start_task_soon(work)

    def has(self, thing: object) -> bool:
        """Return True for an object that `proxy` made."""
        return isinstance(thing, _Proxy)

    def proxy(self, target: T, *, blocking: bool) -> T:
        """Return an object that behaves as `target` does, on the bridge's loop.

        Args:
            target: an object of that loop.
            blocking: True for a synchronous test: coroutine functions block, and return their result.
        """
        return cast("T", _Proxy(target, self._portal, blocking=blocking))


@contextmanager
def open_bridge() -> Generator[Bridge]:
    """Run the thread and its loop as long as the block runs."""
    with start_blocking_portal("asyncio", name="bargein-testing") as portal:
        yield Bridge(portal)
        portal.call(portal.stop, True)  # noqa: FBT003  # anyio's `cancel_remaining`


class _Proxy:
    def __init__(self, target: object, portal: BlockingPortal, *, blocking: bool) -> None:
        self._target = target
        self._portal = portal
        self._blocking = blocking

    @override
    def __repr__(self) -> str:
        return repr(self._target)

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        value = self._portal.call(getattr, self._target, name)
        if not inspect.ismethod(value):
            return value
        method = _Method(value, self, self._portal)
        return method if self._blocking or not inspect.iscoroutinefunction(value) else method.awaited


class _Method:
    """A method of a proxy's object; its `repr` is short, since pytest prints it where an assertion fails."""

    def __init__(self, method: Callable[..., Any], proxy: _Proxy, portal: BlockingPortal) -> None:
        self._method = method
        self._proxy = proxy
        self._portal = portal

    @override
    def __repr__(self) -> str:
        return f"<{self._method.__qualname__}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            return self._chained(self._portal.call(functools.partial(self._method, *args, **kwargs)))
        except (BargeinError, TimeoutError) as error:
            raise error.with_traceback(None) from None  # its text says it all: the test's own line is what to look at

    async def awaited(self, *args: Any, **kwargs: Any) -> Any:
        """Run the coroutine function."""
        __tracebackhide__ = True
        future = self._portal.start_task_soon(functools.partial(self._method, *args, **kwargs))
        try:
            # by a thread, since the test may run on any loop, also on trio's
            result = await anyio.to_thread.run_sync(future.result, abandon_on_cancel=True)
        except (BargeinError, TimeoutError) as error:
            raise error.with_traceback(None) from None
        finally:
            future.cancel()
        return self._chained(result)

    def _chained(self, result: Any) -> Any:
        """Return the proxy where a method returned its own object."""
        return self._proxy if result is getattr(self._method, "__self__", None) else result

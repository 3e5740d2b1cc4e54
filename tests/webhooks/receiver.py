"""An owner's server on 127.0.0.1 that keeps its requests and answers as a test defines, correctly or not."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskGroup


@dataclass(frozen=True)
class Got:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> dict[str, Any]:
        return self.json["message"]


def response(status: int = 200, body: bytes = b"{}", kind: str = "application/json", *more: str) -> bytes:
    """Return an HTTP response; `more` are headers."""
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


def as_json(value: Any, status: int = 200) -> bytes:
    return response(status, json.dumps(value).encode())


NEVER = object()
Answer = Callable[[Got], Any]


@dataclass
class Receiver:
    """Answers with the entries of `script` in turn, then with the last; an entry is bytes, NEVER, JSON, or a
    function."""

    script: list[Any] = field(default_factory=lambda: [{}])
    got: list[Got] = field(default_factory=list)
    port: int = 0
    _tasks: TaskGroup | None = None
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self.port)
        self.port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # a socket's port, not SQL
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(listener.serve, self._serve)
        return self

    async def __aexit__(self, *exc: Any) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(*exc)

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            try:
                while (got := await _read(stream)) is not None:
                    answer = self.script[min(len(self.got), len(self.script) - 1)]
                    self.got.append(got)
                    self._changed.set()
                    self._changed = anyio.Event()
                    answer = answer(got) if callable(answer) else answer
                    answer = await answer if hasattr(answer, "__await__") else answer
                    if answer is NEVER:
                        await anyio.sleep_forever()
                    await stream.send(answer if isinstance(answer, bytes) else as_json(answer))
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                pass

    async def until(self, true: Callable[[], Any], seconds: float = 10) -> Any:
        """Wait until something is true."""
        with anyio.fail_after(seconds):
            while not (found := true()):
                await self._changed.wait()
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [got.message for got in self.got if got.message["type"] == kind]

    @property
    def kinds(self) -> list[str]:
        return [got.message["type"] for got in self.got]


async def _read(stream: SocketStream) -> Got | None:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            data += await stream.receive()
        except anyio.EndOfStream:
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += await stream.receive()
    return Got(method, path, headers, body)

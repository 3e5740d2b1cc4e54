"""Drives a headless Chromium over the DevTools protocol, as far as the tests of the page need it."""

import base64
import json
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import anyio
from anyio.abc import Process
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ANSWER_S = 20.0
START_S = 30.0

# The background services are off because they would try to use the network.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)

_WATCH_POLICY = """
  globalThis.violations = [];
  addEventListener("securitypolicyviolation", (event) =>
    globalThis.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


class Page:
    """A tab.

    Attributes:
        complaints: errors that the browser reported for the page: on the console, exceptions, failed requests.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._session: str | None = None
        self._last_id = 0
        self._waiting: dict[int, tuple[anyio.Event, dict[str, Any]]] = {}

    async def attach(self) -> Self:
        """Open a new tab and attach to it."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH_POLICY)
        return self

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        self._last_id += 1
        number = self._last_id
        answered = anyio.Event()
        answer: dict[str, Any] = {}
        self._waiting[number] = (answered, answer)
        command = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps(command | ({"sessionId": self._session} if self._session else {})))
        with anyio.fail_after(ANSWER_S):
            await answered.wait()
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer.get("result", {})

    async def listen(self) -> None:
        """Process the browser's messages until it is closed."""
        try:
            async for text in self._socket:
                message = json.loads(text)
                if (waiting := self._waiting.pop(message.get("id", 0), None)) is not None:
                    waiting[1].update(message)
                    waiting[0].set()
                else:
                    self._note(message.get("method", ""), message.get("params", {}))
        except ConnectionClosed:
            pass

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(arg.get("value", arg.get("description"))) for arg in params["args"]))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def open(self, url: str) -> None:
        """Navigate to a URL and wait until the page has loaded."""
        await self.call("Page.navigate", url=url)
        await self.wait_for(f"document.readyState === 'complete' && location.href === {json.dumps(url)}")

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited if it is a promise."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def wait_for(self, condition: str, within_s: float = 10.0) -> None:
        """Wait until a JavaScript condition holds."""
        with anyio.move_on_after(within_s) as scope:
            while not await self.evaluate(_HOLDS_WITHIN_A_SECOND % condition):
                pass
        if scope.cancelled_caught:
            raise AssertionError(f"not within {within_s:g} s: {condition}; reported errors: {self.complaints}")

    async def look(self, width: int, height: int, *, dark: bool = False, scale: float = 1) -> None:
        """Set the window's size in CSS pixels, and the preferred colour scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def screenshot(self, path: Path) -> None:
        """Write a PNG of the visible part of the page."""
        result = await self.call("Page.captureScreenshot", format="png")
        await anyio.Path(path.parent).mkdir(parents=True, exist_ok=True)
        await anyio.Path(path).write_bytes(base64.b64decode(result["data"]))


# A navigation may remove the page during a wait, so no wait in the page is long.
_HOLDS_WITHIN_A_SECOND = """new Promise((resolve) => {
  const until = performance.now() + 1000;
  const look = () => {
    if (%s) resolve(true);
    else if (performance.now() > until) resolve(false);
    else setTimeout(look, 20);
  };
  look();
})"""


@asynccontextmanager
async def browse(program: str, profile: Path, microphone: Path | None = None) -> AsyncGenerator[Page]:
    """Run a new browser with one tab; its microphone plays the WAV file `microphone` once, from the time it is
    opened."""
    flags = [*_FLAGS, f"--user-data-dir={profile}"]
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    log = profile.with_suffix(".log")
    with log.open("wb") as output:
        process = await anyio.open_process(
            [program, *flags, "about:blank"], stdin=None, stdout=output, stderr=output, start_new_session=True
        )
    try:
        address = await _address(process, profile, log)
        async with connect(address, max_size=None, open_timeout=START_S) as socket, anyio.create_task_group() as tasks:
            page = Page(socket)
            tasks.start_soon(page.listen)
            yield await page.attach()
            tasks.cancel_scope.cancel()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.wait()


async def _address(process: Process, profile: Path, log: Path) -> str:
    """Return the address of the browser, which writes its port into its profile."""
    active = anyio.Path(profile / "DevToolsActivePort")
    with anyio.move_on_after(START_S):
        while process.returncode is None:
            if await active.exists() and len(lines := (await active.read_text()).split()) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await anyio.sleep(0.02)
    raise AssertionError(f"Chromium did not start:\n{await anyio.Path(log).read_text(errors='replace')}")

"""Calls beside the fuzzer whose callers interrupt all the time, in a process of their own.

`python -m bench.torture.fuzz.neighbour URL` makes four calls at the server, prints each interruption as a line of JSON
(`onset_ms`, `silence_ms`, on the system's monotonic clock) and ends with its standard input. A call that ends by itself
is replaced, and reported as a line with `failed`.
"""

import json
import sys
from collections.abc import Iterable

import anyio
import anyio.to_thread

from bargein.client.errors import ClientError
from bargein.client.server_api import Server
from bargein.clock import LoopClock
from bargein.wire.base import JsonObject
from bench.capacity.caller import Caller, Ticker
from bench.capacity.clips import heard_at_once, recorded, room_noise
from bench.capacity.processes import Cores, providers
from bench.speech import SPEECH
from bench.torture.soak import assistant_with_owner

_CALLS = 4
_CALL_S = 540.0
_CLOCK = LoopClock()


async def _main(url: str) -> None:
    clips = heard_at_once(recorded(SPEECH, 24))
    async with providers(Cores(None, ())) as urls, anyio.create_task_group() as tasks:
        assistant = assistant_with_owner(urls, "http://127.0.0.1:9/")
        assistant["serverMessages"] = []
        ticker = Ticker(_CLOCK)
        tasks.start_soon(ticker.run)
        for number in range(_CALLS):
            callers = (Caller(number * 1000 + n, clips, room_noise(), _CLOCK) for n in range(1000))
            tasks.start_soon(_calls, callers, url, assistant, ticker)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        tasks.cancel_scope.cancel()


async def _calls(callers: Iterable[Caller], url: str, assistant: JsonObject, ticker: Ticker) -> None:
    for caller in callers:
        try:
            await caller.join(Server(url=url), assistant)
        except (OSError, TimeoutError, ClientError) as error:
            _print({"failed": f"a neighbour's call could not be made: {error}"})
            await anyio.sleep(1)
            continue
        ticker.add(caller)
        printed, began_s = 0, anyio.current_time()
        while caller.alive and anyio.current_time() - began_s < _CALL_S:
            await anyio.sleep(0.5)
            done = caller.closed_interruptions()
            for event in done[printed:]:
                _print({"onset_ms": event.onset_ms, "silence_ms": event.silence_ms})
            printed = len(done)
        if not caller.alive:
            _print({"failed": "a neighbour's call ended by itself"})
        ticker.remove(caller)
        await caller.leave()


def _print(value: JsonObject) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1], backend_options={"use_uvloop": True})

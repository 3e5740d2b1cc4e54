"""The owner's server of the checks: it counts the final messages of each call by their `Idempotency-Key`."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Self

import anyio

from bargein.clock import LoopClock
from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.wire.json import as_object

FINAL = "end-of-call-report"

_CLOCK = LoopClock()


@dataclass(slots=True)
class Told:
    """Messages about one call.

    Attributes:
        reports: deliveries of its end-of-call-report by `Idempotency-Key`.
        ends: deliveries of its `status-update` with `ended`, by `Idempotency-Key`.
        reasons: all `endedReason`s of both.
        first_report_ms: time of the first report, on the loop's clock; None before it.
        other: number of other messages.
    """

    reports: Counter[str] = field(default_factory=Counter[str])
    ends: Counter[str] = field(default_factory=Counter[str])
    reasons: set[str] = field(default_factory=set[str])
    first_report_ms: float | None = None
    other: int = 0


class OwnerServer:
    """A server for server messages.

    Args:
        seed: seed of the delays of its answers, 0 to `slowest_ms`.
        slowest_ms: longest delay of an answer: a kill then also hits messages on their way.
        fails_first: whether the first delivery of each final message is refused with 503, so that it is retried.
    """

    def __init__(self, seed: int = 0, slowest_ms: float = 0.0, *, fails_first: bool = False) -> None:
        self.calls: dict[str, Told] = {}
        self._random = Random(seed)
        self._slowest_ms = slowest_ms
        self._fails_first = fails_first
        self._refused: set[str] = set()
        self._peer = HttpPeer(self._answer, record=False)

    @property
    def url(self) -> str:
        """URL for `assistant.server.url`."""
        return f"{self._peer.origin}/owner"

    async def __aenter__(self) -> Self:
        await self._peer.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._peer.__aexit__(*exc_info)

    def told(self, call_id: str) -> Told:
        """Return what was received about a call; empty if nothing was."""
        return self.calls.get(call_id) or Told()

    def forget(self, call_id: str) -> None:
        """Drop what was received about a call."""
        self.calls.pop(call_id, None)

    async def _answer(self, exchange: Exchange) -> None:
        message = as_object(as_object(exchange.body).get("message"))
        key = exchange.headers.get("idempotency-key", "")
        if self._fails_first and key and key not in self._refused:
            self._refused.add(key)
            await exchange.respond(503)
            return
        self.receive(message, key)
        if self._slowest_ms:
            await anyio.sleep(self._random.uniform(0, self._slowest_ms) / 1000)
        await exchange.respond(200, b"{}", content_type="application/json")

    def receive(self, message: dict[str, object], key: str) -> None:
        """Count a message."""
        call_id = str(as_object(message.get("call")).get("id"))
        told = self.calls.setdefault(call_id, Told())
        if message.get("type") == FINAL:
            told.reports[key] += 1
            told.reasons.add(str(message.get("endedReason")))
            if told.first_report_ms is None:
                told.first_report_ms = _CLOCK.monotonic_ms()
        elif message.get("type") == "status-update" and message.get("status") == "ended":
            told.ends[key] += 1
            told.reasons.add(str(message.get("endedReason")))
        else:
            told.other += 1

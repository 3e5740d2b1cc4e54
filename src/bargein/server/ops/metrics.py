"""The metrics of `GET /metrics` for Prometheus.

Counts and latencies are recorded as they happen (`bargein.call.record.metrics.CallMetrics`), so that a scrape is cheap.
"""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from bargein.call.record.metrics import DECIDED, TurnLatency

_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)


class Metrics:
    """The metrics of one server.

    Attributes:
        registry: the registry; other parts of the server may add metrics.
        listeners: the number of listeners of live calls.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._live = Gauge("bargein_live_calls", "Live calls.", registry=self.registry)
        tasks = Gauge("bargein_tasks", "Tasks of the event loop.", registry=self.registry)
        tasks.set_function(_count_tasks)
        self.listeners = Gauge("bargein_listeners", "Listeners of live calls.", registry=self.registry)
        self._ended = self._counter("calls_ended", "Calls that have ended.", "ended_reason")
        self._cut = self._counter("interruptions", "Times a caller interrupted the assistant (user-interrupted).")
        self._resumed = self._counter(
            "false_alarms_recovered", "False interruptions, after which the assistant resumed."
        )
        self._decisions = self._counter(
            "decisions",
            "Decisions on speech over the assistant: it stopped, ducked and came back (unducked), or ignored it.",
            "what",
        )
        self._cut_caller = self._counter("customer_interruptions", "Times the assistant interrupted a caller.")
        self._drafts = self._counter("drafts", "Preemptive replies, started before the end of the turn.", "outcome")
        self._refused = self._counter(
            "refused_sockets", "Sockets that the server refused or closed, by close code.", "code"
        )
        self._deliveries = self._counter("webhook_deliveries", "Server messages by their outcome.", "type", "outcome")
        self._carrier = self._counter(
            "carrier_refusals", "Refused or ignored webhooks, sockets and frames of carriers.", "provider", "reason"
        )
        self._latency = Histogram(
            "bargein_latency_seconds",
            "Latencies of a turn, as in performanceMetrics: transcriber, endpointing, model, voice, turn.",
            ["part"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._parts = {part: self._latency.labels(part) for part in TurnLatency._fields}

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"bargein_{name}", help_text, labels, registry=self.registry)

    def count_live(self, live_calls: Callable[[], int]) -> None:
        """Set the function that returns the number of live calls; it is called at each scrape."""
        self._live.set_function(lambda: float(live_calls()))

    def watch(self, what: str, latency: TurnLatency | None) -> None:
        """Record an event of a call (`bargein.call.record.metrics.Watch`)."""
        match what:
            case "assistant-interrupted":
                self._cut.inc()
            case "resumed":
                self._resumed.inc()
            case "preemptive-kept" | "preemptive-discarded":
                self._drafts.labels(what.removeprefix("preemptive-")).inc()
            case "user-interrupted":
                self._cut_caller.inc()
            case _ if latency is not None:
                for part, ms in latency._asdict().items():
                    self._parts[part].observe(ms / 1000)
            case _ if what.startswith(DECIDED):
                self._decisions.labels(what.removeprefix(DECIDED)).inc()
            case _:
                pass

    def ended(self, reason: str) -> None:
        """Count a call that has ended."""
        self._ended.labels(reason).inc()

    def refused(self, code: int) -> None:
        """Count a socket that was refused or closed with this code (RFC 6455)."""
        self._refused.labels(str(code)).inc()

    def carrier_refused(self, provider: str, reason: str) -> None:
        """Count a carrier's webhook, socket or frame that was refused or ignored; `reason` is a short word."""
        self._carrier.labels(provider, reason).inc()

    def delivered(self, kind: str, outcome: str) -> None:
        """Count a message to an owner's server by its outcome (`bargein.webhooks.sender.Sender.watch`)."""
        self._deliveries.labels(kind, outcome).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


def _count_tasks() -> float:
    """Return the number of tasks of the running event loop; 0 outside of it."""
    try:
        return float(len(asyncio.all_tasks()))
    except RuntimeError:
        return 0.0

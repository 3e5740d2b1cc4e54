"""What the server tells Prometheus at `GET /metrics`.

Counts and times of a call come from its `CallMetrics` as they happen, so that a scrape costs no call anything.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from bargein.call.record.metrics import DECIDED, TurnLatency

_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)


class Metrics:
    """The metrics of one server.

    Attributes:
        registry: other parts of the server may register metrics of their own here.
        listeners: those who listen in on calls.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._live = Gauge("bargein_live_calls", "Calls that are going on.", registry=self.registry)
        self.listeners = Gauge("bargein_listeners", "Who listens in on calls.", registry=self.registry)
        self._ended = self._counter("calls_ended", "Calls that are over.", "ended_reason")
        self._cut = self._counter("interruptions", "How often a caller cut the assistant (user-interrupted).")
        self._resumed = self._counter("false_alarms_recovered", "Cuts after which the assistant went on.")
        self._decisions = self._counter(
            "decisions",
            "Voices over the assistant: it stopped, ducked and came back (eased), or ignored them.",
            "what",
        )
        self._cut_caller = self._counter("customer_interruptions", "How often the assistant cut a caller.")
        self._drafts = self._counter("drafts", "Answers that were begun before the turn was surely over.", "outcome")
        self._refused = self._counter("refused_sockets", "Sockets that were closed for a reason.", "code")
        self._deliveries = self._counter("webhook_deliveries", "What became of server messages.", "type", "outcome")
        self._carrier = self._counter(
            "carrier_refusals", "What came from a carrier, or claimed to, and made no sense.", "provider", "reason"
        )
        self._latency = Histogram(
            "bargein_latency_seconds",
            "The parts of a turn, as in performanceMetrics: transcriber, endpointing, model, voice, turn.",
            ["part"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self._parts = {part: self._latency.labels(part) for part in TurnLatency._fields}

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"bargein_{name}", help_text, labels, registry=self.registry)

    def count_live(self, live_calls: Callable[[], int]) -> None:
        """Have the live calls counted by `live_calls`, at each scrape."""
        self._live.set_function(lambda: float(live_calls()))

    def watch(self, what: str, latency: TurnLatency | None) -> None:
        """See `bargein.call.record.metrics.Watch`."""
        match what:
            case "assistant-interrupted":
                self._cut.inc()
            case "resumed":
                self._resumed.inc()
            case "draft-kept" | "draft-discarded":
                self._drafts.labels(what.removeprefix("draft-")).inc()
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
        """A call is over."""
        self._ended.labels(reason).inc()

    def refused(self, code: int) -> None:
        """A socket was closed with this code (RFC 6455)."""
        self._refused.labels(str(code)).inc()

    def carrier_refused(self, provider: str, reason: str) -> None:
        """A webhook, a socket or a frame of a carrier's was refused or passed over, for a reason in a short word."""
        self._carrier.labels(provider, reason).inc()

    def delivered(self, kind: str, outcome: str) -> None:
        """A message to an owner's server was taken, or was not: see `bargein.webhooks.sender.Sender.watch`."""
        self._deliveries.labels(kind, outcome).inc()

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self.registry)

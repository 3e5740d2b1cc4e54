"""The tokens that a model reports for an answer.

A model's answer is an iterator of text, which has no place for a count that comes after it. Whoever iterates sets a
collector for the task, and the model, which runs in that task or in one that it starts, reports to it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The tokens of one answer.

    Attributes:
        prompt: those of the request, cached ones included.
        completion: those of the answer, thoughts included.
        cached_prompt: those of the request that the vendor had in its cache.
    """

    prompt: int
    completion: int
    cached_prompt: int = 0


@dataclass(slots=True)
class UsageCollector:
    """The place for what a model reports; the last report of an answer counts.

    Attributes:
        reported: the report; None: there is none.
    """

    reported: TokenUsage | None = field(default=None)


_collector: ContextVar[UsageCollector | None] = ContextVar("usage_collector", default=None)


@contextmanager
def collected_usage() -> Generator[UsageCollector]:
    """Collect what a model reports in this task meanwhile."""
    collector, before = UsageCollector(), _collector.get()
    _collector.set(collector)
    try:
        yield collector
    finally:
        _collector.set(before)  # not `reset`: a generator may be closed in another context than it was begun in


def report_usage(prompt: object, completion: object, cached_prompt: object = 0) -> None:
    """Report the tokens of an answer; numbers that are none count as 0, and a report without any is none."""
    collector = _collector.get()
    counts = [max(0, one) if isinstance(one, int) else 0 for one in (prompt, completion, cached_prompt)]
    if collector is not None and any(counts):
        collector.reported = TokenUsage(*counts)

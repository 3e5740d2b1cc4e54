"""The order of a part and its fallbacks, and the errors of those that failed, for transcribers and voices.

Vapi's `fallbackPlan` names the parts that take over when the first one fails, in their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import structlog

from bargein.ports import ProviderError, unexpected_error
from bargein.wire.ended import failed_reason

_log = structlog.get_logger("bargein.providers")

PartT = TypeVar("PartT")

Tell = Callable[[str, str], None]
"""Tells who watches a call of a decision: what it was, and why."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[PartT]):
    """A transcriber or voice of a fallback plan.

    Attributes:
        provider: its `provider`, as the assistant names it.
        part: the part; an error: it cannot be made on this server.
    """

    provider: str
    part: PartT | ProviderError


class Succession(Generic[PartT]):
    """The candidates of one part of one call; each that fails is replaced by the next, for the rest of the call.

    Args:
        name: what they are, for messages.
        candidates: the first one and its fallbacks, at least one.
        call_id: the call's id, for the log.
        tell: tells who watches the call of each replacement.

    Attributes:
        part: the one in use.
        number: how many have been replaced so far.

    Raises:
        ProviderError: none of them can be made.
    """

    def __init__(
        self,
        name: Literal["transcriber", "voice"],
        candidates: Sequence[Candidate[PartT]],
        *,
        call_id: str | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._name: Literal["transcriber", "voice"] = name
        self._candidates = tuple(candidates)
        self._call_id = call_id
        self._tell = tell
        self._errors: list[ProviderError] = []
        self.number = 0
        self.part = self._usable()

    @property
    def parts(self) -> list[PartT]:
        """All that could be made, in order."""
        return [one.part for one in self._candidates if not isinstance(one.part, ProviderError)]

    def replace(self, failed: PartT, error: ProviderError) -> PartT:
        """Return the one that replaces a failed one; the one in use, if that has been replaced meanwhile.

        Raises:
            ProviderError: there is none. It has the reason of the first failure, and names all of them.
        """
        if failed is not self.part:
            return self.part
        self._next(error)
        self.part = self._usable()
        return self.part

    def failure(self, error: Exception) -> ProviderError:
        """Return an error of the one in use as one that can be told; one that nobody expected is logged."""
        if isinstance(error, ProviderError):
            return error
        provider = self._candidates[self.number].provider
        _log.error(
            f"a {self._name} raised an unexpected error", call_id=self._call_id, provider=provider, exc_info=error
        )
        return unexpected_error(self._name, failed_reason(self._name, provider))

    def _usable(self) -> PartT:
        """Return the first candidate from the current number on that could be made."""
        while isinstance(part := self._candidates[self.number].part, ProviderError):
            self._next(part)
        return part

    def _next(self, error: ProviderError) -> None:
        """Go on to the next candidate, and say so.

        Raises:
            ProviderError: there is none.
        """
        provider = self._candidates[self.number].provider
        if self.number + 1 == len(self._candidates):
            raise self._failure(error) from None
        self._errors.append(error)
        self.number += 1
        following = self._candidates[self.number].provider
        _log.warning(
            f"a {self._name} failed and is replaced by the next one of its fallback plan",
            call_id=self._call_id,
            provider=provider,
            replaced_by=following,
            reason=str(error),
        )
        if self._tell is not None:
            self._tell("fallback", f"{self._name} {provider} failed ({error}), so {following} goes on")

    def _failure(self, last: ProviderError) -> ProviderError:
        errors = [*self._errors, last]
        first, *others = errors
        if not others:
            return first
        said = [f"{one.provider}: {error}" for one, error in zip(self._candidates, errors, strict=True)]
        return ProviderError(
            f"the {self._name} and its fallbacks failed: {'; '.join(said)}",
            ended_reason=first.ended_reason,
            provider=first.provider,
        )

"""`python -m bench.vendors`: what the adapters add to the vendors' own time, on loopback.

Run it in the repository's root, with nothing beside it. The exit status is 1 if a goal is missed; of a `--quick` run,
which is too short to be judged, only if an adapter fails.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, cast

import anyio
import structlog
import typer
from tests.providers.conformance.models import CASES as MODELS
from tests.providers.conformance.transcribers import VENDORS as TRANSCRIBERS
from tests.providers.conformance.voice_cases import CASES as VOICES

from bench.vendors import models, transcribers, voices
from bench.vendors.figures import Figures, Part, all_missed, table

_QUICK = ("deepgram", "anthropic", "cartesia")
"""Vendors of a quick run: one of each part at least."""
_PARTS: tuple[Part, ...] = ("transcriber", "model", "voice")


def _jobs(rounds: int, seconds: int, *, against: bool) -> list[Callable[[], Awaitable[Figures]]]:
    jobs: list[Callable[[], Awaitable[Figures]]] = [partial(transcribers.measure_custom, rounds, seconds)]
    jobs += [partial(transcribers.measure, name, rounds, seconds) for name in TRANSCRIBERS]
    jobs += [partial(models.measure, case, rounds) for case in MODELS]
    jobs += [partial(voices.measure_custom, seconds)]
    jobs += [partial(voices.measure, case, rounds, seconds) for case in VOICES]
    if against:
        from bench.vendors import official  # noqa: PLC0415  # vendors' clients take seconds to import

        jobs += [partial(client, rounds) for client in official.CLIENTS]
    return jobs


def _named(job: Callable[[], Awaitable[Figures]], error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    of = getattr(job, "args", ("",))[0]
    return f"{getattr(job, 'func', job).__module__} {getattr(of, 'provider', of)}: {type(error).__name__} {error}"


async def _run(rounds: int, seconds: int, against: bool, providers: Sequence[str]) -> tuple[list[Figures], list[str]]:  # noqa: FBT001  # anyio.run takes no names
    rows: list[Figures] = []
    broken: list[str] = []
    for job in _jobs(rounds, seconds, against=against):
        if providers and not any(each in str(getattr(job, "args", "")) for each in providers):
            continue
        try:
            rows.append(await job())
        except Exception as error:  # noqa: BLE001  # the others are still to be measured; it fails the run
            broken.append(_named(job, error))
    return rows, broken


def main(
    *,
    quick: Annotated[bool, typer.Option(help="A few rounds of a few vendors, to see that it runs.")] = False,
    against: Annotated[bool, typer.Option(help="Also measure vendors' own clients, where installed.")] = False,
    rounds: Annotated[int, typer.Option(help="Rounds of each adapter.")] = 40,
    seconds: Annotated[int, typer.Option(help="Seconds of audio for the CPU time.")] = 6,
    provider: Annotated[str | None, typer.Option(help="Only vendors with this in their name.")] = None,
) -> None:
    """Measure, and print a table for each part."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    rounds, seconds = (3, 1) if quick else (rounds, seconds)
    rows, broken = anyio.run(_run, rounds, seconds, against, [provider] if provider else _QUICK if quick else ())
    for part in _PARTS:
        print("\n" + "\n".join(table(part, sorted(rows, key=lambda row: (row.provider, row.client != "bargein")))))
    missed = all_missed(rows)
    print("\nTimes in ms: median / 95th percentile. Goals are for the medians. In parentheses: relative to custom-….")
    for line in broken:
        print(f"  ! {line}")
    for line in missed:
        print(f"  goal missed: {line}")
    raise typer.Exit(1 if broken or (missed and not quick) else 0)


if __name__ == "__main__":
    sys.exit(typer.run(main))

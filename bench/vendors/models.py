"""The models: the time to the first token, and until the vendor knows that an answer is not wanted any more."""

import time
from typing import TYPE_CHECKING, cast

import anyio
from tests.providers.conformance.models import Case

from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model
from bargein.testing.vendors.scripted_llm import ModelScript, ScriptedLlm
from bench.vendors.figures import WARM_UP, Figures

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ENDLESS = ModelScript(tokens=("word ",), repeat=True, interval_ms=2)
_ASKED = [ChatMessage("user", "Tell me a story.")]


async def told_ms(fake: ScriptedLlm, number: int, began: float) -> float:
    """Return when the fake knew that the client of a request was gone, since a time."""
    with anyio.fail_after(2):
        await fake.exchanges[number].done.wait()
    return 1000 * (time.perf_counter() - began)


async def _once(model: Model, fake: ScriptedLlm, figures: Figures) -> None:
    number = len(fake.exchanges)
    began = time.perf_counter()
    answer = cast("AsyncGenerator[object]", model.reply(_ASKED))
    await anext(answer)
    figures.first_ms.append(1000 * (time.perf_counter() - began))
    await anyio.sleep(0.01)
    async with anyio.create_task_group() as tasks:
        began = time.perf_counter()

        async def watch() -> None:
            figures.cut_ms.append(await told_ms(fake, number, began))

        tasks.start_soon(watch)
        await answer.aclose()


async def measure(case: Case, rounds: int) -> Figures:
    """Measure the adapter of one vendor; the connection is kept ready as in a call."""
    figures = Figures(part="model", provider=case.provider)
    async with case.fake(ENDLESS) as fake, new_client() as client, anyio.create_task_group() as tasks:
        model = case.create(fake, client)
        tasks.start_soon(model.run)
        await anyio.sleep(0.1)
        for _ in range(rounds + WARM_UP):
            await _once(model, fake, figures)
            await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    return figures.without_warm_up()

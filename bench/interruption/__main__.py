"""Run the benchmark: `python -m bench.interruption --data DIR`."""

import argparse
import json
import platform
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np

from bargein import __version__
from bargein.audio.pcm import Float32Array
from bargein.client.connection import Server
from bargein.client.errors import ClientError
from bargein.clock import LoopClock, iso_from_epoch_ms
from bargein.wire.base import JsonObject
from bench.capacity_processes import Cores, peers, server
from bench.interruption.caller import Outcome, SceneCaller
from bench.interruption.figures import summary
from bench.interruption.report import write_html
from bench.interruption.scenes import PARTS, Scene, read, scenes

_CLOCK = LoopClock()
_JOIN_EVERY_S = 0.3
_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to do.

    Attributes:
        data: a collection of recordings.
        parts: which parts of the benchmark.
        share: of the clips.
        repeats: how often each clip is played.
        at_once: how many calls.
        telephone: over 8 kHz mu-law.
        plan: a `stopSpeakingPlan`; None leaves it to the server's default.
        server: a server that runs already; None starts one.
        json: where to write the figures.
        html: where to write the report.
    """

    data: Path
    parts: tuple[str, ...] = PARTS
    share: float = 1.0
    repeats: int = 1
    at_once: int = 6
    telephone: bool = False
    plan: JsonObject | None = None
    server: Server | None = None
    json: Path | None = None
    html: Path | None = None


async def run(options: Options) -> JsonObject:
    """Play all scenes; gives the report."""
    wanted = scenes(options.data, options.parts, options.share, options.repeats, telephone=options.telephone)
    print(f"\n  {len(wanted)} scenes, {options.at_once} calls at once\n", flush=True)
    outcomes: list[Outcome] = []
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(peers(Cores.split(), "bench.interruption.peers", str(options.data)))
        at = await stack.enter_async_context(_server(options))
        assistant = _assistant(urls, options.plan)
        response = _response(options.data)
        send, receive = anyio.create_memory_object_stream[Scene](len(wanted))
        for scene in wanted:
            send.send_nowait(scene)
        send.close()

        async def caller() -> None:
            async for scene in receive:
                outcome = await _played(scene, options.data, at, assistant, response)
                if outcome is not None:
                    outcomes.append(outcome)
                if len(outcomes) % 50 == 0:
                    print(f"  {len(outcomes)} done", flush=True)

        async with anyio.create_task_group() as tasks:
            for _ in range(options.at_once):
                tasks.start_soon(caller)
                await anyio.sleep(_JOIN_EVERY_S)
        receive.close()
    return {
        "bargein": __version__,
        "machine": platform.machine(),
        "at": iso_from_epoch_ms(_CLOCK.epoch_ms()),
        "plan": options.plan,
        "telephone": options.telephone,
        "share": options.share,
        "repeats": options.repeats,
        "calls_at_once": options.at_once,
        "worst_late_ms": round(max((o.late_ms for o in outcomes), default=0.0), 1),
        "figures": summary(outcomes),
        "outcomes": [_as_json(outcome) for outcome in outcomes],
    }


async def _played(
    scene: Scene, data: Path, at: Server, assistant: JsonObject, response: Float32Array
) -> Outcome | None:
    """One scene's outcome; tried again when it was void, for then it says nothing about the server."""
    outcome: Outcome | None = None
    for _ in range(_TRIES):
        try:
            with anyio.fail_after(90):
                outcome = await SceneCaller(scene, data, _CLOCK, response).play(at, assistant)
        except (OSError, TimeoutError, ClientError) as error:
            print(f"  {scene.clip or scene.kind}: {error}", flush=True)
            continue
        if not outcome.void:
            break
    return outcome


@asynccontextmanager
async def _server(options: Options) -> AsyncGenerator[Server]:
    if options.server is not None:
        yield options.server
        return
    with tempfile.TemporaryDirectory(prefix="bargein-interruption-") as folder:
        async with server(Cores(None, ()), Path(folder)) as running:
            yield running.server


def _assistant(urls: Mapping[str, str], plan: JsonObject | None) -> JsonObject:
    assistant: JsonObject = {
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
        "firstMessageInterruptionsEnabled": True,
        "model": {"provider": "custom-llm", "url": urls["llm"], "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": urls["voice"]}},
    }
    return assistant if plan is None else assistant | {"stopSpeakingPlan": plan}


def _response(data: Path) -> Float32Array:
    """A room's impulse response, its energy one, at most a third of a second of it."""
    found = sorted((data / "rir").glob("*"))
    response = read(found[0]) if found else np.ones(1, dtype=np.float32)
    response = response[int(np.argmax(np.abs(response))) :][:5_000]
    return (response / np.sqrt(np.square(response).sum())).astype(np.float32)


def _as_json(outcome: Outcome) -> JsonObject:
    scene = outcome.scene
    return {
        "part": scene.part,
        "kind": scene.kind,
        "clip": scene.clip,
        "condition": scene.condition.name,
        "inject_ms": scene.inject_ms,
        "stop_ms": None if outcome.stop_ms is None else round(outcome.stop_ms, 1),
        "message_ms": None if outcome.message_ms is None else round(outcome.message_ms, 1),
        "early": outcome.early,
        "void": outcome.void,
        "exposed_ms": round(outcome.exposed_ms),
    }


def _print(figures: JsonObject) -> None:
    for part, told in figures.items():
        if part in ("command", "word"):
            told_ms = "  ".join(f"p{p} {told[f'stop_p{p}_ms']['value'] or 0:.0f}" for p in (50, 95, 99))
            print(f"  {part:<10} {told['trials']:4d} trials  recall {told['recall']['value']:.3f}  {told_ms} ms")
        elif part in ("listening", "noise", "echo"):
            share, rate = told["stopped"]["value"], told["stops_per_minute"]
            print(f"  {part:<10} {told['trials']:4d} trials  stopped {share:.3f}  {rate} a minute")
            print(f"             { ({k: v for k, v in told['by_kind'].items() if v[0]}) }")
    print(f"  void: {figures['void']} of {figures['trials']}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.interruption", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a collection of recordings with a MANIFEST.tsv")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the clips, from 0 to 1")
    parser.add_argument("--repeats", type=int, default=1, help="how often each clip is played")
    parser.add_argument("--calls", type=int, default=6, help="calls at once")
    parser.add_argument("--quick", action="store_true", help="a twelfth of the clips, in under three minutes")
    parser.add_argument("--telephone", action="store_true", help="8 kHz mu-law on the wire")
    parser.add_argument("--plan", help="JSON of a stopSpeakingPlan; without it the server's default decides")
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--html", type=Path, help="where to write the report")
    given = parser.parse_args(arguments)
    options = Options(
        data=given.data,
        parts=tuple(given.parts.split(",")),
        share=1 / 12 if given.quick else given.share,
        repeats=given.repeats,
        at_once=given.calls,
        telephone=given.telephone,
        plan=json.loads(given.plan) if given.plan else None,
        server=Server(url=given.url) if given.url else None,
        json=given.json,
        html=given.html,
    )
    report = anyio.run(run, options, backend_options={"use_uvloop": True})
    _print(report["figures"])
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.html is not None:
        write_html(options.html, report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

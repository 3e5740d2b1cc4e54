"""Run the clients of others against a server: `python -m bench.outsiders --out FOLDER`."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import httpx
from tests.carriers.twilio.loopback import TwilioLoopback

from bargein.client.server_api import Server, create_call
from bargein.wire.base import JsonObject
from bench.capacity.processes import Cores, only_on, peers, server
from bench.interruption.recordings import write_speeches
from bench.outsiders import installed
from bench.outsiders.edge import edge
from bench.outsiders.scenarios import write_scenarios
from bench.speech import SPEECH

_WORDS = 30
_LONGEST_S = 90
_TRIES = 2


async def run(out: Path, data: Path = SPEECH) -> bool:
    """Run both clients at once, each against a call of its own; return whether both found what they expect.

    A client that did not is run once more: the calls are in real time, on machines that others use too.

    Args:
        out: folder for the reports, which exists.
        data: folder of a collection with the recordings of `scenarios`.

    Raises:
        RuntimeError: the server did not start, or did not take the call.
    """
    carrier, cores = TwilioLoopback(), Cores.split()
    with tempfile.TemporaryDirectory(prefix="bargein-outsiders-") as name, only_on(cores.others):
        folder = Path(name)
        speeches = folder / "speeches"
        speeches.mkdir()
        write_speeches(data, speeches)
        for_voicebench, for_streamdouble = write_scenarios(data, folder)
        async with (
            peers(cores, "bench.interruption.peers", str(speeches), str(_WORDS)) as urls,
            carrier.running(),
            server(cores, folder, environment={"TWILIO_API_URL": carrier.url}) as ours,
            edge(carrier, await _number(ours.server.url, carrier, _assistant(urls)), ours.server.url) as media_url,
        ):
            found: dict[str, bool] = {}

            async def again(client: str) -> None:
                for _ in range(_TRIES):
                    if client == "voicebench":
                        found[client] = await _voicebench(for_voicebench, ours.server, _assistant(urls), out)
                    else:
                        found[client] = await _streamdouble(for_streamdouble, media_url, out)
                    if found[client]:
                        return

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(again, "voicebench")
                tasks.start_soon(again, "streamdouble")
    for client, is_good in found.items():
        print(f"  {client}: {'passed' if is_good else 'FAILED'}", flush=True)
    return all(found.values())


def _assistant(urls: Mapping[str, str]) -> JsonObject:
    return {
        "firstMessageMode": "assistant-waits-for-user",
        "firstMessageInterruptionsEnabled": True,
        "model": {"provider": "custom-llm", "url": urls["llm"], "model": "scripted"},
        "voice": {"provider": "custom-voice", "server": {"url": urls["voice"]}, "cachingEnabled": False},
    }


async def _number(url: str, carrier: TwilioLoopback, assistant: JsonObject) -> str:
    """Store the carrier's number, whose assistant speaks first; return its id."""
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as http:
        speaking = assistant | {"firstMessageMode": "assistant-speaks-first-with-model-generated-message"}
        made = (await http.post("/assistant", json=speaking)).raise_for_status().json()
        number = await carrier.number(http) | {"assistantId": made["id"]}
        return str((await http.post("/phone-number", json=number)).raise_for_status().json()["id"])


async def _voicebench(scenario: Path, at: Server, assistant: JsonObject, out: Path) -> bool:
    call = await create_call(at, assistant=assistant)
    command = [
        str(installed("voicebench")), "run", str(scenario), "--url", call.socket_url, "--out", str(out / "voicebench"),
    ]  # fmt: skip
    return await _ran("voicebench", command) is not None


async def _streamdouble(scenario: Path, url: str, out: Path) -> bool:
    command = [
        str(installed("streamdouble")), "scenario", str(scenario), url, "--json", "--junit",
        str(out / "streamdouble.xml"), "--trace", str(out / "streamdouble.trace.jsonl"),
    ]  # fmt: skip
    printed = await _ran("streamdouble", command, out / "streamdouble.json")
    return printed is not None


async def _ran(client: str, command: Sequence[str], output: Path | None = None) -> str | None:
    """Run a client; return what it printed, or None if it failed. Its output is printed, or kept in a file."""
    try:
        with anyio.fail_after(_LONGEST_S):
            done = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT if output is None else None)
    except TimeoutError:
        print(f"  {client}: no result within {_LONGEST_S} s", flush=True)
        return None
    text = done.stdout.decode(errors="replace")
    if output is not None:
        await anyio.Path(output).write_text(text, encoding="utf-8")
        text = json.dumps(json.loads(text), indent=1) if text.startswith("{") else text
    print(f"\n{text}\n  {client}: exit status {done.returncode}", flush=True)
    return text if done.returncode == 0 else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.outsiders", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("artifacts/outsiders"), help="folder for the reports")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    for client in ("voicebench", "streamdouble"):
        installed(client)
    return 0 if anyio.run(run, given.out) else 1


if __name__ == "__main__":
    sys.exit(main())

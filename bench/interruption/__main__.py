"""Run the benchmark: `python -m bench.interruption --data DIR`."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import anyio

from bargein.client.server_api import Server
from bargein.wire.base import JsonObject
from bench.interruption.choice import Options
from bench.interruption.publish import publish, write
from bench.interruption.report import as_text
from bench.interruption.run import run
from bench.interruption.scenes import PARTS
from bench.peers import CONTENDERS, python_of
from bench.speech import HELP, SPEECH

_MAIN = PARTS[:9]
_QUICK_MINUTES = 1.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = _parser()
    given = parser.parse_args(arguments)
    options = _options(given)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part: {', '.join(unknown)}")
    for name in options.against:
        try:
            python_of(name)
        except RuntimeError as error:
            parser.error(str(error))
    report = anyio.run(run, options, backend_options={"use_uvloop": True})
    print(as_text(report), flush=True)
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.out is not None:
        write(report, given.out)
    if given.publish is not None:
        publish(report, given.publish)
    return 0 if all(_ran(column) for column in report["columns"].values()) else 1


def _ran(column: JsonObject) -> bool:
    """Return whether the server could be measured at all; bad figures are no failure."""
    played = len(column["outcomes"]) + len(column["turns"])
    return played > 0 and len(column["lost"]) <= played


def _options(given: argparse.Namespace) -> Options:
    return Options(
        data=given.data,
        parts=tuple(given.parts.split(",")),
        share=given.share,
        repeats=given.repeats,
        at_once=given.calls,
        telephone=given.telephone,
        plan=given.plan or "",
        against=tuple(given.against),
        server=Server(url=given.url) if given.url else None,
        minutes=_QUICK_MINUTES if given.quick else given.minutes,
        synthetic=not (given.quick or given.people_only),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.interruption", description=__doc__)
    parser.add_argument("--data", type=Path, default=SPEECH, help=HELP)
    parser.add_argument("--parts", default=",".join(_MAIN), help=f"of {','.join(PARTS)}")
    parser.add_argument("--share", type=float, default=1.0, help="share of the clips, from 0 to 1")
    parser.add_argument("--minutes", type=float, help="play the largest share of the clips that fits into this time")
    parser.add_argument("--repeats", type=int, default=1, help="number of times that each clip is played")
    parser.add_argument("--calls", type=int, default=10, help="number of simultaneous calls")
    parser.add_argument("--quick", action="store_true", help="the same as `--minutes 1.2 --people-only`, for CI")
    parser.add_argument("--people-only", action="store_true", help="no synthetic voices")
    parser.add_argument("--telephone", action="store_true", help="8 kHz mu-law on the wire")
    parser.add_argument("--plan", help="JSON of a stopSpeakingPlan; default: that of the server")
    parser.add_argument("--url", help="a running server with Vapi's WebSocket transport, in place of bargein")
    parser.add_argument(
        "--against", nargs="+", default=[], choices=list(CONTENDERS), help="measure these servers with the same clips"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--out", type=Path, help="folder for the figures, the page, the pictures and the tables")
    parser.add_argument("--publish", type=Path, help="a checkout of bargein: write pictures and tables into its docs")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

"""Generate `docs/engine.md` from the engine: `python -m dev.engine`, or `make engine-docs`.

The page has the agenda's items, the phases of a call, the events, commands and plan with the first sentences of their
docstrings, the rules about time from the docstrings of their modules, and the laws (`LAWS`).
"""

import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from types import UnionType
from typing import get_args

from bargein.turns import Plan, commands, events, phases
from bargein.turns.agenda import AGENDA

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "engine.md"

HEAD = """# The engine

The rules of turn-taking: when the assistant stops, answers, resumes and ends the call. This page is generated from
`src/bargein/turns` by `make engine-docs`, and a test checks that it is current. Its place in the server
is in [Architecture](architecture.md).

`step(state, event, plan) -> (state, commands)` applies one event and then every item of the agenda that is due;
`wake_at(state, plan)` is the earliest time at which an item will be due. Both are pure functions. All times are
milliseconds since the call began.
"""

TIMED = (
    ("Interruption by numbers", "interruption.explicit"),
    ("Adaptive interruption", "interruption.evidence"),
    ("Recovery", "interruption.recovery"),
    ("The caller's voice", "endpointing.caller_voice"),
    ("Endpointing", "endpointing.rules"),
    ("The wait function", "endpointing.wait_function"),
    ("The owner's endpointing model", "endpointing.smart"),
    ("Adaptive endpointing", "endpointing.end_of_turn"),
    ("Preemptive replies", "endpointing.preemptive"),
    ("Playout, hang and stall", "replies.speaking"),
    ("Tools", "tools.tool_calls"),
    ("Silence", "ending"),
)
"""The rules about time: a title and the module below `bargein.turns` whose docstring describes it."""

LAWS = (
    "The same inputs give the same commands: a journal replays to the same call.",
    "After `user-interrupted` for a turn: no `model-output` of that turn, and no audio of it.",
    "At most one `user-interrupted` for a turn, and only for one that was audible or had put out a token.",
    "What is remembered of an interrupted reply is a prefix of it, and no more than was played.",
    "The caller interrupts never earlier than the plan allows, and never later than its threshold.",
    "An acknowledgement phrase never interrupts, and protected speech is never cut.",
    "From every state the call moves on: no state waits for ever, no timer spins, every call ends.",
    "Every reply ends exactly once.",
    "After `user-interrupted` for a turn: no tool is started by that turn.",
    "A tool call runs once. While it runs, an equal call of another reply does not run and gets its result.",
    "Every tool call has exactly one result, right behind the call, also when the call ends or the tool fails.",
    "Tool results trigger at most one further model reply, and every result is shown to the model.",
    "A hook triggers at most as often as its limit allows.",
    "A hook for the caller's silence never triggers early, nor while the assistant speaks.",
    "No hook cuts a reply that sounds, and a caller who has spoken is not asked whether they are there.",
    "Every `call.ending` hook whose filters match triggers once, and no hook keeps a call from ending.",
    "A `call.timeElapsed` hook triggers on time.",
    (
        "Before the end of the turn nothing of a preemptive reply is sent, sounds, runs or is remembered; "
        "if discarded, never."
    ),
    "A reply resumes at most once for each stop, and only if no words but a backchannel came.",
    "After a true interruption nothing of the interrupted reply sounds again.",
    "A reply resumes at the beginning of a word, leaves out nothing, and repeats no more than 1.2 s.",
    "What was resumed is remembered as a whole, and nothing that was not heard.",
    "The assistant resumes within its time limits once the caller is silent.",
    "Nothing of a prepared reply is sent or sounds before it is kept; if it is discarded, never.",
    "Each resumed reply has one `model-output` with all its text, before its `speech-update`.",
    "What was said stands in the history in the order in which it began to be said or heard.",
    "No request to the model ends with the assistant's words, unless it is told so or goes on by itself.",
    "An end of the call that the caller's words have called off is in the history as called off.",
)
"""The laws, in the order of their numbers, which the messages of the property tests name."""


LAWS_TEXT = (
    "Hypothesis properties over random conversations (`tests/turns/test_laws.py`, and `test_recovery_laws.py` for the"
    " 19th to the 25th):"
)


def main() -> None:
    """Write the page."""
    TARGET.write_text(page())


def page() -> str:
    """Return the page's text."""
    laws = "\n".join(f"{number}. {law}" for number, law in enumerate(LAWS, 1))
    sections = (
        ("The agenda", _agenda()),
        ("The phases of a call", _phases()),
        ("The rules about time", _timed()),
        ("Events", f"{_first_sentence(inspect.getdoc(events))}\n\n{_classes(events.Event)}"),
        ("Commands", f"{_first_sentence(inspect.getdoc(commands))}\n\n{_classes(commands.Command)}"),
        ("The plan", _plan()),
        ("The laws", f"{LAWS_TEXT}\n\n{laws}"),
    )
    return "\n".join([HEAD, *(f"## {title}\n\n{text}\n" for title, text in sections)])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _agenda() -> str:
    rows = ((str(number), item.name, item.why, "yes" if item.closing else "") for number, item in enumerate(AGENDA, 1))
    text = """What the engine does without an event that asks for it. After each event the first item that is due
happens, then the next one, until none is due. The last column marks those that also happen while the call is ending and
its `call.ending` hooks run."""
    return f"{text}\n\n{_table(('', 'item', 'when it is due, and what then happens', 'while closing'), rows)}"


def _phases() -> str:
    ends = next(t.causes for t in phases.TRANSITIONS if t.source == "live")
    return f"""{_table(("phase", ""), phases.PHASES.items())}

An arrow names the events and agenda items that cause it. Every phase but the first also has arrows to `ended`, or to
`closing` where hooks wait for the end: {", ".join(ends)}.

```mermaid
{phases.diagram()}
```"""


def _timed() -> str:
    parts: list[str] = []
    for title, name in TIMED:
        text = inspect.getdoc(import_module(f"bargein.turns.{name}")) or ""
        parts.append(f"### {title}\n\n{_fenced(text)}\n\nSource: `src/bargein/turns/{name.replace('.', '/')}.py`")
    return "\n\n".join(parts)


def _fenced(text: str) -> str:
    """Put indented blocks between fences, so that every viewer shows them as they are."""
    block = re.compile(r"(?:^    .*\n?(?:\n(?=    ))?)+", re.MULTILINE)
    return block.sub(lambda found: f"```text\n{dedent(found.group()).rstrip()}\n```\n", text + "\n").strip()


def _classes(union: UnionType) -> str:
    rows = ((f"`{kind.__name__}`", _first_sentence(inspect.getdoc(kind))) for kind in get_args(union))
    return _table(("name", ""), rows)


def _plan() -> str:
    described = dict(re.findall(r"^    (\w+): ((?:.|\n     )*)", inspect.getdoc(Plan) or "", re.MULTILINE))
    rows = (
        (f"`{name}`", f"`{getattr(Plan(), name)!r}`" if _is_short(name) else "", " ".join(text.split()))
        for name, text in described.items()
    )
    return f"""{_first_sentence(inspect.getdoc(Plan))} `bargein.call.plan.compile` compiles it once for each
assistant. Defaults are Vapi's where Vapi has the field.

{_table(("field", "default", "source and meaning"), rows)}"""


def _is_short(name: str) -> bool:
    return len(repr(getattr(Plan(), name))) <= len(repr(Plan().voice_failed_reason))


def _first_sentence(text: str | None) -> str:
    """Return the first sentence of a docstring."""
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]


if __name__ == "__main__":
    main()

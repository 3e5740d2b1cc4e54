"""Generate `docs/security.md`: the settings that are limits, and every fixed limit in the code, with its value.

`python -m dev.security` writes the page; a test checks that it is current. A fixed limit is a constant of a module
whose name says so (`MAX_…`, `MOST_…`, `LONGEST_…`, `…_TIMEOUT_S`, `…_PER_S`) and whose docstring or comment says its
meaning. Left out are constants of the algorithms, which limit nothing that others send: private ones that need no
explanation, and those of the packages in `_NOT_OF_THE_SERVER`.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bargein.settings import LimitSettings

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "bargein"
TARGET = ROOT / "docs" / "security.md"

HEAD = """# Limits of the server

The threat model, and the tests that hold each promise, are in [SECURITY.md](../SECURITY.md). This page is generated
from the code by `make settings`, and a test checks that it is current.

## What is limited

- **Connections.** A head of a request must arrive in time and within a size: 408, 414 and 431. A connection without a
  request is closed. With all places taken, the connection that has waited longest is closed for a new one; requests get
  three quarters of the places, so that calls can be joined in a flood. Half of the process's file descriptors are left
  for what live calls open themselves: providers, journals, recordings, the database. A request with both a length and
  chunks, with two lengths or hosts, or with anything else that two servers could read in two ways, gets a 400, and
  nothing after it is read.
- **The public key.** Requests, calls, chats, bytes and live calls have limits, also for tokens with the tag `public`.
  Above them a request gets a 429 with `Retry-After`, and a socket is closed with 1013. The private key has no such
  limit.
- **Wrong keys.** Keys are compared in constant time. After too many wrong ones an address gets a 429 for every key,
  the right one included, until the minute is over.
- **Calls that nobody joins** end with `customer-did-not-answer`, as their record and their end-of-call report say.
- **Behind a proxy** name it in `BARGEIN_TRUSTED_PROXIES`, and let it set `X-Forwarded-For`: limits of one address then
  apply to the addresses that it forwards. A proxy that names none is not locked out, so that wrong keys that come
  through it are refused but do not keep others out.

Each process counts for itself: with several servers on one database a client may have each limit on each of them.

## Limits that are settings
"""

_FIXED = """
## Limits that are fixed

| Module | Constant | Value | Meaning |
| --- | --- | --- | --- |"""
_NOT_OF_THE_SERVER = ("audio.", "client.", "providers.embedded.", "testing.")
_NAMED = re.compile(r"(^|_)(MAX|MOST|LONGEST|TIMEOUT|LINGER|REST)(_|$)|_PER_S$")
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Mult: operator.mul,
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Pow: operator.pow,
    ast.LShift: lambda a, b: int(a) << int(b),
}


class Limit(NamedTuple):
    """A fixed limit.

    Attributes:
        module: the module's path below the package, with dots.
        name: the constant.
        value: its value.
        meaning: the first sentences of its docstring, or its comment.
    """

    module: str
    name: str
    value: float
    meaning: str


def page() -> str:
    """Return the whole page."""
    rows = "\n".join(
        f"| `{each.module}` | `{each.name}` | {_written(each.value)} | {each.meaning} |" for each in fixed_limits()
    )
    return f"{HEAD}\n{_settings()}\n{_FIXED}\n{rows}\n"


def _settings() -> str:
    rows = [f"| `{each.name}` | {each.default} | {each.meaning} |" for each in LimitSettings.variables()]
    return "\n".join(["| Setting | Default | Meaning |", "| --- | --- | --- |", *rows])


def fixed_limits() -> Iterator[Limit]:
    """Yield the fixed limits of all modules, ordered by module."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if module.startswith(_NOT_OF_THE_SERVER):
            continue
        body = ast.parse(text).body
        for index, node in enumerate(body):
            found = _constant(node)
            if found is None or not _NAMED.search(found[0]):
                continue
            following = body[index + 1] if index + 1 < len(body) else None
            meaning = _docstring(following) or _comment(text.splitlines()[node.lineno - 1])
            if meaning or not found[0].startswith("_"):
                yield Limit(module, *found, meaning)


def _constant(node: ast.stmt) -> tuple[str, float] | None:
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        target, value = node.target, node.value
    else:
        return None
    number = _number(value)
    return None if number is None or not isinstance(target, ast.Name) else (target.id, number)


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int | float) and not isinstance(node.value, bool) else None
    if isinstance(node, ast.BinOp) and (apply := _OPERATORS.get(type(node.op))) is not None:
        left, right = _number(node.left), _number(node.right)
        return None if left is None or right is None else apply(left, right)
    return None


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split("\n\n")[0].split()).replace("|", "\\|")
    return ""


def _comment(line: str) -> str:
    text = line.partition("#")[2].strip()
    return "" if text.startswith("noqa") else text.replace("|", "\\|")


def _written(value: float) -> str:
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else f"{value:g}"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")

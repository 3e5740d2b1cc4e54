"""Mutations of valid messages: of JSON values by their structure, and of bytes."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

ODD: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    -0.0,
    2**63,
    10**400,
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud83d",
    "\u202e\ufeff",
    "a" * 5000,
    "{{" * 50,
    "{% for a in (1..9999999) %}x{% endfor %}",
    "(a+)+$",
    "é" * 300,
    "NaN",
    "2026-02-30T25:61:61Z",
    "+1555" + "0" * 60,
    "../../etc/passwd",
    "http://127.0.0.1:9/",
    "file:///etc/passwd",
    [],
    {},
    [[]],
    [None],
    [{}] * 300,
    {"": ""},
    {"type": None},
    {"__proto__": {"a": 1}},
)
"""Values that are put in place of others."""

NOT_JSON: tuple[bytes, ...] = (
    b"",
    b"{",
    b"[" * 50_000,
    b'{"a":' * 20_000,
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"NaN",
    b'{"a":NaN}',
    b'{"a":1,"a":2}',
    b'"\\ud800"',
    b"\x00" * 100,
    b"0" * 10_000,
    b'{"type":"say","content":"\xc3\x28"}',
    b"1" * 5000 + b".0",
    b"null",
    b"true",
    b"[]",
    b'""',
)
"""Texts that are put in place of JSON."""

Path = tuple[str | int, ...]


def paths(value: object, at: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values inside of a JSON value."""
    items: Iterator[tuple[str | int, object]]
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    else:
        return
    for key, inner in items:
        yield (*at, key)
        yield from paths(inner, (*at, key))


def mutated(value: object, random: Random) -> object:
    """Return a JSON value with one to four mutations."""
    changed = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        found = list(paths(changed))
        if not found:
            return random.choice(ODD)
        path = random.choice(found)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]  # type: ignore[index]
        random.choice(_MUTATIONS)(parent, path[-1], random)
    return changed


def _replace(parent: object, key: str | int, random: Random) -> None:
    parent[key] = copy.deepcopy(random.choice(ODD))  # type: ignore[index]


def _remove(parent: object, key: str | int, _: Random) -> None:
    del parent[key]  # type: ignore[attr-defined]


def _nest(parent: object, key: str | int, random: Random) -> None:
    inner = parent[key]  # type: ignore[index]
    for _ in range(random.choice((1, 5, 60, 300))):
        inner = [inner] if random.random() < 0.5 else {"a": inner}
    parent[key] = inner  # type: ignore[index]


def _grow(parent: object, key: str | int, random: Random) -> None:
    times = random.choice((2, 30, 400))
    inner = parent[key]  # type: ignore[index]
    if isinstance(inner, str | list):
        parent[key] = (inner * times)[:20_000]  # type: ignore[index]
    elif isinstance(inner, dict):
        inner.update({f"x{n}": n for n in range(times)})
    elif isinstance(inner, int | float) and not isinstance(inner, bool):
        with suppress(OverflowError):  # no float is a thousandth of 10**400
            parent[key] = inner * random.choice((-1, 1000, 10**9, 0.001))  # type: ignore[index]


def _rename(parent: object, key: str | int, random: Random) -> None:
    if isinstance(parent, dict):
        parent[random.choice((str(key).upper(), f"{key}_", "\ud800", "", "type", "id"))] = parent.pop(key)


def _copy_over(parent: object, key: str | int, random: Random) -> None:
    """Put another value of the same object or list in place of this one."""
    keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))  # type: ignore[arg-type]
    parent[key] = copy.deepcopy(parent[random.choice(keys)])  # type: ignore[index]


def _corrupt(parent: object, key: str | int, random: Random) -> None:
    inner = parent[key]  # type: ignore[index]
    if isinstance(inner, str):
        at = random.randrange(len(inner) + 1)
        piece = random.choice(("\x00", "\ud800", "\u2028", "{{", "]]>", "%00", "\r\n", "🎧"))
        parent[key] = inner[:at] + piece + inner[at:]  # type: ignore[index]
    else:
        _replace(parent, key, random)


_MUTATIONS: tuple[Callable[[object, str | int, Random], None], ...] = (
    _replace,
    _replace,
    _remove,
    _nest,
    _grow,
    _rename,
    _copy_over,
    _corrupt,
)


def encoded(value: object, random: Random) -> bytes:
    """Return a value as JSON, sometimes with damage to its bytes or with other bytes in its place."""
    data = json.dumps(value, allow_nan=random.random() < 0.9 or _finite(value)).encode()
    chance = random.random()
    if chance < 0.08:
        return random.choice(NOT_JSON)
    if chance < 0.25:
        return damaged(data, random)
    return data


def _finite(value: object) -> bool:
    return "Infinity" not in json.dumps(value) and "NaN" not in json.dumps(value)


def damaged(data: bytes, random: Random) -> bytes:
    """Return bytes that were cut, repeated, or changed at some places."""
    at = random.randrange(len(data) + 1)
    match random.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data + data[at:]
        case 2:
            return data[:at] + random.randbytes(random.choice((1, 4, 200))) + data[at:]
        case 3:
            changed = bytearray(data)
            for _ in range(random.choice((1, 3, 20))):
                if changed:
                    changed[random.randrange(len(changed))] = random.randrange(256)
            return bytes(changed)
        case 4:
            return data[at:] + data[:at]
        case _:
            return data * random.choice((2, 20))


def damaged_text(text: str, random: Random) -> str:
    """Return damaged text, for places that cannot carry bytes."""
    return damaged(text.encode(errors="surrogatepass"), random).decode("utf-8", errors="replace")

"""Providers of Vapi's types that nobody can call any more: a request that names one is refused at once.

A stored record that was written before is still read; a call with it ends at its start with the same reason.
"""

from collections.abc import Iterator, Mapping

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list_or_none, as_object_or_none, as_string

RETIRED: Mapping[str, Mapping[str, str]] = {
    "transcriber": {
        "talkscriber": "Talkscriber has no public API any more",
    },
    "voice": {
        "playht": "PlayHT closed its service at the end of 2025",
        "sesame": "Sesame has no public API for text-to-speech",
        "tavus": "Tavus has no public API for text-to-speech",
    },
}
"""By part of an assistant and by `provider`: why it cannot be called."""

_ELSEWHERE = {
    "transcriber": 'use another one, such as deepgram, or "vapi", or "custom-transcriber" with a server of yours',
    "voice": 'use another one, such as 11labs or cartesia, or "vapi", or "custom-voice" with a server of yours',
}
_PARTS_BY_FIELD = {"transcriber": "transcriber", "transcribers": "transcriber", "voice": "voice", "voices": "voice"}
"""The fields that hold a part: of an assistant or its overrides, and of a `fallbackPlan`."""
FREE_FORM = frozenset({
    "metadata", "variableValues", "headers", "parameters", "properties", "body", "schema", "messages",
})  # fmt: skip
"""Fields whose contents the owner defines."""
_DEEPEST = 64


def retirement(part: str, provider: str) -> str | None:
    """Return why a provider cannot be called and what to use instead; None for one that is not retired."""
    reason = RETIRED.get(part, {}).get(provider)
    return None if reason is None else f"{reason}: {_ELSEWHERE[part]}"


def find_retired(body: JsonObject) -> dict[str, str]:
    """Return the problems of a request's retired providers, wherever an assistant is in it: dotted path -> text."""
    return dict(_search(body, (), 0))


def _search(given: JsonObject, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    for name, value in given.items():
        if name in FREE_FORM:
            continue
        items = as_list_or_none(value)
        placed = [((*path, name), value)] if items is None else _numbered((*path, name), items)
        for where, one in placed:
            if (inner := as_object_or_none(one)) is None:
                continue
            provider = as_string(inner.get("provider"))
            if provider is not None and (text := retirement(_PARTS_BY_FIELD.get(name, ""), provider)) is not None:
                yield ".".join((*where, "provider")), f"must not be {provider}: {text}"
            yield from _search(inner, where, depth + 1)


def _numbered(path: tuple[str, ...], items: list[object]) -> list[tuple[tuple[str, ...], object]]:
    return [((*path, str(index)), item) for index, item in enumerate(items)]

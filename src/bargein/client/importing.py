"""`bargein import`: stores the assistants, squads, tools and phone numbers of a folder on a running server."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import anyio

from bargein.carriers.registry import NUMBER_TYPES
from bargein.client.errors import ClientError, RefusedError
from bargein.client.server_api import Server, request_json
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import WireError, parse_request
from bargein.wire.exports import as_request, with_references
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_string, read_json
from bargein.wire.squad import Squad
from bargein.wire.tools import TOOLS

Kind = Literal["tool", "assistant", "squad", "phone-number"]
KINDS: tuple[Kind, ...] = ("tool", "assistant", "squad", "phone-number")
"""The kinds in the order in which they are stored: each refers to those before it, and to its own."""

_FIELDS: dict[str, Kind] = {
    "tools": "tool",
    "assistants": "assistant",
    "squads": "squad",
    "phoneNumbers": "phone-number",
    "phone-numbers": "phone-number",
}
"""The kinds by the fields of an export with several lists, and by the names of folders."""
_TELLING = frozenset({"model", "voice", "transcriber", "firstMessage", "firstMessageMode", "serverMessages"})


@dataclass(slots=True)
class Item:
    """A record of the folder.

    Attributes:
        where: the file, with the place in it if it has several.
        kind: its kind.
        record: its JSON.
        names: the ids by which others refer to it: its `id`, and the name of a file that has it alone.
        body: the body of its request; empty before it was made.
        new_id: its id on the server; None: it is not stored.
    """

    where: str
    kind: Kind
    record: JsonObject
    names: tuple[str, ...]
    body: JsonObject = field(default_factory=JsonObject)
    new_id: str | None = None


@dataclass(slots=True)
class Report:
    """The outcome of an import.

    Attributes:
        stored: the number of records that were stored, or would be.
        errors: the number of files and records that could not be.
    """

    stored: int = 0
    errors: int = 0

    @property
    def exit_code(self) -> int:
        """The exit code of the command: 0 if all could be stored."""
        return 1 if self.errors else 0


async def import_folder(folder: Path, server: Server | None, echo: Callable[[str], None]) -> Report:
    """Store what the JSON files of a folder have, with the references between them.

    Args:
        folder: the folder; those in it are searched, too.
        server: the server; None: nothing is sent, and each record is only checked.
        echo: prints a line.

    Raises:
        ClientError: there is no such folder, or nothing answers.
    """
    if not await anyio.Path(folder).is_dir():
        raise ClientError(f"{folder} is no folder")
    report = Report()

    def fail(where: str, reason: str) -> None:
        report.errors += 1
        echo(f"{where}: {reason}")

    items = sorted(_items(folder, fail), key=lambda item: KINDS.index(item.kind))
    ids: dict[str, str] = {}
    for item in items:
        try:
            left_out = _prepare(item)
            if server is not None:
                await _store(item, server, ids)
        except WireError as error:
            fail(item.where, str(error))
        except RefusedError as error:
            fail(item.where, f"{item.kind} was refused: {error}")
        else:
            report.stored += 1
            echo(f"{item.where}: {item.kind} {item.new_id or 'ok'}")
            for path in left_out:
                echo(f"  {path} was left out: Vapi's types have no such field")
    if server is not None:
        await _store_references(items, server, ids, fail)
    verb = "checked" if server is None else "stored"
    echo(f"{report.stored} record(s) {verb}, {report.errors} error(s)")
    return report


def _prepare(item: Item) -> tuple[str, ...]:
    """Make the body of an item and check it; return the fields that were left out.

    Raises:
        WireError: it is not valid.
    """
    model = _model_of(item)
    exported = as_request(model, item.record)
    item.body = exported.body
    parse_request(model, item.body)
    return exported.left_out


def _model_of(item: Item) -> type[WireModel]:
    match item.kind:
        case "assistant":
            return Assistant
        case "squad":
            return Squad
        case "tool":
            name, models = "type", cast("dict[str, type[WireModel]]", TOOLS)
        case "phone-number":
            name, models = "provider", cast("dict[str, type[WireModel]]", dict(NUMBER_TYPES))
    value = as_string(item.record.get(name)) or ""
    if value not in models:
        raise WireError(400, [f"{name} must be one of the following values: {', '.join(models)}"])
    return models[value]


async def _store(item: Item, server: Server, ids: dict[str, str]) -> None:
    """Store an item, with the references to what is stored already.

    Raises:
        RefusedError: the server refuses it.
        UnreachableError: nothing answers.
    """
    item.body = with_references(item.body, ids)
    answer = as_object(await request_json(server, "POST", f"/{item.kind}?import=true", item.body))
    item.new_id = as_string(answer.get("id"))
    if item.new_id is not None:
        ids.update(dict.fromkeys(item.names, item.new_id))


async def _store_references(
    items: Sequence[Item], server: Server, ids: dict[str, str], fail: Callable[[str, str], None]
) -> None:
    """Change what refers to a record that was stored after it: assistants may name each other."""
    for item in items:
        if item.new_id is None:
            continue
        complete = with_references(item.body, ids)
        changes = {name: value for name, value in complete.items() if value != item.body[name]}
        if not changes:
            continue
        try:
            await request_json(server, "PATCH", f"/{item.kind}/{item.new_id}", changes)
        except RefusedError as error:
            fail(item.where, f"its references could not be stored: {error}")


def _items(folder: Path, fail: Callable[[str, str], None]) -> Iterator[Item]:
    for path in sorted(one for one in folder.rglob("*.json") if one.is_file()):
        where = str(path.relative_to(folder))
        try:
            data: object = read_json(path.read_bytes())
        except OSError as error:
            fail(where, f"cannot be read: {error.strerror}")
        except ValueError:
            fail(where, "is not valid JSON")
        else:
            kinds: list[Kind] = [_FIELDS[part] for part in path.relative_to(folder).parts if part in _FIELDS]
            yield from _items_of(data, where, kinds[-1] if kinds else None, path.stem)


def _items_of(data: object, where: str, kind: Kind | None, name: str = "") -> Iterator[Item]:
    """Yield the records of a document: one, a list of them, or lists of several kinds; other documents have none."""
    if (several := as_list_or_none(data)) is not None:
        for index, one in enumerate(several):
            yield from _items_of(one, f"{where}[{index}]", kind)
        return
    record = as_object_or_none(data)
    if record is None:
        return
    lists = [
        (field, found) for field in (*_FIELDS, "results") if (found := as_list_or_none(record.get(field))) is not None
    ]
    if lists and kind is None and not _TELLING & record.keys():
        for field_name, found in lists:
            yield from _items_of(found, f"{where}.{field_name}", _FIELDS.get(field_name))
        return
    kind = kind or _kind_of(record)
    if kind is not None:
        names = tuple(filter(None, (as_string(record.get("id")), name)))
        yield Item(where, kind, record, names)


def _kind_of(record: JsonObject) -> Kind | None:
    if "members" in record:
        return "squad"
    if record.get("type") in TOOLS:
        return "tool"
    if record.get("provider") in NUMBER_TYPES and not _TELLING & record.keys():
        return "phone-number"
    return "assistant" if _TELLING & record.keys() else None

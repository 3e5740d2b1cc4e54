"""The checks of `bargein check`: assistants and squads in files, as they would be checked and run by this server."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bargein.clock import LoopClock
from bargein.ports import ProviderError
from bargein.server.agents.credentials import credentials_for
from bargein.server.agents.parts import GivenPart, parts_of, read_part
from bargein.server.agents.problems import Problem, problems_of
from bargein.server.agents.validate import check_assistant
from bargein.server.api.bodies import parse_json
from bargein.server.lifespan import DATABASE
from bargein.settings import Settings
from bargein.store import Store
from bargein.wire.assistant import Assistant, merge_overrides, within_limits, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, parse_request
from bargein.wire.json import as_list_or_none, as_object, as_object_or_none, as_objects, as_string
from bargein.wire.older import with_newer_values
from bargein.wire.squad import Squad

_SET_BY_SERVERS = frozenset({"id", "orgId", "createdAt", "updatedAt", "latestVersion", "isServerUrlSecretSet"})
"""Fields of an export that nobody writes by hand; they are left out."""

_LISTS = ("assistants", "squads", "results")
"""Fields of an export that hold several assistants or squads."""

_TELLING = frozenset({"model", "voice", "transcriber", "firstMessage", "members", "assistant", "squad", *_LISTS})
"""Fields of which a file in a folder has at least one, or it is no assistant and no squad (`package.json`)."""

_OF_ARRAY = re.compile(r"(?:(?P<within>\S*)\.)?each value in (?P<array>\S+) (?P<text>.*)", re.DOTALL)
_NOT_THERE = re.compile(r"(?P<within>\S*?)property (?P<name>\S+) (?P<text>should not exist)")


@dataclass(slots=True)
class CheckedFile:
    """A file and its problems.

    Attributes:
        path: the file.
        assistants: the number of assistants in it; None: it has none and was left out.
        problems: the problems of all of them.
    """

    path: Path
    assistants: int | None = 0
    problems: list[Problem] = field(default_factory=list[Problem])

    def to_json(self) -> JsonObject:
        """Return the file as `bargein check --json` prints it."""
        return {
            "file": str(self.path),
            "assistants": self.assistants or 0,
            "problems": [{"path": one.path, "text": one.text} for one in self.problems],
        }


@dataclass(frozen=True, slots=True)
class _Checker:
    settings: Settings
    store: Store | None
    stored: Mapping[str, JsonObject]

    async def check(self, file: CheckedFile, data: object, within: str) -> None:
        """Add the problems of a document: an assistant, a squad, a call that names one, or several of them."""
        items = as_list_or_none(data)
        if items is not None:
            for index, item in enumerate(items):
                await self.check(file, item, f"{within}{index}.")
            return
        given = as_object_or_none(data)
        if given is None:
            file.problems.append(Problem(within.rstrip(".") or "file", "must be an assistant or a squad"))
            return
        given = {name: value for name, value in given.items() if name not in _SET_BY_SERVERS}
        lists = [name for name in _LISTS if as_list_or_none(given.get(name)) is not None]
        for name in lists:
            await self.check(file, given[name], f"{within}{name}.")
        if lists:
            return
        if "members" in given:
            await self._check_squad(file, given, within)
        elif as_object_or_none(given.get("squad")) is not None:
            await self.check(file, given["squad"], f"{within}squad.")
        elif as_object_or_none(given.get("assistant")) is not None:
            assistant = merge_overrides(as_object(given["assistant"]), as_object(given.get("assistantOverrides")))
            await self._check_assistant(file, assistant, f"{within}assistant.")
        else:
            await self._check_assistant(file, given, within)

    async def _check_squad(self, file: CheckedFile, given: JsonObject, within: str) -> None:
        try:
            parse_request(Squad, given)
        except WireError as error:
            file.problems += _found(error, within)
        for index, member in enumerate(as_objects(given.get("members"))):
            where = f"{within}members.{index}."
            assistant = as_object_or_none(member.get("assistant"))
            assistant_id = as_string(member.get("assistantId"))
            if (assistant is None) == (assistant_id is None):
                file.problems.append(Problem(where[:-1], "needs either assistantId or assistant"))
            if assistant is None and assistant_id is not None:
                assistant = await self._stored(assistant_id)
                if assistant is None:
                    file.problems.append(
                        Problem(f"{where}assistantId", f"no assistant with the id {assistant_id[:80]} was found")
                    )
            if assistant is None:
                continue
            for overrides in (member.get("assistantOverrides"), given.get("membersOverrides")):
                assistant = merge_overrides(assistant, as_object(overrides))
            await self._check_assistant(file, assistant, f"{where}assistant.")
        file.problems = list(dict.fromkeys(file.problems))  # an inline assistant is also a part of the squad's type

    async def _stored(self, assistant_id: str) -> JsonObject | None:
        if (found := self.stored.get(assistant_id)) is not None:
            return found
        return None if self.store is None else await self.store.assistants.get(assistant_id)

    async def _check_assistant(self, file: CheckedFile, given: JsonObject, within: str) -> None:
        file.assistants = (file.assistants or 0) + 1
        assistant = without_nulls({name: value for name, value in given.items() if name not in _SET_BY_SERVERS})
        found = [Problem(name, "should not exist") for name in assistant if name not in Assistant.wire_names()]
        try:
            check_assistant(within_limits(assistant), "", closed=True)
        except WireError as error:
            found += _found(error, "")
        told = {part.path for part in parts_of(assistant) if _is_unreadable(part) and _is_told(part.path, found)}
        warnings = problems_of(assistant, await credentials_for(assistant, self.store), self.settings)
        found += [one for one in warnings if one.path not in told]
        file.problems += [Problem(within + one.path, one.text) for one in dict.fromkeys(found)]


async def check_files(paths: Sequence[Path], settings: Settings, stored_in: Path | None = None) -> list[CheckedFile]:
    """Check files, and in folders all files whose names end with `.json`.

    Args:
        paths: files and folders.
        settings: the settings, whose keys count.
        stored_in: the data folder, whose stored credentials and assistants count if it has a database; None: none do.

    Raises:
        StoreError: the database cannot be read.
        VaultError: its encrypted values cannot be read.
    """
    files = [(path, _read(path)) for path in _files(paths)]
    given = {path for path in paths if path.is_file()}
    stored = {found["id"]: found for _, data in files for found in _with_ids(data)}
    store = await open_store(settings, stored_in)
    try:
        checker = _Checker(settings, store, stored)
        return [await _checked(path, data, checker, whole=path in given) for path, data in files]
    finally:
        if store is not None:
            await store.close()


async def _checked(path: Path, data: object, checker: _Checker, *, whole: bool) -> CheckedFile:
    file = CheckedFile(path)
    if isinstance(data, Problem):
        file.problems.append(data)
    elif whole or _is_telling(data):
        await checker.check(file, data, "")
    else:
        file.assistants = None
    return file


async def open_store(settings: Settings, folder: Path | None) -> Store | None:
    """Open the store of a data folder, for a command; None: it has none.

    Raises:
        StoreError: the database cannot be read.
        VaultError: its encrypted values cannot be read.
    """
    if folder is None or not (settings.storage.database_url or (folder / DATABASE).is_file()):
        return None
    return await Store.open(
        folder / DATABASE,
        LoopClock(),
        url=settings.storage.database_url,
        secret_keys=settings.keys.secret_keys,
    )


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*.json") if one.is_file())
        else:
            yield path


def _read(path: Path) -> object:
    """Return a file's JSON, or the problem that it cannot be read."""
    try:
        return with_newer_values(parse_json(path.read_bytes()))
    except OSError as error:
        return Problem("file", f"cannot be read: {error.strerror or type(error).__name__}")
    except WireError as error:
        return Problem("file", str(error).replace("the body", "it"))


def _is_telling(data: object) -> bool:
    items = as_list_or_none(data)
    return any(_is_telling(item) for item in items) if items is not None else bool(_TELLING & as_object(data).keys())


def _with_ids(data: object) -> Iterator[JsonObject]:
    """Yield the assistants of a document that have an id, which members of squads may name."""
    for item in as_objects([data] if as_list_or_none(data) is None else data):
        if as_string(item.get("id")) is not None and "members" not in item:
            yield item
        for name in _LISTS:
            yield from _with_ids(item.get(name) or [])


def _found(error: WireError, within: str) -> list[Problem]:
    """Return the problems of a refusal, whose texts begin with the path of the field."""
    texts = error.messages if isinstance(error.messages, list) else [error.messages]
    return [Problem(within + path, text) for path, text in map(_split, texts)]


def _split(text: str) -> tuple[str, str]:
    if (of_array := _OF_ARRAY.fullmatch(text)) is not None:
        path = ".".join(filter(None, (of_array["within"], of_array["array"])))
        return path, f"each value {of_array['text']}"
    if (absent := _NOT_THERE.fullmatch(text)) is not None:
        return absent["within"] + absent["name"], absent["text"]
    path, _, rest = text.partition(" ")
    return path.rstrip(":"), rest


def _is_unreadable(part: GivenPart) -> bool:
    try:
        read_part(part.name, part.given)
    except ProviderError:
        return True
    return False


def _is_told(path: str, problems: Sequence[Problem]) -> bool:
    return any(one.path == path or one.path.startswith(f"{path}.") for one in problems)

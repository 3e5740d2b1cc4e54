"""Tools of type query: questions about uploaded files (`knowledgeBases`).

Vapi leaves the search to Google's models. This server searches the files by their words, and gives the model the
passages that match best, each with the name of its file.
"""

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence

import anyio
import anyio.to_thread
import structlog
from anyio.abc import TaskGroup

from bargein.ports import Files, StoredFile, ToolCall, ToolResult
from bargein.tools.outcome import ToolError, arguments_of, done, failed
from bargein.tools.passages import Index, best
from bargein.tools.text_of import MAX_CHARS, kind_of
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects

_log = structlog.get_logger("bargein.tools")

NAME = "search_knowledge"
"""Name of a query tool that has none."""
MAX_FILES = 100
"""Files that one question searches at most."""
_MAX_PASSAGES = 6
_MAX_ANSWER_CHARS = 6_000
_READING_S = 60.0
_ANSWER_S = 90.0
_MAX_CACHED_CHARS = 40_000_000
_NOTHING = "Nothing about this was found in the files."


class Library:
    """The files of knowledge bases, read once and cached for all calls.

    Args:
        files: the uploaded files.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._cache: OrderedDict[str, Index] = OrderedDict()
        self._locks: dict[str, anyio.Lock] = {}
        self._warming = anyio.Semaphore(1)

    async def index(self, file_id: str) -> tuple[str, Index]:
        """Return a file's name and the index of its passages.

        Raises:
            ToolError: there is no such file, or it holds no text.
        """
        file = await self._files.find(file_id)
        if file is None:
            raise ToolError(f"there is no file {file_id}")
        async with self._locks.setdefault(file_id, anyio.Lock()):
            index = self._cache.get(file_id)
            if index is None:
                text = await _text(file)
                index = await anyio.to_thread.run_sync(Index, text)
                self._store(file_id, index)
            self._cache.move_to_end(file_id)
        return file.name, index

    def warm(self, tasks: TaskGroup, tool: JsonObject) -> None:
        """Start reading a tool's files before the first question."""
        for file_id in _file_ids(_bases(tool)):
            if file_id not in self._cache:
                tasks.start_soon(self._warm, file_id)

    async def _warm(self, file_id: str) -> None:
        try:
            async with self._warming:
                await self.index(file_id)
        except ToolError as error:
            _log.warning("a file cannot be searched", reason=str(error))
        except Exception as error:  # noqa: BLE001  # an error of the store is reported again when the file is searched
            _log.error("a file could not be read", exc_info=error)

    def _store(self, file_id: str, index: Index) -> None:
        self._cache[file_id] = index
        size = sum(kept.chars for kept in self._cache.values())
        while size > _MAX_CACHED_CHARS and len(self._cache) > 1:
            gone, index = self._cache.popitem(last=False)
            self._locks.pop(gone, None)
            size -= index.chars


def expand_query(tool: JsonObject) -> JsonObject:
    """Return a query tool with the `function` declared to the model."""
    given = as_object(tool.get("function"))
    bases = _bases(tool)
    about = "; ".join(f"{base.get('name')}: {base.get('description')}" for base in bases)
    properties: JsonObject = {"query": {"type": "string", "description": "What to look for, in a few words."}}
    names = [str(base["name"]) for base in bases if base.get("name")]
    if len(names) > 1:
        properties["knowledgeBase"] = {"type": "string", "enum": names, "description": "Look in this one alone."}
    function: JsonObject = {
        "name": NAME,
        "description": f"Look something up in files. {about}".strip(),
        "parameters": {"type": "object", "properties": properties, "required": ["query"]},
    }
    return {**tool, "function": {**function, **{name: value for name, value in given.items() if value}}}


async def run_query(tool: JsonObject, call: ToolCall, library: Library) -> ToolResult:
    """Find the passages of a tool's files that match a question.

    Raises:
        ToolError: the question or the files cannot be read.
    """
    arguments = arguments_of(call)
    question = _question(arguments)
    wanted = [base for base in _bases(tool) if arguments.get("knowledgeBase") in (None, base.get("name"))]
    ids = _file_ids(wanted or _bases(tool))
    if not ids:
        raise ToolError("Not run: its knowledge bases name no files.")
    names: list[str] = []
    indexes: list[Index] = []
    troubles: list[str] = []
    with anyio.move_on_after(_ANSWER_S) as scope:
        for file_id in ids:
            try:
                name, index = await library.index(file_id)
            except ToolError as error:
                troubles.append(str(error))
                continue
            names.append(name)
            indexes.append(index)
    if scope.cancelled_caught:
        troubles.append("some files took too long to read")
    for trouble in troubles:
        _log.warning("a file is not searched", reason=trouble)
    if not indexes:
        return failed(f"The files cannot be searched: {'; '.join(troubles)}.")
    found = await anyio.to_thread.run_sync(best, indexes, question, _MAX_PASSAGES)
    passages = [f"[{names[at]}{f', page {p.page}' if p.page else ''}]\n{p.text}" for _, at, p in found]
    return done(_as_answer(passages, troubles))


def _as_answer(passages: Sequence[str], troubles: Sequence[str]) -> str:
    parts: list[str] = []
    for passage in passages:
        if parts and sum(map(len, parts)) + len(passage) > _MAX_ANSWER_CHARS:
            break
        parts.append(passage)
    if not parts:
        parts.append(_NOTHING)
    if troubles:
        parts.append(f"Not searched: {'; '.join(troubles)}.")
    return "\n\n".join(parts)


def _bases(tool: JsonObject) -> list[JsonObject]:
    return as_objects(tool.get("knowledgeBases"))


def _file_ids(bases: Sequence[JsonObject]) -> list[str]:
    ids = [str(file_id) for base in bases for file_id in base.get("fileIds") or ()]
    return list(dict.fromkeys(ids))[:MAX_FILES]


def _question(arguments: JsonObject) -> str:
    """Return the question: `query`, or all strings that the owner's own function has as arguments."""
    query = arguments.get("query")
    texts = [query] if isinstance(query, str) else [text for text in arguments.values() if isinstance(text, str)]
    question = " ".join(texts)[:2000].strip()
    if not question:
        raise ToolError("Not run: there is no question in its arguments.")
    return question


async def _text(file: StoredFile) -> str:
    kind = kind_of(file.name, file.mimetype)
    if kind is None:
        raise ToolError(f"{file.name} has a format that cannot be read")
    command = [sys.executable, "-m", "bargein.tools.text_of", str(file.path), kind]
    try:
        with anyio.fail_after(_READING_S):
            process = await anyio.run_process(command, check=False, stdin=subprocess.DEVNULL)
    except TimeoutError:
        raise ToolError(f"{file.name} takes too long to read") from None
    except OSError as error:
        raise ToolError(f"{file.name} cannot be read ({type(error).__name__})") from None
    if process.returncode != 0:
        why = process.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise ToolError(f"{file.name}: {why or 'it cannot be read'}")
    text = process.stdout.decode(errors="replace")[:MAX_CHARS]
    if not text.strip():
        raise ToolError(f"{file.name} holds no text")
    return text

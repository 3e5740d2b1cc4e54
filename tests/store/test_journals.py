"""A journal's file: its end is lacking only if it could not be written."""

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from bargein.store.journals import JournalFile

pytestmark = pytest.mark.anyio


async def close_while_writing(sink: JournalFile, *late: str) -> list[dict[str, Any]]:
    """Close a journal, and write lines to it while its last ones are being written; return what was logged."""
    with capture_logs() as lines:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sink.close)
            await anyio.lowlevel.checkpoint()
            for line in late:
                sink.write(line)
    return list(lines)


async def test_lines_that_come_while_the_last_ones_are_written_are_written_too(tmp_path: Path) -> None:
    path = tmp_path / "journals" / "a.jsonl"
    sink = JournalFile(path)
    sink.write("one")
    assert await close_while_writing(sink, "two", "three") == []
    assert path.read_text() == "one\ntwo\nthree\n"


async def test_a_journal_whose_end_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "journals").write_text("a file in place of the folder")
    sink = JournalFile(tmp_path / "journals" / "a.jsonl")
    sink.write("one")
    said = [line["event"] for line in await close_while_writing(sink, "two")]
    assert said == ["a call's journal cannot be written", "a call's journal lacks its end"]

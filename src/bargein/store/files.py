"""Uploaded files: their bytes in the data folder, their metadata in the database."""

import re
from pathlib import Path

from typing_extensions import override

from bargein.ports import Files, StoredFile
from bargein.store.records import Records

_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def file_path(data_dir: Path, file_id: str) -> Path:
    """Return the path of a file's bytes.

    Raises:
        ValueError: `file_id` is not an id of a file.
    """
    if not _SAFE_ID.fullmatch(file_id):
        raise ValueError(f"{file_id!r} is not the id of a file")
    return data_dir / "files" / file_id


class UploadedFiles(Files):
    """The uploaded files, as tools read them.

    Args:
        records: the metadata of files.
        data_dir: the folder of their bytes.
    """

    def __init__(self, records: Records, data_dir: Path) -> None:
        self._records = records
        self._data_dir = data_dir

    @override
    async def find(self, file_id: str) -> StoredFile | None:
        record = await self._records.get(file_id)
        if record is None:
            return None
        name, mimetype = str(record.get("originalName", "")), str(record.get("mimetype", ""))
        return StoredFile(file_id, name, mimetype, file_path(self._data_dir, file_id))

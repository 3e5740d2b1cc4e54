"""Uploaded files: their bytes in the data folder, what is known of them in the database."""

import re
from pathlib import Path

from bargein.ports import StoredFile
from bargein.store.records import Records

_SAFE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def file_path(data_dir: Path, file_id: str) -> Path:
    """Where the bytes of a file are.

    Raises:
        ValueError: that is no file's id.
    """
    if not _SAFE_ID.fullmatch(file_id):
        raise ValueError(f"{file_id!r} is no file's id")
    return data_dir / "files" / file_id


class UploadedFiles:
    """See `bargein.ports.Files`.

    Args:
        records: what is known of the files.
        data_dir: where their bytes are.
    """

    def __init__(self, records: Records, data_dir: Path) -> None:
        self._records = records
        self._data_dir = data_dir

    async def find(self, file_id: str) -> StoredFile | None:
        """See `bargein.ports.Files.find`."""
        record = await self._records.get(file_id)
        if record is None:
            return None
        name, mimetype = str(record.get("originalName", "")), str(record.get("mimetype", ""))
        return StoredFile(file_id, name, mimetype, file_path(self._data_dir, file_id))

"""Files and folders of the data folder, which only the user of the server can read: modes 0600 and 0700.

The modes are given when something is created, so that no other user can open it first, whatever the umask is.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_FOLDERS = ("journals", "logs", "recordings", "files")
"""The folders that a server makes in the data folder."""
_FILES = ("bargein.db*", "secret.key", "sip.secret", "node")

_log = structlog.get_logger("bargein.store")


def private(path: str, flags: int) -> int:
    """Open a file for `open(opener=…)`; a file that is created can be read by its owner only."""
    return os.open(path, flags, FILE_MODE)


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can open, if there is none.

    Raises:
        OSError: it cannot be made.
    """
    path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file that only its owner can read, if there is none.

    Raises:
        OSError: it cannot be made, or not be opened for writing.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))


def tighten(data_dir: Path) -> None:
    """Take the access of other users away from what an older version wrote, and log how much that was.

    Only what a server writes is changed: the data folder may hold other files too. A folder that several users share
    (with the sticky bit) keeps its mode.
    """
    changed = 0
    for path in _own(data_dir):
        try:
            found = path.lstat()
            wanted = FOLDER_MODE if stat.S_ISDIR(found.st_mode) else FILE_MODE
            open_to_others = stat.S_IMODE(found.st_mode) & 0o077 and not found.st_mode & stat.S_ISVTX
            if not stat.S_ISLNK(found.st_mode) and open_to_others:
                path.chmod(wanted)
                changed += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            _log.warning("other users can read a file of the data folder", file=str(path), reason=error.strerror)
    if changed:
        _log.warning("files of the data folder could be read by other users; now they cannot", files=changed)


def _own(data_dir: Path) -> Iterator[Path]:
    yield data_dir
    for pattern in _FILES:
        yield from data_dir.glob(pattern)
    for name in _FOLDERS:
        folder = data_dir / name
        yield folder
        yield from folder.glob("*")

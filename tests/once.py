"""Make something that several test processes share in one of them, while the others wait."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(made: Path) -> Iterator[None]:
    """Lock out other threads and processes that would make `made` now."""
    with made.with_name(f".{made.name.lstrip('.')}.making").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield

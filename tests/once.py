"""What several test processes share is made by one of them, while the others wait."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(made: Path) -> Iterator[None]:
    """Hold off whoever else would make `made` now, in this process or another."""
    with made.with_name(f".{made.name.lstrip('.')}.making").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield

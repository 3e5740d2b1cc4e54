"""What `bargein doctor` says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ok: True: fine; False: it keeps something from working; None: not set, which is fine too.
        fix: what to do about it.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""

"""A result of `bargein doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        name: the name of what was checked.
        ok: True: it works; False: it does not, and something depends on it; None: it is not set, and optional.
        detail: the state in words.
        fix: the remedy; empty if there is nothing to do.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""

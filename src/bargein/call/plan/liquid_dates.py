"""Dates in templates: LiquidJS's `date` filter, with its directives, in English, whatever the machine's locale."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT_FORMAT = "%A, %B %-e, %Y at %-l:%M %P %z"

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOST_DATE_CHARS = 64
# At most two digits of width: three are of no use, and nine would make a gigabyte of padding.
_DIRECTIVE = re.compile(r"%([-_0^#:]*)(\d{0,2})([A-Za-z%])")
_PATTERNS = (
    "%b %d, %Y %I:%M %p", "%b %d, %Y", "%B %d, %Y %I:%M %p", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%m/%d/%Y",
    "%Y/%m/%d", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT",
)  # fmt: skip
_FIELDS: dict[str, tuple[Callable[[datetime], int], int, str]] = {
    "C": (lambda d: d.year // 100, 2, "0"),
    "d": (lambda d: d.day, 2, "0"),
    "e": (lambda d: d.day, 2, " "),
    "H": (lambda d: d.hour, 2, "0"),
    "I": (lambda d: d.hour % 12 or 12, 2, "0"),
    "j": (lambda d: d.timetuple().tm_yday, 3, "0"),
    "k": (lambda d: d.hour, 2, " "),
    "l": (lambda d: d.hour % 12 or 12, 2, " "),
    "L": (lambda d: d.microsecond // 1000, 3, "0"),
    "m": (lambda d: d.month, 2, "0"),
    "M": (lambda d: d.minute, 2, "0"),
    "N": (lambda d: d.microsecond * 1000, 9, "0"),
    "s": (lambda d: int(d.timestamp()), 0, "0"),
    "S": (lambda d: d.second, 2, "0"),
    "u": (lambda d: d.isoweekday(), 0, "0"),
    "U": (lambda d: (d.timetuple().tm_yday + 6 - d.isoweekday() % 7) // 7, 2, "0"),
    "w": (lambda d: d.isoweekday() % 7, 0, "0"),
    "W": (lambda d: (d.timetuple().tm_yday + 6 - d.weekday()) // 7, 2, "0"),
    "y": (lambda d: d.year % 100, 2, "0"),
    "Y": (lambda d: d.year, 4, "0"),
}
_TEXTS: dict[str, Callable[[datetime], str]] = {
    "a": lambda d: _DAYS[d.weekday()][:3],
    "A": lambda d: _DAYS[d.weekday()],
    "b": lambda d: _MONTHS[d.month - 1][:3],
    "B": lambda d: _MONTHS[d.month - 1],
    "h": lambda d: _MONTHS[d.month - 1][:3],
    "n": lambda _: "\n",
    "p": lambda d: "PM" if d.hour >= 12 else "AM",
    "P": lambda d: "pm" if d.hour >= 12 else "am",
    "q": lambda d: _ordinal(d.day),
    "t": lambda _: "\t",
    "Z": lambda d: d.tzname() or "",
    "%": lambda _: "%",
}
_WHOLE = {
    "c": "%-m/%-d/%Y, %-I:%M:%S %p",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "x": "%-m/%-d/%Y",
    "X": "%-I:%M:%S %p",
}


def format_date(moment: datetime, pattern: str) -> str:
    """Format a date by strftime's directives as LiquidJS has them: with flags `-_0^#:`, a width, and `%q` (st, nd, …).

    Other text stays unchanged.
    """
    return _DIRECTIVE.sub(lambda match: _directive(moment, match), pattern)


def zone(given: object) -> tzinfo:
    """Return a time zone as LiquidJS's `date` takes it: an IANA name, or an offset in minutes (300 is UTC-05:00).

    Raises:
        ValueError: there is no such zone.
    """
    if isinstance(given, int | float):
        return timezone(timedelta(minutes=-given))
    try:
        return ZoneInfo(str(given))
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("no such time zone") from None


def moment_of(given: object, now: datetime) -> datetime | None:
    """Parse a date: `now`, `today`, seconds since 1970, ISO 8601, or one of the usual forms in English.

    A date without a time zone is in UTC. Return None if it is not a date.
    """
    if isinstance(given, str):
        text = given.strip()
        if text in ("now", "today"):
            return now
        if text.isdecimal() and len(text) <= 12:
            return _since_1970(int(text))
        return _read(text) if len(text) <= _MOST_DATE_CHARS else None
    if isinstance(given, int | float) and not isinstance(given, bool):
        return _since_1970(given)
    return None


def _since_1970(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _read(text: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        pass
    for pattern in _PATTERNS:
        try:
            return _aware(datetime.strptime(text, pattern))  # noqa: DTZ007  # the zone is given to it at once
        except ValueError:
            continue
    return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _directive(moment: datetime, match: "re.Match[str]") -> str:
    flags, width, name = cast("tuple[str, str, str]", match.groups())
    if name in _WHOLE:
        return format_date(moment, _WHOLE[name])
    if name == "z":
        return _offset(moment, ":" if ":" in flags else "")
    if name in _FIELDS:
        number, usual, fill = _FIELDS[name]
        fill = "0" if "0" in flags else " " if "_" in flags else fill
        text = str(number(moment))
        return text if "-" in flags else text.rjust(int(width or usual), fill)
    if name not in _TEXTS:
        return match.group()
    text = _TEXTS[name](moment)
    if "^" in flags:
        text = text.upper()
    elif "#" in flags:
        text = text.swapcase() if text.isupper() else text.upper()
    return text.rjust(int(width or 0), "0" if "0" in flags else " ")


def _offset(moment: datetime, colon: str) -> str:
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{colon}{rest:02d}"


def _ordinal(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")

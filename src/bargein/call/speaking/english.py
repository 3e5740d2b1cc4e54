"""Numbers, amounts, dates and times as English words."""

import re
from datetime import date

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_LARGEST = 10**15
_MINUS = "-\u2212"
_FIRST_READ_IN_PAIRS, _FIRST_YEAR, _LAST_YEAR = 1100, 1900, 2099
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¢": ("cent", "cents", "", ""),
}
"""The names of one and of several units and hundredths, by their sign."""

MONEY_SCALES = {
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion", "k": "thousand",
    "K": "thousand", "M": "million", "mn": "million", "B": "billion", "bn": "billion", "T": "trillion",
    "tn": "trillion",
}  # fmt: skip
"""The scales of amounts of money, by what is written behind the amount."""

LANDS = {
    "US": "US", "C": "Canadian", "CA": "Canadian", "A": "Australian", "AU": "Australian", "NZ": "New Zealand",
    "HK": "Hong Kong", "S": "Singapore",
}  # fmt: skip
"""The countries of dollars, by the letters before the sign."""

UNITS = {
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"), "mg": ("milligram", "milligrams"), "L": ("liter", "liters"), "l": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"), "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"), "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"), "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", "degrees"), "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"), "mins": ("minute", "minutes"), "min": ("minute", "minutes"),
    "m/s": ("meter per second", "meters per second"), "kph": ("kilometer per hour", "kilometers per hour"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "sq ft": ("square foot", "square feet"), "m\u00b2": ("square meter", "square meters"), "h": ("hour", "hours"),
    "km\u00b2": ("square kilometer", "square kilometers"), "ft\u00b2": ("square foot", "square feet"),
    "secs": ("second", "seconds"), "sec": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
}  # fmt: skip
"""The names of one and of several units, by their sign."""

DISTANCES = {
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "mi": ("mile", "miles"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
}  # fmt: skip
"""Likewise for distances."""

STREETS = {
    "ST": "street", "RD": "road", "AVE": "avenue", "BLVD": "boulevard", "LN": "lane", "HWY": "highway",
    "PKWY": "parkway", "CT": "court", "PL": "place", "SQ": "square", "TER": "terrace", "CIR": "circle",
}  # fmt: skip
"""The words that abbreviations in addresses stand for."""

_WORDS = frozenset(["NASA", "NATO", "NET", "UNICEF", "UNESCO", "OPEC", "FIFA", "NAFTA", "SCUBA", "LASER", "RADAR"])
_TITLES = frozenset(["MR", "MRS", "MS", "DR", "ST", "PM", "HMM", "SHH"])
_FEWEST_LETTERS, _MOST_LETTERS = 2, 6
_VOWELS = frozenset("AEIOUY")


def cardinal(number: int) -> str:
    """Return a number in words: "one thousand two hundred thirty-four". One of 10¹⁵ or more is read by its digits."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= _LARGEST:
        return digits(str(number))
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    for scale, name in _SCALES:
        if number >= scale:
            count, rest = divmod(number, scale)
            return f"{cardinal(count)} {name}" + (f" {cardinal(rest)}" if rest else "")
    raise AssertionError


def ordinal(number: int) -> str:
    """Return an ordinal in words: "twenty-first"."""
    words = cardinal(number)
    last = re.split(r"[ -]", words)[-1]
    if last in _ORDINALS:
        return words[: -len(last)] + _ORDINALS[last]
    return f"{words[:-1]}ieth" if words.endswith("y") else f"{words}th"


def digits(text: str) -> str:
    """Return the digits of a text with a space between each two, as Vapi reads long numbers: "1 2 3"."""
    return " ".join(char for char in text if char.isdigit())


def number(text: str, cutoff: float) -> str:
    """Return a number in words: with a sign, groups of thousands or a fraction, or plain.

    A plain whole number above `cutoff`, or with a leading zero, is read by its digits. A year of this century or the
    last one stays as it is, since voices read it as a year; other numbers of four digits are read in pairs.

    Args:
        text: the number.
        cutoff: `numberToDigitsCutoff`.
    """
    if text[0] in _MINUS:
        return f"minus {number(text[1:], cutoff)}"
    plain = text.replace(",", "")
    whole, point, fraction = plain.partition(".")
    if point:
        return f"{cardinal(int(whole))} point {' '.join(_ONES[int(digit)] for digit in fraction)}"
    value = int(whole)
    if plain != text:
        return cardinal(value)
    if value > cutoff or (len(text) > 1 and text[0] == "0"):
        return digits(text)
    return text if _FIRST_YEAR <= value <= _LAST_YEAR else _below_cutoff(value)


def _below_cutoff(value: int) -> str:
    if not _FIRST_READ_IN_PAIRS <= value < _FIRST_YEAR:
        return cardinal(value)
    century, rest = divmod(value, 100)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {f'oh {cardinal(rest)}' if rest < 10 else cardinal(rest)}"


def amount(text: str) -> str:
    """Return a number in words, whatever its size: "2.5", "1,200" and "-4"."""
    if text[0] in _MINUS:
        return f"minus {amount(text[1:])}"
    return number(text, _LARGEST) if "." in text else cardinal(int(text.replace(",", "")))


def money(sign: str, text: str, scale: str, land: str = "") -> str:
    """Return an amount of money in words.

    Args:
        sign: one of `CURRENCIES`.
        text: the amount.
        scale: "million" and the like; empty: none.
        land: the country of the currency, as an adjective; empty: none.
    """
    one, several = (f"{land} {name}" if land else name for name in CURRENCIES[sign][:2])
    if scale:
        return f"{amount(text)} {scale} {several}"
    whole, point, fraction = text.replace(",", "").partition(".")
    if point and len(fraction) > 2:
        return f"{amount(text)} {several}"
    units, cents = int(whole or 0), int(fraction.ljust(2, "0")) if point else 0
    parts: list[str] = []
    if units or not cents:
        parts.append(f"{cardinal(units)} {one if units == 1 else several}")
    if cents:
        parts.append(f"{cardinal(cents)} {CURRENCIES[sign][2 if cents == 1 else 3]}")
    return " and ".join(parts)


def calendar_date(year: int, month: int, day: int) -> str | None:
    """Return a date as "Wednesday, May 10, 2023"; None if there is no such day."""
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return f"{_DAYS[found.weekday()]}, {_MONTHS[month - 1]} {day}, {year}"


def clock_time(hour: int, minute: int) -> str:
    """Return a time in words: "two", "nine oh five", "fourteen thirty"."""
    if minute == 0:
        return cardinal(hour)
    return f"{cardinal(hour)} {f'oh {cardinal(minute)}' if minute < 10 else cardinal(minute)}"


def acronym(text: str) -> str | None:
    """Return a word in capitals as it is read; None: as it is.

    One that is spoken as a word ("NASA") is in small letters, and one without vowels is read letter by letter.
    """
    if text in _WORDS:
        return text.lower()
    if text not in _TITLES and _FEWEST_LETTERS <= len(text) <= _MOST_LETTERS and not _VOWELS.intersection(text):
        return " ".join(text)
    return None

"""The owner's table of prices (`BARGEIN_PRICES`), read once when the server starts."""

from pathlib import Path

from pydantic import ValidationError

from bargein.settings import SettingsError
from bargein.wire.errors import findings
from bargein.wire.json import as_object_or_none, read_json
from bargein.wire.prices import Prices


def read_prices(path: Path | None) -> Prices | None:
    """Return the table of prices; None: there is none.

    Raises:
        SettingsError: the file cannot be read, or is no table of prices; the text says why.
    """
    if path is None:
        return None
    try:
        given = as_object_or_none(read_json(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"BARGEIN_PRICES: the file cannot be read: {error.strerror}") from None
    except ValueError:
        raise SettingsError("BARGEIN_PRICES: the file is not JSON") from None
    if given is None:
        raise SettingsError("BARGEIN_PRICES: the file must have a JSON object")
    unknown = sorted(given.keys() - Prices.wire_names())
    if unknown:
        raise SettingsError(f"BARGEIN_PRICES: {unknown[0]} is no part of a call that has a price")
    try:
        return Prices.from_json(given)
    except ValidationError as error:
        raise SettingsError(f"BARGEIN_PRICES: {findings(error, given)[0]}") from None

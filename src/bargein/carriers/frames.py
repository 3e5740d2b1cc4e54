"""Text frames that are JSON objects, as the media sockets of several carriers have them."""

from bargein.carriers.interface import FrameError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, read_json


def json_object(frame: str | bytes, most: int) -> JsonObject:
    """Read a text frame of at most `most` characters.

    Raises:
        FrameError: it is binary, longer, not JSON, or not an object.
    """
    if not isinstance(frame, str):
        raise FrameError("a binary frame")
    if len(frame) > most:
        raise FrameError(f"a frame of {len(frame)} characters")
    try:
        decoded: object = read_json(frame)
    except ValueError:
        raise FrameError("a frame that is not JSON") from None
    if (message := as_object_or_none(decoded)) is None:
        raise FrameError("a frame that is not a JSON object")
    return message

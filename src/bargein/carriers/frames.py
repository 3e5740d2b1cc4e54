"""What the media sockets of several carriers have in common: text frames that are JSON objects."""

import json
from typing import cast

from bargein.carriers.interface import FrameError
from bargein.wire.base import JsonObject


def json_object(frame: str | bytes, most: int) -> JsonObject:
    """Read a text frame of at most `most` characters.

    Raises:
        FrameError: it is binary, longer, no JSON, or JSON of something else.
    """
    if not isinstance(frame, str):
        raise FrameError("a binary frame")
    if len(frame) > most:
        raise FrameError(f"a frame of {len(frame)} characters")
    try:
        said: object = json.loads(frame)
    except (ValueError, RecursionError):
        raise FrameError("a frame that is not JSON") from None
    if not isinstance(said, dict):
        raise FrameError("a frame that is not a JSON object")
    return cast("JsonObject", said)

"""An assistant out of a file, for the commands that take one."""

import json
from pathlib import Path
from typing import cast

import anyio

from bargein.client.errors import ClientError
from bargein.wire.base import JsonObject


async def load_assistant(path: Path) -> JsonObject:
    """The assistant whose JSON a file holds.

    Raises:
        ClientError: it cannot be read, or holds none.
    """
    try:
        data: object = json.loads(await anyio.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ClientError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ClientError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ClientError(f"{path} does not hold an assistant (a JSON object)")
    return cast("JsonObject", data)

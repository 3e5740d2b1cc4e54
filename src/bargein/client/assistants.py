"""Reads an assistant from a file, for the commands that take one."""

from pathlib import Path

import anyio

from bargein.client.errors import ClientError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none, read_json


async def load_assistant(path: Path) -> JsonObject:
    """Return the assistant whose JSON a file contains.

    Raises:
        ClientError: the file cannot be read, or contains no JSON object.
    """
    try:
        data: object = read_json(await anyio.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ClientError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ClientError(f"{path} is not JSON: {error}") from None
    assistant = as_object_or_none(data)
    if assistant is None:
        raise ClientError(f"{path} does not contain an assistant (a JSON object)")
    return assistant

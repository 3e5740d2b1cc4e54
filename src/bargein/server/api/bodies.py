"""Reading a request's JSON without trusting it: its size, its depth, its numbers, its letters, its pace."""

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import anyio
from starlette.requests import ClientDisconnect, Request

from bargein.wire import contract
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import WireError, bad_request, parse_request

M = TypeVar("M", bound=WireModel)

MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_SECONDS = 10
"""A body that takes longer is given up."""


async def read_request(
    request: Request, model: type[M], mend: Callable[[object], object] | None = None
) -> tuple[M, JsonObject]:
    """Read a body as `model`, and as it came but for the fields inside of its objects that are null and may not be.

    Args:
        request: the request.
        model: what its body is read as.
        mend: sets right, before that, what a known client gets wrong.

    Raises:
        WireError: 400, 408, 413 or 415.
    """
    data = await read_json(request)
    if mend is not None:
        data = mend(data)
    parsed, body = parse_request(model, data), cast("JsonObject", data)
    if model.contract is None:
        return parsed, body
    # a field of the body itself that is null is taken away by a PATCH
    return parsed, dict.fromkeys(body) | cast("JsonObject", contract.without_nulls(model.contract, body))


async def read_json(request: Request) -> object:
    """Read a body of JSON.

    Raises:
        WireError: 400 for what is no JSON, 408 for a body that does not come, 413 for one over `MAX_BODY_BYTES`,
            415 for another content type.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise WireError(415, f"Content-Type must be application/json, not {kind[:80]}")
    return parse_json(await read_bytes(request))


async def read_bytes(request: Request) -> bytes:
    """Read a body as it is.

    Raises:
        WireError: 400, 408 or 413, as `read_json`.
    """
    try:
        with anyio.fail_after(MAX_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise WireError(408, f"the body did not come within {MAX_SECONDS} s") from None
    except ClientDisconnect:
        raise bad_request("the body was cut off") from None


async def _read(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(raw)


def _too_large() -> WireError:
    return WireError(413, f"the body must not be larger than {MAX_BODY_BYTES} bytes")


def parse_json(raw: bytes | str) -> object:
    """Read JSON strictly: UTF-8, finite numbers, whole letters, not nested deeper than `MAX_DEPTH`.

    Raises:
        WireError: 400.
    """
    try:
        data: object = json.loads(raw, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded)
        # half a surrogate pair can be written as an escape, but stands for no letter and cannot be sent on
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise bad_request("the body is not valid JSON") from None
    _check_depth(data)
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value


def _bounded(text: str) -> int | float:
    return int(text) if len(text) <= 18 else _finite(text)  # as JavaScript: beyond 2^53 a number loses its last digits


def _check_depth(data: object) -> None:
    level = [data]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += cast("JsonObject", value).values()
            elif isinstance(value, list):
                below += cast("list[Any]", value)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> WireError:
    return bad_request(f"the body must not be nested deeper than {MAX_DEPTH} levels")

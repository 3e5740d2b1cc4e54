"""Reading the JSON body of a request, with limits on size, depth, numbers and time."""

import json
import math
from collections.abc import Callable
from email.message import Message
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

from bargein.wire import contract
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import WireError, bad_request, parse_request
from bargein.wire.json import as_object, as_object_or_none
from bargein.wire.older import MARKS, with_newer_values

M = TypeVar("M", bound=WireModel)
T = TypeVar("T")

MAX_BODY_BYTES = 1 << 20
"""The limit for a body of JSON."""
MAX_DEPTH = 64
"""The limit for the levels of arrays and objects in a body."""
_CHARSETS = ("utf-8", "utf8", "us-ascii")
"""JSON is UTF-8 (RFC 8259, section 8.1); ASCII is a part of it."""
MAX_SECONDS = 10
"""The time limit for a body to arrive."""
_LARGE_BYTES = 32 * 1024
_PARSING = anyio.CapacityLimiter(1)
"""Threads share one interpreter: each that parses delays the event loop, so only one does at a time."""


async def read_request(
    request: Request, model: type[M], repair: Callable[[object], object] | None = None
) -> tuple[M, JsonObject]:
    """Return a body as `model` and as JSON.

    The JSON is as the client sent it, without the fields of nested objects that are null where Vapi's type does not
    allow that. Top-level fields that are null stay: a PATCH removes them.

    Args:
        request: the request.
        model: the type of the body.
        repair: corrects a known error of a client before the body is checked.

    Raises:
        WireError: 400, 408, 413 or 415.
    """
    return await _parsed(await _read_json_bytes(request), partial(_as_model, model=model, repair=repair))


def _as_model(raw: bytes, *, model: type[M], repair: Callable[[object], object] | None) -> tuple[M, JsonObject]:
    data = _parse_request(raw)
    if repair is not None:
        data = repair(data)
    parsed, body = parse_request(model, data), as_object(data)
    if model.contract is None:
        return parsed, body
    return parsed, dict.fromkeys(body) | as_object(contract.without_nulls(model.contract, body))


async def read_object(request: Request) -> JsonObject:
    """Return a body that is a JSON object.

    Raises:
        WireError: 400, 408, 413 or 415.
    """
    body = as_object_or_none(await read_json(request))
    if body is None:
        raise bad_request("the body must be a JSON object")
    return body


async def read_json(request: Request) -> object:
    """Return a JSON body.

    Raises:
        WireError: 400 for invalid JSON, 408 for a body that does not arrive in time, 413 for one over
            `MAX_BODY_BYTES`, 415 for another content type.
    """
    return await _parsed(await _read_json_bytes(request), _parse_request)


def _parse_request(raw: bytes) -> object:
    data = parse_json(raw)
    return with_newer_values(data) if any(mark in raw for mark in MARKS) else data


async def _parsed(raw: bytes, parse: Callable[[bytes], T]) -> T:
    """Parse a body: a large one in a worker thread, because validating a megabyte takes longer than calls can wait."""
    if len(raw) <= _LARGE_BYTES:
        return parse(raw)
    return await anyio.to_thread.run_sync(parse, raw, limiter=_PARSING)


async def _read_json_bytes(request: Request) -> bytes:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise WireError(415, f"Content-Type must be application/json, not {kind[:80]}")
    charset = _charset(request.headers.get("content-type", ""))
    if charset not in _CHARSETS:
        raise WireError(415, f'unsupported charset "{charset[:40].upper()}"')
    return await read_bytes(request)


async def read_bytes(request: Request) -> bytes:
    """Return a body as bytes.

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


def _charset(content_type: str) -> str:
    found = Message()
    found["content-type"] = content_type
    return str(found.get_param("charset", "utf-8")).strip().lower()


def _too_large() -> WireError:
    return WireError(413, f"the body must not be larger than {MAX_BODY_BYTES} bytes")


def parse_json(raw: bytes | str) -> object:
    """Parse JSON strictly: UTF-8, finite numbers, no lone surrogates, nested at most `MAX_DEPTH` levels deep.

    Raises:
        WireError: 400.
    """
    try:
        text = (
            raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        )  # json.loads would also take UTF-16 and UTF-32
        data: object = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)
        # a lone surrogate can be written as an escape, but cannot be encoded in UTF-8
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise bad_request("the body is not valid JSON") from None
    _check_depth(data)
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value


def _bounded(text: str) -> int | float:
    return (
        int(text) if len(text) <= 18 else _finite(text)
    )  # as in JavaScript, where a number beyond 2^53 loses its last digits


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

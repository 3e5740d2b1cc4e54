"""Clients of Telnyx's official SDK: loaded late, with time limits and `CarrierError`s."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import httpx
from anyio import to_thread

from bargein.carriers.interface import PhoneLine
from bargein.http_client import new_client
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object, as_object_or_none
from bargein.wire.redact import MASK

if TYPE_CHECKING:
    from telnyx import APIStatusError, AsyncTelnyx

_T = TypeVar("_T")

BASE_URL = "https://api.telnyx.com/v2"

_LONGEST_S = 20.0
_ONE_TRY_S = 8.0
_RETRIES = 1
_MAX_BODY_BYTES = 4 * 1024 * 1024
_NOT_THERE = 404
_NOT_THERE_CODES = frozenset({"90015", "90018"})
"""Telnyx's error codes for commands to an unknown call or one that has ended; their status is 422."""

_RESOURCES = (
    "calls", "messages", "phone_numbers", "call_control_applications", "texml_applications", "outbound_voice_profiles",
)  # fmt: skip


class NotThereError(CarrierError):
    """The object of a request does not exist, as a call that has ended."""


class Clients:
    """Makes clients of the SDK that share one pool of connections.

    The SDK takes seconds to load, so a thread loads it at the first use.

    Args:
        base_url: the address of the API.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._loading = anyio.Lock()
        self._sdk: ModuleType | None = None
        self._http: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def use(self, phone_line: PhoneLine, *, retries: int = _RETRIES) -> "AsyncGenerator[AsyncTelnyx]":
        """Yield a client of a number's account; turn the SDK's errors into `CarrierError`.

        Args:
            phone_line: the number and its credential.
            retries: the number of repetitions of a request without response, or with a server error.

        Raises:
            NotThereError: the object of a request does not exist.
            CarrierError: a request failed or took too long, or there is no key.
        """
        key: object = None if phone_line.credential is None else phone_line.credential.get("apiKey")
        if not isinstance(key, str) or not key:
            raise CarrierError("this number has no credential with an apiKey for Telnyx.")
        sdk, http = await self.load()
        client = cast(
            "AsyncTelnyx",
            sdk.AsyncTelnyx(
                api_key=key,
                public_key="",
                base_url=self._base_url,
                timeout=_ONE_TRY_S,
                max_retries=retries,
                http_client=http,
            ),
        )
        try:
            with anyio.fail_after(_LONGEST_S):
                yield client
        except (TimeoutError, sdk.APITimeoutError) as error:
            raise CarrierError("Telnyx does not answer in time.") from error
        except sdk.APIStatusError as error:
            raise _refusal(cast("APIStatusError", error), key) from None  # its request has the key
        except sdk.APIConnectionError:
            raise CarrierError("Telnyx cannot be reached.") from None
        except sdk.TelnyxError:
            raise CarrierError("Telnyx's answer cannot be read.") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def load(self) -> tuple[ModuleType, httpx.AsyncClient]:
        """Load the SDK, once, and open its pool of connections."""
        async with self._loading:
            if self._sdk is None:
                self._sdk = await to_thread.run_sync(_import, abandon_on_cancel=True)
            if self._http is None:
                self._http = new_client(max_body_bytes=_MAX_BODY_BYTES)
            return self._sdk, self._http


async def or_none(request: Awaitable[_T]) -> _T | None:
    """Return the response of a request; None if Telnyx has no such object."""
    try:
        return await request
    except import_module("telnyx").NotFoundError:
        return None


def _import() -> ModuleType:
    sdk = import_module("telnyx")
    for name in _RESOURCES:  # or else each is loaded at its first use
        import_module(f"telnyx.resources.{name}")
    import_module("telnyx.resources.texml.accounts.calls")
    return sdk


def _refusal(error: "APIStatusError", key: str) -> CarrierError:
    found = _first_error(error.body)
    code = str(found.get("code") or "")
    if error.status_code == _NOT_THERE or code in _NOT_THERE_CODES:
        return NotThereError("Telnyx does not know it, or no longer.")
    detail = " ".join(str(found[name]) for name in ("title", "detail") if isinstance(found.get(name), str))
    detail = detail.replace(key, MASK)[:200]
    return CarrierError(f"Telnyx refused it ({error.status_code}{f', {detail}' if detail else ''}).")


def _first_error(body: object) -> JsonObject:
    """Return the first of `{"errors": [{"code", "title", "detail"}]}`; the SDK may have removed the outer object."""
    outer = as_object_or_none(body)
    errors: object = body if outer is None else outer.get("errors")
    return as_object(next(iter(as_list(errors)), None))

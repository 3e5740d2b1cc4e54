"""Telnyx's official SDK, as the rest of this folder uses it: loaded late, with time limits, and with plain errors."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
from anyio import to_thread

from bargein.carriers.interface import PhoneLine
from bargein.ports import CarrierError
from bargein.wire.base import JsonObject
from bargein.wire.redact import MASK

if TYPE_CHECKING:
    from telnyx import APIStatusError, AsyncTelnyx, DefaultAsyncHttpxClient

_T = TypeVar("_T")

BASE_URL = "https://api.telnyx.com/v2"

_LONGEST_S = 20.0
_ONE_TRY_S = 8.0
_RETRIES = 1
_NOT_THERE = 404
_NOT_THERE_CODES = frozenset({"90015", "90018"})
"""Telnyx's error codes for a command to a call that it does not know, or that is over; their status is 422."""

_RESOURCES = ("calls", "phone_numbers", "call_control_applications", "texml_applications", "outbound_voice_profiles")


class NotThereError(CarrierError):
    """What a request was for is not there: a call that is over, say."""


class Clients:
    """Makes clients of the SDK, all over one pool of connections.

    Loading the SDK takes some seconds, which no live call may wait for: it is done by a thread, at the first use.

    Args:
        base_url: of the API; another one in tests.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._loading = anyio.Lock()
        self._sdk: ModuleType | None = None
        self._http: DefaultAsyncHttpxClient | None = None

    @asynccontextmanager
    async def use(self, phone_line: PhoneLine, *, retries: int = _RETRIES) -> "AsyncGenerator[AsyncTelnyx]":
        """A client for a line's account.

        Args:
            phone_line: whose credential.
            retries: how often a request is sent again that got no answer, or a server error.

        Raises:
            NotThereError: what is done with it was for something that is not there.
            CarrierError: what is done with it failed, or took too long; or there is no key.
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
            raise _refusal(cast("APIStatusError", error), key) from None  # its request holds the key
        except sdk.APIConnectionError:
            raise CarrierError("Telnyx cannot be reached.") from None
        except sdk.TelnyxError:
            raise CarrierError("Telnyx's answer cannot be read.") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def load(self) -> "tuple[ModuleType, DefaultAsyncHttpxClient]":
        """Load the SDK, once, and open its pool of connections."""
        async with self._loading:
            if self._sdk is None:
                self._sdk = await to_thread.run_sync(_import, abandon_on_cancel=True)
            if self._http is None:
                self._http = cast("DefaultAsyncHttpxClient", self._sdk.DefaultAsyncHttpxClient())
            return self._sdk, self._http


async def or_none(request: Awaitable[_T]) -> _T | None:
    """What the SDK gets; None where Telnyx has no such thing."""
    try:
        return await request
    except import_module("telnyx").NotFoundError:
        return None


def _import() -> ModuleType:
    sdk = import_module("telnyx")
    for name in _RESOURCES:  # each is loaded when it is first asked for
        import_module(f"telnyx.resources.{name}")
    import_module("telnyx.resources.texml.accounts.calls")
    return sdk


def _refusal(error: "APIStatusError", key: str) -> CarrierError:
    said = _first_error(error.body)
    code = str(said.get("code") or "")
    if error.status_code == _NOT_THERE or code in _NOT_THERE_CODES:
        return NotThereError("Telnyx does not know it, or not any more.")
    told = " ".join(str(said[name]) for name in ("title", "detail") if isinstance(said.get(name), str))
    told = told.replace(key, MASK)[:200]
    return CarrierError(f"Telnyx refused it ({error.status_code}{f', {told}' if told else ''}).")


def _first_error(body: object) -> JsonObject:
    """The first of `{"errors": [{"code", "title", "detail"}]}`; the SDK may have taken off the outer object."""
    listed: object = cast("JsonObject", body).get("errors") if isinstance(body, dict) else body
    first: object = cast("list[object]", listed)[0] if isinstance(listed, list) and listed else None
    return cast("JsonObject", first) if isinstance(first, dict) else {}

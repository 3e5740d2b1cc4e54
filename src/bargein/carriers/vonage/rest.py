"""Vonage's REST API through its own library, which is synchronous: each request runs in a thread, with a time limit.

This module needs the extra `vonage` of the package.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

import anyio
import anyio.to_thread
import requests
from pydantic import ValidationError
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import HTTPError
from vonage import Auth, HttpClientOptions, Vonage
from vonage_http_client.errors import HttpRequestError
from vonage_utils import VonageError

from bargein.carriers.vonage.account import Account
from bargein.clock import LoopClock
from bargein.ports import CarrierError
from bargein.wire.json import as_object, read_json

API_HOST = "api.nexmo.com"

_MOST_AT_ONCE = 16
_MOST_IDLE = 32
_WAIT_S = 8
"""For a connection, and for each read of a response."""
_TIMEOUT_S = 15.0
"""For a whole request, including its repetition."""
_MOST_WORDS = 200
_MAX_BODY_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024

_T = TypeVar("_T")

# Its debug messages quote the Authorization header, its warnings whole responses.
logging.getLogger("vonage").setLevel(logging.CRITICAL)


class _Bounded(HTTPAdapter):
    """Sends requests, and reads the answer within limits of size and time; it may not be compressed.

    More than one connection to a pool, or retries, would have it send a request again whose connection broke: a call
    would be placed twice.
    """

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self._clock = LoopClock()

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        until_ms = self._clock.monotonic_ms() + _TIMEOUT_S * 1000
        request.headers["Accept-Encoding"] = "identity"
        response = super().send(request, *args, **kwargs)
        try:
            response._content = self._body(response, until_ms)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        except HTTPError as error:
            raise requests.ConnectionError(type(error).__name__) from None
        finally:
            response.close()
        return response

    def _body(self, response: requests.Response, until_ms: float) -> bytes:
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise requests.exceptions.ContentDecodingError("a compressed answer")
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                raise requests.exceptions.ContentDecodingError("too long an answer")
            if self._clock.monotonic_ms() > until_ms:
                raise requests.exceptions.ReadTimeout("the answer takes too long")
        return bytes(body)


class Elsewhere(_Bounded):
    """Sends requests for Vonage's hosts to another server, with the original host in `Host`.

    Args:
        base_url: the address of that server.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._to = urlsplit(base_url)

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        meant = urlsplit(str(request.url))
        request.headers["Host"] = meant.netloc
        request.url = urlunsplit((self._to.scheme, self._to.netloc, meant.path, meant.query, ""))
        return super().send(request, *args, **kwargs)


class Rest:
    """Runs requests.

    The library's client keeps the headers of its last request, so each client is used by one thread at a time.

    Args:
        base_url: the address of a server that stands in for Vonage's.
    """

    def __init__(self, base_url: str | None = None) -> None:
        self._base_url = base_url
        self._limiter = anyio.CapacityLimiter(_MOST_AT_ONCE)
        self._lock = threading.Lock()
        self._idle: list[tuple[tuple[Account, str], Vonage]] = []

    async def run(
        self, account: Account, work: Callable[[Vonage], _T], *, host: str = API_HOST, again: bool = False
    ) -> _T:
        """Run `work` in a thread, with a client of the account.

        Args:
            account: the account; it has the fields that `work` needs.
            work: makes requests.
            host: the host of Vonage's to which they go.
            again: True if it may be repeated after a broken connection.

        Raises:
            CarrierError: it failed, or took too long.
        """
        try:
            with anyio.fail_after(_TIMEOUT_S):
                for tries_left in (1, 0) if again else (0,):
                    try:
                        return await anyio.to_thread.run_sync(
                            self._in_thread, account, host, work, limiter=self._limiter, abandon_on_cancel=True
                        )
                    except requests.ConnectionError:
                        if not tries_left:
                            raise
            raise AssertionError
        except TimeoutError:
            raise CarrierError("Vonage did not answer in time.") from None
        except HttpRequestError as error:
            raise RefusedError(error.response) from None
        except requests.RequestException:
            raise CarrierError("Vonage could not be reached.") from None
        except (VonageError, ValidationError, KeyError, TypeError, ValueError):
            # The library's words hold what was sent, and its answers are read as they come.
            raise CarrierError("Vonage's library refused the request, or did not understand the answer.") from None

    def close(self) -> None:
        """Let go of connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, client in idle:
            _session(client).close()

    def _in_thread(self, account: Account, host: str, work: Callable[[Vonage], _T]) -> _T:
        key = (account, host)
        client = self._take(key)
        _forget_last_request(client)
        try:
            return work(client)
        finally:
            self._give_back(key, client)

    def _take(self, key: tuple[Account, str]) -> Vonage:
        with self._lock:
            for at in reversed(range(len(self._idle))):
                if self._idle[at][0] == key:
                    return self._idle.pop(at)[1]
        return self._new(*key)

    def _give_back(self, key: tuple[Account, str], client: Vonage) -> None:
        with self._lock:
            self._idle.append((key, client))
            spare = [old for _, old in self._idle[:-_MOST_IDLE]]
            del self._idle[:-_MOST_IDLE]
        for old in spare:
            _session(old).close()

    def _new(self, account: Account, host: str) -> Vonage:
        known: dict[str, str] = {}
        if account.api_key is not None and account.api_secret is not None:
            known |= {"api_key": account.api_key, "api_secret": account.api_secret}
        if account.application_id is not None and account.private_key is not None:
            application_id, private_key = account.application
            known |= {"application_id": application_id, "private_key": private_key}
        options = HttpClientOptions(api_host=host, timeout=_WAIT_S, pool_connections=1, pool_maxsize=1, max_retries=0)
        client = Vonage(Auth(**cast("dict[str, Any]", known)), options)
        session = _session(client)
        session.trust_env = False  # a netrc would replace the Authorization
        session.mount("https://", _Bounded() if self._base_url is None else Elsewhere(self._base_url))
        return client


class RefusedError(CarrierError):
    """Vonage answered with an error.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        words = _words_of(response)
        super().__init__(f"Vonage refused it with status {self.status}{f' ({words})' if words else ''}.")


def _words_of(response: requests.Response) -> str:
    """The title of an error; details may hold what was sent."""
    try:
        found = as_object(read_json(response.content))
    except ValueError:
        return ""
    title = found.get("title") or found.get("error_title") or found.get("error-code-label")
    return title[:_MOST_WORDS].strip(" .") if isinstance(title, str) else ""


def _forget_last_request(client: Vonage) -> None:
    """The library would say of a form that it is JSON, if what it sent before was JSON."""
    headers = client.http_client._headers  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    headers.pop("Content-Type", None)


def _session(client: Vonage) -> requests.Session:
    """Return the library's session, the only access to its adapters and its use of the environment."""
    return client.http_client._session  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

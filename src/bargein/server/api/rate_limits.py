"""Rate limits of the public key, of its tokens, and of wrong keys, for an address and in all.

The private key has no limits. The addresses of trusted proxies have none of their own either: behind a proxy the
address is the one that it forwards. The counting is done by the library `limits`, in this process's memory.
"""

import math
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.requests import HTTPConnection

from bargein.server.api.jwt import Permissions
from bargein.settings import LimitSettings
from bargein.wire.errors import WireError

ALL_CLIENTS_FACTOR = 10
"""All clients of the public key together may have ten times what one address may."""

_ALL = "all"
_PROXY = "proxy"


class RateLimits:
    """Counts requests and refuses those above a limit.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: LimitSettings) -> None:
        self._settings = settings
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._wrong_keys = _per_minute(settings.wrong_keys_per_minute, "wrong keys")

    def check_request(self, connection: HTTPConnection, permissions: Permissions) -> None:
        """Count a request with the public key.

        Raises:
            WireError: 429.
        """
        limits = self._settings
        self._count(connection, permissions, "requests", limits.public_requests_per_minute)
        size = connection.headers.get("content-length", "0")
        sent = int(size) if size.isascii() and size.isdecimal() and len(size) < 16 else 0
        self._count(connection, permissions, "bytes", limits.public_bytes_per_minute, sent)

    def check_call(self, connection: HTTPConnection, permissions: Permissions, live_calls: int) -> None:
        """Count a call that is to be created with the public key.

        Args:
            connection: the request.
            permissions: its permissions.
            live_calls: the number of calls that were created with the public key and are live.

        Raises:
            WireError: 429.
        """
        limits = self._settings
        if permissions.key == "public" and limits.public_live_calls and live_calls >= limits.public_live_calls:
            raise _too_many("live calls with the public key", 60)
        self._count(connection, permissions, "calls", limits.public_calls_per_minute)

    def check_chat(self, connection: HTTPConnection, permissions: Permissions) -> None:
        """Count a chat with the public key.

        Raises:
            WireError: 429.
        """
        self._count(connection, permissions, "chats", self._settings.public_chats_per_minute)

    def check_address(self, connection: HTTPConnection) -> None:
        """Check that an address has not sent too many wrong keys; until it may try again its right key is refused too.

        Raises:
            WireError: 429.
        """
        address = self._address(connection)
        limit = self._wrong_keys
        if limit is not None and address is not None and not self._limiter.test(limit, address):
            raise self._refusal(limit, address)

    def count_wrong_key(self, connection: HTTPConnection) -> None:
        """Count a wrong key.

        Raises:
            WireError: 429.
        """
        limit, address = self._wrong_keys, self._address(connection) or _PROXY
        if limit is not None and not self._limiter.hit(limit, address):
            raise self._refusal(limit, address)

    def _count(
        self, connection: HTTPConnection, permissions: Permissions, what: str, amount: int, cost: int = 1
    ) -> None:
        if permissions.key != "public" or not amount or not cost:
            return
        wanted = [(_per_minute(amount * ALL_CLIENTS_FACTOR, f"{what} in all"), _ALL)]
        if (address := self._address(connection)) is not None:
            wanted.insert(0, (_per_minute(amount, what), address))
        for limit, identity in wanted:
            if limit is not None and not self._limiter.hit(limit, identity, cost=cost):
                raise self._refusal(limit, identity)

    def _address(self, connection: HTTPConnection) -> str | None:
        return None if connection.client is None else self._settings.counted_address(connection.client.host)

    def _refusal(self, limit: RateLimitItem, identity: str) -> WireError:
        reset_at = self._limiter.get_window_stats(limit, identity).reset_time
        # the library reads this clock
        wait_s = math.ceil(reset_at - time.time())  # noqa: TID251
        return _too_many(limit.namespace, min(60, max(1, wait_s)))


def _per_minute(amount: int, what: str) -> RateLimitItem | None:
    return RateLimitItemPerMinute(amount, namespace=what) if amount else None


def _too_many(what: str, retry_after_s: int) -> WireError:
    return WireError(429, f"Too many {what}. Try again in {retry_after_s} s.", retry_after_s=retry_after_s)

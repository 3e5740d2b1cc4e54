"""No request that comes from somebody else's JSON reaches an address outside of the public internet."""

import socket
from typing import Any

import httpx
import pytest

from bargein.http_client import AddressRefusedError, PrivateAddressError
from bargein.ports import ServerError
from bargein.webhooks.guard import AddressGuard, is_public
from tests.webhooks.receiver import Receiver, response
from tests.webhooks.sending import sending

pytestmark = pytest.mark.anyio

PRIVATE = [
    "127.0.0.1", "127.8.9.10", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104  # nothing is bound
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1", "2001:db8::1", "not an address", "",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_every_spelling_of_a_private_address_is_refused_before_a_connection(host: str) -> None:
    async with Receiver() as receiver, sending(allow_private=False) as parts:
        with pytest.raises(httpx.ConnectError):
            await parts.client.get(f"http://{host}:{receiver.port}/")
        with pytest.raises(ServerError) as refused:
            await parts.sender.ask({"url": f"http://{host}:{receiver.port}/"}, {"type": "hang"})
        assert receiver.got == []
    assert refused.value.reason in ("refused", "unreachable")  # some resolvers do not know the unusual spellings
    assert "127.0.0.1" not in str(refused.value)


async def test_a_name_with_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("1.1.1.1", 80)), (*kind, ("169.254.169.254", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(AddressRefusedError):
        await AddressGuard(allow_private=False).address("example.com", 80)


async def test_the_connection_goes_to_the_checked_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is resolved twice could differ the second time (DNS rebinding): it is resolved once."""
    asked: list[Any] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host in ("rebinding.test", b"rebinding.test") else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with Receiver() as receiver, sending() as parts:
        await parts.client.get(f"http://rebinding.test:{receiver.port}/")
        (got,) = receiver.got
    assert [host for host in asked if host in ("rebinding.test", b"rebinding.test")] == [b"rebinding.test"]
    assert got.headers["host"] == f"rebinding.test:{receiver.port}"  # the Host header has the name


async def test_tls_is_to_the_name_and_not_to_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[Any] = []
    import httpcore

    async def start_tls(self: Any, ssl_context: Any, server_hostname: Any = None, **_: Any) -> Any:
        names.append(server_hostname)
        raise httpcore.ConnectError("far enough")

    monkeypatch.setattr(httpcore._backends.anyio.AnyIOStream, "start_tls", start_tls)
    async with Receiver() as receiver, sending() as parts:
        with pytest.raises(httpx.ConnectError):
            await parts.client.get(f"https://localhost:{receiver.port}/")
    assert names == ["localhost"]


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as inner:
        redirect = response(302, b"", "text/plain", f"location: {inner.url}")
        async with Receiver([redirect]) as receiver, sending() as parts:
            with pytest.raises(ServerError) as refused:
                await parts.sender.ask({"url": receiver.url, "secret": "hush"}, {"type": "hang"})
        assert inner.got == []
    assert (refused.value.reason, str(refused.value)) == ("status", "the server answered 302")


async def test_a_provider_gets_a_connection_error() -> None:
    async with sending(allow_private=False) as parts:
        with pytest.raises(PrivateAddressError, match="BARGEIN_ALLOW_PRIVATE_ADDRESSES"):
            await parts.client.get("http://127.0.0.1:9/")

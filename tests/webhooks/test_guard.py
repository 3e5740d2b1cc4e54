"""No request that somebody's JSON causes reaches an address that is not the internet's."""

import socket
from typing import Any

import httpx
import pytest

from bargein.ports import ServerError
from bargein.webhooks.guard import AddressGuard, AddressRefusedError, PrivateAddressError, is_public
from tests.webhooks.owner_server import house
from tests.webhooks.receiver import Receiver, response

pytestmark = pytest.mark.anyio

PRIVATE = [
    "127.0.0.1", "127.8.9.10", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104  # nothing is bound
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::7f00:1", "2001:db8::1", "not an address", "",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_every_spelling_of_a_private_address_is_refused_before_a_connection(host: str) -> None:
    async with Receiver() as receiver, house(allow_private=False) as here:
        with pytest.raises(httpx.ConnectError):
            await here.client.get(f"http://{host}:{receiver.port}/")
        with pytest.raises(ServerError) as refused:
            await here.sender.ask({"url": f"http://{host}:{receiver.port}/"}, {"type": "hang"})
        assert receiver.got == []
    assert refused.value.reason in ("refused", "unreachable")  # not every resolver knows the odd spellings
    assert "127.0.0.1" not in str(refused.value)


async def test_a_name_with_one_private_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("1.1.1.1", 80)), (*kind, ("169.254.169.254", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(AddressRefusedError):
        await AddressGuard(allow_private=False).address("example.com", 80)


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is asked twice could answer differently the second time (DNS rebinding): it is asked once."""
    asked: list[Any] = []
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if host in ("rebinding.test", b"rebinding.test") else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with Receiver() as receiver, house() as here:
        await here.client.get(f"http://rebinding.test:{receiver.port}/")
        (got,) = receiver.got
    assert [host for host in asked if host in ("rebinding.test", b"rebinding.test")] == [b"rebinding.test"]
    assert got.headers["host"] == f"rebinding.test:{receiver.port}"  # and the name stays the name


async def test_tls_is_to_the_name_and_not_to_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[Any] = []
    import httpcore

    async def start_tls(self: Any, ssl_context: Any, server_hostname: Any = None, **_: Any) -> Any:
        names.append(server_hostname)
        raise httpcore.ConnectError("far enough")

    monkeypatch.setattr(httpcore._backends.anyio.AnyIOStream, "start_tls", start_tls)
    async with Receiver() as receiver, house() as here:
        with pytest.raises(httpx.ConnectError):
            await here.client.get(f"https://localhost:{receiver.port}/")
    assert names == ["localhost"]


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as inner:
        redirect = response(302, b"", "text/plain", f"location: {inner.url}")
        async with Receiver([redirect]) as receiver, house() as here:
            with pytest.raises(ServerError) as refused:
                await here.sender.ask({"url": receiver.url, "secret": "hush"}, {"type": "hang"})
        assert inner.got == []
    assert (refused.value.reason, str(refused.value)) == ("status", "the server answered 302")


async def test_what_a_provider_meets_is_a_failure_to_connect() -> None:
    async with house(allow_private=False) as here:
        with pytest.raises(PrivateAddressError, match="BARGEIN_ALLOW_PRIVATE_ADDRESSES"):
            await here.client.get("http://127.0.0.1:9/")

"""A flood on one carrier's socket does not affect other calls."""

from pathlib import Path

import anyio
import pytest

from tests.carriers.loopback import Loopback, Phone
from tests.carriers.loopbacks import LOOPBACKS
from tests.carriers.stage import CallSetup, on_the_phone

pytestmark = pytest.mark.anyio

OTHER = "+15557654321"
LOST = "phone-call-provider-closed-websocket"


@pytest.fixture(params=[kind for kind in LOOPBACKS if not kind.native], ids=lambda kind: kind.provider)
def carrier(request: pytest.FixtureRequest) -> Loopback:
    return request.param()


async def hears_more(phone: Phone) -> None:
    """Its caller still hears something."""
    heard = phone.sounds()
    await phone.until(lambda: phone.sounds() > heard + 200)


async def two_calls(setup: CallSetup, carrier: Loopback) -> tuple[Phone, Phone]:
    await setup.answers(setup.speaker())
    phones = await carrier.rings(), await carrier.rings(OTHER)
    for phone in phones:
        await phone.until(lambda: phone.sounds() > 100)  # noqa: B023  # awaited in its turn
    return phones


async def test_a_flood_of_frames_ends_only_that_call(
    tmp_path: Path, carrier: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bargein.server.api.routes.carrier_socket._FRAMES_AT_START", 500)
    async with on_the_phone(tmp_path, carrier) as setup:
        flooding, other = await two_calls(setup, carrier)
        flooding.mute()
        frames = list(flooding.nonsense().values())
        with anyio.fail_after(30):
            while not flooding.closed:
                for frame in frames:
                    await flooding.send(frame)
        assert (await setup.ended((await setup.the_call(flooding))["id"]))["endedReason"] == LOST
        await hears_more(other)
        await other.hang_up()


async def test_frames_larger_than_any_carriers_are_not_read(tmp_path: Path, carrier: Loopback) -> None:
    """Half a megabyte each: refused by their length, which costs the calls beside them nothing."""
    large: list[str | bytes] = ["[" * 500_000, '"' + "x" * 500_000 + '"', "1" * 500_000]
    async with on_the_phone(tmp_path, carrier) as setup:
        phone, other = await two_calls(setup, carrier)
        for _ in range(20):
            for frame in large:
                await phone.send(frame)
        await setup.refused("frame", 60)
        for one in (phone, other):
            await hears_more(one)
            await one.hang_up()


async def test_an_oversized_frame_ends_only_that_call(tmp_path: Path, carrier: Loopback) -> None:
    """More than a megabyte is answered with close code 1009 (RFC 6455)."""
    async with on_the_phone(tmp_path, carrier) as setup:
        phone, other = await two_calls(setup, carrier)
        phone.mute()
        await phone.send("x" * (1 << 21))
        assert (await setup.ended((await setup.the_call(phone))["id"]))["endedReason"] == LOST
        await hears_more(other)
        await other.hang_up()

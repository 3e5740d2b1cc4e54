"""Calls that come in by a number of a TeXML application."""

from pathlib import Path

import pytest

from tests.carriers.stage import on_the_phone
from tests.carriers.telnyx.loopback import TexmlLoopback

pytestmark = pytest.mark.anyio

ELSEWHERE = {"type": "number", "number": "+15550002222"}


async def test_a_call_by_texml_is_heard_and_hung_up_from_each_side(tmp_path: Path) -> None:
    carrier = TexmlLoopback()
    async with on_the_phone(tmp_path, carrier) as house:
        await house.answers(house.speaker())
        for who in ("the caller", "the assistant"):
            phone = await carrier.rings()
            call = await house.the_call(phone)
            await phone.until(lambda: phone.sounds() > 300)  # noqa: B023  # awaited in its turn
            if who == "the caller":
                await phone.hang_up()
            else:
                await house.control(call["id"], {"type": "end-call"})
                await phone.until(lambda: phone.ended)  # noqa: B023  # awaited in its turn
            over = await house.ended(call["id"])
            wanted = "customer-ended-call" if who == "the caller" else "manually-canceled"
            assert (over["endedReason"], over["phoneCallProvider"]) == (wanted, "telnyx")


async def test_a_call_by_texml_is_passed_on_and_presses_no_keys(tmp_path: Path) -> None:
    carrier = TexmlLoopback()
    async with on_the_phone(tmp_path, carrier) as house:
        await house.answers(house.assistant())
        phone = await carrier.rings()
        call = await house.the_call(phone)
        await house.live(call["id"])
        await house.control(call["id"], {"type": "transfer", "destination": ELSEWHERE})
        await phone.until(lambda: phone.forwarded)
        over = await house.ended(call["id"])
    assert ELSEWHERE["number"] in phone.forwarded
    assert over["endedReason"] == "assistant-forwarded-call"

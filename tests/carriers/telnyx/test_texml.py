"""Calls that come in by a number of a TeXML application."""

from pathlib import Path

import pytest

from tests.carriers.stage import on_the_phone
from tests.carriers.telnyx.loopback import TexmlLoopback

pytestmark = pytest.mark.anyio

ELSEWHERE = {"type": "number", "number": "+15550002222"}


async def test_a_texml_call_has_audio_and_can_be_hung_up_by_both_sides(tmp_path: Path) -> None:
    carrier = TexmlLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker())
        for who in ("the caller", "the assistant"):
            phone = await carrier.rings()
            call = await setup.the_call(phone)
            await phone.until(lambda: phone.sounds() > 300)  # noqa: B023  # awaited in its turn
            if who == "the caller":
                await phone.hang_up()
            else:
                await setup.control(call["id"], {"type": "end-call"})
                await phone.until(lambda: phone.ended)  # noqa: B023  # awaited in its turn
            over = await setup.ended(call["id"])
            wanted = "customer-ended-call" if who == "the caller" else "manually-canceled"
            assert (over["endedReason"], over["phoneCallProvider"]) == (wanted, "telnyx")


async def test_a_texml_call_can_be_transferred_and_cannot_send_keys(tmp_path: Path) -> None:
    carrier = TexmlLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.assistant())
        phone = await carrier.rings()
        call = await setup.the_call(phone)
        await setup.live(call["id"])
        await setup.control(call["id"], {"type": "transfer", "destination": ELSEWHERE})
        await phone.until(lambda: phone.forwarded)
        over = await setup.ended(call["id"])
    assert ELSEWHERE["number"] in phone.forwarded
    assert over["endedReason"] == "assistant-forwarded-call"

"""The tool `sms`: to whom, what, and how many."""

from typing import Any

import pytest

from bargein.call.tools.builtin import LONGEST_TEXT_MESSAGE, MOST_TEXT_MESSAGES, TextMessages
from bargein.call.tools.declarations import ToolDeclarations, is_builtin
from bargein.carriers.websocket.leg import WebsocketLeg
from bargein.ports import CarrierError, ToolCall

pytestmark = pytest.mark.anyio

CUSTOMER = "+15551234567"


class Number:
    """A leg that sends text messages."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.error: CarrierError | None = None

    async def send_sms(self, to: str, text: str) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((to, text))


async def told(messages: TextMessages, **arguments: Any) -> tuple[str, bool]:
    outcome = await messages.send({"type": "sms"}, ToolCall("c1", "sms", ""), arguments)
    return outcome.result.text, outcome.result.failed


async def test_a_text_message_goes_to_the_caller_or_to_the_number_that_the_model_names() -> None:
    leg: Any = Number()
    messages = TextMessages(leg, lambda: CUSTOMER)
    assert await told(messages, message=" Booked. ") == (f"Sent to {CUSTOMER}.", False)
    assert await told(messages, body="Booked.", phoneNumber="+44 (20) 7946-0958") == ("Sent to +442079460958.", False)
    assert leg.sent == [(CUSTOMER, "Booked."), ("+442079460958", "Booked.")]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"message": "Hi", "to": "5551234"}, "country code"),
        ({"message": "Hi", "to": "+1555; DROP"}, "country code"),
        ({"message": ""}, "1 to 1600 characters"),
        ({}, "1 to 1600 characters"),
        ({"message": 7, "to": CUSTOMER}, "1 to 1600 characters"),
        ({"message": "x" * (LONGEST_TEXT_MESSAGE + 1)}, "1 to 1600 characters"),
    ],
)
async def test_what_no_carrier_could_send_is_told_to_the_model(arguments: dict[str, Any], why: str) -> None:
    leg: Any = Number()
    text, failed = await told(TextMessages(leg, lambda: CUSTOMER), **arguments)
    assert failed
    assert why in text
    assert leg.sent == []


async def test_a_caller_without_a_number_a_carrier_that_refuses_and_a_model_that_repeats_itself() -> None:
    leg: Any = Number()
    assert "country code" in (await told(TextMessages(leg, lambda: None), message="Hi"))[0]
    messages = TextMessages(leg, lambda: CUSTOMER)
    leg.error = CarrierError("Twilio refused: no balance.")
    assert await told(messages, message="Hi") == ("Not sent: Twilio refused: no balance.", True)
    leg.error = None
    answers = [await told(messages, message="Hi") for _ in range(MOST_TEXT_MESSAGES + 3)]
    assert len(leg.sent) == MOST_TEXT_MESSAGES - 1, "a try counts"
    assert answers[-1] == (f"Not sent: a call may send {MOST_TEXT_MESSAGES} text messages.", True)


async def test_a_call_without_a_carrier_says_what_is_needed() -> None:
    with pytest.raises(CarrierError, match="Twilio, Telnyx or Vonage"):
        await WebsocketLeg.send_sms(WebsocketLeg.__new__(WebsocketLeg), CUSTOMER, "Hi")


def test_the_declarations_of_sms_and_sip_request() -> None:
    headers = {"type": "object", "properties": {"X-Queue": {"type": "string"}}}
    request = {"type": "sipRequest", "verb": "INFO", "headers": headers, "body": "fixed"}
    sms, sip = (one["function"] for one in ToolDeclarations([{"type": "sms"}, request]).declarations)
    assert (sms["name"], sms["parameters"]["required"]) == ("sms", ["message"])
    assert (sip["name"], sip["parameters"]["properties"]) == ("sipRequest", {"headers": headers})
    assert is_builtin({"type": "sms"})
    assert not is_builtin({"type": "sms", "server": {"url": "https://a.example/"}}), "its server sends it"
    assert is_builtin({"type": "endCall", "server": {"url": "https://a.example/"}})

"""TeXML: the answers to Telnyx's requests for instructions, for numbers that do not use Call Control."""

from xml.etree.ElementTree import Element, SubElement, tostring

from bargein.carriers.interface import Answer
from bargein.wire.base import JsonObject

CONTENT_TYPE = "application/xml"


def stream(url: str) -> Answer:
    """Connect the call's audio; the call ends with the socket, because no instruction follows."""
    response = Element("Response")
    attributes = {
        "url": url,
        "track": "inbound_track",
        "codec": "L16",
        "bidirectionalMode": "rtp",  # the default is mp3, one file per second
        "bidirectionalCodec": "L16",
        "bidirectionalSamplingRate": "16000",
        "enableReconnect": "false",  # the URL opens one socket
    }
    SubElement(SubElement(response, "Connect"), "Stream", attributes)
    return _answer(response)


def reject() -> Answer:
    """Reject the call."""
    response = Element("Response")
    SubElement(response, "Reject", {"reason": "rejected"})
    return _answer(response)


def dial(to: str, caller_id: str, digits: str | None = None) -> Answer:
    """Forward the call to a number or SIP URI."""
    response = Element("Response")
    verb = SubElement(response, "Dial", {"callerId": caller_id})
    noun = SubElement(verb, "Sip" if to.startswith(("sip:", "sips:")) else "Number")
    noun.text = to
    if digits is not None:
        noun.set("sendDigits", digits)
    return _answer(response)


def number_or_uri(destination: JsonObject) -> str:
    """Return the address of a destination or a customer."""
    return str(destination.get("number") or destination.get("sipUri") or "")


def _answer(response: Element) -> Answer:
    return Answer(tostring(response, encoding="unicode", xml_declaration=True), CONTENT_TYPE)

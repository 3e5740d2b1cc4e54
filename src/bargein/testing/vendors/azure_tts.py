"""A fake of Azure Speech's `POST /cognitiveservices/v1`, by Azure's REST reference and its page on SSML."""

import json
import re
from xml.etree import ElementTree as ET  # the fake reads the tests' own requests

from typing_extensions import override

from bargein.testing.http_peer import Exchange
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_speech import Asked, RefusedError

_FORMATS = {
    "raw-8khz-16bit-mono-pcm": 8000,
    "raw-16khz-16bit-mono-pcm": 16_000,
    "raw-24khz-16bit-mono-pcm": 24_000,
    "raw-48khz-16bit-mono-pcm": 48_000,
}
_SPEAK = "{http://www.w3.org/2001/10/synthesis}"
_MSTTS = "{https://www.w3.org/2001/mstts}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


class FakeAzureVoice(HttpVoiceFake):
    """Azure's speech synthesis in the raw formats."""

    content_type = "audio/basic"

    @override
    def key_of(self, exchange: Exchange) -> str:
        return exchange.headers.get("ocp-apim-subscription-key", "")

    @override
    def error_body(self, status: int, says: str) -> bytes:
        return json.dumps({"error": {"code": str(status), "message": says}}).encode()

    @override
    def read(self, exchange: Exchange) -> Asked:
        if (exchange.method, exchange.path) != ("POST", "/cognitiveservices/v1"):
            raise RefusedError(404, "Resource not found")
        if exchange.headers.get("content-type") != "application/ssml+xml" or "user-agent" not in exchange.headers:
            raise RefusedError(415, "SSML and a User-Agent are required")
        if (rate_hz := _FORMATS.get(exchange.headers.get("x-microsoft-outputformat", ""))) is None:
            raise RefusedError(400, "X-Microsoft-OutputFormat is unknown")
        try:
            speak = ET.fromstring(exchange.body)  # noqa: S314  # the tests' own request
        except ET.ParseError as error:
            raise RefusedError(400, f"not XML: {error}") from None
        voice = speak.find(f"{_SPEAK}voice")
        if speak.tag != f"{_SPEAK}speak" or voice is None or not re.match("[a-z]{2}-", speak.get(_LANGUAGE) or ""):
            raise RefusedError(400, "not SSML with a language and a voice")
        style, prosody = voice.find(f"{_MSTTS}express-as"), next(voice.iter(f"{_SPEAK}prosody"), None)
        fields = {
            "voice": voice.get("name"),
            "style": None if style is None else dict(style.attrib),
            "rate": None if prosody is None else prosody.get("rate"),
        }
        return Asked(text="".join(speak.itertext()), rate_hz=rate_hz, fields=fields)

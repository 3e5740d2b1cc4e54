"""Fakes for tests and load tests: a model, a voice and a transcriber on 127.0.0.1, and settings without an environment.

They are real servers of Vapi's custom-provider protocols; a script decides how each of them answers:

    async with FakeLlm(LlmScript(tokens=("One ", "two."))) as llm, FakeVoice() as voice:
        assistant = {
            "model": {"provider": "custom-llm", "url": llm.url, "model": "scripted"},
            "voice": {"provider": "custom-voice", "server": {"url": voice.url}},
        }
        ...  # make a call with this assistant
        request = await llm.exchange(0)
        assert request.body["messages"][-1]["role"] == "user"

`python -m bargein.testing` serves all three for programs that are not written in Python. Start reading at `http_peer`,
the HTTP server below `FakeLlm` and `FakeVoice`, and `socket_peer`, the WebSocket server below `FakeTranscriber`.
`vendors` has a fake of each vendor, `sip_phone` is a SIP telephone, `settings` makes settings.
The server does not import this package.
"""

from bargein.testing.fake_llm import FakeLlm, LlmScript
from bargein.testing.fake_transcriber import FakeTranscriber, TimedReply, TranscriberConnection, TranscriberScript
from bargein.testing.fake_voice import WORD_MS, FakeVoice, VoiceScript, speech
from bargein.testing.http_peer import Exchange, HttpPeer
from bargein.testing.settings import make_settings

__all__ = [
    "WORD_MS",
    "Exchange",
    "FakeLlm",
    "FakeTranscriber",
    "FakeVoice",
    "HttpPeer",
    "LlmScript",
    "TimedReply",
    "TranscriberConnection",
    "TranscriberScript",
    "VoiceScript",
    "make_settings",
    "speech",
]

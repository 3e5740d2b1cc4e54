"""Test an agent in calls: a caller that talks over it, fixtures for pytest, and fakes of what is around it.

With bargein installed, pytest has the fixtures `caller`, `model`, `owner` and others (`plugin`):

    async def test_the_assistant_can_be_interrupted(caller):
        await caller.say("Tell me a story.")
        await caller.interrupt_after(1.2, "Stop.")
        assert caller.silent_within_ms(400)

The caller (`caller`) knows nothing of pytest. Below it are fakes: a model, a voice and a transcriber on 127.0.0.1, and
settings without an environment. They are real servers of Vapi's custom-provider protocols; a script decides how each of
them answers:

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

Names are imported when they are first used, since pytest imports this package in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bargein.testing.agents import calling, prepare_assistant
    from bargein.testing.caller import Caller, joining
    from bargein.testing.caller_core import CallerError
    from bargein.testing.caller_ears import ToolCall, Utterance
    from bargein.testing.caller_sounds import Sounds
    from bargein.testing.caller_verdict import Verdict
    from bargein.testing.fake_llm import FakeLlm, LlmScript
    from bargein.testing.fake_transcriber import FakeTranscriber, TimedReply, TranscriberConnection, TranscriberScript
    from bargein.testing.fake_voice import WORD_MS, FakeVoice, VoiceScript, speech
    from bargein.testing.http_peer import Exchange, HttpPeer
    from bargein.testing.owner import Owner
    from bargein.testing.scripted_model import ScriptedModel
    from bargein.testing.settings import make_settings

_MODULES = {
    "Caller": "caller",
    "CallerError": "caller_core",
    "Exchange": "http_peer",
    "FakeLlm": "fake_llm",
    "FakeTranscriber": "fake_transcriber",
    "FakeVoice": "fake_voice",
    "HttpPeer": "http_peer",
    "LlmScript": "fake_llm",
    "Owner": "owner",
    "ScriptedModel": "scripted_model",
    "Sounds": "caller_sounds",
    "TimedReply": "fake_transcriber",
    "ToolCall": "caller_ears",
    "TranscriberConnection": "fake_transcriber",
    "TranscriberScript": "fake_transcriber",
    "Utterance": "caller_ears",
    "Verdict": "caller_verdict",
    "VoiceScript": "fake_voice",
    "WORD_MS": "fake_voice",
    "calling": "agents",
    "joining": "caller",
    "make_settings": "settings",
    "prepare_assistant": "agents",
    "speech": "fake_voice",
}

__all__ = [
    "WORD_MS",
    "Caller",
    "CallerError",
    "Exchange",
    "FakeLlm",
    "FakeTranscriber",
    "FakeVoice",
    "HttpPeer",
    "LlmScript",
    "Owner",
    "ScriptedModel",
    "Sounds",
    "TimedReply",
    "ToolCall",
    "TranscriberConnection",
    "TranscriberScript",
    "Utterance",
    "Verdict",
    "VoiceScript",
    "calling",
    "joining",
    "make_settings",
    "prepare_assistant",
    "speech",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

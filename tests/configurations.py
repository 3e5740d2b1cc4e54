"""Assistants with vendors and fields as people's configurations for Vapi have them, and a fake of each of the vendors.

A call with an interruption is held with each of them: by the socket, by Vapi's Python SDK and by Vapi's web SDK. The
caller is a recording. The model never stops talking and the voice speaks in real time, so that whatever a vendor makes
after the interruption can be counted.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import anyio

from bargein.clock import LoopClock
from bargein.configuration import extension_sections
from bargein.testing.vendors.anthropic_llm import AnthropicLlm
from bargein.testing.vendors.azure_stt import FakeAzure
from bargein.testing.vendors.cartesia_tts import FakeCartesiaVoice
from bargein.testing.vendors.chat_llm import VENDORS as CHAT_VENDORS
from bargein.testing.vendors.chat_llm import ChatLlm
from bargein.testing.vendors.deepgram_stt import FakeDeepgram, FakeDeepgramFlux
from bargein.testing.vendors.elevenlabs_tts import FakeElevenLabsVoice
from bargein.testing.vendors.openai_tts import FakeOpenAiVoice
from bargein.testing.vendors.scripted_llm import KEY as MODEL_KEY
from bargein.testing.vendors.scripted_llm import ModelScript, ScriptedLlm
from bargein.testing.vendors.speech_peer import SpeechPeer, SpeechScript
from bargein.testing.vendors.voice_http import HttpVoiceFake
from bargein.testing.vendors.voice_socket import SocketVoiceFake
from bargein.testing.vendors.voice_speech import KEY as VOICE_KEY
from bargein.testing.vendors.voice_speech import WORD_MS, VendorVoiceScript
from tests.call.harness import Caller, speech
from tests.speech import SPEECH

FOLDER = Path(__file__).resolve().parent / "data" / "configurations"

ASKS = "I would like an americano with milk, please."
INTERRUPTS = "No, make it a small house coffee with brown sugar."
ASKING_CLIP = SPEECH / "interrupt" / "intent_654d9e0c.flac"
INTERRUPTING_CLIP = SPEECH / "interrupt" / "intent_10222c57.flac"
"""A caller orders, and then orders something else. The words are not those of the transcripts."""

_SYLLABLES = [f"{first}{vowel}n" for first in "bcdfghjklmprstvwyz" for vowel in "aeiou"]
WORDS = [f"{word}{'.' * (n % 24 == 23)}" for n, word in enumerate(_SYLLABLES)]
"""Words that take about as long in English as those of the fakes, so that a guess of what was heard can be checked."""
ANSWER = ModelScript(tokens=[f"{word} " for word in WORDS], interval_ms=30, repeat=True)
"""The answer that is interrupted: it has no end."""
ENDS = ModelScript(tokens=(), calls=[("endCall", "{}")])
HEARD_MS = 1500
"""How much of the answer the caller hears before he interrupts."""
LATEST_MS = 100
"""How long after the message of an interruption a vendor may still make something."""
AFTER_MS = 450
"""How long that is watched. The caller speaks for longer, so that no other answer begins meanwhile."""

VoiceFake = HttpVoiceFake | SocketVoiceFake


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor of one part.

    Attributes:
        fake: makes its fake.
        key: the environment variable of its key.
        base_url: that of its address.
        provider: its name in a credential.
        path: of that address.
        credential: further fields of its credential.
    """

    fake: Callable[..., Any]
    key: str
    base_url: str
    provider: str
    path: str = ""
    credential: Mapping[str, str] = field(default_factory=dict)


def _chat(provider: str) -> Callable[[ModelScript], ChatLlm]:
    return lambda script: ChatLlm(CHAT_VENDORS[provider], script)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A configuration and its vendors.

    Attributes:
        file: its file.
        transcriber: whose fake hears the caller.
        model: whose fake answers.
        voice: whose fake speaks.
        endpoint_ms: silence after which the transcriber tells a final by itself; None: it is asked for it.
        within_words: by how many words what is remembered of an answer may differ from what was heard.
    """

    file: str
    transcriber: Vendor
    model: Vendor
    voice: Vendor
    endpoint_ms: int | None = None
    within_words: int = 1

    @property
    def assistant(self) -> dict[str, Any]:
        """The assistant, unchanged."""
        return json.loads((FOLDER / self.file).read_text())


CONFIGURATIONS = {
    "deepgram-openai-11labs": Configuration(
        file="deepgram-openai-11labs.json",
        transcriber=Vendor(
            fake=FakeDeepgram, key="DEEPGRAM_API_KEY", base_url="DEEPGRAM_BASE_URL", provider="deepgram"
        ),
        model=Vendor(fake=_chat("openai"), key="OPENAI_API_KEY", base_url="OPENAI_BASE_URL", provider="openai"),
        voice=Vendor(
            fake=FakeElevenLabsVoice, key="ELEVENLABS_API_KEY", base_url="ELEVENLABS_BASE_URL", provider="11labs"
        ),
    ),
    "deepgram-flux-anthropic-cartesia": Configuration(
        file="deepgram-flux-anthropic-cartesia.json",
        transcriber=Vendor(
            fake=FakeDeepgramFlux, key="DEEPGRAM_API_KEY", base_url="DEEPGRAM_BASE_URL", provider="deepgram"
        ),
        model=Vendor(fake=AnthropicLlm, key="ANTHROPIC_API_KEY", base_url="ANTHROPIC_BASE_URL", provider="anthropic"),
        voice=Vendor(fake=FakeCartesiaVoice, key="CARTESIA_API_KEY", base_url="CARTESIA_BASE_URL", provider="cartesia"),
    ),
    "azure-groq-openai": Configuration(
        file="azure-groq-openai.json",
        transcriber=Vendor(
            fake=FakeAzure,
            key="AZURE_SPEECH_KEY",
            base_url="AZURE_SPEECH_BASE_URL",
            provider="azure",
            credential={"service": "speech", "region": "westeurope"},
        ),
        model=Vendor(fake=_chat("groq"), key="GROQ_API_KEY", base_url="GROQ_BASE_URL", provider="groq"),
        voice=Vendor(
            fake=FakeOpenAiVoice, key="OPENAI_API_KEY", base_url="OPENAI_AUDIO_BASE_URL", provider="openai", path="/v1"
        ),
        endpoint_ms=400,
        within_words=2,  # the voice has no times of words
    ),
}


class Cast:
    """The fakes of a configuration's vendors, on loopback.

    Args:
        configuration: whose.

    Attributes:
        transcriber: the fake that hears the caller.
        model: the fake that answers.
        voice: the fake that speaks.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.transcriber: SpeechPeer = configuration.transcriber.fake(
            SpeechScript(utterances=(ASKS, INTERRUPTS), word_ms=120, endpoint_ms=configuration.endpoint_ms)
        )
        self.model: ScriptedLlm = configuration.model.fake(ANSWER)
        self.voice: VoiceFake = configuration.voice.fake(VendorVoiceScript(realtime=True))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for fake in (self.transcriber, self.model, self.voice):
            await self._stack.enter_async_context(fake)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    @property
    def addresses(self) -> dict[str, str]:
        """The environment that leads a server to the fakes, without a key."""
        of = self.configuration
        urls = {of.transcriber.base_url: self.transcriber.url, of.model.base_url: self.model.url}
        return {**urls, of.voice.base_url: self.voice.origin + of.voice.path}

    @property
    def keys(self) -> dict[str, str]:
        """The keys by their environment variables."""
        of = self.configuration
        return {of.transcriber.key: self.transcriber.key, of.model.key: MODEL_KEY, of.voice.key: VOICE_KEY}

    @property
    def credentials(self) -> list[dict[str, str]]:
        """The keys as bodies of `POST /credential`."""
        of = self.configuration
        parts = ((of.transcriber, self.transcriber.key), (of.model, MODEL_KEY), (of.voice, VOICE_KEY))
        return [{"provider": vendor.provider, "apiKey": key, **vendor.credential} for vendor, key in parts]

    def end_the_call(self) -> None:
        """Let the model's next answer end the call."""
        self.model.script = ENDS

    async def check_silence(self, cut_ms: float) -> None:
        """Assert that no vendor makes anything more after an interruption, by the monotonic clock."""
        answers, speeches = len(self.model.exchanges), len(self.voice.made.requests)
        await anyio.sleep(max(0.0, cut_ms + AFTER_MS - LoopClock().monotonic_ms()) / 1000)
        assert (len(self.model.exchanges), len(self.voice.made.requests)) == (answers, speeches), "it was answered"
        assert self.model.exchanges[-1].done.is_set(), "the model was not told"
        assert self.model.last_token_ms is not None
        assert self.model.last_token_ms <= cut_ms + LATEST_MS
        assert self.voice.made.cut_s is not None, "the voice was not told"
        assert self.voice.made.last_s * 1000 <= cut_ms + LATEST_MS

    async def check_closed(self) -> None:
        """Assert that nothing of the call is open at a vendor."""
        with anyio.fail_after(3):
            for connection in self.transcriber.connections:
                await connection.closed.wait()
            for exchange in self.model.exchanges:
                await exchange.done.wait()
            if isinstance(self.voice, HttpVoiceFake):
                for exchange in self.voice.exchanges:
                    await exchange.done.wait()
            else:
                while self.voice.open_sockets:
                    await anyio.sleep(0.01)
        assert len(self.transcriber.connections) == self.transcriber.attempts == 1

    async def hold_a_call(self, caller: Caller) -> None:
        """Order, interrupt the answer, order something else and be told goodbye; assert what must hold meanwhile."""
        assistant = self.configuration.assistant
        await caller.until(lambda: caller.of("speech-update", status="stopped", role="assistant"))
        greeting = caller.of("transcript", role="assistant", transcriptType="final")
        assert " ".join(said["transcript"] for said in greeting) == assistant["firstMessage"]
        await caller.say(speech(ASKING_CLIP))
        await caller.until(lambda: caller.of("transcript", role="user", transcriptType="final", transcript=ASKS))
        await caller.until(lambda: len(caller.of("speech-update", status="started", role="assistant")) > 1)
        begun_ms = caller.when("speech-update", status="started", role="assistant")[1]
        await caller.until(lambda: caller.now() > begun_ms + HEARD_MS)
        await caller.say(speech(INTERRUPTING_CLIP))
        await caller.until(lambda: caller.of("user-interrupted"))
        self.end_the_call()
        cut_ms = caller.when("user-interrupted")[0]
        await self.check_silence(caller.began + cut_ms)
        assert caller.last_sound(cut_ms + AFTER_MS) - cut_ms < LATEST_MS, "the assistant was heard for too long"
        outputs = [(at, said) for at, said in caller.messages if said["type"] == "model-output"]
        assert {said["turnId"] for _, said in outputs} == {caller.of("user-interrupted")[0]["turnId"]}
        assert max(at for at, _ in outputs) <= cut_ms
        heard_ms = sum(len(frame) / caller.sound.bytes_per_ms for at, frame in caller.audio if begun_ms <= at <= cut_ms)
        await caller.until_closed()
        self.check_what_is_remembered([said for _, said in caller.messages], heard_ms)
        await self.check_closed()

    def check_what_is_remembered(
        self, messages: Sequence[dict[str, Any]], heard_ms: float, more_words: int = 0
    ) -> None:
        """Assert that of the interrupted answer the words that were heard are remembered, and no others.

        Args:
            messages: all messages of the call.
            heard_ms: how much of the answer was played.
            more_words: by how many more words the measurement of that may be wrong.
        """
        updates = [one for one in messages if one["type"] == "conversation-update"]
        remembered = [one for one in updates[-1]["messagesOpenAIFormatted"] if one["role"] in {"user", "assistant"}]
        [answer] = [one["content"] for one in remembered if (one["content"] or "").startswith(WORDS[0])]
        words = answer.split()
        assert words == WORDS[: len(words)]
        assert abs(len(words) - heard_ms / WORD_MS) <= self.configuration.within_words + more_words
        assert [one["content"] for one in remembered if one["role"] == "user"] == [ASKS, INTERRUPTS]
        asked = json.dumps(self.model.exchanges[-1].body)
        assert answer in asked, "the model was told the same"
        assert INTERRUPTS in asked
        transcripts = [one for one in messages if one["type"] == "transcript" and one["transcriptType"] == "final"]
        said = " ".join(one["transcript"] for one in transcripts if one["role"] == "assistant")
        assistant = self.configuration.assistant
        assert said == f"{assistant['firstMessage']} {answer} {assistant['endCallMessage']}"
        heard = [one["transcript"] for one in transcripts if one["role"] == "user"]
        assert heard == [ASKS, INTERRUPTS]


def as_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables of vendors as `make_settings` takes them."""
    variables = [(section.table, one) for section in extension_sections() for one in section.variables()]
    found = {f"{table}_{one.field}": environment[one.name] for table, one in variables if one.name in environment}
    assert len(found) == len(environment), environment
    return found

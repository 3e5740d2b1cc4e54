"""The text that a voice gets in a call, and what is remembered of it: formatted text is heard, and the model's kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training.interruption_classifier.stage import WORD_MS, StageVoice, run_on_stage

from bargein.ports import SpeechChunk, SpokenWord
from bargein.testing import LlmScript
from bargein.turns.phrases import word_spans
from tests.call.harness import calling
from tests.call.stage import staged
from tests.call.test_heard_words import Deaf, ReceivedByClient, cut_after, tone

WRITTEN = (
    "**Well,** it costs $42.50 \U0001f600 and you call 555-123-4567 before 14:30 today, <flush />"
    "or you write to [us](https://example.com/x) at a_b@example.com, since 12345 people wait for 5 km of it now."
)
SHOWN = WRITTEN.replace("<flush />", "")
SPOKEN = (
    "Well, it costs forty-two dollars and fifty cents and you call 5 5 5 1 2 3 4 5 6 7 before fourteen thirty today, "
    "or you write to us at a underscore b at example dot com, since 1 2 3 4 5 people wait for five kilometers of it "
    "now."
)


class Reader(StageVoice):
    """A voice that reads any text, a word in `WORD_MS`."""

    def __init__(self) -> None:
        super().__init__(tone())
        self.text = WRITTEN
        self.texts: list[str] = []

    async def speak(self, text: str) -> Any:
        self.texts.append(text)
        spans = word_spans(text)
        words = (SpokenWord(end, n * WORD_MS, (n + 1) * WORD_MS) for n, (_, end) in enumerate(spans))
        yield SpeechChunk(np.tile(self._recording[: self._slice], len(spans)), 16_000, tuple(words))


@pytest.mark.parametrize("sounding_ms", [400, 1000, 1400, 1800, 2900, 4300, 6200, 8300, 10_500, 13_000])
def test_history_holds_a_prefix_of_what_the_model_wrote(sounding_ms: int) -> None:
    received, reader = ReceivedByClient(), Reader()
    run_on_stage(cut_after, reader, received, sounding_ms, Deaf())
    assert SPOKEN.startswith(reader.texts[0])
    (_,) = received.of("user-interrupted")
    after = received.messages[received.messages.index(received.of("user-interrupted")[0]) :]
    history = next(message for message in after if message["type"] == "conversation-update")
    remembered = history["messages"][-1]["message"]
    assert SHOWN.startswith(remembered)
    told = [{name: value for name, value in one.items() if name != "assistant"} for one in received.messages]
    assert "flush" not in str(told), "nobody sees it but in the assistant itself"
    spoken = SPOKEN.split()[: int(received.heard_ms / WORD_MS)]
    places = {"$42.50": 8, "555-123-4567": 21, "14:30": 24, "a_b@example.com": 38, "12345": 44, "5 km": 49}
    for written, last in places.items():
        assert SPOKEN.split()[last - 1] in ("cents", "7", "thirty", "com,", "5", "kilometers"), "the place is right"
        assert (written in remembered) <= (len(spoken) + 1 >= last), f"{written} is remembered and was not heard"
        assert (written in remembered) >= (len(spoken) > last + 1), f"{written} was heard and is not remembered"
    assert {message["input"] for message in received.of("voice-input")} <= set(reader.texts)


class Recorded(ReceivedByClient):
    def __init__(self) -> None:
        super().__init__()
        self.audio: list[np.ndarray] = []

    def receive_audio(self, samples: np.ndarray) -> None:
        super().receive_audio(samples)
        self.audio.append(samples)


def test_a_break_is_silence_and_spelled_letters_are_single_for_a_voice_without_such_marks() -> None:
    received, reader = Recorded(), Reader()
    reader.text = 'One two three <break time="1.2s"/> four <spell>AB1</spell> five ' + "and so on " * 20
    run_on_stage(cut_after, reader, received, 5 * WORD_MS + 300, Deaf())
    assert reader.texts[:2] == ["One two three", "four A B one five " + ("and so on " * 20).strip()]
    (_,) = received.of("user-interrupted")
    loud = np.flatnonzero(np.abs(np.concatenate(received.audio)) > 50)
    (gap,) = np.flatnonzero(np.diff(loud) > 1000)
    assert 3 * WORD_MS - 30 <= (loud[gap] - loud[0]) / 16 <= 3 * WORD_MS + 30, "the pause is where the mark is"
    assert 1150 <= (loud[gap + 1] - loud[gap]) / 16 <= 1300, "and as long as it says"
    remembered = received.of("conversation-update")[-1]["messages"][-1]["message"]
    assert reader.text.startswith(remembered)
    assert remembered.endswith(("four", "<spell>AB1</spell>", "five"))
    assert {message["input"] for message in received.of("voice-input")} <= set(reader.texts)


@pytest.mark.anyio
async def test_a_flush_tag_brings_the_first_sound_before_the_model_goes_on(tmp_path: Path) -> None:
    answer = LlmScript(tokens=("hold on one moment <flush /> ", "the answer is four. "), interval_ms=3000)
    async with staged(tmp_path, llm=answer) as stage, calling(stage.url, stage.assistant()) as caller:
        await caller.until(lambda: caller.of("model-output"))
        asked = caller.when("model-output")[0]
        await caller.until(lambda: caller.of("speech-update", role="assistant", status="started"))
        assert caller.when("speech-update", role="assistant", status="started")[0] - asked < 1500
        await caller.until(lambda: len(stage.voice.exchanges) == 2)
        texts = [exchange.body["message"]["text"] for exchange in stage.voice.exchanges]
        assert texts == ["hold on one moment", "the answer is four."]
        await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
        told = [{name: value for name, value in one.items() if name != "assistant"} for _, one in caller.messages]
        assert "flush" not in str(told)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("chunk_plan", "expected"),
    [
        ({}, "Bold and soft and title at five dollars."),
        ({"enabled": False}, "**Bold** and *soft* and # title at $5."),
        ({"formatPlan": {"enabled": False}}, "**Bold** and *soft* and # title at $5."),
        (
            {"formatPlan": {"replacements": [{"type": "exact", "key": "soft", "value": "weak"}]}},
            "Bold and weak and title at five dollars.",
        ),
    ],
)
async def test_the_chunk_plan_of_a_custom_voice(tmp_path: Path, chunk_plan: dict[str, Any], expected: str) -> None:
    text = "**Bold** and *soft* and # title at $5."
    async with staged(tmp_path) as stage:
        voice = {"provider": "custom-voice", "server": {"url": stage.voice.url}, "chunkPlan": chunk_plan}
        async with calling(stage.url, stage.speaker(text, voice=voice)) as caller:
            await caller.until(lambda: caller.of("transcript", role="assistant", transcriptType="final"))
            (exchange,) = stage.voice.exchanges
            assert exchange.body["message"]["text"] == expected
            assert caller.of("transcript", role="assistant", transcriptType="final")[0]["transcript"] == text

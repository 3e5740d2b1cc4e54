"""The model, voice and transcriber of the capacity benchmark: they answer at once, in a process of their own.

`python -m bench.capacity.peers` prints their URLs as one line of JSON and ends with its standard input.
"""

import json
import sys

import anyio
import anyio.to_thread

from bargein.testing import WORD_MS, FakeLlm, FakeTranscriber, FakeVoice, LlmScript, TranscriberScript

SENTENCE = "This answer goes on and on for quite a while. "
SENTENCES = 8
REPLY_MS = len(SENTENCE.split()) * SENTENCES * WORD_MS
"""Length of an answer that is not interrupted: 24 s."""


# Without partials: they would come before the word was said, and interrupt in place of the voice detector.
SCRIPT = TranscriberScript(utterances=("Wait, hold on.",), partials=False)


async def _main() -> None:
    tokens = tuple(f"{word} " for word in (SENTENCE * SENTENCES).split())
    async with (
        FakeLlm(LlmScript(tokens=tokens), record=False) as llm,
        FakeVoice(record=False) as voice,
        FakeTranscriber(SCRIPT, record=False) as transcriber,
    ):
        print(json.dumps({"llm": llm.url, "voice": voice.url, "transcriber": transcriber.url}), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    anyio.run(_main, backend_options={"use_uvloop": True})

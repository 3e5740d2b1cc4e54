"""Serve the three fakes until the standard input ends; print their URLs as one line of JSON."""

import json
import sys

import anyio
import anyio.to_thread

from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, TranscriberScript


async def _main() -> None:
    utterances = TranscriberScript(utterances=("Wait, stop, I have a question about that.",))
    async with (
        FakeLlm(record=False) as llm,
        FakeVoice(record=False) as voice,
        FakeTranscriber(utterances, record=False) as transcriber,
    ):
        urls = {"llm": llm.url, "voice": voice.url, "transcriber": transcriber.url}
        sys.stdout.write(json.dumps(urls) + "\n")
        sys.stdout.flush()
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    anyio.run(_main)

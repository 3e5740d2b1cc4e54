"""Artifacts of calls: whole and in ranges, authorisation, presigned URLs and deletion."""

import gzip
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import numpy as np
import pytest
import soundfile

from bargein.call.record.journal import read
from bargein.store.journals import call_log_path, journal_path
from bargein.store.recordings import recording_path
from bargein.testing import FakeLlm, FakeTranscriber, FakeVoice, TranscriberScript
from bargein.wire.artifact_urls import PRESIGNED_S, is_signed, presigned_urls
from tests.call.conftest import Log, log
from tests.call.harness import Caller, assistant, bearing, calling, ended, stored
from tests.call.stage import STORY, Stage, staged
from tests.call.test_journal import SAYS, cut_call

__all__ = ["log"]

pytestmark = pytest.mark.anyio

PARTS = ("mono", "stereo", "customer", "assistant")
KEY = "some-key"


def tone(ms: int) -> np.ndarray:
    return (9000 * np.sin(np.arange(ms * 16) * 2 * np.pi * 500 / 16_000)).astype("<i2")


@asynccontextmanager
async def after_a_call(tmp_path: Path, **more: Any) -> AsyncIterator[tuple[Stage, Caller]]:
    """Run a server with one ended call in which both sides have spoken."""
    async with staged(tmp_path, transcriber=TranscriberScript(), api_key=KEY, public_key="other-key") as stage:
        async with calling(stage.url, stage.speaker("One two three.", **more)) as caller:
            await caller.until(lambda: caller.of("speech-update", role="assistant", status="stopped"))
            await caller.say(tone(300))
            await anyio.sleep(0.5)  # it is being said
            await caller.send({"type": "end-call"})
            await caller.until_closed()
        await ended(stage.url, caller.id, KEY)
        yield stage, caller


def client_of(stage: Stage, key: str | None = KEY) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stage.url, headers=bearing(key))


async def test_the_urls_in_the_artifact_work(tmp_path: Path) -> None:
    async with after_a_call(tmp_path) as (stage, caller), client_of(stage) as client:
        artifact = (await stored(stage.url, caller.id, KEY))["artifact"]
        mono = artifact["recording"]["mono"]
        urls = {
            "stereo": artifact["recording"]["stereoUrl"],
            "mono": mono["combinedUrl"],
            "customer": mono["customerUrl"],
            "assistant": mono["assistantUrl"],
        }
        assert artifact["recordingUrl"] == urls["mono"]
        assert artifact["stereoRecordingUrl"] == urls["stereo"]
        sound: dict[str, np.ndarray] = {}
        for part, url in urls.items():
            answer = await client.get(url)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "audio/wav"
            assert answer.headers["accept-ranges"] == "bytes"
            assert int(answer.headers["content-length"]) == len(answer.content)
            samples, rate_hz = soundfile.read(io.BytesIO(answer.content), dtype="int16")
            assert rate_hz == 16_000
            sound[part] = samples
        assert (await client.get(artifact["logUrl"])).status_code == 200
    assert np.array_equal(sound["stereo"][:, 0], sound["customer"])
    assert np.array_equal(sound["stereo"][:, 1], sound["assistant"])
    assert np.array_equal(sound["mono"], sound["customer"] + sound["assistant"])
    assert np.abs(sound["customer"]).max() > 8000
    assert np.abs(sound["assistant"]).max() > 500


RANGES = [
    ("bytes=0-9", 206, (0, 10)),
    ("bytes=40-47", 206, (40, 48)),
    ("bytes=1000-", 206, (1000, None)),
    ("bytes=-7", 206, (-7, None)),
    ("bytes=-99999999", 206, (0, None)),
    ("bytes=5-99999999", 206, (5, None)),
    ("bytes=99999999-", 416, None),
    ("bytes=-0", 416, None),
    ("bytes=9-5", 200, (0, None)),
    ("bytes=0-1,4-5", 200, (0, None)),
    ("bytes=-", 200, (0, None)),
    ("lines=1-2", 200, (0, None)),
]


@pytest.mark.parametrize("recording_format", ["wav;l16", "mp3"])
async def test_a_range_of_a_recording_is_sent(tmp_path: Path, recording_format: str) -> None:
    plan = {"recordingFormat": recording_format}
    async with after_a_call(tmp_path, artifactPlan=plan) as (stage, caller), client_of(stage) as client:
        path = f"/call/{caller.id}/mono-recording"
        answer = await client.get(path)
        whole, tag = answer.content, answer.headers["etag"]
        assert answer.headers["content-type"] == ("audio/mpeg" if recording_format == "mp3" else "audio/wav")
        for asked, status, cut in RANGES:
            answer = await client.get(path, headers={"Range": asked})
            assert answer.status_code == status, asked
            if cut is None:
                assert answer.headers["content-range"] == f"bytes */{len(whole)}"
                assert answer.json()["statusCode"] == 416
                continue
            wanted = whole[cut[0] : cut[1]]
            assert answer.content == wanted, asked
            if status == 206:
                start = whole.index(wanted) if len(wanted) > 20 else len(whole) + cut[0] if cut[0] < 0 else cut[0]
                assert answer.headers["content-range"] == f"bytes {start}-{start + len(wanted) - 1}/{len(whole)}"
        assert (await client.get(path, headers={"Range": "bytes=0-9", "If-Range": tag})).status_code == 206
        assert (await client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})).status_code == 200


async def test_an_mp3_is_made_on_request(tmp_path: Path) -> None:
    plan = {"recordingFormat": "mp3"}
    async with after_a_call(tmp_path, artifactPlan=plan) as (stage, caller), client_of(stage) as client:
        made = recording_path(tmp_path, caller.id)
        assert not [*made.parent.glob("*.mp3")]
        answers: dict[str, bytes] = {}

        async def fetch(part: str) -> None:
            answer = await client.get(f"/call/{caller.id}/{part}-recording")
            assert answer.headers["content-type"] == "audio/mpeg"
            answers[part] = answer.content

        async with anyio.create_task_group() as tasks:
            for part in PARTS:
                tasks.start_soon(fetch, part)
        assert {file.name for file in made.parent.glob("*.mp3")} == {f"{caller.id}.{part}.mp3" for part in PARTS}
        for part, data in answers.items():
            samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
            assert (rate_hz, samples.ndim) == (16_000, 2 if part == "stereo" else 1)
            assert np.abs(samples).max() > 0.02
        await client.delete(f"/call/{caller.id}")
        assert not [*made.parent.iterdir()]


async def test_a_live_calls_recording_so_far(tmp_path: Path) -> None:
    async with staged(tmp_path, transcriber=TranscriberScript()) as stage, client_of(stage) as client:
        async with calling(stage.url, stage.speaker(), key=None) as caller:
            await caller.until(lambda: len(caller.audio) > 130)
            answer = await client.get(f"/call/{caller.id}/assistant-recording")
            samples, _ = soundfile.read(io.BytesIO(answer.content), dtype="int16")
            assert 8_000 < samples.size < 48_000
            assert np.abs(samples).max() > 500
            assert "etag" not in answer.headers
        mp3 = stage.speaker(artifactPlan={"recordingFormat": "mp3"})
        async with calling(stage.url, mp3, key=None) as caller:
            await caller.until(lambda: len(caller.audio) > 10)
            answer = await client.get(f"/call/{caller.id}/mono-recording")
            assert answer.status_code == 404
            assert "once the call is over" in answer.json()["message"]


@pytest.mark.parametrize("name", [*(f"{part}-recording" for part in PARTS), "call-logs", "journal", "pcap"])
async def test_artifacts_need_the_private_key(tmp_path: Path, name: str) -> None:
    async with after_a_call(tmp_path) as (stage, caller):
        path = f"/call/{caller.id}/{name}"
        for key, status in ((None, 401), ("wrong", 401), ("other-key", 403), (KEY, 404 if name == "pcap" else 200)):
            async with client_of(stage, key) as client:
                answer = await client.get(path)
                assert answer.status_code == status, key
                assert status == 200 or answer.json()["statusCode"] == status


async def test_presigned_urls_need_no_key_for_an_hour(tmp_path: Path) -> None:
    async with after_a_call(tmp_path) as (stage, caller), client_of(stage, None) as client:
        artifact = (await stored(stage.url, caller.id, KEY))["artifact"]
        found = {name: url for name, url in artifact.items() if name.startswith("presigned")}
        assert found.pop("presignedUrlsExpiresAt").endswith("Z")
        assert set(found) == {f"presigned{part.capitalize()}Url" for part in PARTS} | {"presignedLogUrl"}
        for url in found.values():
            assert (await client.get(url)).status_code == 200
            assert (await client.get(url[:-1] + ("0" if url[-1] != "0" else "1"))).status_code == 403
        mono, stereo = urlsplit(found["presignedMonoUrl"]), urlsplit(found["presignedStereoUrl"])
        assert (await client.get(f"{stereo.path}?{mono.query}")).status_code == 403, "one opens one alone"
        assert KEY not in json.dumps(artifact)
        assert (await client.get(f"/call/{caller.id}/journal?{mono.query}")).status_code == 401


def test_a_signature_expires() -> None:
    call = {"id": "an-id", "monitor": {"controlUrl": "http://h/an-id/control"}, "artifact": {"logUrl": "…"}}
    fields = presigned_urls(call, KEY, 1_000)
    assert set(fields) == {"presignedLogUrl", "presignedUrlsExpiresAt"}
    assert fields["presignedUrlsExpiresAt"] == "1970-01-01T01:16:40.000Z"
    query = dict(part.split("=") for part in urlsplit(fields["presignedLogUrl"]).query.split("&"))
    assert is_signed("an-id", "call-logs", KEY, now_s=1_000 + PRESIGNED_S, **query)
    assert not is_signed("an-id", "call-logs", KEY, now_s=1_001 + PRESIGNED_S, **query)
    assert not is_signed("an-id", "call-logs", "other", now_s=1_000, **query)
    assert not is_signed("other", "call-logs", KEY, now_s=1_000, **query)
    for expires in ("", "-1", "1e9", "9" * 13, "\u0661"):
        assert not is_signed("an-id", "call-logs", KEY, now_s=0, expires=expires, signature=query["signature"])
    assert presigned_urls({**call, "artifact": None}, KEY, 1_000) == {}
    assert presigned_urls(call, None, 1_000)["presignedLogUrl"] == "http://h/call/an-id/call-logs"


async def test_the_log_of_a_call_has_its_events_and_decisions(tmp_path: Path, log: Log) -> None:
    async with staged(tmp_path, transcriber=SAYS, llm=STORY) as stage, client_of(stage) as client:
        caller = await cut_call(stage)
        answer = await client.get(f"/call/{caller.id}/call-logs")
        journal = await client.get(f"/call/{caller.id}/journal")
    assert answer.headers["content-type"] == "application/gzip"
    lines = [json.loads(line) for line in gzip.decompress(answer.content).splitlines()]
    events = [line["event"] for line in lines]
    assert any(event.startswith("STOPPED [#") for event in events)
    assert 'caller said "Tell me a story."' in events
    assert all(line["call_id"] == caller.id for line in lines)
    seconds = [line["seconds"] for line in lines if line["logger"] == "bargein.turns"]
    assert seconds == sorted(seconds)
    (over,) = [line for line in lines if line["event"] == "call ended"]
    assert over["reason"] == "customer-ended-call"
    assert over["logger"] == "bargein.call"
    assert log.lines("call ended"), "the server's log has it too"
    assert not log.lines('caller said "Tell me a story."'), "and not what was said"
    head, happened = read(journal.text.splitlines(keepends=True))
    assert head.call_id == caller.id
    assert sum(1 for _ in happened) > 50


async def test_artifacts_that_are_not_kept_are_not_found(tmp_path: Path) -> None:
    plan = {"recordingEnabled": False, "loggingEnabled": False}
    async with after_a_call(tmp_path, artifactPlan=plan) as (stage, caller), client_of(stage) as client:
        record = await stored(stage.url, caller.id, KEY)
        assert record["artifactPlan"] == {**plan, "recordingFormat": "wav;l16", "videoRecordingEnabled": False}
        assert not [name for name in record["artifact"] if "ecording" in name or "Url" in name]
        for name in (*(f"{part}-recording" for part in (*PARTS, "video")), "call-logs", "pcap"):
            answer = await client.get(f"/call/{caller.id}/{name}")
            assert answer.status_code == 404
            assert answer.json()["error"] == "Not Found"
            assert (await client.get(f"/call/no-such-call/{name}")).status_code == 404
        assert (await client.get(f"/call/{caller.id}/journal")).status_code == 200


async def test_a_deleted_call_leaves_no_file(tmp_path: Path, log: Log) -> None:
    async with after_a_call(tmp_path) as (stage, caller), client_of(stage) as client:
        kept = [path(tmp_path, caller.id) for path in (journal_path, call_log_path, recording_path)]
        assert all(path.exists() for path in kept)
        assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
        assert (await client.delete(f"/call/{caller.id}")).status_code == 200
        assert not any(path.exists() for path in kept)
        assert (await client.get(f"/call/{caller.id}/mono-recording")).status_code == 404
        assert not [path async for path in anyio.Path(tmp_path).rglob(f"*{caller.id}*")]


async def test_a_file_that_cannot_be_deleted_is_reported(tmp_path: Path, log: Log) -> None:
    async with after_a_call(tmp_path) as (stage, caller), client_of(stage) as client:
        path = recording_path(tmp_path, caller.id)
        path.unlink()
        path.mkdir()  # nobody can unlink a folder
        answer = await client.delete(f"/call/{caller.id}")
        assert answer.status_code == 503
        assert "could not be erased" in answer.json()["message"]
        path.rmdir()
        assert (await client.delete(f"/call/{caller.id}")).status_code == 200
        assert (await client.get(f"/call/{caller.id}")).status_code == 404


async def test_a_log_that_cannot_be_written_loses_its_line(tmp_path: Path, log: Log) -> None:
    (tmp_path / "logs").write_bytes(b"")
    async with after_a_call(tmp_path) as (stage, caller), client_of(stage) as client:
        assert (await client.get(f"/call/{caller.id}/mono-recording")).status_code == 200
        assert len(log.lines("a call's log cannot be written")) == 1


async def test_the_lines_of_two_calls_do_not_mix(tmp_path: Path, log: Log) -> None:
    async with (
        staged(tmp_path, transcriber=TranscriberScript()) as stage,
        FakeLlm() as llm,
        FakeVoice() as voice,
        FakeTranscriber() as transcriber,
        client_of(stage) as client,
        calling(stage.url, stage.speaker()) as one,
        calling(stage.url, assistant(llm, voice, transcriber)) as other,
    ):
        await one.send({"type": "nonsense"})
        await one.until(lambda: any("statusCode" in message for _, message in one.messages))
        for caller in (one, other):
            await caller.send({"type": "end-call"})
            await caller.until_closed()
            await ended(stage.url, caller.id)
        told = {}
        for caller in (one, other):
            packed = (await client.get(f"/call/{caller.id}/call-logs")).content
            told[caller.id] = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    for call_id, lines in told.items():
        assert {line["call_id"] for line in lines} == {call_id}
    refused = [line for line in told[one.id] if line["event"] == "a client's message was refused"]
    assert len(refused) == 1

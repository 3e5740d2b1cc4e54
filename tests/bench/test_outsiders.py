"""The clients of others: their conversations, and Twilio's side of the call that streamdouble plays."""

import json
from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest
import soundfile
import websockets
from bench.outsiders import REQUIREMENTS
from bench.outsiders.edge import edge, stream_url, with_call_id
from bench.outsiders.scenarios import write_scenarios
from bench.speech import SPEECH

from tests.carriers.stage import on_the_phone
from tests.carriers.twilio.loopback import TwilioLoopback

START = {"accountSid": "AC1", "callSid": "CA-of-the-client", "streamSid": "MZ1", "tracks": ["inbound"]}
MEDIA_FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}


def test_every_package_of_the_clients_is_pinned() -> None:
    lines = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert {"voicebench", "streamdouble"} < {line.partition("==")[0] for line in lines}
    assert all("==" in line for line in lines)


def test_the_conversations_name_recordings_that_are_written(tmp_path: Path) -> None:
    for_voicebench, for_streamdouble = write_scenarios(SPEECH, tmp_path)
    turns = json.loads(for_voicebench.read_text(encoding="utf-8"))["turns"]
    assert [turn.get("expect", "respond") for turn in turns] == ["respond", "stop", "ignore", "ignore"]
    for turn in turns:
        samples, rate_hz = soundfile.read(tmp_path / turn["audio"]["file"])
        assert rate_hz == 16_000
        assert np.abs(samples).max() > 0.05
    steps = json.loads(for_streamdouble.read_text(encoding="utf-8"))["steps"]
    (said,) = [step["say"] for step in steps if "say" in step]
    assert soundfile.info(tmp_path / said).samplerate == 8_000
    assert [step["expect"] for step in steps if "expect" in step] == ["no clear", "clear", "audio", "no_violations"]


def test_only_the_frame_that_names_the_call_is_changed() -> None:
    start = json.dumps({"event": "start", "start": START, "streamSid": "MZ1"})
    assert json.loads(with_call_id(start, "CA2")) == {
        "event": "start", "start": START | {"callSid": "CA2"}, "streamSid": "MZ1",
    }  # fmt: skip
    for other in (json.dumps({"event": "media", "media": {"payload": "start"}}), '{"event": "stop"}', b"\x00"):
        assert with_call_id(other, "CA2") is other
    marked = json.dumps({"event": "mark", "mark": {"name": "start"}, "start": 1})
    assert with_call_id(marked, "CA2") is marked


def test_a_refused_call_is_an_error() -> None:
    answer = httpx.Response(200, text='<Response><Connect><Stream url="wss://x/y"/></Connect></Response>')
    assert stream_url(answer) == "wss://x/y"
    for refused in (httpx.Response(200, text="<Response><Reject/></Response>"), httpx.Response(403, text="no")):
        with pytest.raises(RuntimeError, match="did not answer the call"):
            stream_url(refused)


@pytest.mark.anyio
async def test_a_client_without_a_signature_and_with_a_call_id_of_its_own_is_relayed(tmp_path: Path) -> None:
    carrier = TwilioLoopback()
    async with on_the_phone(tmp_path, carrier) as setup:
        await setup.answers(setup.speaker())
        async with (
            edge(carrier, carrier.number_id, setup.url) as relay_url,
            websockets.connect(relay_url, compression=None) as client,
        ):
            await client.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            start = START | {"mediaFormat": MEDIA_FORMAT, "customParameters": {}}
            await client.send(json.dumps({"event": "start", "sequenceNumber": "1", "start": start, "streamSid": "MZ1"}))
            with anyio.fail_after(15):
                first = json.loads(await client.recv())
        (phone,) = carrier.calls.values()
        await setup.ended((await setup.the_call(phone))["id"])
    assert first["event"] in ("media", "mark")
    assert first["streamSid"] == "MZ1"

"""AWS's own client against our fake of Bedrock, and its signatures against ours."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError

from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model
from bargein.testing.vendors.bedrock_llm import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BedrockLlm
from bargein.testing.vendors.scripted_llm import ModelScript
from tests.providers.conformance.models import CASES

pytestmark = pytest.mark.anyio

MODEL = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
REQUEST: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def ask(url: str, key: str = ACCESS_KEY_ID) -> list[dict[str, Any]]:
    runtime: Any = boto3.client(
        "bedrock-runtime", endpoint_url=url, region_name="eu-central-1", aws_access_key_id=key,
        aws_secret_access_key=SECRET_ACCESS_KEY, config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip
    answer = runtime.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(REQUEST))
    return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]


async def test_it_reads_the_events() -> None:
    async with BedrockLlm(ModelScript(tokens=("Hello ", "there."))) as fake:
        events = await anyio.to_thread.run_sync(ask, fake.url)
        assert fake.models == [MODEL]
    assert "".join(event["delta"].get("text", "") for event in events if "delta" in event) == "Hello there."
    assert events[-1]["type"] == "message_stop"


async def test_it_knows_the_errors() -> None:
    async with BedrockLlm(ModelScript(status=429, message="Slower.")) as fake:
        with pytest.raises(ClientError, match=r"Slower\."):
            await anyio.to_thread.run_sync(ask, fake.url)
        with pytest.raises(ClientError, match="the key or the path is wrong"):
            await anyio.to_thread.run_sync(ask, fake.url, "wrong")
        fake.script = ModelScript(ending="error", status=503, message="Full.")
        with pytest.raises(EventStreamError, match=r"serviceUnavailableException.*Full\."):
            await anyio.to_thread.run_sync(ask, fake.url)


async def test_it_signs_our_request_as_we_do(client: httpx.AsyncClient) -> None:
    (case,) = (case for case in CASES if case.provider == "anthropic-bedrock")
    async with BedrockLlm(ModelScript()) as fake:
        model: Model = case.create(fake, client)
        async for _ in model.reply([ChatMessage("user", "Gr\u00fcezi")]):
            pass
        sent = await fake.exchange()
        body = client.build_request("POST", fake.url, json=sent.body).content
        signed = AWSRequest(
            "POST", fake.url + sent.path, data=body, headers={"content-type": sent.headers["content-type"]}
        )
    signed.context["timestamp"] = sent.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "bedrock", "eu-central-1")
    signed.headers["X-Amz-Date"] = sent.headers["x-amz-date"]
    canonical = auth.canonical_request(signed)
    signature = auth.signature(auth.string_to_sign(signed, canonical), signed)
    assert sent.headers["authorization"].endswith(f"Signature={signature}")
    at = datetime.strptime(sent.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert at.year > 2020

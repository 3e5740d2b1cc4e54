"""`/credential`: every kind is stored, and no secret is returned."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from bargein.carriers.registry import CREDENTIALS
from bargein.carriers.vonage import VonageSettings
from bargein.configuration import load_settings
from bargein.wire.redact import is_secret_name
from tests.server.conftest import OWNER, VISITOR, Serve
from tests.vapi_schema import fill

pytestmark = pytest.mark.anyio

SECRET = "the-secret-4711"
WEBHOOK = {
    "provider": "webhook",
    "name": "mine",
    "authenticationPlan": {"type": "bearer", "token": SECRET, "headerName": "X-Mine", "bearerPrefixEnabled": False},
}


def is_secret(name: str) -> bool:
    return is_secret_name(name) and name != "authenticationPlan"  # in which there is more than the secret


async def make(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/credential", json=body)
    assert answer.status_code == 201, answer.text
    assert SECRET not in answer.text
    return answer.json()


def refusal(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["statusCode"]) == ("Bad Request", 400)
    return answer.json()["message"]


async def test_a_credential_is_created_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await make(client, {"provider": "openai", "apiKey": SECRET, "name": "mine"})
    assert set(made) == {"id", "orgId", "createdAt", "updatedAt", "provider", "name"}
    path = f"/credential/{made['id']}"
    assert (await client.get(path)).json() == made
    assert (await client.get("/credential")).json() == [made]
    assert (await client.get("/credential?provider=openai")).json() == [made]
    assert (await client.get("/credential?provider=anthropic")).json() == []

    renamed = await client.patch(path, json={"name": "other"})  # the key is not named, and stays
    assert (renamed.status_code, renamed.json()["name"]) == (200, "other")
    keyless = refusal(await client.patch(path, json={"apiKey": None}))
    assert keyless == ["apiKey should not be null or undefined"]
    assert (await client.delete(path)).json() == renamed.json()
    for method in ("GET", "PATCH", "DELETE"):
        answer = await client.request(method, path, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
        assert answer.json()["message"] == f"There is no credential with the id {made['id']}."


async def test_an_authentication_plan_is_returned_without_its_secret(client: httpx.AsyncClient) -> None:
    made = await make(client, WEBHOOK)
    assert made["authenticationPlan"] == {"type": "bearer", "headerName": "X-Mine", "bearerPrefixEnabled": False}
    hmac = {"type": "hmac", "secretKey": SECRET, "algorithm": "sha256"}
    changed = await client.patch(f"/credential/{made['id']}", json={"authenticationPlan": hmac})
    assert changed.json()["authenticationPlan"] == {"type": "hmac", "algorithm": "sha256"}


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("bargein.db*"))


async def test_credentials_are_stored_encrypted_and_survive_a_restart(serve: Serve, tmp_path: Path) -> None:
    async with serve() as client:
        made = await make(client, WEBHOOK)
    assert SECRET.encode() not in on_disk(tmp_path)
    async with serve() as client:
        assert (await client.get(f"/credential/{made['id']}")).json() == made


@pytest.mark.parametrize("provider", sorted(CREDENTIALS.kinds))
async def test_every_kind_of_credential_is_stored(client: httpx.AsyncClient, provider: str) -> None:
    body = fill(CREDENTIALS.kinds[provider], is_secret, SECRET) | {"provider": provider}
    made = await make(client, body)
    assert (made["provider"], made["name"]) == (provider, body["name"])
    assert set(made) <= CREDENTIALS.fields_of(provider) | {"id", "orgId", "createdAt", "updatedAt"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], ["the body must be a JSON object"]),
        ({}, ["provider should not be null or undefined"]),
        ({"provider": "magic"}, [f"provider must be one of the following values: {', '.join(CREDENTIALS.kinds)}"]),
        ({"provider": []}, [f"provider must be one of the following values: {', '.join(CREDENTIALS.kinds)}"]),
        ({"provider": "openai"}, ["apiKey should not be null or undefined"]),
        ({"provider": "telnyx", "apiKey": 1}, ["apiKey must be a string"]),
        ({"provider": "telnyx", "apiKey": "x", "publicKey": 1}, ["publicKey must be a string"]),
        ({"provider": "telnyx", "apiKey": "x", "publicKey": "eHk="}, ["publicKey must be base64 encoded, of 32 bytes"]),
        ({"provider": "telnyx", "apiKey": "x", "publicKey": "?"}, ["publicKey must be base64 encoded, of 32 bytes"]),
        ({"provider": "openai", "apiKey": "x", "publicKey": "y"}, ["property publicKey should not exist"]),
        ({"provider": "openai", "apiKey": "x", "id": "y"}, ["property id should not exist"]),
        (
            {"provider": "webhook", "authenticationPlan": {"type": "hmac", "secretKey": "x", "algorithm": "md5"}},
            ["authenticationPlan.algorithm must be one of the following values: sha256, sha512, sha1"],
        ),
        (
            {"provider": "byo-sip-trunk", "gateways": [{"ip": "192.0.2.1", "port": 70000}]},
            ["gateways.0.port must not be greater than 65535"],
        ),
    ],
)
async def test_an_invalid_credential_is_refused(client: httpx.AsyncClient, body: Any, message: list[str]) -> None:
    assert refusal(await client.post("/credential", json=body)) == message
    assert (await client.get("/credential")).json() == []


async def test_a_public_key_is_shown(client: httpx.AsyncClient) -> None:
    public_key = b64encode(bytes(32)).decode()
    made = await make(client, {"provider": "telnyx", "apiKey": SECRET, "publicKey": public_key})
    assert made["publicKey"] == public_key
    assert "apiKey" not in made


async def test_an_invalid_change_changes_nothing(client: httpx.AsyncClient) -> None:
    made = await make(client, WEBHOOK)
    path = f"/credential/{made['id']}"
    for changes, message in (
        ({"provider": "openai"}, "provider must be one of the following values: webhook"),
        ({"magic": None}, "property magic should not exist"),
        ({"id": "x"}, "property id should not exist"),
        ([], "the body must be a JSON object"),
    ):
        assert refusal(await client.patch(path, json=changes)) == [message]
    assert (await client.get(path)).json() == made


async def test_the_public_key_is_refused(client_with_keys: httpx.AsyncClient) -> None:
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x")):
        statuses = [
            (await client_with_keys.request(method, f"/credential{path}", headers=headers)).status_code
            for headers in (OWNER, VISITOR, {})
        ]
        assert statuses[0] not in (401, 403)
        assert statuses[1:] == [403, 401]


async def test_a_vonage_credential_may_hold_its_application_and_signature_secret(client: httpx.AsyncClient) -> None:
    body = {
        "provider": "vonage",
        "apiKey": "abcd1234",
        "apiSecret": SECRET,
        "vonageApplicationId": "78d335fa",
        "vonageApplicationPrivateKey": f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        "signatureSecret": SECRET,
    }
    made = await make(client, body)
    assert {name for name in made if name in body} == {"provider", "vonageApplicationId"}
    changed = await client.patch(f"/credential/{made['id']}", json={"vonageApplicationId": "other"})
    assert changed.json()["vonageApplicationId"] == "other"

    bad = {**body, "signatureSecret": 7, "vonageApplicationId": "x" * 10_001, "vonageApplicationPrivateKey": ""}
    assert refusal(await client.post("/credential", json=bad)) == [
        "vonageApplicationId must be shorter than or equal to 10000 characters",
        "vonageApplicationPrivateKey must be longer than or equal to 1 characters",
        "signatureSecret must be a string",
    ]
    elsewhere = {"provider": "openai", "apiKey": SECRET, "signatureSecret": SECRET}
    assert refusal(await client.post("/credential", json=elsewhere)) == ["property signatureSecret should not exist"]


def test_the_environment_completes_a_vonage_credential_of_the_same_account() -> None:
    environ = {"VONAGE_API_KEY": "abcd1234", "VONAGE_APPLICATION_ID": "78d3", "VONAGE_SIGNATURE_SECRET": SECRET}
    settings = load_settings(environ)
    assert SECRET not in repr(settings)
    vonage = settings.section(VonageSettings)
    given = {"provider": "vonage", "apiKey": "abcd1234", "apiSecret": "s", "vonageApplicationId": "own"}
    assert vonage.complete(given) == {**given, "signatureSecret": SECRET}
    other = {**given, "apiKey": "other"}
    assert vonage.complete(other) == other
    del environ["VONAGE_API_KEY"]
    nameless = load_settings(environ).section(VonageSettings)
    assert nameless.complete(other) == {**other, "signatureSecret": SECRET}
    assert vonage.complete({"provider": "telnyx"}) == {"provider": "telnyx"}
    unset = load_settings({}).section(VonageSettings)
    assert unset.credential is None
    assert unset.complete(given) == given

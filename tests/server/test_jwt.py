"""JSON Web Tokens signed with the private key: their rights and restrictions, and invalid ones."""

import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest

from bargein.server.api.jwt import read_token
from tests.server.conftest import Serve

pytestmark = pytest.mark.anyio

KEY = "0123456789abcdef" * 4
PAGE = "https://shop.example"


def signed(tag: str = "public", key: str = KEY, algorithm: str = "HS256", **more: Any) -> str:
    restrictions = more.pop("restrictions", None)
    token = {"tag": tag, **({} if restrictions is None else {"restrictions": {"enabled": True, **restrictions}})}
    return jwt.encode({"orgId": "o", "token": token, **more}, key, algorithm)


async def status(client: httpx.AsyncClient, token: str, method: str = "POST", path: str = "/call/web",
                 body: Any = None, **headers: str) -> int:  # fmt: skip
    given = {"assistant": {}} if body is None and method == "POST" else body
    answer = await client.request(method, path, json=given, headers={"Authorization": f"Bearer {token}", **headers})
    return answer.status_code


async def test_a_token_has_the_rights_of_the_key_in_its_tag(serve: Serve) -> None:
    async with serve(api_key=KEY) as client:
        for tag, listed, made in (("private", 200, 201), ("public", 403, 201)):
            assert await status(client, signed(tag), "GET", "/call") == listed
            assert await status(client, signed(tag)) == made


@pytest.mark.parametrize(
    "token",
    [
        signed(key=KEY[::-1]),
        signed(algorithm="HS512"),
        signed("owner"),
        signed(exp=int(time.time()) - 10),
        signed(nbf=int(time.time()) + 1000),
        jwt.encode({"orgId": "o"}, KEY),
        jwt.encode({"token": {"tag": "private", "restrictions": {"allowedOrigins": "x"}}}, KEY),
        jwt.encode({"token": {"tag": "private"}}, None, "none"),
        "a.b.c",
        "é.b.c",
    ],
)
async def test_an_invalid_token_is_refused(token: str) -> None:
    assert read_token(token, KEY) is None


async def test_an_unsigned_token_is_refused(serve: Serve) -> None:
    async with serve(api_key=KEY) as client:
        assert await status(client, signed(exp=int(time.time()) - 10)) == 401
        head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
        _, body, _ = signed("private").split(".")
        assert await status(client, f"{head}.{body}.", "GET", "/call") == 401
        assert await status(client, signed(exp=int(time.time()) + 60)) == 201


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
async def test_a_short_key_signs_no_tokens() -> None:
    assert read_token(signed(key="short"), "short") is None


async def test_a_token_is_limited_to_its_origins(serve: Serve) -> None:
    async with serve(api_key=KEY) as client:
        token = signed(restrictions={"allowedOrigins": [f"{PAGE}/"]})
        assert await status(client, token, Origin=PAGE) == 201
        assert await status(client, token, Origin=f"{PAGE}.evil.example") == 403
        assert await status(client, token) == 403
        private = signed("private", restrictions={"allowedOrigins": [PAGE]})
        assert await status(client, private, "GET", "/call", Origin="https://other.example") == 403
        off = signed(restrictions={"allowedOrigins": [PAGE], "enabled": False})
        assert await status(client, off, Origin="https://other.example") == 201


async def test_a_token_is_limited_to_its_assistants(serve: Serve) -> None:
    async with serve(api_key=KEY) as client:
        owner = {"Authorization": f"Bearer {KEY}"}
        mine, other = [(await client.post("/assistant", json={}, headers=owner)).json()["id"] for _ in range(2)]
        squad = {"members": [{"assistantId": other}]}
        squad_id = (await client.post("/squad", json=squad, headers=owner)).json()["id"]
        session = {"assistantId": other}
        session_id = (await client.post("/session", json=session, headers=owner)).json()["id"]
        named = signed(restrictions={"allowedAssistantIds": [mine]})
        assert await status(client, named, body={"assistantId": mine}) == 201
        assert await status(client, named, body={"assistant": {}}) == 403
        for body in ({"assistantId": other}, {"squadId": squad_id}, {"squad": squad}):
            assert await status(client, named, body=body) == 403, body
        for more in ({"assistantId": other}, {"assistant": {}}, {"sessionId": session_id}):
            assert await status(client, named, path="/chat/web", body={"input": "Hi.", **more}) == 403, more

        both = signed(restrictions={"allowedAssistantIds": [mine], "allowTransientAssistant": True})
        assert await status(client, both, body={"assistant": {}}) == 201
        none = signed(restrictions={"allowTransientAssistant": False})
        assert await status(client, none, body={"assistant": {}}) == 403
        assert await status(client, none, body={"assistantId": other}) == 201

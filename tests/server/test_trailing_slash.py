"""A path with a slash at its end is the path without it."""

import httpx
import pytest

from tests.server.conftest import PRIVATE, VISITOR, Serve

pytestmark = pytest.mark.anyio


async def test_a_slash_at_the_end_of_a_path_is_of_no_account(client: httpx.AsyncClient) -> None:
    made = await client.post("/tool/", json={"type": "endCall"})
    assert made.status_code == 201
    read = await client.get(f"/tool/{made.json()['id']}/")
    assert read.json() == made.json()
    assert (await client.get("/tool/?limit=5")).json() == [made.json()]
    assert (await client.get("/campaign/")).status_code == 501
    assert (await client.get("/nothing/")).json()["message"] == "Cannot GET /nothing"
    assert (await client.get("/tool//")).status_code == 404


async def test_the_page_and_its_folder_stay_where_they_are(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).status_code == (await client.get("/page/index.html")).status_code == 200


async def test_rights_and_other_origins_are_those_of_the_path_without_it(serve: Serve) -> None:
    async with serve(api_key=PRIVATE, public_key="public-key-5678") as client:
        assert (await client.get("/assistant/")).status_code == 401
        assert (await client.get("/assistant/", headers=VISITOR)).status_code == 403
        asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
        assert (await client.options("/call/web/", headers=asked)).headers["access-control-allow-origin"] == "*"

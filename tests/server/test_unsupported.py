"""Every path and method of Vapi's OpenAPI document is served, or answers 501 and is listed."""

import re
from pathlib import Path

import httpx
import pytest

from bargein.server.api.routes.unsupported import ABSENT
from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.conftest import REPOSITORY
from tests.server.conftest import VISITOR
from tests.vapi_schema import endpoints

pytestmark = pytest.mark.anyio

CASES = [(method, path) for path, methods in ABSENT.items() for method in methods]


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize(("method", "path"), CASES)
async def test_it_says_so_in_the_error_shape(client: httpx.AsyncClient, method: str, path: str) -> None:
    url = re.sub(r"\{[^}]*\}", "x", path)
    answer = await client.request(method, url)
    assert answer.status_code == 501
    body = answer.json()
    assert (body["error"], body["statusCode"]) == ("Not Implemented", 501)
    assert body["message"] == f"{method} {url} is not supported by this server: see `bargein docs api`."


async def test_a_stranger_is_told_nothing(client_with_keys: httpx.AsyncClient) -> None:
    assert (await client_with_keys.get("/campaign")).status_code == 401
    assert (await client_with_keys.get("/campaign", headers=VISITOR)).status_code == 403


def test_the_document_lists_them() -> None:
    text = (REPOSITORY / "docs" / "reference" / "api.md").read_text()
    assert [path for path in ABSENT if f"`{path}`" not in text] == []


def test_nothing_of_vapis_is_forgotten(tmp_path: Path) -> None:
    served = {
        (method.upper(), plain(path))
        for path, operations in create_app(make_settings(data_dir=tmp_path)).openapi()["paths"].items()
        for method in operations
    }
    absent = {(method, plain(path)) for method, path in CASES}
    assert served & absent == set()
    vapis = {(method, plain(path)) for path, methods in endpoints().items() for method in methods}
    assert vapis - served - absent == set()
    assert absent - vapis == set()

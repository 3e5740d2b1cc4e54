"""Every path and method of Vapi's OpenAPI document is served, or responds 501 and is listed."""

import re
from pathlib import Path

import httpx
import pytest

from bargein.server.api.routes.unsupported import ABSENT, ABSENT_OF_PAGES
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
async def test_an_unsupported_route_responds_501(client: httpx.AsyncClient, method: str, path: str) -> None:
    url = re.sub(r"\{[^}]*\}", "x", path)
    answer = await client.request(method, url)
    assert answer.status_code == 501
    body = answer.json()
    assert (body["error"], body["statusCode"]) == ("Not Implemented", 501)
    reason = ", which keeps only the latest version" if url.startswith("/traffic-allocations") else ": see"
    assert body["message"].startswith(f"{method} {url} is not supported by this server{reason}")
    assert body["message"].endswith(": see `bargein docs api`.")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/knowledge-base", ": its models search files with a tool of type query"),
        ("/knowledge-base/x/y", ": its models search files with a tool of type query"),
        ("/monitoring/monitor", ", whose calls are watched by its metrics"),
        ("/monitoring/monitor/x", ", whose calls are watched by its metrics"),
    ],
)
async def test_a_route_of_vapis_pages_responds_501_with_a_reason(
    client: httpx.AsyncClient, path: str, reason: str
) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        answer = await client.request(method, path)
        assert answer.status_code == 501
        assert answer.json()["message"].startswith(f"{method} {path} is not supported by this server{reason}")
    text = (REPOSITORY / "docs" / "reference" / "api.md").read_text()
    assert [one for one in ABSENT_OF_PAGES if f"`{one.partition('/{')[0]}`" not in text] == []


async def test_unsupported_routes_need_the_private_key(client_with_keys: httpx.AsyncClient) -> None:
    assert (await client_with_keys.get("/campaign")).status_code == 401
    assert (await client_with_keys.get("/campaign", headers=VISITOR)).status_code == 403


def test_the_reference_lists_the_unsupported_routes() -> None:
    text = (REPOSITORY / "docs" / "reference" / "api.md").read_text()
    assert [path for path in ABSENT if f"`{path}`" not in text] == []


def test_every_route_of_vapis_document_is_served_or_listed(tmp_path: Path) -> None:
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

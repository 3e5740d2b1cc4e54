"""The page's files and their headers."""

from pathlib import Path

import httpx
import pytest

from bargein.server.api.routes import page as pages
from tests.server.conftest import Serve

pytestmark = pytest.mark.anyio


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "page"
    (folder / "audio").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "app.js").write_text("export {}")
    (folder / "styles.css").write_text("body {}")
    (folder / "icon.svg").write_text("<svg/>")
    (folder / "audio" / "player.mjs").write_text("export {}")
    (tmp_path / "secret.js").write_text("hush")
    monkeypatch.setattr(pages, "PAGE", folder)
    return folder


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/index.html", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/audio/player.mjs", "text/javascript; charset=utf-8"),
        ("/page/styles.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
async def test_files_have_their_media_type_and_a_strict_policy(page: Path, serve: Serve, path: str, kind: str) -> None:
    async with serve() as client:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "connect-src 'self' ws: wss:" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/page/../secret.js", "/page/%2e%2e/secret.js", "/page/nothing.js", "/page/"])
async def test_nothing_else_is_served(page: Path, serve: Serve, path: str) -> None:
    async with serve() as client:
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.json()["error"] == "Not Found"
        assert "hush" not in answer.text


async def test_an_installation_without_a_page_says_so(page: Path, serve: Serve) -> None:
    (page / "index.html").unlink()
    async with serve() as client:
        answer = await client.get("/")
        assert (answer.status_code, answer.json()["message"]) == (404, "This installation has no page.")


async def test_the_page_needs_no_key(page: Path, client_with_keys: httpx.AsyncClient) -> None:
    assert (await client_with_keys.get("/")).status_code == 200


async def test_the_page_of_the_package_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/")).status_code == 200
    assert (await client.get("/page/app.js")).status_code == 200

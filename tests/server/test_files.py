"""`/file`: uploads are stored unchanged, and refused ones leave no file."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bargein.server.api import uploads
from bargein.store.files import UploadedFiles, file_path
from tests.server.conftest import OWNER, VISITOR, Serve

pytestmark = pytest.mark.anyio

TEXT = "Über uns\r\n--not-a-boundary\r\n".encode() * 5000


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "files").iterdir()) if (folder / "files").is_dir() else []


async def test_a_file_is_uploaded_renamed_and_deleted(client: httpx.AsyncClient, tmp_path: Path) -> None:
    form = {"purpose": "assistant", "metadata": '{"a": [1]}'}
    answer = await client.post("/file", files={"file": ("../über uns.txt", TEXT, "text/plain")}, data=form)
    assert answer.status_code == 201, answer.text
    about = answer.json()
    assert (about["name"], about["bytes"], about["mimetype"]) == ("über uns.txt", len(TEXT), "text/plain")
    assert (about["status"], about["object"], about["metadata"]) == ("done", "file", {"a": [1]})
    assert [path.read_bytes() for path in kept(tmp_path)] == [TEXT]
    path = f"/file/{about['id']}"
    assert (await client.get(path)).json() == about
    assert (await client.get("/file?purpose=assistant")).json() == [about]
    assert (await client.get("/file?purpose=other")).json() == []

    content = await client.get(about["url"])
    assert content.content == TEXT
    assert content.headers["content-type"] == "application/octet-stream"
    assert content.headers["content-disposition"].startswith("attachment")
    assert content.headers["x-content-type-options"] == "nosniff"

    renamed = await client.patch(path, json={"name": "us"})
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["originalName"]) == (200, "us", "über uns.txt")
    assert (await client.patch(path, json={"name": ""})).status_code == 400
    assert (await client.delete(path)).json() == renamed.json()
    assert kept(tmp_path) == []
    assert [(await client.get(gone)).status_code for gone in (path, f"{path}/content")] == [404, 404]


async def test_a_knowledge_base_finds_an_uploaded_file(serve: Serve, tmp_path: Path) -> None:
    async with serve() as client:
        about = (await client.post("/file", files={"file": ("a.md", b"# A", "text/markdown")})).json()
        records = client._transport.app.state.services.store.files  # type: ignore[attr-defined]
        found = await UploadedFiles(records, tmp_path).find(about["id"])
        assert found is not None
        assert (found.name, found.mimetype, found.path) == ("a.md", "text/markdown", file_path(tmp_path, about["id"]))
        assert await UploadedFiles(records, tmp_path).find("x") is None


def a_form(*parts: bytes, end: bytes = b"--B--\r\n") -> dict[str, object]:
    body = b"".join(b"--B\r\n" + part + b"\r\n" for part in parts) + end
    return {"content": body, "headers": {"content-type": "multipart/form-data; boundary=B"}}


FILE = b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nabc'


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (a_form(), 400, ["file should not be null or undefined"]),
        (a_form(FILE, FILE), 400, ["file must be one file"]),
        (a_form(FILE, end=b""), 400, ["the form was cut off"]),
        (a_form(b"rubbish"), 400, ["the body is not a valid form"]),
        (a_form(FILE.replace(b'"file"', b'"other"')), 400, ["property other should not exist"]),
        (
            a_form(FILE, b'Content-Disposition: form-data; name="magic"\r\n\r\n1'),
            400,
            ["property magic should not exist"],
        ),
        (
            a_form(FILE, b'Content-Disposition: form-data; name="purpose"\r\n\r\nfun'),
            400,
            ["purpose must be one of the following values: assistant, composer-attachment, knowledge-base-v2"],
        ),
        (
            a_form(FILE, b'Content-Disposition: form-data; name="metadata"\r\n\r\n[]'),
            400,
            ["metadata must be a JSON object"],
        ),
        ({"json": {}}, 415, "Content-Type must be multipart/form-data"),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, 400, ["the form has no boundary"]),
    ],
)
async def test_an_invalid_form_leaves_no_file(
    client: httpx.AsyncClient, tmp_path: Path, request_: dict[str, object], status: int, message: object
) -> None:
    answer = await client.post("/file", **request_)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert kept(tmp_path) == []
    assert (await client.get("/file")).json() == []


async def test_a_too_large_file_is_refused_while_it_is_received(client: httpx.AsyncClient, tmp_path: Path) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"--B\r\n" + FILE
        for _ in range(100):
            sent += 1 << 20
            yield bytes(1 << 20)

    answer = await client.post("/file", content=pieces(), headers={"content-type": "multipart/form-data; boundary=B"})
    assert answer.status_code == 413
    assert sent <= uploads.MAX_FILE_BYTES + (2 << 20)
    assert kept(tmp_path) == []


async def test_the_public_key_is_refused(client_with_keys: httpx.AsyncClient) -> None:
    for method, path in (("POST", ""), ("GET", ""), ("GET", "/x"), ("GET", "/x/content"), ("DELETE", "/x")):
        answers = [
            await client_with_keys.request(method, f"/file{path}", headers=headers) for headers in (OWNER, VISITOR, {})
        ]
        assert answers[0].status_code not in (401, 403)
        assert [answer.status_code for answer in answers[1:]] == [403, 401]

"""Malformed forms, content types, texts, query strings and paths: a 4xx in Vapi's shape, and nothing is stored."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.conftest import BOTH
from tests.server.conftest import Serve

# starting a server takes longer than all requests of a test
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", BOTH, indirect=True)]

NAMED = b'Content-Disposition: form-data; name="file"; filename='
FILE = NAMED + b'"a.txt"\r\nContent-Type: text/plain'


def part(head: bytes = FILE, body: bytes = b"hello") -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + body + b"\r\n"


def field(name: bytes, value: bytes = b"x") -> bytes:
    return part(b'Content-Disposition: form-data; name="' + name + b'"', value)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


FORM = b"multipart/form-data; boundary=b"
LONG = b"b" * 300
FORMS: dict[str, tuple[bytes, bytes]] = {
    "a boundary of 300 letters": (b"multipart/form-data; boundary=" + LONG, form(part()).replace(b"--b", b"--" + LONG)),
    "a boundary of 71 letters": (b"multipart/form-data; boundary=" + b"b" * 71, form(part())),
    "an empty boundary": (b'multipart/form-data; boundary=""', form(part())),
    "no boundary": (b"multipart/form-data", form(part())),
    "an encoded boundary": (b"multipart/form-data; boundary*=UTF-8''%ff", form(part())),
    "an open quote": (b'multipart/form-data; boundary="b', form(part())),
    "another boundary": (b"multipart/form-data; boundary=c", form(part())),
    "a NUL in the name": (FORM, form(part(NAMED + b'"a\0b.txt"'))),
    "a line end in the name": (FORM, form(part(NAMED + b'"a\nb.txt"'))),
    "a name of 300 KB": (FORM, form(part(NAMED + b'"' + b"a" * 300_000 + b'"'))),
    "an encoded name that is no UTF-8": (FORM, form(part(NAMED[:-1] + b"*=UTF-8''%ed%a0%80"))),
    "a name in an unknown charset": (FORM, form(part(NAMED[:-1] + b"*=nonsense''%ff"))),
    "a cut encoded name": (FORM, form(part(NAMED[:-1] + b"*=%"))),
    "a type with a control character": (FORM, form(part(NAMED + b'"a"\r\nContent-Type: text/html; charset=\x01'))),
    "a type that is no text": (FORM, form(part(NAMED + b'"a"\r\nContent-Type: \xff\xff'))),
    "no disposition": (FORM, form(part(b"Content-Type: text/plain"))),
    "no header": (FORM, form(part(b""))),
    "a header without a name": (FORM, form(part(b": :"))),
    "a header with bytes": (FORM, form(part(b"\xff: \xff"))),
    "a header name without end": (FORM, b"--b\r\n" + b"A" * 300_000),
    "a header value without end": (FORM, b"--b\r\nA: " + b"a" * 300_000),
    "50000 headers": (FORM, form(part(b"A: b\r\n" * 50_000 + FILE))),
    "10000 parts": (FORM, form(field(b"x") * 10_000)),
    "fields of 1 MB": (FORM, form(field(b"x", b"y" * 16_000) * 64)),
    "a field of 20 KB": (FORM, form(field(b"x", b"y" * 20_000))),
    "a field name of 100 KB": (FORM, form(field(b"n" * 100_000))),
    "an unknown field": (FORM, form(field(b"unknown"), part())),
    "two files": (FORM, form(part(), part())),
    "no end": (FORM, part()),
    "no part": (FORM, form()),
    "an empty body": (FORM, b""),
    "garbage": (FORM, b"\0\1\2" * 1000),
    "a form of another kind": (b"application/x-www-form-urlencoded", b"file=a&a=" + b"%ff" * 100),
    "no content type": (b"", form(part())),
    "a content type of bytes": (b"\xff\xff", form(part())),
}


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve() as opened:
        yield opened


def assert_refused(response: httpx.Response, case: object) -> None:
    assert 400 <= response.status_code < 500, (case, response.text)
    assert response.json()["statusCode"] == response.status_code, case
    assert response.json()["message"], case


async def test_a_malformed_form_is_refused_and_stores_nothing(client: httpx.AsyncClient, tmp_path: Path) -> None:
    for name, (content_type, body) in FORMS.items():
        response = await client.post("/file", content=body, headers={b"content-type": content_type})
        assert_refused(response, name)
    assert (await client.get("/file")).json() == []
    assert [path async for path in anyio.Path(tmp_path).rglob("files/*") if await path.is_file()] == []


async def test_a_file_with_an_unusual_name_is_stored_and_can_be_had(client: httpx.AsyncClient) -> None:
    for name in ("😀" * 300, 'a"b.txt', "../../a.txt", "C:\\a.txt", ""):
        response = await client.post("/file", files={"file": (name or "x", b"hello")})
        assert response.status_code == 201, response.text
        assert (await client.get(f"/file/{response.json()['id']}/content")).content == b"hello"


JSON = "application/json"
TEXTS: dict[str, tuple[str, bytes]] = {
    "UTF-16": (JSON, '{"name": "x"}'.encode("utf-16")),
    "UTF-16 without a mark": (JSON, '{"name": "x"}'.encode("utf-16-le")),
    "UTF-32": (JSON, '{"name": "x"}'.encode("utf-32")),
    "charset UTF-16": (f"{JSON}; charset=utf-16", b'{"name": "x"}'),
    "an unknown charset": (f"{JSON}; charset=nonsense", b'{"name": "x"}'),
    "a broken charset": (f'{JSON}; charset="', b'{"name": "x"}'),
    "bytes": (JSON, b'{"name": "\xff"}'),
    "a surrogate": (JSON, b'{"name": "\xed\xa0\x80"}'),
    "an escaped surrogate": (JSON, b'{"name": "\\ud800"}'),
    "a surrogate as a name": (JSON, b'{"\\ud800": 1}'),
    "deep objects": (JSON, b'{"metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001),
    "deep lists": (JSON, b"[" * 100_000),
    "a number out of range": (JSON, b'{"maxDurationSeconds": 1e999}'),
    "not a number": (JSON, b'{"maxDurationSeconds": NaN}'),
    "a long number": (JSON, b'{"maxDurationSeconds": ' + b"9" * 5000 + b"}"),
    "two values": (JSON, b"{}{}"),
    "nothing": (JSON, b""),
    "a form": ("application/x-www-form-urlencoded", b"name=x"),
    "a text": ("text/plain", b"{}"),
    "a type of bytes": ("\xff", b"{}"),
}
RESOURCES = ("/assistant", "/squad", "/tool", "/call", "/session", "/chat", "/phone-number", "/credential", "/file")


async def test_a_text_that_is_no_json_is_refused_everywhere(client: httpx.AsyncClient) -> None:
    record = (await client.post("/assistant", json={})).json()
    for name, (content_type, body) in TEXTS.items():
        headers = {b"content-type": content_type.encode("latin-1")}
        for path in (*RESOURCES[:-1], "/call/web", "/chat/web", "/chat/responses"):
            assert_refused(await client.post(path, content=body, headers=headers), (name, path))
        changed = await client.patch(f"/assistant/{record['id']}", content=body, headers=headers)
        assert_refused(changed, name)
    assert (await client.get("/assistant")).json() == [record]


IDS = ("%00", "%2e%2e%2f%2e%2e%2fetc", "a" * 7000, "%ff", "%ed%a0%80", "%F0%9F%98%80" * 100, "x%0ay",
       "x%0d%0aSet-Cookie:a", "%", "'", "{{7}}", "null", "a%2Fb", "%5c..%5c", "%00" * 50)  # fmt: skip


OF_AN_ID = ("/call/{}/mono-recording", "/call/{}/journal", "/file/{}/content", "/{}/control", "/{}/insight",
            "/schema/{}.json", "/phone-number/{}/ring", "/carrier/twilio/{}/voice", "/carrier/{}/x/voice")  # fmt: skip


async def test_an_id_of_any_text_is_unknown(client: httpx.AsyncClient) -> None:
    for record_id in IDS:
        for path in RESOURCES:
            whole = f"{path}/{record_id}"
            assert_refused(await client.get(whole), whole)
            assert_refused(await client.delete(whole), whole)
            assert_refused(await client.patch(whole, json={"name": "x"}), whole)
        for path in OF_AN_ID:
            for method in ("GET", "POST"):
                assert_refused(await client.request(method, path.format(record_id)), (path, record_id))


QUERIES = ("%00=%00", "limit=%00", "limit=%ff", "limit=1e5", "limit=-1", f"limit={'9' * 30}", f"limit={'9' * 4000}",
           "limit[]=1", "limit=", "limit=NaN", "id=%00", "id=%ff", "id=%ed%a0%80", "idAny=%00", f"idAny={'a,' * 3000}",
           "createdAtGt=%00", "createdAtGt=9999-12-31T23:59:59-14:00", "createdAtLt=0001-01-01T00:00:00%2B14:00",
           "sortOrder=%00", "sortBy=%ff", f"page={'9' * 18}", f"page={'9' * 30}", "page=0",
           "&" * 7000, "=" * 100, "%%%",
           "assistantId=%00", "search=%00", "search=%25_", "phoneNumberIdAny=%00&phoneNumberIdAny=%ff", "purpose=%00",
           "number=%00", "&".join(f"a{number}=b" for number in range(900)), "limit=1&limit=x")  # fmt: skip


async def test_any_query_string_gets_a_list_or_a_refusal(client: httpx.AsyncClient) -> None:
    for query in QUERIES:
        for path in (*RESOURCES, "/v2/call", "/v2/phone-number"):
            response = await client.get(f"{path}?{query}")
            if response.status_code != 200:
                assert_refused(response, (path, query))


async def test_a_name_with_a_nul_can_be_stored_and_found(client: httpx.AsyncClient) -> None:
    """A NUL is a character of JSON; Postgres cannot store it in a text (`bargein.store.records`)."""
    created: Any = await client.post("/assistant", json={"name": "a\0b", "metadata": {"\0": "\0"}})
    assert created.status_code < 500
    assert (await client.get("/assistant")).status_code == 200

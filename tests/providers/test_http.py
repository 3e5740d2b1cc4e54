"""Lines and server-sent events, however the body is split into chunks."""

import itertools
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.http_client import new_client
from bargein.ports import ProviderError
from bargein.providers import http

pytestmark = pytest.mark.anyio

EVENTS = (
    b': hello\r\nevent: x\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata:two\n\n\n\r'
    b"data: \xe2\x80\xa8three\r\rid: 7\n\ndata: last"
)
DATA = [b'{"a":\n1}', b"two", "\u2028three".encode(), b"last"]


async def chunked(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(places=st.lists(st.integers(0, 200), max_size=30))
async def test_events_do_not_depend_on_where_the_body_was_cut(places: list[int]) -> None:
    assert [data async for data in http.sse_data(chunked(cut(EVENTS, places)))] == DATA


@given(body=st.text(alphabet="ab\r\n", max_size=60), places=st.lists(st.integers(0, 100), max_size=10))
async def test_lines_are_those_of_the_whole_body(body: str, places: list[int]) -> None:
    found = [line async for line in http.lines(chunked(cut(body.encode(), places)))]
    assert found == [line.encode() for line in body.splitlines()]


@pytest.mark.parametrize("body", [b"<!doctype html>\n<p>no</p>", b'{"choices": []}', b"data: 1\n\ngarbage\n"])
async def test_a_body_that_is_no_event_stream_is_an_error(body: bytes) -> None:
    with pytest.raises(http.StreamError):
        _ = [data async for data in http.sse_data(chunked([body]))]


async def test_a_line_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_LINE_BYTES", 1000)
    with pytest.raises(http.StreamError, match="too long"):
        _ = [line async for line in http.lines(chunked([b"x" * 600, b"x" * 600]))]


def test_deep_nesting_is_a_stream_error() -> None:
    with pytest.raises(http.StreamError):
        http.json_object(b"[" * 200_000)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://127.0.0.1/", {}),
        ("/v1", {}),
        ("http://", {}),
        ("http://[::1", {}),
        ("http://127.0.0.1:99999999/", {}),
        ("http://127.0.0.1/", {"X-Key": "sécret-κλειδί"}),
    ],
)
def test_an_unusable_url_is_a_provider_error_without_a_secret(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(ProviderError) as caught:
        http.endpoint(url, headers, ended_reason="pipeline-error-x")
    assert caught.value.ended_reason == "pipeline-error-x"
    assert "cret" not in str(caught.value)


def test_an_endpoint_shows_neither_headers_nor_query() -> None:
    endpoint = http.endpoint("https://me:pw@host:8443/p?key=k", {"X-Key": "topsecret"}, ended_reason="x")
    assert endpoint.name == "host:8443"
    assert "topsecret" not in repr(endpoint)


def test_the_secret_replaces_a_header_of_its_name() -> None:
    assert http.with_secret({"x-vapi-secret": "old", "A": "b"}, "new") == {"A": "b", "X-Vapi-Secret": "new"}
    assert http.with_secret({"A": "b"}, None) == {"A": "b"}


async def test_the_client_keeps_no_cookies_and_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"set-cookie": "session=1"})

    async with new_client() as client:
        assert not client._mounts
        assert not client.follow_redirects
        client._transport = httpx.MockTransport(answer)
        await client.get("http://example.test/")
        await client.get("http://example.test/")
    assert seen == [None, None]

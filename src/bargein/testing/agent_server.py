"""The server of tests of agents: started on loopback, without keys, with the embedded models."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import httpx

from bargein.client.server_api import Server
from bargein.configuration import variable_names
from bargein.http_client import request_bounded
from bargein.server.ops.server_process import NoServerError, run_server

_READY_S = 120.0
_POLL_S = 0.05
_MAX_ANSWER_BYTES = 65_536


@contextmanager
def run_agent_server(settings: Mapping[str, str]) -> Generator[Server]:
    """Run a server in a process of its own with a temporary database, and yield it once its models are loaded. Blocks.

    No setting of this process reaches it, vendors' keys included; a vendor without a key is replaced by the embedded
    models (`BARGEIN_SUBSTITUTE_PROVIDERS`).

    Args:
        settings: environment variables of its settings, which override these.

    Raises:
        NoServerError: it did not start, or did not load its models; the text has the end of its output.
    """
    given = {"BARGEIN_SUBSTITUTE_PROVIDERS": "1", **settings}
    with run_server(given, without=frozenset(variable_names())) as url:
        _wait_until_ready(url)
        yield Server(url=url)


def _wait_until_ready(url: str) -> None:
    for _ in range(int(_READY_S / _POLL_S)):
        try:
            ready = request_bounded(
                "GET", f"{url}/ready", timeout_s=_READY_S, max_bytes=_MAX_ANSWER_BYTES, trust_env=False
            )
        except httpx.HTTPError as error:
            raise NoServerError(f"the server ended while it loaded its models ({type(error).__name__})") from None
        if ready.is_success:
            return
        time.sleep(_POLL_S)
    raise NoServerError(f"the server did not load its models within {_READY_S:g} s")

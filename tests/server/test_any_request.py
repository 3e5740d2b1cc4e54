"""Requests generated from the server's OpenAPI document get documented responses and cause no server error."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bargein.server.app import create_app
from bargein.testing.settings import make_settings
from tests.server.small_schemas import with_small_bodies

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(with_small_bodies(create_app(make_settings()).openapi()))
PATHS = "^/(assistant|call|chat|credential|file|session|squad|structured-output|phone-number|tool|v2)"
OPERATIONS = [found.ok() for found in SCHEMA.include(path_regex=PATHS).get_all_operations()]


# an id may be any text, so a request with nothing else cannot be invalid
CASES = [(found, GenerationMode.POSITIVE) for found in OPERATIONS]
CASES += [(found, GenerationMode.NEGATIVE) for found in OPERATIONS if list(found.body) or list(found.query)]


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = create_app(make_settings(data_dir=tmp_path_factory.mktemp("data")))
    with socket.create_server(("127.0.0.1", 0)) as listening:  # requests wait here until the server is up
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():  # what it imports must not be compiled beside deep recursion
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
    assert not thread.is_alive()


def test_the_document_has_operations_to_test() -> None:
    assert len(OPERATIONS) >= 36
    assert len(CASES) >= 59


@pytest.mark.parametrize(("operation", "mode"), CASES, ids=[f"{found.label} {mode.value}" for found, mode in CASES])
@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_request_gets_a_documented_response(
    base_url: str, operation: schemathesis.APIOperation, mode: GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(operation.as_strategy(generation_mode=mode))
    response = case.call(base_url=base_url, timeout=10)
    if response.status_code == 501:
        assert response.json()["error"] == "Not Implemented"  # the one kind of 5xx that is meant
        case.validate_response(response, checks=CHECKS[1:])
    else:
        case.validate_response(response, checks=CHECKS)

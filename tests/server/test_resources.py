"""The list of REST resources is complete, and all of them share the basic operations."""

import importlib
import pkgutil
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from bargein.clock import LoopClock
from bargein.server.api import routes, routing
from bargein.server.api.resource import Resource
from bargein.server.api.resources import RESOURCES
from bargein.store import Store
from bargein.store.records import Records
from bargein.wire import contract

pytestmark = pytest.mark.anyio

MODULES = [
    importlib.import_module(f"{routes.__name__}.{found.name}") for found in pkgutil.iter_modules(routes.__path__)
]


@pytest.fixture(params=RESOURCES, ids=lambda resource: resource.name)
def resource(request: pytest.FixtureRequest) -> Resource:
    return request.param


def paths_of(resource: Resource, method: str) -> set[str]:
    """Return the paths of a resource's records for a method: one, or none where Vapi has no such method."""
    depth = max(1, resource.router.prefix.count("/")) + 1
    return {
        route.path
        for route in resource.router.routes
        if isinstance(route, APIRoute) and route.path.count("/") == depth and route.path.endswith("}")
        if method in (route.methods or ())
    }


def path_of(resource: Resource, method: str) -> str:
    """Return the path of a resource's records for a method, with an id that no record has."""
    (path,) = paths_of(resource, method)
    return path[: path.index("{")] + "unknown"


METHODS = [
    pytest.param(resource, method, id=f"{resource.name}-{method}")
    for resource in RESOURCES
    for method in ("GET", "DELETE")
    if paths_of(resource, method)
]


def test_every_module_of_routes_is_listed() -> None:
    defining = [module for module in MODULES if hasattr(module, "RESOURCE")]
    assert sorted(module.RESOURCE.name for module in defining) == sorted(resource.name for resource in RESOURCES)
    others = [module for module in MODULES if module not in defining]
    assert sorted(module.__name__ for module in others) == sorted(each.__name__ for each in routing.OTHER_ROUTES)


def test_a_resource_has_the_router_of_its_module() -> None:
    assert all(module.RESOURCE.router is module.router for module in MODULES if hasattr(module, "RESOURCE"))


async def test_every_table_of_records_has_one_resource(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "bargein.db", LoopClock())
    try:
        tables = [value for value in vars(store).values() if isinstance(value, Records)]
        tables.remove(store.simulation_items)  # they are parts of a run
        assert len(tables) == len(RESOURCES)
        for table in tables:
            assert [resource.name for resource in RESOURCES if resource.records(store) is table]
    finally:
        await store.close()


def test_the_types_of_a_resource_are_vapis(resource: Resource) -> None:
    for name in (resource.schema, resource.page_schema, *resource.published):
        assert name is None or name in contract.definitions()


@pytest.mark.parametrize(("resource", "method"), METHODS)
async def test_an_unknown_id_is_not_found(client: httpx.AsyncClient, resource: Resource, method: str) -> None:
    answer = await client.request(method, path_of(resource, method))
    assert answer.status_code == 404
    assert answer.json()["message"] == f"There is no {resource.name} with the id unknown."


@pytest.mark.parametrize(("resource", "method"), METHODS)
async def test_a_request_without_a_key_is_refused(
    client_with_keys: httpx.AsyncClient, resource: Resource, method: str
) -> None:
    for path in (path_of(resource, method), path_of(resource, method).rpartition("/")[0]):
        if method == "GET" or path.endswith("/unknown"):
            assert (await client_with_keys.request(method, path)).status_code == 401


async def test_a_list_is_empty_at_first(client: httpx.AsyncClient, resource: Resource) -> None:
    answer = await client.get(path_of(resource, "GET").rpartition("/")[0])
    assert answer.status_code == 200
    body = answer.json()
    assert (body if isinstance(body, list) else body["results"]) == []

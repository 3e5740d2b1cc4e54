"""A REST resource: a kind of stored record, its routes, and the parts of a request that are the same for all kinds.

A module of `bargein.server.api.routes` defines one `Resource` as `RESOURCE`, and its route handlers call it.
`bargein.server.api.resources` lists them. docs/extending.md walks through adding one.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter
from starlette.responses import JSONResponse

from bargein.server.api.openapi import responses
from bargein.server.api.paging import Paging
from bargein.server.api.services import Services
from bargein.store import Query, Store
from bargein.store.records import Check, Records
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.errors import bad_request, one_of, parse_request, unknown_id

BODY_ERRORS = (400, 408, 413, 415)
"""The statuses that a request with a JSON body can be refused with (`bargein.server.api.bodies`)."""


Change = Literal["created", "updated", "deleted"]


def _as_stored(_services: Services, record: JsonObject) -> object:
    return record


async def _ignore_change(_services: Services, _record: JsonObject, _change: Change) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of stored record that a client can create, read, update and delete.

    Attributes:
        name: the kind in error messages, as in "There is no phone number with the id …".
        router: the routes.
        records: returns the table of the records.
        view: returns a record as a response shows it, for example without its secrets.
        notify: is awaited after a record was changed through this object, for example to send the owner a message.
        schema: Vapi's type of one record, for the OpenAPI document; None where the record has no type of Vapi's.
        page_schema: Vapi's type of a page of records; None where a page has no type of Vapi's.
        published: the types of Vapi's that `GET /schema` publishes for this resource.
    """

    name: str
    router: APIRouter
    records: Callable[[Store], Records]
    view: Callable[[Services, JsonObject], object] = _as_stored
    notify: Callable[[Services, JsonObject, Change], Awaitable[None]] = _ignore_change
    schema: str | None = None
    page_schema: str | None = None
    published: tuple[str, ...] = ()

    def responses(
        self, status: int, *errors: int, many: bool = False, paged: bool = False
    ) -> dict[int | str, dict[str, Any]]:
        """Return the `responses` of a route that returns one record, an array of them (`many`) or a page (`paged`)."""
        schema = self.page_schema if paged else self.schema
        return responses(status, *errors, schema=schema, many=many, paged=paged)

    async def create(self, services: Services, document: JsonObject, *, record_id: str | None = None) -> JSONResponse:
        """Store a new record and return it with status 201."""
        record = await self.records(services.store).create(document, record_id=record_id)
        await self.notify(services, record, "created")
        return self.respond(services, record, 201)

    async def list(self, services: Services, query: Query) -> JSONResponse:
        """Return the records that match, newest first."""
        records = await self.records(services.store).list(query)
        return JSONResponse([self.view(services, record) for record in records])

    async def page(self, services: Services, paging: Paging) -> JSONResponse:
        """Return one page of the records that match."""
        page = await self.records(services.store).page(paging.query)
        return JSONResponse(paging.body([self.view(services, record) for record in page.records], page.total))

    async def get(self, services: Services, record_id: str) -> JSONResponse:
        """Return one record.

        Raises:
            WireError: 404.
        """
        return self.respond(services, await self.find(services, record_id))

    async def update(
        self, services: Services, record_id: str, changes: JsonObject, *, check: Check | None = None
    ) -> JSONResponse:
        """Replace top-level fields of a record and return it; a field that is None is removed.

        Args:
            services: the services.
            record_id: the record's id.
            changes: the fields.
            check: is called with the record before and after; if it raises, nothing is stored.

        Raises:
            WireError: 404.
        """
        return self.respond(services, await self.patch(services, record_id, changes, check=check))

    async def delete(self, services: Services, record_id: str) -> JSONResponse:
        """Delete a record and return it as it was.

        Raises:
            WireError: 404.
        """
        record = self._found(await self.records(services.store).delete(record_id), record_id)
        await self.notify(services, record, "deleted")
        return self.respond(services, record)

    async def find(self, services: Services, record_id: str) -> JsonObject:
        """Return a record as it is stored.

        Raises:
            WireError: 404.
        """
        return self._found(await self.records(services.store).get(record_id), record_id)

    async def patch(
        self, services: Services, record_id: str, changes: JsonObject, *, check: Check | None = None
    ) -> JsonObject:
        """Do what `update` does, and return the record as it is stored.

        Raises:
            WireError: 404.
        """
        record = self._found(await self.records(services.store).patch(record_id, changes, check=check), record_id)
        await self.notify(services, record, "updated")
        return record

    def respond(
        self, services: Services, record: JsonObject, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> JSONResponse:
        """Return the response that shows a record."""
        return JSONResponse(self.view(services, record), status, headers)

    def _found(self, record: JsonObject | None, record_id: str) -> JsonObject:
        if record is None:
            raise unknown_id(self.name, record_id)
        return record


def changes_of(body: JsonObject, clean: Callable[[JsonObject], JsonObject] = without_nulls) -> JsonObject:
    """Return the changes that the body of a PATCH asks for.

    Each field of the body replaces the stored one as a whole; a field that is null is removed (None).

    Args:
        body: the body.
        clean: removes nulls inside the fields.
    """
    return {**dict.fromkeys(body), **clean(body)}


def check_updated(model: type[WireModel], record: JsonObject, body: JsonObject) -> None:
    """Check a record as the body of a PATCH would leave it.

    Raises:
        WireError: 400: the record would not be valid, or the body has a field that `model` does not have, even if it
            is null. Unknown fields in what the body does not change are no problem.
    """
    parse_request(model, record | unknown_fields(body, model.wire_names()), closed=body.keys())


def unknown_fields(body: JsonObject, known: Collection[str]) -> JsonObject:
    """Return the fields of a body that are not `known`, each as None.

    A null would be dropped from the updated record and a field that the store sets (as `id`) is not part of it. Laid
    over the record they make its check refuse the body.
    """
    return dict.fromkeys(name for name in body if name not in known)


def check_unchanged(field: str, before: JsonObject, after: JsonObject) -> None:
    """Check that an update does not change the value of a field; that it is not removed is for `check_updated`.

    Raises:
        WireError: 400.
    """
    if after.get(field, before[field]) != before[field]:
        raise bad_request(f"{field} {one_of([before[field]])}")

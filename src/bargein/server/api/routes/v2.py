"""`/v2`: the lists of calls and phone numbers in pages (Vapi's `CallPaginatedResponse` and its siblings)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.server.api.auth import require_private
from bargein.server.api.filters import ListQuery
from bargein.server.api.openapi import answers
from bargein.server.api.routes.phone_numbers import shown
from bargein.server.api.services import Reach
from bargein.store import Page, Query
from bargein.wire.base import JsonObject
from bargein.wire.call import as_told
from bargein.wire.errors import bad_request, one_of

router = APIRouter(prefix="/v2", dependencies=[Depends(require_private)])

_ORDERS = ("ASC", "DESC")
_SORTS = ("createdAt", "duration", "cost")
_MAX_SEARCH = 100


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of which list.

    Attributes:
        query: what to ask the store for.
        number: the page, from 1.
        by_duration: whether to order by how long a record took. Nothing costs anything here, and what is equal goes
            by its age, so that to order by the cost is to order by the age.
    """

    query: Query
    number: int
    by_duration: bool = False

    def metadata(self, total: int) -> JsonObject:
        """Vapi's `PaginationMeta`; a page of no items is the only one."""
        size = self.query.limit
        pages = -(-total // size) if size else 0
        return {
            "itemsPerPage": size,
            "totalItems": total,
            "currentPage": self.number,
            "totalPages": pages,
            "hasNextPage": self.number < pages,
            "sortOrder": "ASC" if self.query.oldest_first else "DESC",
        }

    def answer(self, page: Page, results: Sequence[JsonObject]) -> JSONResponse:
        """The page as it is sent."""
        return JSONResponse({"results": results, "metadata": self.metadata(page.total)})


def paging(
    query: ListQuery,
    page: Annotated[int, Parameter(ge=1)] = 1,
    sortOrder: Annotated[str, Parameter(json_schema_extra={"enum": [*_ORDERS]})] = "DESC",  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    sortBy: Annotated[str, Parameter(json_schema_extra={"enum": [*_SORTS]})] = "createdAt",  # noqa: N803  # the same
) -> Paging:
    """Read what every list in pages understands.

    Raises:
        WireError: 400 for what is no order.
    """
    if sortOrder not in _ORDERS:
        raise bad_request(f"sortOrder {one_of(_ORDERS)}")
    if sortBy not in _SORTS:
        raise bad_request(f"sortBy {one_of(_SORTS)}")
    wanted = replace(query, offset=(page - 1) * query.limit, oldest_first=sortOrder == "ASC")
    return Paging(wanted, page, by_duration=sortBy == "duration")


Paged = Annotated[Paging, Depends(paging)]


@router.get("/call", tags=["calls"], responses=answers(200, 400, paged=True))
async def page_calls(
    asked: Paged,
    services: Reach,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    assistantId: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    phoneNumberId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """A page of the calls."""
    wanted = replace(asked.query, id=id, assistant_id=assistantId, phone_number_id=phoneNumberId)
    if asked.by_duration:
        wanted = replace(wanted, order_by="duration_ms")
    page = await services.store.calls.page(wanted)
    return asked.answer(page, [as_told(call) for call in page.records])


@router.get("/phone-number", tags=["phone numbers"], responses=answers(200, 400, paged=True))
async def page_phone_numbers(
    asked: Paged,
    services: Reach,
    search: Annotated[str | None, Parameter(json_schema_extra={"maxLength": _MAX_SEARCH})] = None,
) -> JSONResponse:
    """A page of the phone numbers; `search` looks into their numbers, SIP addresses and names."""
    if search is not None and len(search) > _MAX_SEARCH:
        raise bad_request(f"search must be shorter than or equal to {_MAX_SEARCH} characters")
    page = await services.store.phone_numbers.page(replace(asked.query, search=search))
    return asked.answer(page, [shown(number) for number in page.records])

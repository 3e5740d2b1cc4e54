"""Lists in pages, as Vapi's `GET /v2/call`, `GET /session` and `GET /chat` have them (`CallPaginatedResponse`, …)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends
from fastapi import Query as Parameter

from bargein.server.api.filters import ListQuery
from bargein.store import Query
from bargein.wire.base import JsonObject
from bargein.wire.errors import bad_request, one_of

_ORDERS = ("ASC", "DESC")
_SORTS = ("createdAt", "duration", "cost")


@dataclass(frozen=True, slots=True)
class Paging:
    """The page of a list that a request asks for.

    Attributes:
        query: the query for the store.
        number: the number of the page, from 1.
        by_duration: whether to order by the calls' duration. `sortBy=cost` orders by age: this server charges nothing,
            so all costs are equal, and equal records are ordered by their age.
    """

    query: Query
    number: int
    by_duration: bool = False

    def body(self, records: Sequence[object], total: int) -> JsonObject:
        """Return the response's body.

        Args:
            records: the records of the page.
            total: the number of records on all pages.
        """
        return {"results": records, "metadata": self._metadata(total)}

    def _metadata(self, total: int) -> JsonObject:
        """Return Vapi's `PaginationMeta`. With a limit of 0 there are no pages."""
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


def paging(
    query: ListQuery,
    page: Annotated[int, Parameter(ge=1)] = 1,
    sortOrder: Annotated[str, Parameter(json_schema_extra={"enum": [*_ORDERS]})] = "DESC",  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    sortBy: Annotated[str, Parameter(json_schema_extra={"enum": [*_SORTS]})] = "createdAt",  # noqa: N803  # the same
) -> Paging:
    """Read the query parameters that every list in pages has.

    Raises:
        WireError: 400: `sortOrder` or `sortBy` is not one of the known values.
    """
    if sortOrder not in _ORDERS:
        raise bad_request(f"sortOrder {one_of(_ORDERS)}")
    if sortBy not in _SORTS:
        raise bad_request(f"sortBy {one_of(_SORTS)}")
    wanted = replace(query, offset=(page - 1) * query.limit, oldest_first=sortOrder == "ASC")
    return Paging(wanted, page, by_duration=sortBy == "duration")


PagingQuery = Annotated[Paging, Depends(paging)]
"""The type of a route's parameter that gets the requested page."""

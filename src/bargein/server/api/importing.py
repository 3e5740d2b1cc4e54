"""`?import=true`: a record as another server has given it out is the body of a request."""

from typing import Annotated

from fastapi import Query

from bargein.server.agents.problems import Problem
from bargein.wire.base import WireModel
from bargein.wire.exports import as_request
from bargein.wire.json import as_object_or_none

ImportParameter = Annotated[
    bool,
    Query(alias="import", description="The body is an export: what servers set and unknown fields are left out."),
]
"""The parameter `import` of a route that creates a record."""


class Importer:
    """The reader of a body that is an export.

    Args:
        wanted: False if it is an ordinary body, which stays as it is.

    Attributes:
        problems: the fields that were left out.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self.problems: list[Problem] = []

    def body(self, model: type[WireModel], data: object) -> object:
        """Return the body of the request."""
        record = as_object_or_none(data)
        if not self._wanted or record is None:
            return data
        exported = as_request(model, record)
        self.problems = [Problem(path, "was left out: Vapi's types have no such field") for path in exported.left_out]
        return exported.body

"""The server's own OpenAPI: the bodies that routes read by hand and their answers are described by Vapi's types."""

from functools import cache
from typing import Any, cast

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic.json_schema import models_json_schema

from bargein.server.api.openapi_components import OWN, REF, body_schemas, referred_to, type_answers
from bargein.server.api.openapi_components import components as vapis_types
from bargein.wire.base import JsonObject, WireModel

_ERROR: JsonObject = {
    "type": "object",
    "required": ["message", "error", "statusCode"],
    "properties": {
        "message": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "error": {"type": "string"},
        "statusCode": {"type": "integer"},
    },
}
_STORED: JsonObject = {
    "type": "object",
    "required": ["id", "orgId", "createdAt", "updatedAt"],
    "properties": {
        "id": {"type": "string"},
        "orgId": {"type": "string"},
        "createdAt": {"type": "string", "format": "date-time"},
        "updatedAt": {"type": "string", "format": "date-time"},
    },
}
_PAGE: JsonObject = {
    "type": "object",
    "required": ["results", "metadata"],
    "properties": {
        "results": {"type": "array", "items": {"$ref": f"{REF}Stored"}},
        "metadata": {
            "type": "object",
            "required": ["itemsPerPage", "totalItems", "currentPage"],
            "properties": {
                "itemsPerPage": {"type": "integer"},
                "totalItems": {"type": "integer"},
                "currentPage": {"type": "integer"},
                "totalPages": {"type": "integer"},
                "hasNextPage": {"type": "boolean"},
                "sortOrder": {"type": "string", "enum": ["ASC", "DESC"]},
            },
        },
    },
}


def body_of(*models: type[WireModel], partial: bool = False, required: bool = True) -> JsonObject:
    """The `openapi_extra` of a route that reads its body by hand.

    Args:
        *models: what the body may be: with the fields of one of them, and no others.
        partial: whether fields may be left out that a whole one must have.
        required: whether there must be a body.
    """
    _bodies.append((models, partial))
    later: JsonObject = {_LATER: len(_bodies) - 1}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": later}}}}


_LATER = "x-body"
"""Stands in a route's description for a schema that is made when somebody asks for the document: making all of them
takes half a second, which no server needs to start."""

_bodies: list[tuple[tuple[type[WireModel], ...], bool]] = []
"""What these schemas are made of: models, and whether all fields may be left out."""


@cache
def _body(number: int) -> JsonObject:
    models, partial = _bodies[number]
    choices = [schema for model in dict.fromkeys(models) for schema in body_schemas(model, partial=partial)]
    schema = choices[0] if len(choices) == 1 else {"anyOf": choices}
    # As FastAPI writes the rest of the document: that null is a field's default goes without saying.
    return cast("JsonObject", jsonable_encoder(schema, exclude_none=True))


def _describe_bodies(document: JsonObject) -> None:
    for operations in cast("JsonObject", document["paths"]).values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                number: object = content.get("schema", {}).get(_LATER)
                if isinstance(number, int):
                    content["schema"] = _body(number)


def body_like(schema: JsonObject, content_type: str = "application/json") -> JsonObject:
    """The `openapi_extra` of a route that reads a body by hand of which there is no wire type."""
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


def answers(status: int, *refusals: int, many: bool = False, paged: bool = False) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: what it gives (one, many, or a page of them), and the errors it can end in."""
    given: JsonObject = {"$ref": REF + ("Page" if paged else "Stored")}
    schema = {"type": "array", "items": given} if many else given
    described: dict[int | str, dict[str, Any]] = {
        status: {"description": "Done", "content": {"application/json": {"schema": schema}}}
    }
    return described | refusals_of(*refusals)


def refusals_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route for which a key is needed can end in, as a part of its `responses`."""
    error: JsonObject = {"schema": {"$ref": f"{REF}Error"}}
    return {
        status: {"description": "Refused", "content": {"application/json": error}} for status in (401, 403, *statuses)
    }


def install(app: FastAPI) -> None:
    """Complete what FastAPI finds out by itself."""
    found_by_itself = app.openapi

    def complete() -> JsonObject:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = found_by_itself()
        components = cast("JsonObject", document.setdefault("components", {}))
        schemas = cast("JsonObject", components.setdefault("schemas", {}))
        _describe_bodies(document)
        ours = {model.__name__: model for models, _ in _bodies for model in models if model.contract is None}
        _, own = models_json_schema([(model, "validation") for model in ours.values()], ref_template=OWN)
        schemas |= {f"Own.{name}": schema for name, schema in own.get("$defs", {}).items()}
        schemas |= {"Error": _ERROR, "Page": _PAGE, "Stored": _STORED}
        components["schemas"] = schemas
        type_answers(document)
        components["schemas"] = schemas | referred_to(document, vapis_types())
        for path in cast("JsonObject", document["paths"]).values():
            for operation in path.values():
                operation["responses"].pop("422", None)  # a refused request is a 400 here
        app.openapi_schema = document
        return document

    app.openapi = complete

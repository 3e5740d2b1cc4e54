"""The server's OpenAPI document: Vapi's types describe request bodies, which routes parse themselves, and responses."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from pydantic.json_schema import models_json_schema

from bargein.server.api.openapi_components import OWN, REF, body_schemas, components, referred_to
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.json import as_object

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

_DEFERRED = "x-body"
"""Marks a body's schema that is built when the document is first requested: building all of them takes half a second,
which would delay the start of the server."""

_bodies: list[tuple[tuple[type[WireModel], ...], bool]] = []
"""The deferred schemas: the models, and whether all fields are optional."""


def request_body(*models: type[WireModel], partial: bool = False, required: bool = True) -> JsonObject:
    """Return the `openapi_extra` of a route that parses its JSON body itself.

    Args:
        *models: the types of the body: it has the fields of one of them, and no others.
        partial: whether fields are optional that are required in a whole record, as in a PATCH.
        required: whether there must be a body.
    """
    _bodies.append((models, partial))
    deferred: JsonObject = {_DEFERRED: len(_bodies) - 1}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": deferred}}}}


def request_body_of(schema: JsonObject, content_type: str = "application/json") -> JsonObject:
    """Return the `openapi_extra` of a route whose body has no wire type, from the body's JSON Schema."""
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


def responses(
    status: int, *errors: int, schema: str | None = None, many: bool = False, paged: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that needs the private key.

    Args:
        status: the status of success.
        *errors: the statuses of errors beside 401 and 403.
        schema: Vapi's type of the record or page; None: only the fields are described that every one has.
        many: whether an array of records is returned.
        paged: whether a page of records is returned.
    """
    record: JsonObject = {"$ref": REF + (schema or ("Page" if paged else "Stored"))}
    content = {"type": "array", "items": record} if many else record
    success = {"description": "Done", "content": {"application/json": {"schema": content}}}
    return {status: success} | error_responses(*errors)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error part of the `responses` of a route that needs the private key: 401, 403 and `statuses`."""
    error: JsonObject = {"schema": {"$ref": f"{REF}Error"}}
    return {
        status: {"description": "Refused", "content": {"application/json": error}} for status in (401, 403, *statuses)
    }


def install(app: FastAPI) -> None:
    """Have `app.openapi()` return FastAPI's document completed with the bodies, Vapi's types and the error type."""
    generate = app.openapi

    def complete() -> JsonObject:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate())
        return app.openapi_schema

    app.openapi = complete


def _completed(document: JsonObject) -> JsonObject:
    parts: JsonObject = document.setdefault("components", {})
    _resolve_bodies(document)
    ours = {model.__name__: model for models, _ in _bodies for model in models if model.contract is None}
    _, own = models_json_schema([(model, "validation") for model in ours.values()], ref_template=OWN)
    schemas = as_object(parts.get("schemas"))
    schemas |= {f"Own.{name}": schema for name, schema in own.get("$defs", {}).items()}
    schemas |= {"Error": _ERROR, "Page": _PAGE, "Stored": _STORED}
    parts["schemas"] = schemas
    parts["schemas"] = schemas | referred_to(document, components())
    for operation in _operations(document):
        operation["responses"].pop("422", None)  # invalid requests get a 400 here
    return document


def _resolve_bodies(document: JsonObject) -> None:
    for operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            number = as_object(content.get("schema")).get(_DEFERRED)
            if isinstance(number, int):
                content["schema"] = _body_schema(number)


def _operations(document: JsonObject) -> list[JsonObject]:
    return [operation for path in document["paths"].values() for operation in path.values()]


@cache
def _body_schema(number: int) -> JsonObject:
    models, partial = _bodies[number]
    choices = [schema for model in dict.fromkeys(models) for schema in body_schemas(model, partial=partial)]
    schema = choices[0] if len(choices) == 1 else {"anyOf": choices}
    # FastAPI leaves out defaults that are null in the rest of the document, too
    return as_object(jsonable_encoder(schema, exclude_none=True))

"""`/session`: text conversations, each of several chats."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_rules, check_squad
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.filters import conditions
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.references import check_references
from bargein.server.api.resource import BODY_ERRORS, Change, Resource
from bargein.server.api.services import Services, ServicesDep
from bargein.server.chats.service import is_over
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import TOOL_MOCKS
from bargein.wire.chat import CreateSession, UpdateSession
from bargein.wire.ownership import made_by, without_author

router = APIRouter(prefix="/session", tags=["sessions"], dependencies=[Depends(require_private)])


def _with_current_status(services: Services, session: JsonObject) -> JsonObject:
    """Return a session with its status now: one that was not used for its `expirationSeconds` is completed."""
    shown = {name: value for name, value in without_author(session).items() if name != TOOL_MOCKS}
    return shown | ({"status": "completed"} if is_over(session, services.clock.epoch_ms()) else {})


_EVENTS: dict[Change, Literal["session.created", "session.updated", "session.deleted"]] = {
    "created": "session.created",
    "updated": "session.updated",
    "deleted": "session.deleted",
}


async def _notify(services: Services, session: JsonObject, change: Change) -> None:
    await services.owner_events.session(session, _EVENTS[change])


RESOURCE = Resource(
    name="session",
    router=router,
    records=lambda store: store.sessions,
    view=_with_current_status,
    notify=_notify,
    published=("Session", "CreateSessionDTO", "UpdateSessionDTO", "SessionPaginatedResponse"),
)


@router.post(
    "", status_code=201, responses=RESOURCE.responses(201, *BODY_ERRORS), openapi_extra=request_body(CreateSession)
)
async def create_session(request: Request, services: ServicesDep) -> JSONResponse:
    """Create a text conversation, which chats continue."""
    parsed, body = await read_request(request, CreateSession)
    if parsed.assistant is not None:
        check_rules(parsed.assistant, "assistant.")
    if parsed.squad is not None:
        await check_squad(services.store, parsed.squad, "squad.")
    await check_references(services.store, body, "assistantId", "squadId", "phoneNumberId")
    return await RESOURCE.create(services, made_by({"status": "active", **without_nulls(body)}, "owner"))


@router.get("", responses=RESOURCE.responses(200, 400, paged=True))
async def list_sessions(  # noqa: PLR0917  # one parameter for each of Vapi's filters; FastAPI passes them by name
    paging: PagingQuery,
    services: ServicesDep,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    idAny: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    name: str | None = None,
    assistantId: str | None = None,  # noqa: N803  # the same
    assistantIdAny: str | None = None,  # noqa: N803  # the same
    squadId: str | None = None,  # noqa: N803  # the same
    workflowId: str | None = None,  # noqa: N803  # the same
    phoneNumberId: str | None = None,  # noqa: N803  # the same
    phoneNumberIdAny: Annotated[list[str] | None, Parameter()] = None,  # noqa: N803  # the same
    number: str | None = None,
    customerNumberAny: str | None = None,  # noqa: N803  # the same
    sipUri: str | None = None,  # noqa: N803  # the same
    email: str | None = None,
    externalId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """List the sessions in pages. Of two filters for one field the one with several values counts."""
    where = conditions(
        one={
            "name": name,
            "assistant_id": assistantId,
            "squad_id": squadId,
            "workflow_id": workflowId,
            "phone_number_id": phoneNumberId,
            "customer_number": number,
            "customer_sip_uri": sipUri,
            "customer_email": email,
            "customer_external_id": externalId,
        },
        any_of={
            "id": idAny,
            "assistant_id": assistantIdAny,
            "phone_number_id": ",".join(phoneNumberIdAny) if phoneNumberIdAny else None,
            "customer_number": customerNumberAny,
        },
    )
    return await RESOURCE.page(services, replace(paging, query=replace(paging.query, id=id, where=where)))


@router.get("/{session_id}", responses=RESOURCE.responses(200, 404))
async def get_session(session_id: str, services: ServicesDep) -> JSONResponse:
    """Return a session with its messages."""
    return await RESOURCE.get(services, session_id)


@router.patch(
    "/{session_id}", responses=RESOURCE.responses(200, 404, *BODY_ERRORS), openapi_extra=request_body(UpdateSession)
)
async def update_session(session_id: str, request: Request, services: ServicesDep) -> JSONResponse:
    """Replace the given top-level fields; one that is null is removed."""
    _, body = await read_request(request, UpdateSession)
    changes = {**body, **({"status": "active"} if "status" in body and body["status"] is None else {})}
    return await RESOURCE.update(services, session_id, changes)


@router.delete("/{session_id}", responses=RESOURCE.responses(200, 404))
async def delete_session(session_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a session; its chats stay."""
    return await RESOURCE.delete(services, session_id)

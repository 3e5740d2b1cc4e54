"""`/session`: what holds the turns of a text conversation together, with Vapi's semantics."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Parameter
from starlette.responses import JSONResponse

from bargein.server.agents.validate import check_rules
from bargein.server.api.auth import require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.filters import where
from bargein.server.api.openapi import answers, body_of
from bargein.server.api.routes.v2 import Paged
from bargein.server.api.services import Reach, Services
from bargein.server.chats.service import is_over
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.chat import CreateSession, UpdateSession
from bargein.wire.errors import WireError

router = APIRouter(prefix="/session", tags=["sessions"], dependencies=[Depends(require_private)])

_BODY = (400, 408, 413, 415)


@router.post("", status_code=201, responses=answers(201, *_BODY), openapi_extra=body_of(CreateSession))
async def create_session(request: Request, services: Reach) -> JSONResponse:
    """Begin a text conversation, which chats then go on with."""
    asked, body = await read_request(request, CreateSession)
    if asked.assistant is not None:
        check_rules(asked.assistant, "assistant.")
    await _check_there(services, asked)
    made = await services.store.sessions.create({"status": "active", **without_nulls(body)})
    await services.owner_events.session(made, "session.created")
    return JSONResponse(_shown(services, made), 201)


@router.get("", responses=answers(200, 400, paged=True))
async def list_sessions(  # noqa: PLR0917  # one parameter for each of Vapi's filters; FastAPI passes them by name
    asked: Paged,
    services: Reach,
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
    """A page of the sessions. Where two filters are for one field, the one that names several values goes first."""
    wanted = where(
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
    page = await services.store.sessions.page(replace(asked.query, id=id, where=wanted))
    return asked.answer(page, [_shown(services, session) for session in page.records])


@router.get("/{session_id}", responses=answers(200, 404))
async def get_session(session_id: str, services: Reach) -> JSONResponse:
    """One session, with all that was said."""
    return _found(services, await services.store.sessions.get(session_id), session_id)


@router.patch("/{session_id}", responses=answers(200, 404, *_BODY), openapi_extra=body_of(UpdateSession))
async def update_session(session_id: str, request: Request, services: Reach) -> JSONResponse:
    """Replace the given top-level fields; one that is null is taken away."""
    _, body = await read_request(request, UpdateSession)
    changes = {**body, **({"status": "active"} if "status" in body and body["status"] is None else {})}
    session = await services.store.sessions.patch(session_id, changes)
    if session is not None:
        await services.owner_events.session(session, "session.updated")
    return _found(services, session, session_id)


@router.delete("/{session_id}", responses=answers(200, 404))
async def delete_session(session_id: str, services: Reach) -> JSONResponse:
    """Forget a session; its chats stay."""
    session = await services.store.sessions.delete(session_id)
    if session is not None:
        await services.owner_events.session(session, "session.deleted")
    return _found(services, session, session_id)


async def _check_there(services: Services, asked: CreateSession) -> None:
    store = services.store
    for named, records, what in (
        (asked.assistant_id, store.assistants, "assistant"),
        (asked.squad_id, store.squads, "squad"),
        (asked.phone_number_id, store.phone_numbers, "phone number"),
    ):
        if named is not None and await records.get(named) is None:
            raise WireError(400, f"There is no {what} with the id {named[:80]}.")


def _shown(services: Services, session: JsonObject) -> JsonObject:
    """A session as it is now: one that was not used for too long is completed."""
    return session | ({"status": "completed"} if is_over(session, services.clock.epoch_ms()) else {})


def _found(services: Services, session: JsonObject | None, session_id: str) -> JSONResponse:
    if session is None:
        raise WireError(404, f"There is no session with the id {session_id[:80]}.")
    return JSONResponse(_shown(services, session))

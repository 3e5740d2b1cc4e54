"""`/chat`: a turn of a text conversation with an assistant, streamed or not."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from bargein.server.agents.validate import check_assistant, check_credentials, check_squad
from bargein.server.api.auth import PermissionsDep, require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.event_stream import DONE, EventStream, event
from bargein.server.api.filters import conditions
from bargein.server.api.openapi import request_body
from bargein.server.api.paging import PagingQuery
from bargein.server.api.references import check_references
from bargein.server.api.resource import BODY_ERRORS, Change, Resource
from bargein.server.api.services import Services, ServicesDep
from bargein.server.chats.service import ChatAgentError
from bargein.wire.assistant import without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import normalize_widget_body
from bargein.wire.chat import (
    CreateChat,
    CreateResponse,
    CreateWebChat,
    check_web_roles,
    delta_event,
    input_messages,
    openai_response,
)
from bargein.wire.errors import WireError
from bargein.wire.json import as_object, as_object_or_none
from bargein.wire.ownership import Author, made_by, without_author

_log = structlog.get_logger("bargein.server")

router = APIRouter(prefix="/chat", tags=["chats"])
_private = [Depends(require_private)]


async def _notify(services: Services, chat: JsonObject, change: Change) -> None:
    if change == "deleted":  # the chat service notifies of new chats, and chats do not change
        await services.owner_events.chat(chat, "chat.deleted")


RESOURCE = Resource(
    name="chat",
    router=router,
    records=lambda store: store.chats,
    view=lambda _services, chat: without_author(chat),
    notify=_notify,
    published=("Chat", "CreateChatDTO", "CreateWebChatDTO", "ChatPaginatedResponse", "OpenAIResponsesRequest"),
)

_ERRORS = (*BODY_ERRORS, 501, 502, 504)
_EVENTS: JsonObject = {"text/event-stream": {"schema": {"type": "string"}}}
_STREAMED: dict[int | str, JsonObject] = {200: {"description": "The response as it is generated", "content": _EVENTS}}
_RESPONSE: JsonObject = {
    "type": "object",
    "required": ["id", "object", "created_at", "status", "output"],
    "properties": {"id": {"type": "string"}, "output": {"type": "array", "items": {"type": "object"}}},
}
_RESPONDED: dict[int | str, JsonObject] = {
    200: {"description": "Done", "content": {"application/json": {"schema": _RESPONSE}, **_EVENTS}}
}


@router.post(
    "",
    status_code=201,
    responses={**RESOURCE.responses(201, *_ERRORS), **_STREAMED},
    openapi_extra=request_body(CreateChat),
    dependencies=_private,
)
async def create_chat(request: Request, services: ServicesDep) -> Response:
    """Send a message to an assistant and return its response: whole, or with `stream` as it is generated."""
    parsed, body = await read_request(request, CreateChat)
    given = await _checked(services, parsed, body)
    if parsed.stream:
        return EventStream(lambda: _as_deltas(services, given, "owner"))
    return JSONResponse(await _complete(services, given, "owner"), 201)


@router.post(
    "/responses",
    responses={**RESOURCE.responses(200, *_ERRORS), **_RESPONDED},
    openapi_extra=request_body(CreateResponse),
    dependencies=_private,
)
async def create_response(request: Request, services: ServicesDep) -> Response:
    """Do the same in the format of OpenAI's Responses API; not streamed unless `stream` is true, as there."""
    parsed, body = await read_request(request, CreateResponse)
    given = await _checked(services, parsed, {name: value for name, value in body.items() if name != "model"})
    if parsed.stream:
        return EventStream(lambda: _as_response_events(services, given))
    chat = await _complete(services, given, "owner")
    text = "".join(one.get("content") or "" for one in chat["output"] if one["role"] == "assistant")
    return JSONResponse(openai_response(chat, text, services.clock.epoch_ms() // 1000))


@router.post(
    "/web",
    status_code=201,
    responses={**RESOURCE.responses(201, *_ERRORS, 429), **_STREAMED},
    openapi_extra=request_body(CreateWebChat),
)
async def create_web_chat(request: Request, permissions: PermissionsDep, services: ServicesDep) -> Response:
    """Do the same from a page, with the public key, in a session, which is created if none is given.

    Of a stored assistant a page can set variables and nothing else.
    """
    services.rate_limits.check_chat(request, permissions)
    parsed, body = await read_request(request, CreateWebChat, normalize_widget_body)
    given = without_nulls(body)
    if parsed.assistant is not None:
        check_assistant(given["assistant"], "assistant.")
    permissions.check_assistant(given, await services.chats.source_of_agent(given))
    if permissions.key == "public":
        check_web_roles(input_messages(given["input"]))
    check_credentials(given, permissions.author)
    over = given.pop("sessionEnd", False)
    lasts: object = given.pop("sessionExpirationSeconds", None)
    values = as_object_or_none(as_object(given.pop("assistantOverrides", None)).get("variableValues"))
    if values is not None:
        given["assistantOverrides"] = {"variableValues": values}
    if "sessionId" not in given and "previousChatId" not in given:
        given = await _with_session(services, given, lasts, permissions.author)
    if parsed.stream:
        return EventStream(lambda: _as_deltas(services, given, permissions.author, over=over))
    chat = await _complete(services, given, permissions.author, over=over)
    # results of tools are for the owner, not for the page
    said = [one for one in chat["output"] if one["role"] == "assistant" and "tool_calls" not in one]
    shown = ("id", "sessionId", "orgId", "createdAt", "updatedAt")
    return JSONResponse({name: chat[name] for name in shown if name in chat} | {"output": said}, 201)


@router.get("", responses=RESOURCE.responses(200, 400, paged=True), dependencies=_private)
async def list_chats(  # noqa: PLR0917  # one parameter for each of Vapi's filters; FastAPI passes them by name
    paging: PagingQuery,
    services: ServicesDep,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    idAny: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    assistantId: str | None = None,  # noqa: N803  # the same
    assistantIdAny: str | None = None,  # noqa: N803  # the same
    squadId: str | None = None,  # noqa: N803  # the same
    sessionId: str | None = None,  # noqa: N803  # the same
    previousChatId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """List the chats in pages."""
    where = conditions(
        one={"assistant_id": assistantId, "squad_id": squadId, "session_id": sessionId,
             "previous_chat_id": previousChatId},
        any_of={"id": idAny, "assistant_id": assistantIdAny},
    )  # fmt: skip
    return await RESOURCE.page(services, replace(paging, query=replace(paging.query, id=id, where=where)))


@router.get("/{chat_id}", responses=RESOURCE.responses(200, 404), dependencies=_private)
async def get_chat(chat_id: str, services: ServicesDep) -> JSONResponse:
    """Return a chat."""
    return await RESOURCE.get(services, chat_id)


@router.delete("/{chat_id}", responses=RESOURCE.responses(200, 404), dependencies=_private)
async def delete_chat(chat_id: str, services: ServicesDep) -> JSONResponse:
    """Delete a chat; its session keeps the messages."""
    return await RESOURCE.delete(services, chat_id)


async def _checked(services: Services, parsed: CreateChat, body: JsonObject) -> JsonObject:
    """Return the body without nulls, after the checks of its inline assistant or squad.

    Raises:
        WireError: 400: the assistant cannot be run; 501: `transport` is given.
    """
    if parsed.transport is not None:
        raise WireError(501, "transport is not supported by this server: text messages need a carrier.")
    given = without_nulls(body)
    if parsed.assistant is not None:
        check_assistant(given["assistant"], "assistant.")
    if parsed.squad is not None:
        await check_squad(services.store, parsed.squad, "squad.")
    return given


async def _with_session(services: Services, given: JsonObject, lasts: object, author: Author) -> JsonObject:
    """Create a session with the assistant and customer of a body, and return the body with the session instead."""
    kept = {name: given[name] for name in ("assistantId", "assistant", "assistantOverrides", "customer")
            if name in given}  # fmt: skip
    if not kept.keys() & {"assistantId", "assistant"}:
        raise WireError(400, "Need either `assistant`, `assistantId` or `sessionId`.")
    await check_references(services.store, kept, "assistantId")
    more = {} if lasts is None else {"expirationSeconds": lasts}
    session = await services.store.sessions.create(made_by({**kept, **more, "status": "active"}, author))
    await services.owner_events.session(session, "session.created")
    rest = {name: value for name, value in given.items() if name not in kept}
    return {**rest, "sessionId": session["id"]}


async def _complete(services: Services, given: JsonObject, author: Author, *, over: bool = False) -> JsonObject:
    with _errors_for(author):
        async with services.chats.turn(given, author) as turn:
            async for _ in services.chats.pieces(turn):
                pass
            return without_author(await services.chats.record(turn, over=over))


@contextmanager
def _errors_for(author: Author) -> Generator[None]:
    """Raise the errors of an assistant and its model as their author may see them."""
    try:
        yield
    except ChatAgentError as error:
        raise _error_for(author, error) from None


def _error_for(author: Author, error: WireError) -> WireError:
    if author == "owner" or not isinstance(error, ChatAgentError):
        return error
    _log.warning("a chat could not be answered", status=error.status, reason=str(error))
    return error.for_callers()


async def _stream(
    services: Services,
    given: JsonObject,
    author: Author,
    to_event: Callable[[JsonObject, str], bytes],
    *,
    over: bool = False,
) -> AsyncGenerator[bytes | tuple[JsonObject, str]]:
    """Yield each piece of a response as an event, and at the end the stored chat with the whole text.

    An error after the first piece is sent as the last event, without that end.
    """
    with _errors_for(author):
        async with services.chats.turn(given, author) as turn:
            begun = False
            try:
                async for piece in services.chats.pieces(turn):
                    begun = True
                    yield to_event(turn.chat, piece)
            except WireError as error:
                if not begun:
                    raise
                yield event({**_error_for(author, error).body(), "id": turn.chat["id"]}, "error")
                return
            yield await services.chats.record(turn, over=over), turn.text


async def _as_deltas(
    services: Services, given: JsonObject, author: Author, *, over: bool = False
) -> AsyncGenerator[bytes]:
    async for each in _stream(services, given, author, lambda chat, piece: event(delta_event(chat, piece)), over=over):
        yield each if isinstance(each, bytes) else DONE


async def _as_response_events(services: Services, given: JsonObject) -> AsyncGenerator[bytes]:
    created_s = services.clock.epoch_ms() // 1000
    count = 0

    def numbered(kind: str, more: JsonObject) -> bytes:
        nonlocal count
        count += 1
        return event({"type": kind, "sequence_number": count - 1, **more}, kind)

    def to_event(chat: JsonObject, piece: str) -> bytes:
        place = {"item_id": f"msg_{chat['id']}", "output_index": 0, "content_index": 0}
        begun = b""
        if count == 0:
            begun = numbered("response.created", {"response": openai_response(chat, "", created_s, "in_progress")})
        return begun + numbered("response.output_text.delta", {**place, "delta": piece})

    async for each in _stream(services, given, "owner", to_event):
        if isinstance(each, bytes):
            yield each
            continue
        chat, text = each
        place = {"item_id": f"msg_{chat['id']}", "output_index": 0, "content_index": 0}
        yield numbered("response.output_text.done", {**place, "text": text})
        yield numbered("response.completed", {"response": openai_response(chat, text, created_s)})

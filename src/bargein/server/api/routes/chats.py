"""`/chat`: text conversations with an assistant, streamed or not, with Vapi's semantics."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from bargein.server.agents.validate import check_rules
from bargein.server.api.auth import BearerGrant, require_private
from bargein.server.api.bodies import read_request
from bargein.server.api.event_stream import DONE, EventStream, event
from bargein.server.api.filters import where
from bargein.server.api.openapi import answers, body_of
from bargein.server.api.routes.v2 import Paged
from bargein.server.api.services import Reach, Services
from bargein.wire.assistant import Assistant, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.call import named_by_widget
from bargein.wire.chat import (
    CreateChat,
    CreateResponse,
    CreateWebChat,
    as_messages,
    delta_event,
    refuse_instructions,
    response_of,
)
from bargein.wire.errors import WireError, bad_request, parse_request

router = APIRouter(prefix="/chat", tags=["chats"])
_private = [Depends(require_private)]

_BODY = (400, 408, 413, 415, 501, 502, 504)
_EVENTS: JsonObject = {"text/event-stream": {"schema": {"type": "string"}}}
_STREAMED: dict[int | str, JsonObject] = {200: {"description": "The answer as it comes", "content": _EVENTS}}
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
    responses={**answers(201, *_BODY), **_STREAMED},
    openapi_extra=body_of(CreateChat),
    dependencies=_private,
)
async def create_chat(request: Request, services: Reach) -> Response:
    """Say something to an assistant, and get its answer: whole, or with `stream` as it comes."""
    asked, body = await read_request(request, CreateChat)
    given = _ready(asked, body)
    if asked.stream:
        return EventStream(lambda: _as_deltas(services, given))
    return JSONResponse(await _whole(services, given), 201)


@router.post(
    "/responses",
    responses={**answers(200, *_BODY), **_RESPONDED},
    openapi_extra=body_of(CreateResponse),
    dependencies=_private,
)
async def create_response(request: Request, services: Reach) -> Response:
    """The same, as OpenAI's Responses API has it; not streamed unless that is asked for, as there."""
    asked, body = await read_request(request, CreateResponse)
    given = _ready(asked, {name: value for name, value in body.items() if name != "model"})
    if asked.stream:
        return EventStream(lambda: _as_response_events(services, given))
    chat = await _whole(services, given)
    text = "".join(one.get("content") or "" for one in chat["output"] if one["role"] == "assistant")
    return JSONResponse(response_of(chat, text, services.clock.epoch_ms() // 1000))


@router.post(
    "/web",
    status_code=201,
    responses={**answers(201, *_BODY), **_STREAMED},
    openapi_extra=body_of(CreateWebChat),
)
async def create_web_chat(request: Request, grant: BearerGrant, services: Reach) -> Response:
    """The same from a page, with the public key; it is held together by a session, which is made where none is named.

    A page may set variables, and nothing else of an assistant that is stored.
    """
    asked, body = await read_request(request, CreateWebChat, named_by_widget)
    given = without_nulls(body)
    if asked.assistant is not None:
        _check_assistant(asked.assistant, given["assistant"])
    grant.check_assistant(await services.chats.who_answers(given))
    if grant.key == "public":
        refuse_instructions(as_messages(given["input"]))
    over = given.pop("sessionEnd", False)
    lasts: object = given.pop("sessionExpirationSeconds", None)
    laid: object = given.pop("assistantOverrides", None)
    values: object = cast("JsonObject", laid).get("variableValues") if isinstance(laid, dict) else None
    if isinstance(values, dict):
        given["assistantOverrides"] = {"variableValues": values}
    if "sessionId" not in given and "previousChatId" not in given:
        given = await _with_session(services, given, lasts)
    if asked.stream:
        return EventStream(lambda: _as_deltas(services, given, over=over))
    chat = await _whole(services, given, over=over)
    # what tools gave is the owner's, not the page's
    said = [one for one in chat["output"] if one["role"] == "assistant" and "tool_calls" not in one]
    shown = ("id", "sessionId", "orgId", "createdAt", "updatedAt")
    return JSONResponse({name: chat[name] for name in shown if name in chat} | {"output": said}, 201)


@router.get("", responses=answers(200, 400, paged=True), dependencies=_private)
async def list_chats(  # noqa: PLR0917  # one parameter for each of Vapi's filters; FastAPI passes them by name
    asked: Paged,
    services: Reach,
    id: str | None = None,  # noqa: A002  # Vapi's name of the filter
    idAny: str | None = None,  # noqa: N803  # FastAPI takes the name on the wire from the parameter
    assistantId: str | None = None,  # noqa: N803  # the same
    assistantIdAny: str | None = None,  # noqa: N803  # the same
    squadId: str | None = None,  # noqa: N803  # the same
    sessionId: str | None = None,  # noqa: N803  # the same
    previousChatId: str | None = None,  # noqa: N803  # the same
) -> JSONResponse:
    """A page of the chats."""
    wanted = where(
        one={"assistant_id": assistantId, "squad_id": squadId, "session_id": sessionId,
             "previous_chat_id": previousChatId},
        any_of={"id": idAny, "assistant_id": assistantIdAny},
    )  # fmt: skip
    page = await services.store.chats.page(replace(asked.query, id=id, where=wanted))
    return asked.answer(page, page.records)


@router.get("/{chat_id}", responses=answers(200, 404), dependencies=_private)
async def get_chat(chat_id: str, services: Reach) -> JSONResponse:
    """One chat."""
    return _found(await services.store.chats.get(chat_id), chat_id)


@router.delete("/{chat_id}", responses=answers(200, 404), dependencies=_private)
async def delete_chat(chat_id: str, services: Reach) -> JSONResponse:
    """Forget a chat; its session keeps what was said."""
    chat = await services.store.chats.delete(chat_id)
    if chat is not None:
        await services.owner_events.chat(chat, "chat.deleted")
    return _found(chat, chat_id)


def _ready(asked: CreateChat, body: JsonObject) -> JsonObject:
    """What was asked for, checked as far as it can be without the store.

    Raises:
        WireError: 400 for an assistant that cannot be run, 501 for a carrier that is not here.
    """
    if asked.transport is not None:
        raise WireError(501, "transport is not supported by this server: text messages need a carrier.")
    given = without_nulls(body)
    if asked.assistant is not None:
        _check_assistant(asked.assistant, given["assistant"])
    return given


def _check_assistant(assistant: Assistant, body: JsonObject) -> None:
    check_rules(assistant, "assistant.")
    known = Assistant.wire_names()
    try:
        parse_request(Assistant, {name: value for name, value in body.items() if name in known})
    except WireError as error:
        raise bad_request(*(f"assistant.{finding}" for finding in error.messages)) from None


async def _with_session(services: Services, given: JsonObject, lasts: object) -> JsonObject:
    """The body with a new session, which remembers who answers."""
    kept = {name: given[name] for name in ("assistantId", "assistant", "assistantOverrides", "customer")
            if name in given}  # fmt: skip
    if not kept.keys() & {"assistantId", "assistant"}:
        raise WireError(400, "Need either `assistant`, `assistantId` or `sessionId`.")
    if "assistantId" in kept and await services.store.assistants.get(kept["assistantId"]) is None:
        raise WireError(400, f"There is no assistant with the id {str(kept['assistantId'])[:80]}.")
    more = {} if lasts is None else {"expirationSeconds": lasts}
    session = await services.store.sessions.create({**kept, **more, "status": "active"})
    await services.owner_events.session(session, "session.created")
    rest = {name: value for name, value in given.items() if name not in kept}
    return {**rest, "sessionId": session["id"]}


async def _whole(services: Services, given: JsonObject, *, over: bool = False) -> JsonObject:
    async with services.chats.turn(given) as turn:
        async for _ in services.chats.pieces(turn):
            pass
        return await services.chats.keep(turn, over=over)


async def _told(
    services: Services, given: JsonObject, tell: Callable[[JsonObject, str], bytes], *, over: bool = False
) -> AsyncGenerator[bytes | tuple[JsonObject, str]]:
    """Each piece of an answer as an event; at last the chat that was kept, and the whole text.

    An error after the first piece is the last event, and no end is told.
    """
    async with services.chats.turn(given) as turn:
        said = False
        try:
            async for piece in services.chats.pieces(turn):
                said = True
                yield tell(turn.chat, piece)
        except WireError as error:
            if not said:
                raise
            yield event({**error.body(), "id": turn.chat["id"]}, "error")
            return
        yield await services.chats.keep(turn, over=over), turn.text


async def _as_deltas(services: Services, given: JsonObject, *, over: bool = False) -> AsyncGenerator[bytes]:
    async for each in _told(services, given, lambda chat, piece: event(delta_event(chat, piece)), over=over):
        yield each if isinstance(each, bytes) else DONE


async def _as_response_events(services: Services, given: JsonObject) -> AsyncGenerator[bytes]:
    created_s = services.clock.epoch_ms() // 1000
    count = 0

    def numbered(kind: str, more: JsonObject) -> bytes:
        nonlocal count
        count += 1
        return event({"type": kind, "sequence_number": count - 1, **more}, kind)

    def tell(chat: JsonObject, piece: str) -> bytes:
        place = {"item_id": f"msg_{chat['id']}", "output_index": 0, "content_index": 0}
        begun = b""
        if count == 0:
            begun = numbered("response.created", {"response": response_of(chat, "", created_s, "in_progress")})
        return begun + numbered("response.output_text.delta", {**place, "delta": piece})

    async for each in _told(services, given, tell):
        if isinstance(each, bytes):
            yield each
            continue
        chat, text = each
        place = {"item_id": f"msg_{chat['id']}", "output_index": 0, "content_index": 0}
        yield numbered("response.output_text.done", {**place, "text": text})
        yield numbered("response.completed", {"response": response_of(chat, text, created_s)})


def _found(chat: JsonObject | None, chat_id: str) -> JSONResponse:
    if chat is None:
        raise WireError(404, f"There is no chat with the id {chat_id[:80]}.")
    return JSONResponse(chat)

"""Validation of assistants and squads when a request names them, so that errors are found before a call begins.

`check_participants` resolves the agent of a call and parses and compiles it as `bargein.server.agents.assemble` does,
without opening anything.
"""

from bargein.call.plan.compile import PlanError, compile_plan
from bargein.call.plan.voice_text import check_voice_text
from bargein.providers.registry import TRANSCRIBERS
from bargein.server.agents.resolve import parse_assistant, resolve_call
from bargein.server.agents.squads import MissingAgentError, members_of, squad_of, stored_assistant
from bargein.store import Store
from bargein.wire.assistant import Assistant, AssistantOverrides, within_limits, without_nulls
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError, bad_request, parse_request
from bargein.wire.ownership import Author, author_of, credentials_named, without_marks
from bargein.wire.squad import Squad, check_members

NO_PARTICIPANT = "Need either `assistant`, `assistantId`, `squad`, or `squadId`"
"""Vapi's answer to a call without any of them."""
_PARTICIPANTS = ("assistant", "assistantId", "squad", "squadId", "workflow", "workflowId")


def check_rules(assistant: Assistant, within: str = "") -> None:
    """Check that the engine can run by an assistant's plans.

    Args:
        assistant: the assistant.
        within: the path of the assistant in the request, with a dot at its end.

    Raises:
        WireError: 400, naming the field.
    """
    try:
        compile_plan(assistant)
        check_voice_text(assistant)
    except PlanError as error:
        raise bad_request(f"{within}{error}") from None


def check_credentials(body: JsonObject, author: Author) -> None:
    """Check that a caller names no stored credential: those are for addresses that the owner sets.

    Raises:
        WireError: 400, naming the fields.
    """
    if author == "caller" and (fields := credentials_named(body)):
        raise bad_request(*(f"{field} names a stored credential, which needs the private key" for field in fields))


def check_assistant(assistant_json: JsonObject, within: str, *, closed: bool = False) -> None:
    """Check an inline assistant's fields and plans.

    Args:
        assistant_json: the assistant as it was given, without nulls.
        within: the path of the assistant in the request, with a dot at its end.
        closed: whether to refuse unknown fields in it.

    Raises:
        WireError: 400, naming the fields.
    """
    try:
        assistant = parse_assistant(without_marks(assistant_json), whole=True, closed=closed)
    except WireError as error:
        raise bad_request(*(f"{within}{finding}" for finding in error.messages)) from None
    check_rules(assistant, within)


async def check_squad(store: Store, squad: Squad, within: str = "") -> None:
    """Check that the assistants of a squad's members are stored, or can be run if they are inline.

    Args:
        store: where assistants are.
        squad: the squad.
        within: the path of the squad in the request, with a dot at its end.

    Raises:
        WireError: 400, naming the member.
    """
    check_members(squad, within)
    try:
        for index, member in enumerate(squad.members):
            if member.assistant is not None:
                check_rules(member.assistant, f"{within}members.{index}.assistant.")
            else:
                await stored_assistant(str(member.assistant_id), store)
    except MissingAgentError as error:
        raise error.as_bad_request() from None


def names_participant(body: JsonObject) -> bool:
    """Return True if a request names an assistant, a squad or a workflow."""
    return any(body.get(name) is not None for name in _PARTICIPANTS)


async def check_participants(participants: JsonObject, store: Store) -> None:
    """Check the assistant or squad that a call is to run, as it will run: with all overrides applied.

    Args:
        participants: the fields of a request or of the answer to an `assistant-request` that name it (`assistant`,
            `assistantId`, `assistantOverrides`, `squad`, `squadId`, `squadOverrides`) and their author (`MADE_BY`);
            their types have been checked.
        store: where assistants and squads are.

    Raises:
        WireError: 400: there is none, it does not exist, or it cannot be run; 501: it is a workflow.
    """
    given = {name for name in _PARTICIPANTS if participants.get(name) is not None}
    for name in ("workflowId", "workflow"):
        if name in given:
            raise WireError(501, f"{name} is not supported by this server.")
    if not given:
        raise WireError(400, NO_PARTICIPANT)
    by_squad = given & {"squad", "squadId"}
    if by_squad and given - by_squad:
        raise WireError(400, "Need either an assistant or a squad, not both.")
    try:
        if by_squad:
            await _check_squad_of_call(participants, store)
            return
        agent = await resolve_call(participants, store)
    except MissingAgentError as error:
        raise error.as_bad_request() from None
    if "assistant" in given:
        check_rules(Assistant.from_json(participants["assistant"]), "assistant.")
    if (overrides := participants.get("assistantOverrides")) is not None:
        check_rules(AssistantOverrides.from_json(overrides), "assistantOverrides.")
    check_assistant(within_limits(agent.assistant_json), "")
    _check_transcriber(agent.assistant_json, "")


async def _check_squad_of_call(participants: JsonObject, store: Store) -> None:
    """Check each member with its own overrides, the squad's and the call's applied."""
    inline = participants.get("squad")
    if inline is not None:
        try:
            parsed = parse_request(Squad, inline)
        except WireError as error:
            raise bad_request(*(f"squad.{finding}" for finding in error.messages)) from None
        await check_squad(store, parsed, "squad.")
    author = author_of(participants)
    squad = await squad_of(participants, store, author) or {}
    for index, member in enumerate(await members_of(squad, store, participants.get("squadOverrides"), author)):
        check_assistant(within_limits(without_nulls(member.assistant)), f"squad.members.{index}.assistant.")
        _check_transcriber(without_nulls(member.assistant), f"squad.members.{index}.assistant.")


def _check_transcriber(assistant_json: JsonObject, within: str) -> None:
    """Check that this server has what the transcriber of an assistant needs, as far as its vendor can tell."""
    transcriber = parse_assistant(without_marks(assistant_json)).transcriber
    part = None if transcriber is None else TRANSCRIBERS.get(transcriber.provider)
    if part is None or part.find_problem is None or not isinstance(transcriber, part.config):
        return
    if (problem := part.find_problem(transcriber)) is not None:
        raise bad_request(f"{within}transcriber.language: {problem}")

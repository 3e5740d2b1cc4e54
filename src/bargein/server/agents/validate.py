"""What only the engine can tell of an assistant: found when it is given, not when a caller is on the line."""

from bargein.call.plan.compile import RulesError, compile_plan
from bargein.store import Store
from bargein.wire.assistant import Assistant
from bargein.wire.errors import WireError, bad_request
from bargein.wire.squad import Squad, check_members


def check_rules(assistant: Assistant, within: str = "") -> None:
    """See that the engine can run by the assistant's plans.

    Args:
        assistant: the assistant.
        within: where in the request it stands, with a dot at its end.

    Raises:
        WireError: 400, naming the field.
    """
    try:
        compile_plan(assistant)
    except RulesError as error:
        raise bad_request(f"{within}{error}") from None


async def check_squad(store: Store, squad: Squad) -> None:
    """See that a squad's members are there, and that their assistants can be run.

    Args:
        store: where assistants are.
        squad: the squad.

    Raises:
        WireError: 400, naming the member.
    """
    check_members(squad)
    for index, member in enumerate(squad.members):
        if member.assistant is not None:
            check_rules(member.assistant, f"members.{index}.assistant.")
        elif await store.assistants.get(str(member.assistant_id)) is None:
            raise WireError(400, f"There is no assistant with the id {str(member.assistant_id)[:80]}.")

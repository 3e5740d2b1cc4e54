"""The limits of a token: in whatever a caller writes, it names no assistant that it may not have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.wire.errors import WireError
from bargein.wire.limits import CALLER_LIMITS, AssistantLimits
from tests.vapi_schema import fill

MINE, OTHER = "mine", "other"
NAMED = AssistantLimits(frozenset({MINE}), transient=False)
WITH_OWN = AssistantLimits(frozenset({MINE}), transient=True)
STORED_ONLY = AssistantLimits(None, transient=False)


def refused(limits: AssistantLimits, written: dict[str, Any]) -> bool:
    try:
        limits.check_written(written)
    except WireError as error:
        return error.status == 403
    return False


BY_ID = {"type": "assistant", "assistantId": OTHER}
INLINE = {"type": "assistant", "assistant": {"name": "Mine"}}
BY_NAME = {"type": "assistant", "assistantName": "Bea"}
FORBIDDEN: dict[str, tuple[dict[str, Any], tuple[AssistantLimits, ...]]] = {
    "another assistant": (BY_ID, (NAMED, WITH_OWN)),
    "another assistant by its name": (BY_NAME, (NAMED, WITH_OWN)),
    "a squad": ({"type": "squad", "squadId": OTHER}, (NAMED, WITH_OWN)),
    "an assistant of its own": (INLINE, (NAMED, STORED_ONLY)),
    "a squad of its own": ({"type": "squad", "squad": {"members": []}}, (NAMED, STORED_ONLY)),
    "a member of a squad": ({"squad": {"members": [{"assistantId": OTHER}]}}, (NAMED, WITH_OWN)),
    "a dynamic destination": ({"type": "dynamic", "server": {"url": "https://x"}}, (NAMED, WITH_OWN, STORED_ONLY)),
    "a tool whose destination a server names": ({"type": "handoff"}, (NAMED, WITH_OWN, STORED_ONLY)),
    "a transfer whose destination a server names": (
        {"type": "transferCall", "destinations": []},
        (NAMED, WITH_OWN, STORED_ONLY),
    ),
    "a server that is asked for destinations": (
        {"assistantOverrides": {"server": {"url": "https://x"}}},
        (NAMED, WITH_OWN, STORED_ONLY),
    ),
    "an older server": ({"squadOverrides": {"serverUrl": "https://x"}}, (NAMED, WITH_OWN, STORED_ONLY)),
}
WITHIN = st.lists(
    st.sampled_from(
        ["assistantOverrides", "model", "tools", "tools:append", "destinations", "hooks", "do", "destination", "x",
         "members", "assistantDestinations", "membersOverrides", "squadOverrides", "fallbackPlan"]
    ),
    max_size=6,
)  # fmt: skip


@pytest.mark.parametrize("which", FORBIDDEN)
@given(within=WITHIN, beside=st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=3), max_size=2))
def test_what_is_forbidden_is_refused_wherever_it_is_written(
    which: str, within: list[str], beside: dict[str, Any]
) -> None:
    json, by = FORBIDDEN[which]
    for n, name in enumerate(within):
        json = {**beside, name: [json] if n % 2 else json}
    for limits in by:
        assert refused(limits, json)
    assert not refused(AssistantLimits(), json)


@pytest.mark.parametrize("branch", range(8))
def test_overrides_that_name_nobody_are_allowed(branch: int) -> None:
    overrides = fill("AssistantOverrides", lambda _: False, "", branch=branch)
    for name in ("server", "hooks"):
        overrides.pop(name, None)
    for part in ("tools", "toolIds"):
        overrides["model"].pop(part, None)
    overrides.pop("tools:append", None)
    values = {"assistantId": OTHER, "assistant": {"server": {}}, "type": "dynamic"}
    written = {"assistantOverrides": overrides | {"variableValues": values, "metadata": values}, "assistantId": MINE}
    for limits in (NAMED, WITH_OWN, STORED_ONLY):
        assert not refused(limits, written), limits
    tool = {"type": "handoff", "destinations": [{"type": "assistant", "assistantId": MINE}]}
    phone = {"type": "transferCall", "destinations": [{"type": "number", "number": "+15550100"}]}
    assert not refused(NAMED, {"assistantOverrides": {"tools:append": [tool, phone]}})


@pytest.mark.parametrize("limits", [NAMED, WITH_OWN, STORED_ONLY, AssistantLimits()])
def test_a_record_keeps_the_limits(limits: AssistantLimits) -> None:
    record = limits.limited({"id": "c", CALLER_LIMITS: {"assistantIds": None, "transient": True}})
    assert AssistantLimits.of_record(record) == limits
    assert (CALLER_LIMITS in record) == bool(limits)
    assert AssistantLimits.of_record({"id": "c"}) == AssistantLimits()

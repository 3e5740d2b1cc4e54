"""Callers talk over our agent. Run it with `pytest`: it needs no key and no network."""

from pathlib import Path

import pytest

HOURS = (
    "We are open from Tuesday to Saturday, at noon for lunch and at six in the evening for dinner. "
    "On Sunday we serve lunch only, and on Monday the kitchen is closed for the whole day."
)


@pytest.fixture
def assistant():
    return Path("assistant.json")  # beside this file; its vendors are replaced by the embedded models


async def test_a_caller_can_interrupt(caller, model):
    model.answers(HOURS, "Sure. For how many people?")

    await caller.say("When are you open?")
    await caller.interrupt_after(1.5, "Stop, stop, please.")

    assert caller.silent_within_ms(600)
    assert caller.interrupted[0]["turnId"] == caller.turns[0].turn_id
    assert caller.tokens_after_cut == []
    assert "Monday" not in caller.heard_text  # the history ends with the words that were heard


async def test_the_agent_talks_through_an_acknowledgement_and_a_cough(caller, model):
    model.answers(HOURS)

    await caller.say("When are you open?")
    await caller.backchannel("uh-huh")
    assert caller.kept_talking_through()
    await caller.cough(after=4.0)
    assert caller.kept_talking_through()


async def test_the_agent_books_a_table(caller, model, owner):
    owner.tool("book_table", lambda day, people: {"table": 7, "day": day, "people": people})
    model.calls_tool("book_table", day="Friday", people=2).answers("Table seven is yours.")

    await caller.say("A table for two on Friday, please.")
    await caller.wait_until_silent()
    record = await caller.hang_up()

    assert caller.tool_calls[0].arguments == {"day": "Friday", "people": 2}
    assert model.requests[-1]["messages"][-1]["role"] == "tool"
    assert "Table seven" in caller.heard_text
    assert record["endedReason"] == "customer-ended-call"
    assert (await owner.wait_for("end-of-call-report"))["artifact"]["transcript"]

"""`docs/engine.md` is current, its laws are tested, and what it names exists."""

from pathlib import Path
from typing import get_args

from dev.engine import LAWS, TARGET, page

from bargein.turns import phases
from bargein.turns.agenda import AGENDA
from bargein.turns.events import Event

TESTS = Path(__file__).parent / "turns"


def test_the_page_is_current() -> None:
    assert TARGET.read_text() == page(), "run `make engine-docs`"


def test_each_law_is_named_by_a_property_test() -> None:
    code = "".join(path.read_text() for path in TESTS.glob("*.py"))
    assert all(f"law {number}:" in code.lower() for number, _ in enumerate(LAWS, 1))


def test_each_cause_in_the_state_diagram_is_an_event_or_an_agenda_item() -> None:
    known = {item.name for item in AGENDA} | {event.__name__ for event in get_args(Event)}
    assert {cause for transition in phases.TRANSITIONS for cause in transition.causes} <= known


def test_each_end_of_a_transition_is_a_phase_or_a_group() -> None:
    ends = {end for transition in phases.TRANSITIONS for end in (transition.source, transition.target)}
    assert ends <= {*phases.PHASES, *phases.GROUPS}
    assert {*phases.PHASES} == {*get_args(phases.Phase)}


def test_the_names_of_agenda_items_are_unique_and_each_has_a_sentence() -> None:
    assert len({item.name for item in AGENDA}) == len(AGENDA)
    assert all(item.why.startswith("Due ") and item.why.endswith(".") for item in AGENDA)

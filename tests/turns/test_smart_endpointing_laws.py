"""The laws with the owner's endpointing model, and those of its requests.

It answers as such servers do: in time, late, twice, about a pause that is over, with nonsense, or never.
"""

import re
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, rule

from bargein.turns import Plan, State
from bargein.turns.commands import AskEndpointing, Command, Decide
from bargein.turns.events import EndpointingAnswered, Event
from bargein.turns.phrases import count_words
from tests.turns import test_laws

PAUSES = st.sampled_from([None, None, 0, 0, 100, 700, 3000, 15_000])
"""The answers: none that is usable, or up to the longest that Vapi allows."""


MODELS_WORD = re.compile(r"the owner's endpointing model waits (\d+) ms")


class EndpointingConversation(test_laws.Conversation):
    """A random call with the owner's endpointing model."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.first_answers: dict[int, int | None] = {}

    @initialize(plan=test_laws.PLANS, endpointing_timeout_ms=st.sampled_from([200, 1000, 5000]))
    def begin(self, plan: Plan, endpointing_timeout_ms: int) -> None:
        # As the assistant's plan has it: who is asked stands in the place of a wait function.
        super().begin(replace(plan, endpointing_timeout_ms=endpointing_timeout_ms, wait_function=None))

    @rule(gap=test_laws.GAPS, pause_ms=PAUSES, data=st.data())
    def owner_answers(self, gap: int, pause_ms: int | None, data: st.DataObject) -> None:
        """Answer mostly the last request, sometimes an older or an unknown one."""
        last = len(self.asked)
        number = data.draw(st.sampled_from([last, last, last, last, last - 1, 1, last + 1, 0, -1]))
        at_ms = self.now + gap
        self.tick_until(at_ms)
        counts = self.state.phase == "live" and 0 < number == len(self.asked) and number not in self.first_answers
        before = self.state.endpointing_request
        if counts:
            self.first_answers[number] = pause_ms
        self.feed(EndpointingAnswered(at_ms, number, pause_ms))
        if not counts:
            assert self.state.endpointing_request == before, "only the first answer to the last question counts"

    @rule(
        gap=test_laws.GAPS,
        text=st.sampled_from(["I would like", "What are your hours?", "it is four seven"]),
        late_ms=st.sampled_from([0, 1, 40, 190, 400]),
        pause_ms=PAUSES,
    )
    def caller_pauses_and_owner_answers(self, gap: int, text: str, late_ms: int, pause_ms: int | None) -> None:
        """Let the caller pause and the model answer, in one rule: otherwise few conversations have answers."""
        self.voice_starts(gap, 0)
        self.voice_stops(600, 0)
        self.words_come(50, text, final=True)
        asked = len(self.asked)
        at_ms = self.now + late_ms
        self.tick_until(at_ms)
        if asked and asked == len(self.asked) and asked not in self.first_answers and self.state.phase == "live":
            self.first_answers[asked] = pause_ms
            self.feed(EndpointingAnswered(at_ms, asked, pause_ms))

    def observe(self, command: Command, before: State, event: Event) -> None:
        super().observe(command, before, event)
        match command:
            case AskEndpointing(number, said):
                assert self.plan.endpointing_timeout_ms is not None, "who has no such plan is not asked"
                assert number == len(self.asked) + 1, "questions are numbered in order"
                assert count_words(said), "nobody is asked about nothing"
                assert not self.voiced or before.caller.background or self.state.caller.background, (
                    "nor while the caller speaks"
                )
                self.asked.append(self.now)
            case Decide("answering", why):
                self.check_answering(why, before)
            case _:
                pass

    def check_answering(self, why: str, before: State) -> None:
        """Check that a turn ends by the model's answer, or without one not before its time limit."""
        number, plan = len(self.asked), self.plan
        by_owner = MODELS_WORD.search(why)
        if by_owner:
            assert int(by_owner[1]) == self.first_answers[number], "what was answered, to the last question, first"
            if not self.state.caller.background and not before.caller.background:
                # words may come of a voice that the detector never heard
                offset_ms = self.last_offset or 0
                assert self.now >= offset_ms + int(by_owner[1]), "counted from the end of the voice"
        elif plan.endpointing_timeout_ms is not None:
            assert number, "a plan that asks has asked before the turn is over"
            assert self.first_answers.get(number) is None, "a usable answer is what decides"
            answered = number in self.first_answers
            assert answered or self.now >= self.asked[-1] + plan.endpointing_timeout_ms, "an answer is waited for"


EndpointingConversation.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLawsWhereOthersAreAsked = EndpointingConversation.TestCase

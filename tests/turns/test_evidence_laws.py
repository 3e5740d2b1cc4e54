"""The laws under adaptive interruption, with those of ducking."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, invariant, rule

from bargein.turns import Plan, State, wake_at
from bargein.turns.commands import Command, Decide, Duck, KeepReply, Remember, StartReply, Unduck
from bargein.turns.events import Event, InterruptionJudged
from bargein.turns.interruption.evidence import (
    CERTAIN,
    ECHO,
    JUDGED_BY_MS,
    LONG_MS,
    OVER_MS,
    POSSIBLE_ECHO,
    THRESHOLDS,
    TWICE_LESS,
    UNJUDGED_MS,
    UNLIKELY,
    WORDS,
    is_backchannel,
    may_become_backchannel,
    phrase_interrupts,
    repeats,
    threshold,
)
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from bargein.turns.phrases import count_words, find_phrase
from bargein.turns.replies.history import recently_spoken
from tests.turns import test_laws

AGES = [age_ms for age_ms, _ in THRESHOLDS]


class Overhearing(test_laws.Conversation):
    """A random call whose voices are judged by their sound, rightly or not, late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.verdict: InterruptionJudged | None = None
        self.verdict_before: InterruptionJudged | None = None
        self.ducked: str | None = None
        self.heard: dict[str, str] = {}
        self.resumed: str | None = None
        self.floors: dict[str | None, int] = {}

    @initialize(plan=test_laws.PLANS)
    def begin(self, plan: Plan) -> None:
        super().begin(replace(plan, adaptive_interruption=True))

    @rule(gap=test_laws.GAPS, early=st.sampled_from([0, 10, 32]))
    def voice_starts(self, gap: int, early: int) -> None:
        onset_ms = max(self.now + gap - early, self.last_offset or 0, 0)
        fresh = self.last_offset is None or onset_ms - self.last_offset > BRIDGED_DIP_MS
        if fresh and not self.voiced and not self.deaf:
            self.tick_until(self.now + gap)  # until then it is the run before that counts
            self.verdict = self.verdict_before = None
        super().voice_starts(gap, early)

    @rule(
        gap=st.sampled_from([0, 5, 20, 64]),
        age_ms=st.sampled_from(AGES),
        probability=st.sampled_from([0.0, 0.1, 0.29, 0.3, 0.5, 0.6, 0.7, 0.75, 0.85, 0.95, 1.0]),
        echo=st.sampled_from([0.0, 0.0, 0.0, 0.2, 0.9]),
        stale=st.sampled_from([False] * 5 + [True]),
    )
    def voice_is_judged(self, *, gap: int, age_ms: int, probability: float, echo: float, stale: bool) -> None:
        at_ms = self.now + gap
        self.tick_until(at_ms)
        event = InterruptionJudged(at_ms, self.run_onset + (1 if stale else 0), age_ms, probability, echo)
        if not stale and not self.deaf and (self.verdict is None or age_ms >= self.verdict.age_ms):
            if self.verdict is not None and age_ms > self.verdict.age_ms:
                self.verdict_before = self.verdict
            self.verdict = event
        self.feed(event)

    def observe(self, command: Command, before: State, event: Event) -> None:
        super().observe(command, before, event)
        match command:
            case Duck(turn):
                assert turn in self.playing
                assert turn not in self.closed, "only what sounds is ducked"
                assert self.ducked != turn, "it is not ducked twice"
                assert turn not in self.protected, "protected speech is not ducked"
                assert self.voiced, "it is ducked for a voice"
                self.ducked = turn
            case Unduck(turn):
                assert self.ducked == turn, "only what is ducked comes back"
                assert turn not in self.closed, "a dip stays a dip: what comes back was not cut"
                self.ducked = None
            case _:
                self.observe_recovery(command)

    def observe_recovery(self, command: Command) -> None:
        """Check that a reply is resumed with a part of its text, no later than the first word that was not heard."""
        match command:
            case Remember("assistant") if command.turn_id is not None and not command.tool_calls:
                self.heard[command.turn_id] = command.text
            case Decide("stopped", _, turn):
                self.floors[turn] = self.now + self.plan.backoff_ms
            case Decide("resumed", _, turn) if turn is not None:
                self.resumed = turn
                self.floors.pop(turn, None)
            case KeepReply():
                self.resumed = None  # the rest had been prepared (law 21)
            case StartReply(_, text) if self.resumed is not None:
                turn, self.resumed = self.resumed, None
                heard = None if self.plan.remember_model_output else self.heard.get(turn)
                # Spaces do not count: a cut between two segments may be within a word ("?" and "Sure.").
                whole = "".join(self.texts.get(turn, "").split())
                so_far = "".join((heard or "").split())
                if text is not None and so_far and so_far != whole:  # else there is nothing to resume
                    rest = "".join(text.split())
                    found = any(whole.startswith(rest, begin) for begin in range(len(so_far) + 1))
                    assert found, "it resumes no later than with the first word that was not heard"
            case _:
                pass

    def check_threshold(self, before: State) -> None:
        """Check laws 5 and 6: each cut has a reason in the caller's real voice and words."""
        assert before.reply is not None
        assert before.reply.interruptible, "law 6: protected speech is never cut"
        said = self.utterance if self.said_at > self.audible_at else ""
        words, judged = count_words(said), self.verdict
        assert judged is None or judged.echo < ECHO, "our own voice never interrupts"
        if judged is not None and judged.echo >= POSSIBLE_ECHO:
            assert not repeats(said, recently_spoken(before.reply)), "nor do our own words"
        phrase = find_phrase(said, self.plan.interruption_phrases)
        heard = replace(before.caller, utterance_final=self.utterance_final, judged=judged)
        if words and phrase and phrase_interrupts(phrase, heard, words):
            assert judged is not None or self.now - self.run_onset >= JUDGED_BY_MS, "law 5: it is judged first"
            return
        if words and is_backchannel(said, self.plan):
            assert not self.utterance_final, "law 6: a backchannel never interrupts"
            assert judged is not None
            assert judged.probability >= CERTAIN, "a partial backchannel interrupts only with a certain sound"
            words = 0
        if may_become_backchannel(heard, self.plan, said):
            words = 0
        lasted_ms = self.now - self.run_onset if self.voiced else 0
        assert (
            (words and judged is None and self.now - self.run_onset >= JUDGED_BY_MS)
            or (words and judged is not None and judged.probability >= WORDS[min(words, len(WORDS)) - 1])
            or (judged is None and lasted_ms >= UNJUDGED_MS)
            or (self.sound_suffices() and self.sounds())
            or (judged is not None and judged.probability >= UNLIKELY and lasted_ms >= LONG_MS)
        ), "law 5: never earlier than the evidence allows"

    def sound_suffices(self) -> bool:
        """Return True if the latest judgement is sure enough for its age, or almost, and the one before it as well."""
        judged, before = self.verdict, self.verdict_before
        if judged is None:
            return False
        least = threshold(judged.age_ms)
        twice = before is not None and min(judged.probability, before.probability) >= least - TWICE_LESS
        return judged.probability >= least or twice

    def sounds(self) -> bool:
        """Return True if the voice is there, or was shortly before."""
        return self.voiced or self.now - (self.last_offset or 0) <= OVER_MS

    @invariant()
    def interrupts_in_time(self) -> None:
        """Check law 5: sufficient evidence has cut a reply that could be cut."""
        reply, caller = self.state.reply, self.state.caller
        if reply is None or reply.audible_ms is None or not reply.interruptible or caller.has_interrupted:
            return
        if count_words(caller.utterance):
            return
        judged = self.verdict
        if judged is None:
            late = caller.voiced and not caller.background and self.state.now_ms - caller.onset_ms >= UNJUDGED_MS
        else:
            late = judged.echo < ECHO and self.sound_suffices() and caller.voiced
        assert not late, "law 5: not later than the evidence says"

    @invariant()
    def what_is_ducked_comes_back(self) -> None:
        reply = self.state.reply
        if reply is None or not reply.ducked:
            return
        assert self.ducked == reply.turn_id
        if not self.state.caller.voiced:
            due = wake_at(self.state, self.plan)
            assert due is not None
            assert due <= self.state.caller.offset_ms + self.plan.unduck_after_ms

    @invariant()
    def a_voice_without_words_is_recovered_from_soon(self) -> None:
        state, caller = self.state, self.state.caller
        if (
            state.false_interruption is None
            or state.assistant_muted
            or state.phase != "live"
            or state.closing is not None
        ):
            return
        if self.voiced or caller.said or state.caller.voiced:
            return
        silent_ms = state.now_ms - max(caller.offset_ms, caller.words_at_ms)
        assert silent_ms < self.plan.false_interruption_timeout_ms, "no voice without words leaves the call silent"

    @invariant()
    def nothing_backs_off_from_a_false_alarm(self) -> None:
        reply = self.state.reply
        if reply is not None and reply.kind == "resumed":
            assert reply.not_before_ms <= max(self.floors.values(), default=0), (
                "only a true interruption is backed off from"
            )


Overhearing.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLawsByEvidence = Overhearing.TestCase

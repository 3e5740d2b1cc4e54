"""An independent observer of the hooks of a random call."""

from collections import Counter

import hypothesis.strategies as st

from bargein.turns import Plan, State
from bargein.turns.commands import CallHookTool, CloseReply, Command, Decide, EndCall, Play, StartReply, SwitchAssistant
from bargein.turns.events import AddMessage, Event, HangUp, Say, TranscriptReceived
from bargein.turns.hooks.plan import Action, Hook
from bargein.turns.hooks.triggers import CLOSING_MS, CLOSING_WITHOUT_CALLER_MS
from bargein.turns.phrases import count_words

STILL_THERE = "Are you still there?"
ACTIONS = st.sampled_from(
    [
        Action(kind="say", texts=("Sorry.", "Go ahead.")),
        Action(kind="prompt", prompt=(("system", "Say goodbye."),)),
        Action(kind="add", texts=("Wrap up.",)),
        Action(kind="add", texts=("Note it.",), respond=False),
        Action(kind="tool", tool=0),
        Action(kind="tool", tool=1),
        Action(kind="tool", tool=2),
    ]
)
IDLE = st.builds(
    Hook,
    on=st.just("customer.speech.timeout"),
    do=st.sampled_from([(Action(kind="say", texts=(STILL_THERE,)),), (Action(kind="tool", tool=0),)]),
    after_ms=st.sampled_from([1000, 3000, 7500]),
    max_count=st.sampled_from([1, 3]),
    reset_on_speech=st.booleans(),
)
OTHERS = st.builds(
    Hook,
    on=st.sampled_from(
        [
            "assistant.speech.interrupted", "customer.speech.interrupted", "call.ending", "call.timeElapsed",
            "model.response.timeout",
        ]
    ),
    do=st.lists(ACTIONS, min_size=1, max_size=2).map(tuple),
    after_ms=st.sampled_from([0, 2000, 9000]),
    max_count=st.just(1),
    reasons=st.sampled_from([(), (("silence-timed-out", "customer-ended-call"),), (("nothing",),)]),
)  # fmt: skip
HOOKS = st.lists(st.one_of(IDLE, OTHERS), max_size=4).map(
    lambda hooks: tuple(named(hook, n) for n, hook in enumerate(hooks))
)


def named(hook: Hook, number: int) -> Hook:
    """Give a hook a unique name, by which the observer knows it, and no limit if its trigger is common."""
    often = hook.on in ("assistant.speech.interrupted", "customer.speech.interrupted", "model.response.timeout")
    most = 0 if often else hook.max_count
    return Hook(
        on=hook.on, do=hook.do, name=f"hook-{number}", after_ms=hook.after_ms, max_count=most,
        reset_on_speech=hook.reset_on_speech, reasons=hook.reasons,
    )  # fmt: skip


class HookWatch:
    """Checks laws 13 to 17 against everything that happens in a call."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.texts: dict[str, str | None] = {}
        self.playing: set[str] = set()
        self.words_ms: int | None = None
        self.sounded_ms: int | None = None
        self.asked_ms = 0
        self.closing_ms: int | None = None
        self.limit_ms = CLOSING_MS
        self.hung_up_ms: int | None = None
        self.response_pending: list[str] = []

    def hears(self, event: Event, state: State, *, deaf: bool) -> None:
        """Note an event before it is applied."""
        if isinstance(event, HangUp) and self.hung_up_ms is None and state.phase == "live":
            self.hung_up_ms = event.at_ms

    def observe(self, command: Command, before: State, event: Event, plan: Plan, now_ms: int) -> None:
        match command:
            case Decide("hook", why):
                self.check_hook(why, before, event, plan, now_ms)
            case CallHookTool(turn_id):
                assert turn_id not in self.response_pending
                self.response_pending.append(turn_id)
            case StartReply(turn_id, text):
                assert self.closing_ms is None or self.limit_ms == CLOSING_MS, "a caller who has left is told nothing"
                self.texts[turn_id] = text
            case Play(turn_id):
                self.check_play(turn_id, before)
            case CloseReply(turn_id, outcome):
                self.check_close(turn_id, outcome, event, now_ms)
            case SwitchAssistant():
                self.counts.clear()
                self.totals.clear()
                assert self.closing_ms is None or self.limit_ms == CLOSING_MS, "no handoff after the caller has left"
                self.closing_ms, self.limit_ms = None, CLOSING_MS
            case EndCall(reason):
                self.check_end(reason, plan, now_ms)
            case _:
                pass

    def check_hook(self, why: str, before: State, event: Event, plan: Plan, now_ms: int) -> None:
        hook = next(hook for hook in plan.hooks if why.endswith(f" {hook.name}"))
        self.counts[hook.name] += 1
        self.totals[hook.name] += 1
        if hook.max_count:
            count = self.counts[hook.name] if hook.reset_on_speech else self.totals[hook.name]
            assert count <= hook.max_count, "law 13: a hook keeps to its limit"
        match hook.on:
            case "customer.speech.timeout":
                since_ms = max(self.words_ms or 0, self.sounded_ms or 0)
                assert now_ms - since_ms >= hook.after_ms, "law 14: an idle hook is not early"
                assert not self.playing, "law 14: an idle hook does not trigger while the assistant speaks"
                self.asked_ms = now_ms
            case "call.timeElapsed":
                assert now_ms >= before.started_ms + hook.after_ms
            case "call.ending":
                if self.closing_ms is None:
                    self.closing_ms = now_ms
                    self.limit_ms = CLOSING_WITHOUT_CALLER_MS if isinstance(event, HangUp) else CLOSING_MS
            case _:
                pass

    def check_play(self, turn_id: str, before: State) -> None:
        self.playing.add(turn_id)
        if self.texts[turn_id] == STILL_THERE:
            assert (self.words_ms or 0) <= self.asked_ms, "law 15: no idle message after the caller has spoken"

    def check_close(self, turn_id: str, outcome: str, event: Event, now_ms: int) -> None:
        if outcome == "replaced":
            by_say = isinstance(event, Say) and event.interrupts
            assert by_say or turn_id not in self.playing, "law 15: no hook cuts a reply that sounds"
        if turn_id in self.playing and self.texts[turn_id] != STILL_THERE:
            self.sounded_ms = now_ms
        self.playing.discard(turn_id)

    def takes(self, event: Event, state: State, *, deaf: bool) -> None:
        """Note an event after it was applied: words count from here on."""
        if isinstance(event, AddMessage) and event.role == "user" and event.respond and count_words(event.text):
            self.counts.clear()
            self.words_ms = state.now_ms
        if isinstance(event, TranscriptReceived) and not deaf and count_words(event.text):
            self.counts.clear()  # also where they were answered at the same time
            self.words_ms = state.now_ms if state.caller.said else self.words_ms

    def check_end(self, reason: str, plan: Plan, now_ms: int) -> None:
        if self.closing_ms is not None:
            assert now_ms - self.closing_ms <= self.limit_ms, "law 16: hooks keep to their time limit"
        for hook in plan.hooks:
            if hook.on == "call.ending":
                fits = all(reason in values for values in hook.reasons)
                assert self.totals[hook.name] == fits or reason == "", "law 16: matching hooks trigger once"

    def check_time(self, state: State, plan: Plan) -> None:
        """Law 16: no hook keeps a call from ending."""
        if state.phase != "live":
            return
        assert state.now_ms <= state.started_ms + plan.max_duration_ms + CLOSING_MS
        assert self.hung_up_ms is None or state.now_ms < self.hung_up_ms + CLOSING_MS
        for hook in plan.hooks:
            if hook.on == "call.timeElapsed" and state.closing is None and state.plan is None:
                assert self.totals[hook.name] == (state.now_ms >= state.started_ms + hook.after_ms), "law 17: on time"

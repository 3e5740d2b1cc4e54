"""No dead air without an end, whatever model, voice and tools do.

The law: while a call is live and no tool is awaited, there is no stretch longer than `silenceTimeoutSeconds` and
`DEAD_AIR_GRACE_MS` in which neither the caller nor the assistant is heard. A reply is heard where its audio is loud
enough; tokens, silent samples and audio that comes byte by byte are not.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bargein.turns.commands import Play
from bargein.turns.events import (
    Played,
    ReplyEnded,
    ReplyToken,
    SpeechQueued,
    SpeechRequested,
    ToolCallRequest,
    ToolReturned,
    ToolsCalled,
)
from bargein.turns.replies.speaking import DEAD_AIR_GRACE_MS
from tests.turns.talking import Call, waiting

ACTIONS = st.sampled_from(["token", "say", "quiet", "loud", "done", "end", "tool", "result"])
GAPS = st.sampled_from([0, 100, 1000, 4000, 9000, 15_000, 29_000])
MODEL, VOICE = waiting().model_failed_reason, waiting().voice_failed_reason
SLACK_MS = 2000
"""How late an observer that looks every 100 ms sees a sound, and the waits for the caller's words and pause."""


@dataclass
class Peers:
    """A model, a voice, tools and a player that do as they are told, and an observer of what is heard."""

    call: Call
    now: int = 0
    heard_at: int = 0
    queued: int = 0
    position: int = 0
    loud: list[tuple[int, int]] = field(default_factory=list)
    turn: str = ""
    spoken: int = 0
    tools: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def over(self) -> bool:
        return self.call.state.phase == "ended"

    def follow(self) -> None:
        """Begin anew where another reply runs."""
        reply = self.call.state.reply
        if reply is not None and reply.turn_id != self.turn:
            self.turn, self.queued, self.position, self.spoken, self.loud = reply.turn_id, 0, 0, 0, []

    def sound_ms(self) -> int:
        """Return how far the last audible part of the reply reaches that has been played."""
        return max((min(end, self.position) for begin, end in self.loud if begin < self.position), default=0)

    def wait(self, gap_ms: int) -> None:
        """Let time pass; what was queued is played meanwhile."""
        end = self.now + gap_ms
        while self.now < end and not self.over:
            self.now = min(end, self.now + 100)
            self.call.until(self.now)
            self.follow()
            plays = any(command.turn_id == self.turn for command in self.call.commands(Play))
            reply = self.call.state.reply
            if reply is not None and plays:
                before, self.position = self.sound_ms(), min(self.queued, self.position + 100)
                if self.sound_ms() > before:
                    self.heard_at = self.now
                drained = self.position == self.queued
                self.call.feed(Played(self.now, self.turn, self.position, drained, heard_ms=self.sound_ms()))
            if any(tool.awaited for tool in self.call.state.tools):
                self.heard_at += 100
            self.check()

    def check(self) -> None:
        limit_ms = self.call.plan.silence_timeout_ms + DEAD_AIR_GRACE_MS + SLACK_MS
        assert self.over or self.now - self.heard_at <= limit_ms, self.call.events[-8:]

    def act(self, action: str) -> None:
        self.follow()
        reply = self.call.state.reply
        if action == "result" and self.tools:
            self.call.feed(ToolReturned(self.now, self.tools.pop(), "done"))
        if reply is None or self.over:
            return
        unspoken = reply.text[self.spoken :].strip()
        last = reply.segments[-1] if reply.segments else None
        match action:
            case "token":
                self.call.feed(ReplyToken(self.now, self.turn, "word "))
            case "say" if unspoken and (last is None or last.done):
                start = reply.text.index(unspoken, self.spoken)
                self.spoken = start + len(unspoken)
                self.call.feed(SpeechRequested(self.now, self.turn, len(reply.segments), start, unspoken))
            case "quiet" | "loud" if last is not None and not last.done:
                if action == "loud":
                    self.loud.append((self.queued, self.queued + 500))
                self.queued += 500 if action == "loud" else 5000
                more = last.audio_ms + (500 if action == "loud" else 5000)
                self.call.feed(SpeechQueued(self.now, self.turn, len(reply.segments) - 1, more))
            case "done" if last is not None and not last.done:
                self.call.feed(SpeechQueued(self.now, self.turn, len(reply.segments) - 1, last.audio_ms, done=True))
            case "end" if last is None or last.done:
                self.call.feed(ReplyEnded(self.now, self.turn))
            case "tool" if not reply.called_tools:
                self.count += 1
                request = ToolCallRequest(id=f"t{self.count}", name="look", arguments="{}", timeout_ms=20_000)
                self.tools.append(request.id)
                self.call.feed(ToolsCalled(self.now, self.turn, (request,)))
            case _:
                pass


def asked(silence_timeout_ms: int, failure_message: str = "") -> Peers:
    """Return a call whose caller has said something, and then says nothing more."""
    call = Call(waiting(silence_timeout_ms=silence_timeout_ms, failure_message=failure_message)).start()
    now = call.user_says(100, "Tell me a story.")
    peers = Peers(call, now=now, heard_at=now)
    peers.wait(1500)
    assert call.state.reply is not None
    return peers


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    timeout_ms=st.sampled_from([10_000, 30_000, 60_000]),
    steps=st.lists(st.tuples(ACTIONS, GAPS), max_size=40),
    repeat=st.integers(1, 4),
    failure_message=st.sampled_from(["", "I am sorry."]),
)
def test_no_stretch_of_dead_air_is_longer_than_the_limit(
    timeout_ms: int, steps: list[tuple[str, int]], repeat: int, failure_message: str
) -> None:
    peers = asked(timeout_ms, failure_message)
    for action, gap_ms in steps * repeat:
        peers.act(action)
        peers.wait(gap_ms)
        if peers.over:
            return
    peers.wait(80_000)
    assert peers.over or peers.tools


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([("token", 15_000)] * 7, MODEL),
        ([("token", 0), ("say", 1000), *[("quiet", 5000)] * 40], VOICE),
        ([("token", 0), ("say", 1000), ("loud", 500), *[("quiet", 5000)] * 40], VOICE),
        ([("token", 0), ("say", 0), ("quiet", 0), ("done", 9000)] * 9, VOICE),
    ],
    ids=["a word each 15 s", "endless silence", "a word, then endless silence", "silent sentences"],
)
def test_a_peer_that_brings_no_sound_ends_the_call_with_its_reason(steps: list[tuple[str, int]], reason: str) -> None:
    peers = asked(30_000)
    for action, gap_ms in steps:
        peers.act(action)
        peers.wait(gap_ms)
    assert peers.call.ended_reason() == reason


def test_tools_one_after_the_other_without_a_sound_end_the_call() -> None:
    peers = asked(30_000)
    for _ in range(20):
        peers.wait(9000)
        peers.act("tool")
        peers.act("end")
        peers.act("result")
    assert peers.over


def test_a_long_story_is_not_ended() -> None:
    peers = asked(10_000)
    peers.act("token")
    peers.wait(1000)
    peers.act("say")
    for _ in range(100):
        peers.act("loud")
        peers.wait(500)
        peers.act("quiet")
        peers.wait(5000)
    assert not peers.over

"""The engine's laws over random conversations.

The state machine plays the call and its peers: it answers the engine's commands, and it misbehaves as real models and
carriers do, with late tokens, marks of closed turns, words without a voice and extra ticks.
"""

from collections.abc import Iterator
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bargein.turns import Plan, State, step, wake_at
from bargein.turns.commands import (
    CallHookTool,
    CloseReply,
    Command,
    Decide,
    EndCall,
    Message,
    ModelOutput,
    Play,
    Remember,
    Send,
    SpeechProgress,
    StartReply,
    StopPlayback,
    SwitchAssistant,
    UserInterrupted,
    VoiceInput,
)
from bargein.turns.events import (
    AddMessage,
    CallStarted,
    Event,
    HandoffRequested,
    HangUp,
    HookToolCalled,
    Mute,
    Played,
    ReplyEnded,
    ReplyFailed,
    ReplyToken,
    Say,
    SayFirstMessage,
    SpeechQueued,
    SpeechRequested,
    Tick,
    TimedWord,
    ToolReturned,
    ToolsCalled,
    TranscriptReceived,
    VoiceStarted,
    VoiceStopped,
)
from bargein.turns.hooks.triggers import CLOSING_MS
from bargein.turns.interruption.explicit import BRIDGED_DIP_MS
from bargein.turns.phrases import consists_of, count_words, find_phrase, word_spans
from bargein.turns.tools import tool_calls
from tests.turns.hook_watch import HOOKS, HookWatch
from tests.turns.order_watch import OrderWatch
from tests.turns.talking import CALL_ID, WAITING, Call
from tests.turns.tool_watch import ANSWERS, CALLS, ToolWatch

PLANS = st.builds(
    Plan,
    num_words=st.sampled_from([0, 0, 0, 1, 2, 3, 10]),
    voice_ms=st.sampled_from([0, 100, 200, 200, 350, 500]),
    backoff_ms=st.sampled_from([0, 300, 1000, 2500]),
    wait_ms=st.sampled_from([0, 400, 2000]),
    on_no_punctuation_ms=st.sampled_from([0, 500, 1500]),
    wait_function=st.sampled_from([None, None, "20 + 500 * sqrt(x) + 2500 * x^3", "0"]),
    first_message=st.sampled_from([None, "Hello, this is the desk. How can I help you today?"]),
    first_message_mode=st.sampled_from(
        [
            "assistant-speaks-first",
            "assistant-waits-for-user",
            "assistant-speaks-first-with-model-generated-message",
        ]
    ),
    first_message_interruptible=st.booleans(),
    end_call_phrases=st.sampled_from([(), ("goodbye",)]),
    silence_timeout_ms=st.sampled_from([10_000, 30_000]),
    hooks=HOOKS,
    failure_message=st.sampled_from(["", "I am sorry, I have to end this call."]),
)
TEXTS = st.sampled_from(
    [
        "uh-huh", "Yeah.", "okay, sure", "Right right.", "mm-hmm",
        "stop", "wait a second", "no", "Yeah but no.",
        "Hello", "I would like a table for two", "what is", "it is four seven", "tell me more please, would you",
        "", "...",
    ]
)  # fmt: skip
SPOKEN = st.sampled_from(
    ["Sure. ", "Your order ", "ships on Monday, ", "and it will arrive ", "soon. ", "Goodbye.", "?"]
)
GAPS = st.sampled_from([0, 1, 20, 32, 64, 100, 150, 200, 250, 400, 700, 1200, 1600, 3000, 6000])


def timings(text: str, audio_ms: int) -> tuple[TimedWord, ...]:
    """Return timings of words at a steady rate."""
    spans = word_spans(text)
    return tuple(TimedWord(end, audio_ms * start // len(text), audio_ms * end // len(text)) for start, end in spans)


class Conversation(RuleBasedStateMachine):
    """A random call with an independent observer."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = self.first_plan = Plan()
        self.state = State(call_id=CALL_ID)
        self.now = 0
        self.events: list[Event] = []
        self.log: list[Command] = []
        self.started: list[str] = []
        self.closed: list[str] = []
        self.playing: set[str] = set()
        self.stopped: set[str] = set()
        self.told: set[str] = set()
        self.given: set[str] = set()
        self.interrupted: set[str] = set()
        self.anonymous_interruptions = 0
        self.pending_says = 0
        self.texts: dict[str, str] = {}
        self.segments: dict[str, list[list[object]]] = {}
        self.played: dict[str, int] = {}
        self.protected: set[str] = set()
        self.ended = False
        self.tools = ToolWatch()
        self.hooks = HookWatch()
        self.order = OrderWatch()
        self.successors: list[Plan] = []
        self.taken_over: list[int] = []
        # The caller's real voice and words.
        self.voiced = False
        self.run_onset = 0
        self.run_rising = 0
        self.last_offset: int | None = None
        self.utterance = ""
        self.utterance_final = False
        self.settled_words = 0
        self.deaf = False
        self.said_at = 0
        self.audible_at = 0

    @initialize(plan=PLANS)
    def begin(self, plan: Plan) -> None:
        self.plan = self.first_plan = plan
        self.feed(CallStarted(0))

    # The events.

    def tick_until(self, at_ms: int) -> None:
        while (due := wake_at(self.state, self.plan)) is not None and due <= at_ms:
            self.now = due
            self.apply(Tick(due))

    def feed(self, event: Event) -> None:
        self.tick_until(event.at_ms)
        self.now = max(self.now, event.at_ms)
        self.apply(event)

    def apply(self, event: Event) -> None:
        before = self.state
        self.events.append(event)
        self.tools.hears(event)
        self.order.take(event, before)
        self.tools.now_ms = max(self.tools.now_ms, event.at_ms)
        self.hooks.hears(event, before, deaf=self.deaf)
        self.state, commands = step(before, event, self.plan)
        self.log.extend(commands)
        for command, cause in self.seen(commands, event):
            self.observe(command, before, cause)
            self.tools.observe(command, cause)
            self.hooks.observe(command, before, cause, self.plan, self.state.now_ms)
        # One step may finish a reply and start the next, so only the last one can be running.
        assert self.state.reply is None or self.state.reply.turn_id == self.started[-1]
        self.hooks.takes(event, self.state, deaf=self.deaf)
        self.hooks.check_time(self.state, self.plan)
        self.tools.check_time(self.state)
        self.make_out_hook_tools()

    def seen(self, commands: tuple[Command, ...], event: Event) -> Iterator[tuple[Command, Event]]:
        """Yield each command of an event with its cause; each is observed before the next one."""
        for command in commands:
            yield command, event

    def make_out_hook_tools(self) -> None:
        """Answer hook tools at once, as the call does. The second tool does not exist, the third is never prepared."""
        while self.hooks.response_pending:
            turn = self.hooks.response_pending.pop(0)
            made = next(c for c in self.log if isinstance(c, CallHookTool) and c.turn_id == turn)
            if made.tool < 2:
                drawn = {"name": "note", "arguments": "{}", "start": False}
                calls = () if made.tool else self.tools.new_calls([drawn], again=None)
                self.apply(HookToolCalled(self.state.now_ms, turn, calls))

    @rule(gap=GAPS)
    def time_passes(self, gap: int) -> None:
        self.feed(Tick(self.now + gap))

    @rule(gap=GAPS, early=st.sampled_from([0, 10, 32]), lean=st.sampled_from([None, 0, 32, 64]))
    def voice_starts(self, gap: int, early: int, lean: int | None = None) -> None:
        """Start a voice that is reported `early` ms after its onset and rose for `lean` ms before it."""
        at = self.now + gap
        self.tick_until(at)
        onset = max(at - early, self.last_offset or 0, 0)
        rising = None if lean is None else onset - lean
        if not self.voiced and not self.deaf:
            if self.last_offset is None or onset - self.last_offset > BRIDGED_DIP_MS:
                self.run_onset = onset
                self.run_rising = max(onset - (lean or 0), self.last_offset or 0)
                if self.utterance_final:
                    self.utterance = ""
            self.voiced = True
            self.settled_words = 0
        self.feed(VoiceStarted(at, onset, rising_ms=rising))

    @rule(gap=GAPS, early=st.sampled_from([0, 32]))
    def voice_stops(self, gap: int, early: int) -> None:
        at = self.now + gap
        offset = max(at - early, self.run_onset)
        event = VoiceStopped(at, offset)
        # The ticks before the event still see the voice.
        self.tick_until(at)
        if self.voiced:
            self.voiced, self.last_offset = False, offset
        self.feed(event)

    @rule(gap=GAPS, text=TEXTS, final=st.booleans())
    def words_come(self, gap: int, text: str, final: bool) -> None:
        at = self.now + gap
        self.tick_until(at)
        self.now = max(self.now, at)
        self.hears(text, final=final)
        self.feed(TranscriptReceived(at, text, final))

    def hears(self, text: str, *, final: bool) -> None:
        """Follow the running utterance as a reader of the transcripts would."""
        if self.deaf:
            return
        if self.settled_words and count_words(text) <= self.settled_words + (count_words(text) > 0):
            # The rest of a partial that has been answered says nothing new.
            self.settled_words = 0 if final else self.settled_words
        elif count_words(text):
            self.settled_words = 0
            news = final or self.utterance_final or text != self.utterance
            self.said_at = self.now if news else self.said_at
            self.order.hear_words()
            self.utterance, self.utterance_final = text, final
        elif final and not self.utterance_final:
            self.utterance = ""

    def settle_utterance(self) -> None:
        """Note that it was answered or needs no answer."""
        self.settled_words = 0 if self.utterance_final else count_words(self.utterance)
        self.utterance = ""

    @rule(gap=GAPS, text=TEXTS, data=st.data(), voice=st.sampled_from([32, 150, 250, 600, 1500]))
    def caller_talks(self, gap: int, text: str, data: st.DataObject, voice: int) -> None:
        """Let the caller say an utterance, as detector and transcriber report it."""
        self.voice_starts(gap, 32)
        if data.draw(st.booleans()):
            self.words_come(min(voice, 150), text, final=False)
        elif voice > self.plan.voice_ms:
            # The exact time at which the voice has lasted long enough: the interruption is due then, not later.
            self.feed(Tick(max(self.now, self.run_onset + self.plan.voice_ms)))
            self.interrupts_in_time()
        self.voice_stops(max(0, voice - (self.now - self.run_onset)), 32)
        self.words_come(200, data.draw(st.sampled_from([text, text, ""])), final=True)

    @rule(
        gap=GAPS,
        text=st.sampled_from(["Hello there.", "What are your hours?"]),
        piece=SPOKEN,
        n=st.integers(1, 6),
        timed=st.booleans(),
        heard=st.integers(0, 99),
    )
    def assistant_comes_to_talk(self, *, gap: int, text: str, piece: str, n: int, timed: bool, heard: int) -> None:
        """Bring the call to an answer that sounds and has been heard in part."""
        if self.state.reply is None and not self.voiced:
            self.voice_starts(gap, 0)
            self.voice_stops(500, 0)
            self.words_come(200, text, final=True)
        for _ in range(8):
            reply = self.state.reply
            if reply is not None and not reply.segments:
                if not reply.text:
                    self.feed(ReplyToken(self.now, reply.turn_id, piece * n))
                if reply.turn_id not in self.closed:
                    self.feed(SpeechRequested(self.now, reply.turn_id, 0, 0, self.texts[reply.turn_id]))
                    audio = 60 * len(self.texts[reply.turn_id])
                    words = timings(self.texts[reply.turn_id], audio) if timed else ()
                    self.feed(SpeechQueued(self.now, reply.turn_id, 0, audio, words, done=True))
                    self.segments[reply.turn_id] = [[self.texts[reply.turn_id], 0, 0]]
            if self.state.reply is not None and self.state.reply.audible_ms is not None:
                self.play_on(self.state.reply.turn_id, self.state.reply.audio_ms * heard // 100)
                return
            self.tick_until(self.now + 500)
            self.now += 500

    def play_on(self, turn: str, position: int) -> None:
        """Let time pass until a reply has been played to a position."""
        at = self.now + max(0, position - self.played.get(turn, 0))
        self.tick_until(at)
        self.now = at
        if turn not in self.closed:
            self.played[turn] = max(position, self.played.get(turn, 0))
        self.feed(Played(at, turn, position))

    def some_turn(self, data: st.DataObject) -> str | None:
        """Return mostly the running reply, sometimes a closed one."""
        if not self.started:
            return None
        if data.draw(st.integers(0, 4)) and self.state.reply:
            return self.state.reply.turn_id
        return data.draw(st.sampled_from(self.started))

    @rule(gap=GAPS, text=SPOKEN, data=st.data())
    def token_comes(self, gap: int, text: str, data: st.DataObject) -> None:
        if turn := self.some_turn(data):
            self.feed(ReplyToken(self.now + gap, turn, text))

    @rule(gap=GAPS, data=st.data(), timed=st.booleans())
    def speech_is_made(self, gap: int, data: st.DataObject, timed: bool) -> None:
        turn = self.some_turn(data)
        if turn is None:
            return
        text = self.texts.get(turn, "")
        segments = self.segments.setdefault(turn, [])
        start = sum(len(str(s[0])) for s in segments)
        piece = text[start:]
        if piece:
            segments.append([piece, 0, 0])
            self.feed(SpeechRequested(self.now + gap, turn, len(segments) - 1, start, piece))
            audio = 60 * len(piece)
            words = timings(piece, audio) if timed else ()
            self.feed(SpeechQueued(self.now, turn, len(segments) - 1, audio, words, done=True))

    @rule(gap=GAPS, data=st.data())
    def reply_ends(self, gap: int, data: st.DataObject) -> None:
        if turn := self.some_turn(data):
            self.feed(ReplyEnded(self.now + gap, turn))

    @rule(gap=GAPS, data=st.data(), drained=st.booleans())
    def audio_is_played(self, gap: int, data: st.DataObject, drained: bool) -> None:
        turn = self.some_turn(data)
        if turn is None:
            return
        position = self.played.get(turn, 0) + (gap if turn in self.playing else 0)
        at = self.now + gap
        self.tick_until(at)
        if drained and self.state.reply is not None and turn == self.state.reply.turn_id and turn in self.playing:
            position = max(position, self.state.reply.audio_ms)
        if turn in self.playing and turn not in self.closed:
            self.played[turn] = max(position, self.played.get(turn, 0))
        self.feed(Played(at, turn, position, drained))

    @rule(gap=GAPS, calls=st.lists(CALLS, min_size=1, max_size=3), data=st.data())
    def model_calls_tools(self, gap: int, calls: list[dict[str, object]], data: st.DataObject) -> None:
        turn = self.some_turn(data)
        if turn is None:
            return
        again = data.draw(st.sampled_from([None, None, *self.tools.asked])) if self.tools.asked else None
        self.feed(ToolsCalled(self.now + gap, turn, self.tools.new_calls(calls, again=again)))
        if data.draw(st.booleans()):
            self.feed(ReplyEnded(self.now, turn))

    @rule(calls=st.lists(CALLS, min_size=1, max_size=3), answer=ANSWERS, before=st.booleans(), data=st.data())
    def caller_cuts_in_while_tools_run(
        self, calls: list[dict[str, object]], answer: dict[str, object], before: bool, data: st.DataObject
    ) -> None:
        """Let the caller interrupt while tools run, and the model call the same tools again."""
        self.assistant_comes_to_talk(gap=0, text="Hello there.", piece="Your order ", n=6, timed=False, heard=30)
        reply = self.state.reply
        if reply is None or reply.kind != "model" or reply.audible_ms is None:
            return
        if before:
            self.feed(ToolsCalled(self.now, reply.turn_id, self.tools.new_calls(calls, again=None)))
            running = [t.call_id for t in self.state.tools if t.status == "running"]
            if data.draw(st.booleans()) and running:
                self.feed(ToolReturned(self.now, running[0], "It rains."))
        self.caller_talks(0, data.draw(TEXTS), data, data.draw(st.sampled_from([150, 600, 1500])))
        if not before:
            self.feed(ToolsCalled(self.now, reply.turn_id, self.tools.new_calls(calls, again=None)))
        self.feed(Tick(self.now + data.draw(GAPS)))
        second = self.state.reply
        if second is not None and data.draw(st.booleans()):
            self.feed(ToolsCalled(self.now, second.turn_id, self.tools.new_calls(calls, again=None)))
            self.feed(ReplyEnded(self.now, second.turn_id))
        self.tool_returns(data.draw(GAPS), answer, data)

    @rule(
        text=st.sampled_from(["What are your hours?", "wait a second", "okay, sure"]),
        say=st.sampled_from([None, "Done."]),
        typed=st.booleans(),
        data=st.data(),
    )
    def caller_speaks_before_the_end(self, text: str, say: str | None, typed: bool, data: st.DataObject) -> None:
        """Let a tool ask for the end of the call while the assistant speaks, and the caller speak before that."""
        self.assistant_comes_to_talk(gap=0, text="Hello there.", piece="Your order ", n=6, timed=False, heard=30)
        reply = self.state.reply
        if reply is None or reply.kind != "model":
            return
        drawn = {"name": "endCall", "arguments": "{}", "start": False}
        self.feed(ToolsCalled(self.now, reply.turn_id, self.tools.new_calls([drawn], again=None)))
        running = [t.call_id for t in self.state.tools if t.status == "running" and t.turn_id == reply.turn_id]
        if running:
            self.feed(ToolReturned(self.now, running[-1], "Ending.", say=say, end_call_reason="assistant-ended-call"))
        if typed:
            self.caller_types(data.draw(GAPS), text)
        else:
            self.caller_talks(data.draw(GAPS), text, data, 600)

    @rule(gap=GAPS, answer=ANSWERS, data=st.data())
    @precondition(lambda self: self.tools.asked)
    def tool_returns(self, gap: int, answer: dict[str, object], data: st.DataObject) -> None:
        running = [t.call_id for t in self.state.tools if t.status == "running"]
        call_id = data.draw(st.sampled_from([*running, *running, *running, *self.tools.asked, "call_of_nobody"]))
        self.feed(ToolReturned(self.now + gap, call_id, **answer))  # type: ignore[arg-type]

    @rule(gap=GAPS, data=st.data(), by_model=st.booleans())
    @precondition(lambda self: len(self.events) > 15)
    def reply_fails(self, gap: int, data: st.DataObject, by_model: bool) -> None:
        if turn := self.some_turn(data):
            reason = "pipeline-error-custom-llm-llm-failed"
            self.feed(ReplyFailed(self.now + gap, turn, reason, by_model=by_model))

    @rule(gap=GAPS, interruptible=st.booleans(), interrupts=st.booleans(), ends=st.sampled_from([False] * 5 + [True]))
    def operator_says(self, gap: int, interruptible: bool, interrupts: bool, ends: bool) -> None:
        self.feed(Say(self.now + gap, "Please hold the line.", interruptible, interrupts, ends))

    @rule(gap=GAPS, respond=st.booleans())
    def operator_adds(self, gap: int, respond: bool) -> None:
        self.feed(AddMessage(self.now + gap, "system", "The caller is a regular.", respond))

    @rule(gap=GAPS, text=TEXTS)
    def caller_types(self, gap: int, text: str) -> None:
        at = self.now + gap
        self.tick_until(at)
        reply, stops = self.state.reply, find_phrase(text, self.plan.interruption_phrases)
        sounds = reply is not None and reply.audible_ms is not None and reply.interruptible
        self.feed(AddMessage(at, "user", text))
        if sounds and stops:
            assert reply is not None
            assert reply.turn_id in self.closed, "law 6: an interruption phrase always interrupts"

    @rule(gap=GAPS, side=st.sampled_from(["assistant", "customer"]), on=st.booleans())
    def operator_mutes(self, gap: int, side: str, on: bool) -> None:
        at = self.now + gap
        self.tick_until(at)
        self.deaf = on if side == "customer" else self.deaf
        if side == "customer" and on and self.voiced:
            self.voiced, self.last_offset = False, at
        self.feed(Mute(at, side, on))  # pyright: ignore[reportArgumentType]

    @rule(
        gap=GAPS,
        plan=PLANS,
        context=st.sampled_from(["all", "none", "lastNMessages", "userAndAssistantMessages"]),
        most=st.integers(0, 4),
    )
    def assistant_hands_off(self, gap: int, plan: Plan, context: str, most: int) -> None:
        at = self.now + gap
        plan = replace(plan, adaptive_interruption=self.first_plan.adaptive_interruption)
        self.tick_until(at)
        self.successors.append(plan)
        self.feed(HandoffRequested(at, len(self.successors) - 1, plan, context, most))  # type: ignore[arg-type]

    @rule(gap=GAPS)
    def operator_greets(self, gap: int) -> None:
        self.feed(SayFirstMessage(self.now + gap))

    @rule(gap=GAPS)
    @precondition(lambda self: len(self.events) > 25)
    def someone_hangs_up(self, gap: int) -> None:
        self.feed(HangUp(self.now + gap, "customer-ended-call"))

    # The observer.

    def observe(self, command: Command, before: State, event: Event) -> None:
        assert not self.ended, "nothing follows the end of a call"
        match command:
            case StartReply() | CloseReply() | Play() | StopPlayback():
                self.observe_life(command)
            case Send(message):
                self.observe_message(message, before, event)
            case Remember("user"):
                self.order.commit(command, event)
                self.settle_utterance()
            case Remember("assistant") if command.turn_id is not None and not command.tool_calls:
                self.check_memory(command)
            case Decide("resumed" | "ignored", why) if "was a backchannel" in why:
                self.settle_utterance()
            case SwitchAssistant(successor):
                assert set(self.started) == set(self.closed), "there is no handoff during a reply"
                assert successor not in self.taken_over, "an assistant takes over once"
                assert successor == len(self.successors) - 1, "the last requested assistant takes over"
                self.taken_over.append(successor)
                self.plan = self.successors[successor]
                self.tools.explained = True
            case EndCall():
                self.ended = True
            case _:
                pass

    def observe_life(self, command: StartReply | CloseReply | Play | StopPlayback) -> None:
        turn = command.turn_id
        match command:
            case StartReply(text=text):
                assert turn not in self.started, "turn ids are unique"
                assert set(self.started) == set(self.closed), "there is one reply at a time"
                self.order.check_request(command, self.state)
                self.started.append(turn)
                if text is not None:
                    self.texts[turn] = text
                    self.given.add(turn)
            case CloseReply():
                assert turn in self.started
                assert turn not in self.closed, "law 8: every reply ends exactly once"
                self.closed.append(turn)
            case Play():
                assert turn not in self.closed, "law 2: no audio of a closed turn"
                assert turn not in self.playing
                self.playing.add(turn)
                self.order.sound(turn)
                self.audible_at = self.now
            case StopPlayback():
                self.stopped.add(turn)

    def observe_message(self, message: Message, before: State, event: Event) -> None:
        match message:
            case ModelOutput(turn, text):
                self.check_output(turn, text, event)
            case VoiceInput() | SpeechProgress():
                assert self.started[-1] not in self.closed, "law 2: no message of a closed turn"
                if isinstance(event, SpeechRequested | Played):
                    assert event.turn_id == self.started[-1], "law 2: a late mark does not move another turn"
            case UserInterrupted(turn):
                self.check_interruption(turn, before, event)
            case _:
                pass

    def check_output(self, turn: str, text: str, event: Event) -> None:
        assert turn not in self.closed, "law 2: no model-output of a closed turn"
        assert turn not in self.interrupted
        self.told.add(turn)
        if turn in self.given:
            assert text == self.texts[turn]
            return
        assert isinstance(event, ReplyToken)
        assert event.turn_id == turn, "law 2: a token belongs to its own turn"
        assert event.text == text
        self.texts[turn] = self.texts.get(turn, "") + text

    def check_interruption(self, turn: str | None, before: State, event: Event) -> None:
        cut = self.closed[-1]
        assert cut in self.stopped, "the cut comes before the message"
        if turn is not None:
            assert turn == cut
            assert turn not in self.interrupted, "law 3: at most one for a turn"
            assert turn in self.playing or turn in self.told, (
                "law 3: only for a turn that was audible or had put out a token"
            )
            self.interrupted.add(turn)
        assert cut not in self.protected, "law 6: protected speech is never cut"
        if isinstance(event, AddMessage):
            self.check_typed(event.text)
        elif cut in self.playing:
            self.check_threshold(before)

    def check_typed(self, text: str) -> None:
        """Check law 6, and law 5 for words that are typed while the assistant speaks."""
        if self.closed[-1] in self.playing and not find_phrase(text, self.plan.interruption_phrases):
            assert count_words(text) >= self.plan.num_words, "law 5: never with fewer words than the plan wants"
        if not find_phrase(text, self.plan.interruption_phrases):
            assert not consists_of(text, self.plan.acknowledgement_phrases), (
                "law 6: an acknowledgement never interrupts"
            )

    def check_threshold(self, before: State) -> None:
        """Check laws 5 and 6 by the caller's real voice and words."""
        plan = self.plan
        assert before.reply is not None
        assert before.reply.interruptible, "law 6: protected speech is never cut"
        # Words that were said before the reply sounded are no reaction to it.
        said = self.utterance if self.said_at > self.audible_at else ""
        if count_words(said):
            if find_phrase(said, plan.interruption_phrases):
                return
            assert not consists_of(said, plan.acknowledgement_phrases), "law 6: an acknowledgement never interrupts"
            assert count_words(said) >= plan.num_words, "law 5: never with fewer words than the plan wants"
        else:
            assert plan.num_words == 0, "law 5: never by voice alone where the plan needs words"
            assert self.voiced
            assert self.now - self.run_rising >= plan.voice_ms, "law 5: never earlier than the plan allows"

    def check_memory(self, entry: Remember) -> None:
        turn = entry.turn_id
        assert turn is not None
        assert self.texts[turn].strip().startswith(entry.text), "law 4: a prefix"
        assert turn in self.playing, "law 4: what never sounded is not remembered"
        # No word is remembered whose audio, at the rate it was made, had not been played.
        played = self.played.get(turn, 0)
        assert len(entry.text) * 60 <= played + 60 * (2 + len(self.texts[turn]) - len(self.texts[turn].strip())), (
            "law 4: no more than was played"
        )

    @invariant()
    def timer_never_spins(self) -> None:
        due = wake_at(self.state, self.plan)
        assert due is None or due > self.state.now_ms, "law 7: no timer spins"

    @invariant()
    def interrupts_in_time(self) -> None:
        """Check law 5: a voice that has lasted long enough has cut a reply that could be cut."""
        reply, caller = self.state.reply, self.state.caller
        if reply is None or reply.audible_ms is None or not reply.interruptible or self.plan.num_words:
            return
        if caller.voiced and not caller.has_interrupted and not caller.background and not count_words(caller.utterance):
            assert self.state.now_ms - caller.rising_ms < self.plan.voice_ms, "law 5: not later than the plan says"

    @invariant()
    def history_is_a_conversation(self) -> None:
        self.tools.check_history(self.state)
        self.order.check_history(self.state)

    @invariant()
    def note_protection(self) -> None:
        reply = self.state.reply
        if reply is not None and not reply.interruptible:
            self.protected.add(reply.turn_id)

    def teardown(self) -> None:
        self.check_replay()
        self.check_it_moves_on()

    def check_replay(self) -> None:
        """Check law 1: the same inputs give the same commands."""
        state, log = State(call_id=CALL_ID), []
        for event in self.events:
            state, commands = step(state, event, self.first_plan)
            log.extend(commands)
        assert log == self.log, "law 1: a journal replays to the same call"
        assert state == self.state

    def check_it_moves_on(self) -> None:
        """Check law 7: with a silent caller and a working model and voice every call comes to rest and ends.

        Nothing is pending then, and every turn has been answered.
        """
        if self.state.phase != "live":
            self.tools.check_end()
            return
        if self.state.assistant_muted:
            self.feed(Mute(self.now, "assistant", on=False))
        if self.voiced:
            self.voiced = False
            self.feed(VoiceStopped(self.now, self.now))
        for _ in range(200):
            self.answer_as_a_good_shell()
            if self.state.phase == "ended" or self.is_at_rest():
                break
            due = wake_at(self.state, self.plan)
            assert due is not None, "law 7: no state waits for ever"
            self.feed(Tick(due))
        assert self.state.phase == "ended" or self.is_at_rest(), "law 7: the call moves on"
        if self.state.phase != "ended":
            self.tools.check_rest()
        self.feed(Tick(self.state.started_ms + self.plan.max_duration_ms))
        self.feed(Tick(self.state.started_ms + self.plan.max_duration_ms + CLOSING_MS))
        assert self.state.phase == "ended", "law 7: every call ends"
        assert sorted(self.started) == sorted(self.closed), "law 8: every reply ends"
        self.tools.check_end()

    def is_at_rest(self) -> bool:
        """Return True if nothing is going on; never in a closing call, whose results no model sees."""
        s = self.state
        idle = (
            s.reply is None
            and not s.response_pending
            and not s.pending_says
            and s.false_interruption is None
            and not s.caller.said
        )
        return (
            idle
            and not tool_calls.is_awaited(s)
            and s.end_call_reason is None
            and s.handoff is None
            and s.closing is None
        )

    def answer_as_a_good_shell(self) -> None:
        reply = self.state.reply
        if reply is None:
            return
        turn = reply.turn_id
        if not reply.ended and not reply.segments and reply.kind == "model" and not reply.text:
            self.feed(ReplyToken(self.now, turn, "Sure. "))
        reply = self.state.reply
        if reply is None or reply.turn_id != turn:
            return
        if reply.segments and not reply.segments[-1].done:
            last = len(reply.segments) - 1
            self.feed(SpeechQueued(self.now, turn, last, reply.segments[-1].audio_ms, done=True))
        elif not reply.segments and reply.text:
            self.feed(SpeechRequested(self.now, turn, 0, 0, reply.text))
            self.feed(SpeechQueued(self.now, turn, 0, 60 * len(reply.text), done=True))
        self.feed(ReplyEnded(self.now, turn))
        reply = self.state.reply
        if reply is not None and reply.turn_id == turn and reply.audible_ms is not None:
            self.played[turn] = reply.audio_ms
            self.feed(Played(self.now, turn, reply.audio_ms, drained=True))


Conversation.TestCase.settings = settings(
    max_examples=400,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLaws = Conversation.TestCase


@given(
    voice_ms=st.integers(0, 500),
    noticed_ms=st.integers(0, 64),
    lean_ms=st.integers(0, 64),
    into_ms=st.integers(50, 1500),
)
def test_law_5_holds_to_the_millisecond(voice_ms: int, noticed_ms: int, lean_ms: int, into_ms: int) -> None:
    call = Call(Plan(first_message_mode=WAITING, voice_ms=voice_ms))
    onset_ms = call.talking(audio_ms=30_000) + into_ms + 2000
    call.feed(VoiceStarted(onset_ms + noticed_ms, onset_ms, rising_ms=onset_ms - lean_ms))
    call.until(onset_ms + 1000)
    due_ms = onset_ms + max(voice_ms - lean_ms, noticed_ms)
    assert call.when(UserInterrupted) == [due_ms], "law 5: not earlier and not later"

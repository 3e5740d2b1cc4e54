"""The parts of one call, and how they are joined: each knows of the others only what it is given here."""

from collections.abc import Sequence
from dataclasses import dataclass

from bargein.call.audience import Audience
from bargein.call.consulting import Consulting
from bargein.call.ears import AssistantTap, Ears
from bargein.call.errands import Errands
from bargein.call.host import Host
from bargein.call.inside import inside_tools
from bargein.call.insight import Insight
from bargein.call.keypad import Keypad
from bargein.call.mouth import Mouth
from bargein.call.narrator import Cast, Narrator
from bargein.call.overlap import Overlaps
from bargein.call.passing import Part, Passing, Relay
from bargein.call.pauses import Pauses
from bargein.call.reply import Speaker
from bargein.call.replying import Replying
from bargein.call.setting import Providers, Setting
from bargein.call.steering import Steering
from bargein.call.toolbox import Toolbox
from bargein.call.toolwork import ToolWork
from bargein.call.transcribing import Transcribing
from bargein.call.voicemail import Voicemail
from bargein.clock import Clock
from bargein.ports import Leg, Pcm16, Recorder, ServerLine, ToolCall
from bargein.wire.base import JsonObject
from bargein.wire.plans import CustomEndpointing


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a call is put into.

    Attributes:
        leg: the caller's connection.
        clock: the one clock.
        recorder: where its sound goes.
        relay: finds other assistants; None: there is nobody else.
        insight: who watches it.
        audience: who listens in.
    """

    leg: Leg
    clock: Clock
    recorder: Recorder
    relay: Relay | None
    insight: Insight
    audience: Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one call."""

    narrator: Narrator
    mouth: Mouth
    ears: Ears
    transcribing: Transcribing
    replying: Replying
    tools: ToolWork
    passing: Passing
    steering: Steering
    consulting: Consulting
    overlaps: Overlaps | None
    pauses: Pauses
    keypad: Keypad
    voicemail: Voicemail
    errands: Errands
    line: ServerLine | None

    def recast(self, before: Setting, part: Part) -> None:
        """Another assistant has the call: everything of the old one's is replaced, but for the connection."""
        after, providers = part.setting, part.providers
        self.narrator.transfer_update(part.destination, after.assistant_json)
        if self.line is not None:
            self.line.assume(after.assistant_json)
        self.narrator.recast(Cast.of(after.call, after.assistant_json), after.assistant)
        self.narrator.status("in-progress", tell=False)
        self.narrator.assistant_started()
        self.tools.recast(providers.tools)
        if self.overlaps is not None:
            self.overlaps.on = after.plan.by_evidence
        self.replying.recast(after, providers)
        other = before.assistant_json.get("transcriber") != after.assistant_json.get("transcriber")
        if other or self.transcribing.over:
            self.transcribing.recast(providers.transcriber)


def join(host: Host, providers: Providers, around: Around) -> Parts:
    """Make the parts of a call that begins, for `host`."""
    leg, line = around.leg, providers.line
    narrator = _narrator(host, line, around)
    tap = AssistantTap(leg, around.recorder.assistant)
    overlaps = _overlaps(host, providers)
    mouth = Mouth(leg, around.clock, host.zero_ms, host.post, overhear=tap.overhear, silenced=around.recorder.cut)
    passing = _passing(host, narrator, line, around)
    tools = _tools(host, providers, leg, passing)
    pauses = Pauses(providers.turn_judge, now_ms=host.now_ms, post=host.post)
    voicemail = Voicemail(host, around.clock)
    ears = _ears(host, providers, around, tap, (overlaps, pauses), voicemail)
    errands = Errands()
    return Parts(
        narrator=narrator,
        mouth=mouth,
        ears=ears,
        transcribing=Transcribing(host, ears),
        replying=Replying(host, mouth, _speaker(host, providers, leg, mouth, tools), errands),
        tools=tools,
        passing=passing,
        steering=Steering(host, ears, passing, errands, leg.send_text),
        consulting=_consulting(host, line),
        overlaps=overlaps,
        pauses=pauses,
        keypad=Keypad(host, around.clock),
        voicemail=voicemail,
        errands=errands,
        line=line,
    )


def _narrator(host: Host, line: ServerLine | None, around: Around) -> Narrator:
    def send(text: str) -> None:
        around.leg.send_text(text)
        around.audience.read(text)

    def read() -> bool:
        return around.leg.has_client or not around.audience.empty

    setting = host.setting
    participants = Cast.of(setting.call, setting.assistant_json)
    return Narrator(participants, setting.assistant, host.epoch_ms, around.clock.epoch_ms, send, line=line, read=read)


def _speaker(host: Host, providers: Providers, leg: Leg, mouth: Mouth, tools: ToolWork) -> Speaker:
    def call_tools(turn_id: str, calls: Sequence[ToolCall], box: Toolbox, spoke: bool) -> None:  # noqa: FBT001  # the shape of `Speaker`'s callback
        tools.ask(turn_id, calls, box, spoke=spoke)

    return Speaker(
        model=providers.model,
        voice=providers.voice,
        mouth=mouth,
        rate_hz=leg.rate_hz,
        failed_reason=host.setting.plan.model_failed_reason,
        now_ms=host.now_ms,
        post=host.post,
        call_tools=call_tools,
    )


def _passing(host: Host, narrator: Narrator, line: ServerLine | None, around: Around) -> Passing:
    def forwarding(destination: JsonObject) -> None:
        narrator.transfer_update(destination)
        narrator.status("forwarding")

    return Passing(
        leg=around.leg,
        line=line,
        relay=around.relay,
        delegated=lambda: "phone-call-control" in (host.setting.assistant.server_messages or ()),
        forwarding=forwarding,
        now_ms=host.now_ms,
        post=host.post,
    )


def _tools(host: Host, providers: Providers, leg: Leg, passing: Passing) -> ToolWork:
    return ToolWork(
        runner=providers.tools,
        inside=inside_tools(leg, lambda: host.setting.assistant, passing),
        render=host.render,
        learn=host.setting.variables.found.update,
        history=lambda: host.state.history,
        now_ms=host.now_ms,
        post=host.post,
    )


def _overlaps(host: Host, providers: Providers) -> Overlaps | None:
    if providers.judge is None:
        return None

    def may_be_cut() -> bool:
        reply = host.state.reply
        return reply is not None and reply.audible_ms is not None and reply.interruptible

    overlaps = Overlaps(providers.judge, wanted=may_be_cut, now_ms=host.now_ms, post=host.post)
    overlaps.on = host.setting.plan.by_evidence
    return overlaps


def _ears(  # noqa: PLR0917  # the parts that hear with it
    host: Host,
    providers: Providers,
    around: Around,
    tap: AssistantTap,
    judged: tuple[Overlaps | None, Pauses],
    voicemail: Voicemail,
) -> Ears:
    def record(pcm: Pcm16, at_ms: float) -> None:
        around.recorder.customer(pcm, at_ms)
        voicemail.listen(pcm)

    return Ears(
        around.leg,
        detector=providers.detector,
        transcriber=providers.transcriber,
        tap=tap,
        now_ms=host.now_ms,
        post=host.post,
        watch=around.insight.voice,
        overhear=around.audience.hear,
        record=record,
        overlaps=judged[0],
        cancels_echo=providers.cancels_echo,
        pauses=judged[1],
    )


def _consulting(host: Host, line: ServerLine | None) -> Consulting:
    def server() -> JsonObject | None:
        start = host.setting.assistant.start_speaking_plan
        smart = start.smart_endpointing_plan if start is not None else None
        asked = smart.server if isinstance(smart, CustomEndpointing) else None
        return None if asked is None else asked.to_json()

    def timeout_s() -> float:
        return (host.setting.plan.ask_ms or 0) / 1000

    return Consulting(line, server, timeout_s, host.now_ms, host.post)

"""The parts of one call, and how they are joined: each knows of the others only what it is given here."""

from collections.abc import Sequence
from dataclasses import dataclass

from bargein.call.background import BackgroundTasks
from bargein.call.clients.controls import ClientControls
from bargein.call.clients.endpointing_request import EndpointingRequests
from bargein.call.clients.insight import InsightFeed
from bargein.call.clients.listeners import Listeners
from bargein.call.clients.messages import ClientMessenger, Participants
from bargein.call.context import AgentSetup, CallContext, Providers
from bargein.call.hearing.audio_input import AudioInput, PlayoutReference
from bargein.call.hearing.dtmf import DtmfInput
from bargein.call.hearing.overlap import OverlapTracker
from bargein.call.hearing.pauses import PauseTracker
from bargein.call.hearing.transcription import Transcription
from bargein.call.hearing.voicemail import VoicemailDetector
from bargein.call.speaking.audio_output import AudioOutput
from bargein.call.speaking.replies import ReplyRunner
from bargein.call.speaking.speech import SpeechPipeline
from bargein.call.tools.builtin import builtin_tools
from bargein.call.tools.declarations import ToolDeclarations
from bargein.call.tools.executor import ToolExecutor
from bargein.call.tools.transfer import Handoffs, Successor, Transfers
from bargein.clock import Clock
from bargein.ports import Leg, OwnerMessenger, Pcm16, Recorder, ToolCall
from bargein.wire.base import JsonObject
from bargein.wire.plans import CustomEndpointing


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnvironment:
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
    handoffs: Handoffs | None
    insight: InsightFeed
    listeners: Listeners


@dataclass(frozen=True, slots=True, kw_only=True)
class CallComponents:
    """The parts of one call."""

    messenger: ClientMessenger
    audio_output: AudioOutput
    audio_input: AudioInput
    transcription: Transcription
    reply_runner: ReplyRunner
    tools: ToolExecutor
    transfers: Transfers
    controls: ClientControls
    endpointing_requests: EndpointingRequests
    overlaps: OverlapTracker | None
    pauses: PauseTracker
    dtmf: DtmfInput
    voicemail: VoicemailDetector
    background: BackgroundTasks
    line: OwnerMessenger | None

    def switch_agent(self, before: AgentSetup, part: Successor) -> None:
        """Another assistant has the call: everything of the old one's is replaced, but for the connection."""
        after, providers = part.setup, part.providers
        self.messenger.transfer_update(part.destination, after.assistant_json)
        if self.line is not None:
            self.line.switch_assistant(after.assistant_json)
        self.messenger.switch_agent(Participants.of(after.call, after.assistant_json), after.assistant)
        self.messenger.status("in-progress", tell=False)
        self.messenger.assistant_started()
        self.tools.switch_runner(providers.tools)
        if self.overlaps is not None:
            self.overlaps.on = after.plan.adaptive_interruption
        self.reply_runner.switch_agent(after, providers)
        other = before.assistant_json.get("transcriber") != after.assistant_json.get("transcriber")
        if other or self.transcription.over:
            self.transcription.switch_transcriber(providers.transcriber)


def build_components(context: CallContext, providers: Providers, environment: CallEnvironment) -> CallComponents:
    """Make the parts of a call that begins, for `host`."""
    leg, line = environment.leg, providers.owner
    messenger = _messenger(context, line, environment)
    reference = PlayoutReference(leg, environment.recorder.write_assistant)
    overlaps = _overlaps(context, providers)
    audio_output = AudioOutput(
        leg,
        environment.clock,
        context.zero_ms,
        context.post,
        on_sent=reference.add_frame,
        on_silenced=environment.recorder.cut_assistant,
    )
    transfers = _transfers(context, messenger, line, environment)
    tools = _tools(context, providers, leg, transfers)
    pauses = PauseTracker(providers.end_of_turn_detector, now_ms=context.now_ms, post=context.post)
    voicemail = VoicemailDetector(context, environment.clock)
    audio_input = _audio_input(context, providers, environment, reference, (overlaps, pauses), voicemail)
    background = BackgroundTasks()
    return CallComponents(
        messenger=messenger,
        audio_output=audio_output,
        audio_input=audio_input,
        transcription=Transcription(context, audio_input),
        reply_runner=ReplyRunner(
            context, audio_output, _speaker(context, providers, leg, audio_output, tools), background
        ),
        tools=tools,
        transfers=transfers,
        controls=ClientControls(context, audio_input, transfers, background, leg.send_text),
        endpointing_requests=_endpointing_requests(context, line),
        overlaps=overlaps,
        pauses=pauses,
        dtmf=DtmfInput(context, environment.clock),
        voicemail=voicemail,
        background=background,
        line=line,
    )


def _messenger(context: CallContext, line: OwnerMessenger | None, environment: CallEnvironment) -> ClientMessenger:
    def send(text: str) -> None:
        environment.leg.send_text(text)
        environment.listeners.send_text(text)

    def read() -> bool:
        return environment.leg.has_client or not environment.listeners.empty

    setup = context.setup
    participants = Participants.of(setup.call, setup.assistant_json)
    return ClientMessenger(
        participants, setup.assistant, context.epoch_ms, environment.clock.epoch_ms, send, line=line, read=read
    )


def _speaker(
    context: CallContext, providers: Providers, leg: Leg, audio_output: AudioOutput, tools: ToolExecutor
) -> SpeechPipeline:
    def call_tools(turn_id: str, calls: Sequence[ToolCall], box: ToolDeclarations, spoke: bool) -> None:  # noqa: FBT001  # the shape of `SpeechPipeline`'s callback
        tools.ask(turn_id, calls, box, spoke=spoke)

    return SpeechPipeline(
        model=providers.model,
        voice=providers.voice,
        audio_output=audio_output,
        rate_hz=leg.rate_hz,
        failed_reason=context.setup.plan.model_failed_reason,
        now_ms=context.now_ms,
        post=context.post,
        call_tools=call_tools,
    )


def _transfers(
    context: CallContext, messenger: ClientMessenger, line: OwnerMessenger | None, environment: CallEnvironment
) -> Transfers:
    def forwarding(destination: JsonObject) -> None:
        messenger.transfer_update(destination)
        messenger.status("forwarding")

    return Transfers(
        leg=environment.leg,
        line=line,
        handoffs=environment.handoffs,
        delegated=lambda: "phone-call-control" in (context.setup.assistant.server_messages or ()),
        forwarding=forwarding,
        now_ms=context.now_ms,
        post=context.post,
    )


def _tools(context: CallContext, providers: Providers, leg: Leg, transfers: Transfers) -> ToolExecutor:
    return ToolExecutor(
        runner=providers.tools,
        inside=builtin_tools(leg, lambda: context.setup.assistant, transfers),
        render=context.render,
        learn=context.setup.variables.extracted.update,
        history=lambda: context.state.history,
        now_ms=context.now_ms,
        post=context.post,
    )


def _overlaps(context: CallContext, providers: Providers) -> OverlapTracker | None:
    if providers.interruption_classifier is None:
        return None

    def may_be_cut() -> bool:
        reply = context.state.reply
        return reply is not None and reply.audible_ms is not None and reply.interruptible

    overlaps = OverlapTracker(
        providers.interruption_classifier, wanted=may_be_cut, now_ms=context.now_ms, post=context.post
    )
    overlaps.on = context.setup.plan.adaptive_interruption
    return overlaps


def _audio_input(  # noqa: PLR0917  # the parts that hear with it
    context: CallContext,
    providers: Providers,
    environment: CallEnvironment,
    reference: PlayoutReference,
    judged: tuple[OverlapTracker | None, PauseTracker],
    voicemail: VoicemailDetector,
) -> AudioInput:
    def record(pcm: Pcm16, at_ms: float) -> None:
        environment.recorder.write_customer(pcm, at_ms)
        voicemail.receive_audio(pcm)

    return AudioInput(
        environment.leg,
        detector=providers.detector,
        transcriber=providers.transcriber,
        reference=reference,
        now_ms=context.now_ms,
        post=context.post,
        on_probability=environment.insight.on_voice_probability,
        on_audio=environment.listeners.send_audio,
        record=record,
        overlaps=judged[0],
        cancels_echo=providers.cancels_echo,
        pauses=judged[1],
    )


def _endpointing_requests(context: CallContext, line: OwnerMessenger | None) -> EndpointingRequests:
    def server() -> JsonObject | None:
        start = context.setup.assistant.start_speaking_plan
        smart = start.smart_endpointing_plan if start is not None else None
        asked = smart.server if isinstance(smart, CustomEndpointing) else None
        return None if asked is None else asked.to_json()

    def timeout_s() -> float:
        return (context.setup.plan.endpointing_timeout_ms or 0) / 1000

    return EndpointingRequests(line, server, timeout_s, context.now_ms, context.post)

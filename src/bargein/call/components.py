"""The wiring of a call: every component is made here, and knows of the others only what it is given here."""

from collections.abc import Sequence
from dataclasses import dataclass

from bargein.audio.ambience import BackgroundLoop
from bargein.call.background import BackgroundTasks
from bargein.call.clients.controls import ClientControls
from bargein.call.clients.endpointing_request import EndpointingRequests
from bargein.call.clients.insight import InsightFeed
from bargein.call.clients.listeners import Listeners
from bargein.call.clients.messages import ClientMessenger, Participants
from bargein.call.context import AgentSetup, CallContext, Providers
from bargein.call.hearing.audio_input import AudioInput
from bargein.call.hearing.dtmf import DtmfInput
from bargein.call.hearing.overlap import OverlapTracker
from bargein.call.hearing.pauses import PauseTracker
from bargein.call.hearing.reference import PlayoutReference
from bargein.call.hearing.transcription import Transcription
from bargein.call.hearing.voicemail import VoicemailDetector
from bargein.call.plan.voice_text import compile_voice_text
from bargein.call.record.usage import UsageMeter
from bargein.call.speaking.audio_output import AudioOutput
from bargein.call.speaking.background import BackgroundSound
from bargein.call.speaking.connections import ReadyConnections
from bargein.call.speaking.replies import ReplyRunner
from bargein.call.speaking.speech import FailedReasons, SpeechPipeline
from bargein.call.tools.builtin import builtin_tools
from bargein.call.tools.declarations import ToolDeclarations
from bargein.call.tools.executor import ToolExecutor
from bargein.call.tools.transfer import Handoffs, Successor, Transfers
from bargein.clock import Clock
from bargein.ports import Leg, OwnerMessenger, Pcm16, Recorder, ToolCall
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string
from bargein.wire.ownership import without_marks
from bargein.wire.plans import CustomEndpointing


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnvironment:
    """The environment of a call.

    Attributes:
        leg: the caller's connection.
        clock: the clock.
        recorder: records the audio.
        handoffs: resolves other assistants; None: the call has no other assistant.
        insight: the live feed for the server's own page.
        listeners: the listeners of the call.
        owners_client: whether the call's client is the owner.
        meter: counts the use of the model and the voice.
    """

    leg: Leg
    clock: Clock
    recorder: Recorder
    handoffs: Handoffs | None
    insight: InsightFeed
    listeners: Listeners
    owners_client: bool
    meter: UsageMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class CallComponents:
    """The components of one call."""

    messenger: ClientMessenger
    audio_output: AudioOutput
    audio_input: AudioInput
    transcription: Transcription
    reply_runner: ReplyRunner
    connections: ReadyConnections
    tools: ToolExecutor
    transfers: Transfers
    controls: ClientControls
    endpointing_requests: EndpointingRequests
    overlaps: OverlapTracker | None
    pauses: PauseTracker
    dtmf: DtmfInput
    voicemail: VoicemailDetector
    background: BackgroundTasks
    background_sound: BackgroundSound
    owner: OwnerMessenger | None

    def switch_agent(self, before: AgentSetup, successor: Successor) -> None:
        """Switch every component to another assistant; only the caller's connection stays."""
        after, providers = successor.setup, successor.providers
        self.messenger.transfer_update(successor.destination, after.assistant_json)
        if self.owner is not None:
            self.owner.switch_assistant(after.assistant_json)
        self.messenger.switch_agent(after.assistant_json, after.assistant)
        self.messenger.assistant_started()
        self.tools.switch_runner(providers.tools)
        if self.overlaps is not None:
            self.overlaps.enabled = after.plan.adaptive_interruption
        self.reply_runner.switch_agent(after, providers)
        self.connections.switch_agent(providers.model, providers.voice)
        self.background_sound.switch(providers.background)
        self.audio_input.denoising.switch(providers.create_denoiser)
        old, new = (without_marks(as_object(one.assistant_json.get("transcriber"))) for one in (before, after))
        other = old != new
        if other or self.transcription.over:
            self.transcription.switch_transcriber(providers.transcriber)


def build_components(context: CallContext, providers: Providers, environment: CallEnvironment) -> CallComponents:
    """Make and wire the components of a call that begins."""
    leg, owner = environment.leg, providers.owner
    background = BackgroundTasks()
    messenger = _messenger(context, owner, environment)

    # From the assistant to the caller.
    reference = PlayoutReference(leg, environment.recorder.write_assistant)
    audio_output = AudioOutput(
        leg,
        environment.clock,
        context.zero_ms,
        context.post,
        on_sent=reference.add_frame,
        on_voice=reference.add_voice,
        on_silenced=environment.recorder.cut_assistant,
    )
    transfers = _transfers(context, messenger, owner, environment)
    tools = _tools(context, providers, leg, transfers)
    pipeline = _speech_pipeline(context, providers, environment, audio_output, tools)
    reply_runner = ReplyRunner(context, audio_output, pipeline, background)

    # From the caller to the assistant.
    overlaps = _overlaps(context, providers)
    pauses = PauseTracker(providers.end_of_turn_detector, now_ms=context.now_ms, post=context.post)
    voicemail = VoicemailDetector(context, environment.clock)
    audio_input = _audio_input(context, providers, environment, reference, (overlaps, pauses), voicemail)

    def play_background(loop: BackgroundLoop | None) -> None:
        audio_input.set_background(0 if loop is None else loop.peak)
        audio_output.set_background(loop)

    background_sound = BackgroundSound(background, play_background)
    background_sound.switch(providers.background)

    dtmf = DtmfInput(context, environment.clock)
    return CallComponents(
        messenger=messenger,
        audio_output=audio_output,
        audio_input=audio_input,
        transcription=Transcription(context, audio_input),
        reply_runner=reply_runner,
        connections=ReadyConnections(providers.model, providers.voice, context.setup.call_id),
        tools=tools,
        transfers=transfers,
        controls=ClientControls(context, audio_input, transfers, background, leg.send_text, press_key=dtmf.receive_key),
        endpointing_requests=_endpointing_requests(context, owner),
        overlaps=overlaps,
        pauses=pauses,
        dtmf=dtmf,
        voicemail=voicemail,
        background=background,
        background_sound=background_sound,
        owner=owner,
    )


def _messenger(context: CallContext, owner: OwnerMessenger | None, environment: CallEnvironment) -> ClientMessenger:
    def send(text: str) -> None:
        environment.leg.send_text(text)
        environment.listeners.send_text(text)

    def has_reader() -> bool:
        return environment.leg.has_client or not environment.listeners.empty

    setup = context.setup
    return ClientMessenger(
        Participants.of(setup.call, setup.assistant_json, owners_client=environment.owners_client),
        setup.assistant,
        context.epoch_ms,
        environment.clock.epoch_ms,
        send,
        owner=owner,
        has_reader=has_reader,
    )


def _speech_pipeline(
    context: CallContext,
    providers: Providers,
    environment: CallEnvironment,
    audio_output: AudioOutput,
    tools: ToolExecutor,
) -> SpeechPipeline:
    def call_tools(turn_id: str, calls: Sequence[ToolCall], declared: ToolDeclarations, spoke: bool) -> None:  # noqa: FBT001  # the shape of `SpeechPipeline`'s callback
        tools.prepare(turn_id, calls, declared, spoke=spoke)

    return SpeechPipeline(
        model=providers.model,
        voice=providers.voice,
        voice_text=compile_voice_text(context.setup.assistant),
        audio_output=audio_output,
        rate_hz=environment.leg.rate_hz,
        meter=environment.meter,
        failed_reasons=FailedReasons.of(context.setup.plan),
        now_ms=context.now_ms,
        post=context.post,
        note_error=context.note_error,
        call_tools=call_tools,
    )


def _transfers(
    context: CallContext, messenger: ClientMessenger, owner: OwnerMessenger | None, environment: CallEnvironment
) -> Transfers:
    def on_forwarding(destination: JsonObject) -> None:
        messenger.change_call({"destination": destination})
        messenger.transfer_update(destination)
        messenger.status("forwarding", destination=destination)

    return Transfers(
        leg=environment.leg,
        owner=owner,
        handoffs=environment.handoffs,
        delegated=lambda: "phone-call-control" in (context.setup.assistant.server_messages or ()),
        on_forwarding=on_forwarding,
        now_ms=context.now_ms,
        post=context.post,
    )


def _tools(context: CallContext, providers: Providers, leg: Leg, transfers: Transfers) -> ToolExecutor:
    def customer() -> str | None:
        return as_string(as_object(context.setup.call.get("customer")).get("number"))

    return ToolExecutor(
        runner=providers.tools,
        builtin=builtin_tools(leg, lambda: context.setup.assistant, transfers, customer),
        render=context.render,
        save_variables=context.setup.variables.extracted.save,
        history=lambda: context.state.history,
        now_ms=context.now_ms,
        post=context.post,
    )


def _overlaps(context: CallContext, providers: Providers) -> OverlapTracker | None:
    if providers.interruption_classifier is None:
        return None

    def may_be_interrupted() -> bool:
        reply = context.state.reply
        return reply is not None and reply.audible_ms is not None and reply.interruptible

    overlaps = OverlapTracker(
        providers.interruption_classifier, wanted=may_be_interrupted, now_ms=context.now_ms, post=context.post
    )
    overlaps.enabled = context.setup.plan.adaptive_interruption
    return overlaps


def _audio_input(  # noqa: PLR0917  # the components that get its audio
    context: CallContext,
    providers: Providers,
    environment: CallEnvironment,
    reference: PlayoutReference,
    trackers: tuple[OverlapTracker | None, PauseTracker],
    voicemail: VoicemailDetector,
) -> AudioInput:
    def record(pcm: Pcm16, at_ms: float) -> None:
        environment.recorder.write_customer(pcm, at_ms)
        voicemail.receive_audio(pcm)

    overlaps, pauses = trackers
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
        overlaps=overlaps,
        echo_cancellation=providers.echo_cancellation,
        pauses=pauses,
        create_denoiser=providers.create_denoiser,
    )


def _endpointing_requests(context: CallContext, owner: OwnerMessenger | None) -> EndpointingRequests:
    def server() -> JsonObject | None:
        start = context.setup.assistant.start_speaking_plan
        smart = start.smart_endpointing_plan if start is not None else None
        given = smart.server if isinstance(smart, CustomEndpointing) else None
        return None if given is None else given.to_json()

    def timeout_s() -> float:
        return (context.setup.plan.endpointing_timeout_ms or 0) / 1000

    return EndpointingRequests(owner, server, timeout_s, context.now_ms, context.post)

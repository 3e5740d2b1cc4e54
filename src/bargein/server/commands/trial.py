"""The trial of an owner's account with a vendor (`bargein doctor --vendor`): one sentence through each of its parts.

It calls the vendor for real, through the adapters that calls use, and measures what a call would wait for.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import anyio
import numpy as np

from bargein.audio.resample import resample
from bargein.clock import Clock, LoopClock
from bargein.errors import BargeinError
from bargein.http_client import new_client
from bargein.ports import ChatMessage, Model, Pcm16, ProviderError, Transcriber, Voice
from bargein.providers.interface import (
    EmbeddedProviders,
    ModelPart,
    PartName,
    Resources,
    TranscriberPart,
    VendorSpec,
    VoicePart,
)
from bargein.providers.registry import RETIRED, VENDORS, open_embedded, served
from bargein.server.agents.credentials import credentials_for
from bargein.server.agents.parts import GivenPart, read_part
from bargein.server.commands.check import open_store
from bargein.server.commands.trial_recording import RecordedTransport, Recording, open_recording
from bargein.server.ops.finding import Finding
from bargein.settings import Settings
from bargein.webhooks.guard import AddressGuard
from bargein.wire import contract
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_object_or_none, as_string
from bargein.wire.redact import is_secret_name
from bargein.wire.retired import retirement

SENTENCE = "Hello, I would like to book a table for four tomorrow at seven."
REQUEST = "Say: hello"

_RATE_HZ = 16_000
_WINDOW_MS = 20
_BEFORE_MS = 400
_AFTER_MS = 600
_LONGEST_S = 30.0


class TrialError(BargeinError):
    """There is nothing to try: the vendor or the field does not exist. The text says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOptions:
    """The wishes for a trial.

    Attributes:
        vendor: the name of a vendor's folder or of a provider.
        part: the one part to try; None: all that it has.
        assistant: an assistant, whose parts of that provider are tried as they are.
        fields: further fields, by their paths in an assistant (`voice.voiceId`).
        record: the folder for the recordings; None: none are made.
    """

    vendor: str
    part: PartName | None = None
    assistant: JsonObject
    fields: Mapping[str, object]
    record: Path | None = None


async def try_vendor(options: TrialOptions, settings: Settings, data_dir: Path | None) -> list[Finding]:
    """Try the parts of a vendor one after the other.

    Args:
        options: the wishes.
        settings: the settings, whose keys and addresses are used.
        data_dir: the data folder, whose stored credentials are used if it has a database; None: none are.

    Raises:
        TrialError: there is no such vendor, part or field.
        StoreError: the database cannot be read.
        VaultError: its encrypted values cannot be read.
        OSError: a recording cannot be written.
    """
    parts = parts_to_try(options)
    clock = LoopClock()
    embedded = open_embedded(clock)
    store = await open_store(settings, data_dir)
    findings: list[Finding] = []
    try:
        for part in parts:
            assistant = {"credentials": options.assistant.get("credentials"), part.name: part.given}
            credentials = await credentials_for(assistant, store)
            trial = _Trial(part, credentials, settings, clock, embedded, options.record)
            findings += await trial.run()
    finally:
        embedded.close()
        if store is not None:
            await store.close()
    return findings


def parts_to_try(options: TrialOptions) -> list[GivenPart]:
    """Return the parts that a trial is about, with the fields that are to be sent.

    Raises:
        TrialError: there is no such vendor, part or field.
    """
    for path in options.fields:
        if path.partition(".")[0] not in get_args(PartName) or not path.partition(".")[2]:
            raise TrialError(f"--set {path}: the path begins with transcriber., model. or voice.")
    found = [
        GivenPart(name, name, _given(name, provider, options))
        for name in get_args(PartName)
        if options.part in (None, name)
        for provider in _providers(options.vendor, name)
    ]
    if not found:
        for name in get_args(PartName):
            if options.vendor in RETIRED.get(name, {}):
                raise TrialError(f"{options.vendor}: {retirement(name, options.vendor)}")
        names = sorted({vendor.name for vendor in VENDORS} - {"embedded", "custom"})
        what = "vendor" if options.part is None else options.part
        raise TrialError(f"there is no {what} {options.vendor}; there are {', '.join(names)}")
    return found


def _providers(wanted: str, name: PartName) -> list[str]:
    """Return the providers of a part that a name means: one provider, or all of a vendor."""
    if wanted in served(name):
        return [wanted]
    vendor = next((one for one in VENDORS if one.name == wanted.lower().replace("-", "_")), None)
    known_otherwise = any(wanted in served(other) for other in get_args(PartName))
    return [] if vendor is None or known_otherwise else list(_parts_of(vendor, name))


def _parts_of(vendor: VendorSpec, name: PartName) -> Sequence[str]:
    match name:
        case "transcriber":
            return tuple(vendor.transcribers)
        case "model":
            return tuple(vendor.models)
        case "voice":
            return tuple(vendor.voices)


def _given(name: PartName, provider: str, options: TrialOptions) -> JsonObject:
    given = as_object(options.assistant.get(name))
    made: JsonObject = dict(given) if given.get("provider") == provider else {}
    made["provider"] = provider
    for path, value in options.fields.items():
        part, _, field = path.partition(".")
        if part == name:
            made[field] = value
    return made


def missing_fields(name: PartName, given: JsonObject) -> list[str]:
    """Return the fields that Vapi's type of a part demands and that are not given."""
    for member in contract.definitions()["CreateAssistantDTO"]["properties"][name]["oneOf"]:
        schema = contract.definitions()[as_string(member["$ref"]).rpartition("/")[2]]  # type: ignore[union-attr]
        if schema["properties"]["provider"]["enum"][0] == given["provider"]:
            return [
                field
                for field in schema["required"]
                if field not in given and schema["properties"][field].get("type") != "array"
            ]
    return []


@dataclass(frozen=True, slots=True)
class _Trial:
    """The trial of one part."""

    part: GivenPart
    credentials: Mapping[str, JsonObject]
    settings: Settings
    clock: Clock
    embedded: EmbeddedProviders
    record: Path | None

    async def run(self) -> list[Finding]:
        name = f"{self.part.provider} {self.part.name}"
        if missing := missing_fields(self.part.name, self.part.given):
            wanted = " ".join(f"--set {self.part.name}.{field}=…" for field in missing)
            return [Finding(name, ok=None, detail=f"not tried: give {wanted}, or --assistant FILE")]
        file = None if self.record is None else self.record / f"{self.part.provider}_{self.part.name}.jsonl"
        async with AsyncExitStack() as stack:
            recording = None if file is None else stack.enter_context(open_recording(file, self.clock, self._secrets()))
            resources = await stack.enter_async_context(self._resources(recording))
            try:
                with anyio.fail_after(_LONGEST_S):
                    findings = await self._try(name, resources)
            except ProviderError as error:
                findings = [Finding(name, ok=False, detail=str(error), fix=error.setting)]
            except TimeoutError:
                findings = [Finding(name, ok=False, detail=f"it was not done after {_LONGEST_S:g} s")]
        return findings if file is None else [*findings, Finding(f"{name} recording", ok=True, detail=str(file))]

    def _secrets(self) -> set[str]:
        """Return every secret that a recording could hold."""
        return set(self.settings.secrets()).union(*map(secrets_in, self.credentials.values()))

    @asynccontextmanager
    async def _resources(self, recording: Recording | None) -> AsyncGenerator[Resources]:
        guard = AddressGuard(allow_private=self.settings.private_addresses_allowed)
        transports = [AddressGuard(allow_private=True).transport(), guard.transport()]
        if recording is not None:
            transports = [RecordedTransport(one, recording) for one in transports]
        async with new_client(transports[0]) as client, new_client(transports[1]) as guarded:
            yield Resources(
                settings=self.settings,
                clock=self.clock,
                client=client,
                guarded_client=guarded,
                addresses=guard,
                embedded=self.embedded,
                credentials=self.credentials,
                auth=None,
                context={},
            )

    async def _try(self, name: str, resources: Resources) -> list[Finding]:
        part, config = read_part(self.part.name, self.part.given)
        match part:
            case VoicePart():
                return await self._try_voice(name, part.create(config, resources, _RATE_HZ))
            case ModelPart():
                return await self._try_model(name, part.create(config, resources))
            case TranscriberPart():
                return await self._try_transcriber(name, part.create(config, resources))

    async def _try_voice(self, name: str, voice: Voice) -> list[Finding]:
        async with _running(voice):
            began_ms, first_ms, samples, rate_hz = self.clock.monotonic_ms(), None, 0, _RATE_HZ
            words: list[str] = []
            async with aclosing(cast("Any", voice.speak(SENTENCE))) as chunks:
                async for chunk in chunks:
                    if first_ms is None and chunk.pcm.size:
                        first_ms = self.clock.monotonic_ms() - began_ms
                    samples, rate_hz = samples + chunk.pcm.size, chunk.rate_hz
                    words += [f"{_last_word(word.char_end)} {word.start_ms}-{word.end_ms}" for word in chunk.words]
            took_ms = self.clock.monotonic_ms() - began_ms
        if first_ms is None:
            return [Finding(name, ok=False, detail="it sent no audio", fix=f"{self.part.name}.voiceId")]
        audio_ms = samples * 1000 // rate_hz
        detail = f"first audio after {first_ms:.0f} ms; {audio_ms} ms of audio at {rate_hz} Hz in {took_ms:.0f} ms"
        times = f"ms: {', '.join(words)}" if words else "it gives none"
        return [Finding(name, ok=True, detail=detail), Finding(f"{name} words", ok=None, detail=times)]

    async def _try_model(self, name: str, model: Model) -> list[Finding]:
        async with _running(model):
            began_ms, first_ms, text = self.clock.monotonic_ms(), None, ""
            async with aclosing(cast("Any", model.reply([ChatMessage("user", REQUEST)]))) as pieces:
                async for piece in pieces:
                    first_ms = self.clock.monotonic_ms() - began_ms if first_ms is None else first_ms
                    text += piece if isinstance(piece, str) else ""
            took_ms = self.clock.monotonic_ms() - began_ms
        if first_ms is None:
            return [Finding(name, ok=False, detail="it answered nothing")]
        shown = " ".join(text.split())[:80]
        return [Finding(name, ok=True, detail=f'"{shown}": first piece after {first_ms:.0f} ms, all {took_ms:.0f} ms')]

    async def _try_transcriber(self, name: str, transcriber: Transcriber) -> list[Finding]:
        hearing = _Hearing(self.clock, await self._spoken())
        await hearing.run(transcriber)
        if hearing.failure is not None:
            raise hearing.failure
        if hearing.final is None:
            return [Finding(name, ok=False, detail="it told no final transcript")]
        partial = "no partial" if hearing.partial_ms is None else f"first partial after {hearing.partial_ms:.0f} ms"
        detail = f'"{hearing.final}": {partial} of speech, final {hearing.final_ms:.0f} ms after its end'
        return [Finding(name, ok=bool(hearing.final), detail=detail)]

    async def _spoken(self) -> Pcm16:
        """Return the sentence at 16 kHz, said by the embedded voice."""
        pieces = [chunk async for chunk in self.embedded.voice.speak(SENTENCE)]
        whole = np.concatenate([piece.pcm for piece in pieces])
        return resample(whole, pieces[0].rate_hz, _RATE_HZ)


class _Hearing:
    """A caller who says one sentence, and what the transcriber makes of it.

    Args:
        clock: the time.
        speech: the sentence at 16 kHz.

    Attributes:
        partial_ms: the time from the beginning of the voice to the first words; None: there were none.
        final: the final; None: none came.
        final_ms: the time from the end of the voice to the final.
        failure: the error with which the transcriber gave up.
    """

    def __init__(self, clock: Clock, speech: Pcm16) -> None:
        self._clock = clock
        self._speech = speech
        self._voice_ms = self._silence_ms = 0.0
        self._done = anyio.Event()
        self.partial_ms: float | None = None
        self.final: str | None = None
        self.final_ms = 0.0
        self.failure: ProviderError | None = None

    async def run(self, transcriber: Transcriber) -> None:
        """Say the sentence in real time and wait for its final."""
        stream = transcriber.open(self._hear)

        async def transcribe() -> None:
            try:
                await stream.run()
            except ProviderError as error:
                self.failure = error
            self._done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transcribe)
            size = _RATE_HZ * _WINDOW_MS // 1000
            silence = np.zeros(_RATE_HZ * max(_BEFORE_MS, _AFTER_MS) // 1000, dtype=np.int16)
            await self._say(stream.feed, silence[: _RATE_HZ * _BEFORE_MS // 1000], size)
            self._voice_ms = self._clock.monotonic_ms()
            begin, rest = self._speech[: 5 * size], self._speech[5 * size :]
            await self._say(stream.feed, begin, size)
            stream.voice_started(len(begin) * 1000 // _RATE_HZ)
            await self._say(stream.feed, rest, size)
            self._silence_ms = self._clock.monotonic_ms()
            await self._say(stream.feed, silence[: _RATE_HZ * _AFTER_MS // 1000], size)
            stream.voice_stopped()
            await self._done.wait()
            tasks.cancel_scope.cancel()

    async def _say(self, feed: Any, audio: Pcm16, size: int) -> None:
        """Feed audio at the pace of speech, unless the transcriber has given up."""
        began_ms = self._clock.monotonic_ms()
        for number, start in enumerate(range(0, len(audio), size)):
            if self.failure is not None:
                return
            piece = audio[start : start + size]
            feed(piece, np.zeros_like(piece))
            due_ms = began_ms + (number + 1) * _WINDOW_MS
            await anyio.sleep(max(0.0, due_ms - self._clock.monotonic_ms()) / 1000)

    def _hear(
        self,
        text: str,
        final: bool,  # noqa: FBT001  # given by position
        /,
        confidence: float | None = None,
        *,
        complete: bool = False,
        end_of_turn: float | None = None,
    ) -> None:
        del confidence, complete, end_of_turn
        now_ms = self._clock.monotonic_ms()
        if text and self.partial_ms is None and not final:
            self.partial_ms = now_ms - self._voice_ms
        if final:
            self.final = text if self.final is None else f"{self.final} {text}".strip()
            self.final_ms = now_ms - self._silence_ms
            self._done.set()


def secrets_in(credential: JsonObject, *, within: bool = False) -> set[str]:
    """Return the secrets of a credential; of an object that is one (`authenticationPlan`), every text."""
    found: set[str] = set()
    for name, value in credential.items():
        is_secret = within or is_secret_name(name)
        if isinstance(value, str) and is_secret:
            found.add(value)
        elif (inner := as_object_or_none(value)) is not None:
            found |= secrets_in(inner, within=is_secret)
    return found


@asynccontextmanager
async def _running(part: Voice | Model) -> AsyncGenerator[None]:
    """Keep the connections of a voice or model ready meanwhile, as a call does."""
    failure: ProviderError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(part.run)
        try:
            yield
        except ProviderError as error:  # a task group would wrap it
            failure = error
        finally:
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _last_word(char_end: int) -> str:
    """Return the word of the sentence that ends at an offset."""
    return (SENTENCE[:char_end].split() or [""])[-1]

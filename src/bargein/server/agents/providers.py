"""Selection of the providers of one call: the vendor of each part of an assistant, by the list of vendors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from types import MappingProxyType
from typing import Literal, TypeVar

import httpx
import structlog

from bargein.call.context import Notices, Providers
from bargein.call.plan.compile import compile_plan
from bargein.call.record.privacy import is_private
from bargein.carriers.registry import is_phone_call
from bargein.clock import Clock
from bargein.ports import Model, ProviderError, Transcriber, Voice
from bargein.providers.fallback import Candidate
from bargein.providers.fallback_transcriber import FallbackTranscriber
from bargein.providers.fallback_voice import FallbackVoice
from bargein.providers.interface import (
    BUILT_IN,
    CANNOT_START,
    EmbeddedProviders,
    ModelPart,
    PartName,
    Resources,
    TranscriberPart,
    VoicePart,
)
from bargein.providers.registry import MODELS, TRANSCRIBERS, VOICES
from bargein.providers.speech_cache import CachedVoice, SpeechCache
from bargein.server.agents.background_sounds import BackgroundSounds
from bargein.server.agents.credentials import ProviderCredentials
from bargein.server.agents.denoising import denoising_field, load_denoiser
from bargein.server.agents.egress import NO_AUTH, Egress, ProviderAuth
from bargein.server.agents.parts import fallbacks_of, parts_of, read_part
from bargein.server.agents.substitution import may_substitute, substitute_tags
from bargein.settings import Settings
from bargein.turns import Plan
from bargein.wire import providers as wire
from bargein.wire.assistant import Assistant
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.call import call_in_messages
from bargein.wire.client_view import call_view, customer_view, phone_number_view
from bargein.wire.json import as_object_or_none, as_string
from bargein.wire.ownership import author_of, leads_to_caller
from bargein.wire.redact import without_secrets

_log = structlog.get_logger("bargein.server")

_MadeT = TypeVar("_MadeT", Transcriber, Voice)
_PartT = TypeVar("_PartT", TranscriberPart, ModelPart, VoicePart)


class _Fallback(WireModel):
    """An entry of a fallback plan: Vapi's `Fallback…` types are those of the providers without a plan of their own."""

    provider: str


_Given = wire.AssistantTranscriber | wire.AssistantModel | wire.AssistantVoice | _Fallback | None


class ProviderFactory:
    """Creates the providers of calls and chats; the vendors come from `bargein.providers.registry`.

    Args:
        settings: the server's settings, with the section of each vendor.
        clock: the one clock.
        client: the HTTP client that all calls share, for vendors' hosts and servers that the operator's settings name.
        embedded: the models inside the package.
        egress: the guarded way to servers that assistants name.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        client: httpx.AsyncClient,
        embedded: EmbeddedProviders,
        egress: Egress,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._client = client
        self._embedded = embedded
        self._egress = egress
        self._backgrounds = BackgroundSounds(egress.client)
        self._denoiser = load_denoiser(settings.calls.denoiser)
        self._cache = SpeechCache()

    def providers(
        self,
        assistant: Assistant,
        call: JsonObject,
        rate_hz: int,
        keys: ProviderCredentials = MappingProxyType({}),
        auth: ProviderAuth = NO_AUTH,
        *,
        private: bool = False,
    ) -> Providers:
        """Create the providers of a call.

        Args:
            assistant: the assistant.
            call: the call's JSON.
            rate_hz: the sample rate of the call's audio in both directions.
            keys: the owner's credentials for the assistant's providers.
            auth: signs requests to servers that the assistant names.
            private: whether nothing that is said in the call may be kept, whatever this assistant says.

        Raises:
            ProviderError: the assistant names one that this server does not have; the text says what to do.
        """
        context = _context(assistant, call)
        notices = Notices()
        cached = not private and not is_private(assistant.to_json())
        transcribers = self._candidates(
            "transcriber", assistant.transcriber, (context, keys, auth.transcriber), auth, self._transcriber
        )
        voices = self._candidates(
            "voice",
            assistant.voice,
            (context, keys, auth.voice),
            auth,
            partial(self._voice, rate_hz=rate_hz, cached=cached),
        )
        call_id = as_string(call.get("id"))
        return Providers(
            detector=self._embedded.detector,
            transcriber=_settled(transcribers, partial(FallbackTranscriber, call_id=call_id, tell=notices.tell)),
            model=self._model(assistant.model, self._resources(context, keys)),
            voice=_settled(voices, partial(FallbackVoice, call_id=call_id, tell=notices.tell)),
            notices=notices,
            change_call=partial(_change_call, context, as_caller=_is_callers(assistant)),
            interruption_classifier=self._embedded.interruption_classifier,
            echo_cancellation=self._settings.calls.available_echo_cancellation(),
            end_of_turn_detector=self._embedded.end_of_turn_detector,
            create_denoiser=self._denoiser if denoising_field(assistant.to_json()) is not None else None,
            background=self._backgrounds.loader(assistant.background_sound, rate_hz, phone=is_phone_call(call)),
        )

    def plan(self, assistant: Assistant, transcriber: Transcriber) -> Plan:
        """Compile the plan of a call from the assistant, its transcriber and this server's settings.

        Raises:
            PlanError: the assistant's plans contradict themselves.
        """
        plan = compile_plan(assistant, preemptive=self._settings.calls.early_replies)
        return replace(
            plan,
            transcript_timeout_ms=plan.transcript_timeout_ms + transcriber.lag_ms,
            false_interruption_timeout_ms=plan.false_interruption_timeout_ms + transcriber.lag_ms,
        )

    def model(self, assistant: Assistant, call: JsonObject, keys: ProviderCredentials) -> Model:
        """Return the model of a conversation in text alone.

        Args:
            assistant: the assistant.
            call: the chat's JSON.
            keys: the owner's credentials for the assistant's providers.

        Raises:
            ProviderError: the assistant names one that this server does not have; the text says what to do.
        """
        return self._model(assistant.model, self._resources(_context(assistant, call), keys))

    def task_model(self, assistant: Assistant, call: JsonObject, keys: ProviderCredentials) -> Model:
        """Return a model for a task about a call: a vendor's or the owner's, never the built-in script in its place.

        Args:
            assistant: an assistant with the model.
            call: the call's JSON.
            keys: the owner's credentials for the assistant's providers.

        Raises:
            ProviderError: the assistant names none that can do tasks on this server; the text says what to do.
        """
        given = assistant.model
        if given is None or given.provider == BUILT_IN:
            raise ProviderError(
                "the built-in model is a script that can do no tasks: name a model of another provider",
                ended_reason=CANNOT_START,
                provider=BUILT_IN,
            )
        part, config = _find("model", MODELS, given)
        return part.create(config, self._resources(_context(assistant, call), keys))

    def _resources(self, context: JsonObject, keys: ProviderCredentials, auth: httpx.Auth | None = None) -> Resources:
        return Resources(
            settings=self._settings,
            clock=self._clock,
            client=self._client,
            guarded_client=self._egress.client,
            addresses=self._egress.guard,
            embedded=self._embedded,
            credentials=keys,
            auth=auth,
            context=context,
        )

    def _candidates(
        self,
        name: Literal["transcriber", "voice"],
        given: _Given,
        own: tuple[JsonObject, ProviderCredentials, httpx.Auth | None],
        auth: ProviderAuth,
        create: Callable[[_Given, Resources], _MadeT],
    ) -> list[Candidate[_MadeT]]:
        """Return a part and those of its fallback plan; an error in the place of one that cannot be made."""
        context, keys, _ = own
        candidates = [
            Candidate(BUILT_IN if given is None else given.provider, _attempt(create, given, self._resources(*own)))
        ]
        entries = () if given is None else fallbacks_of(name, given.to_json())
        for entry, signed in zip_longest(entries, auth.fallbacks.get(name, ())):
            if isinstance(signed, ProviderError):
                candidates.append(Candidate(entry.provider, signed))
                continue
            usable: ProviderCredentials = {} if leads_to_caller(entry.given) else keys
            fallback = _Fallback.from_json({"provider": entry.provider, **entry.given})
            resources = self._resources(context, usable, signed)
            candidates.append(Candidate(entry.provider, _attempt(create, fallback, resources)))
        return candidates

    def _transcriber(self, given: _Given, resources: Resources) -> Transcriber:
        try:
            part, config = _find("transcriber", TRANSCRIBERS, given)
            return part.create(config, resources)
        except ProviderError as error:
            self._check_substitution("transcriber", given, resources, error)
            return self._embedded.transcriber_of(substitute_tags(given))

    def _model(self, given: wire.AssistantModel | None, resources: Resources) -> Model:
        try:
            part, config = _find("model", MODELS, given)
            return part.create(config, resources)
        except ProviderError as error:
            self._check_substitution("model", given, resources, error)
            return self._embedded.model

    def _voice(self, given: _Given, resources: Resources, *, rate_hz: int, cached: bool) -> Voice:
        try:
            part, config = _find("voice", VOICES, given)
            voice = part.create(config, resources, rate_hz)
        except ProviderError as error:
            self._check_substitution("voice", given, resources, error)
            return self._embedded.voice
        described: JsonObject = {"provider": BUILT_IN} if given is None else given.to_json()
        if not cached or described.get("cachingEnabled") is False:
            return voice
        account = resources.credentials.get(str(described["provider"]), {})
        return CachedVoice(voice, self._cache, self._cache.identity(described, account, rate_hz))

    def _check_substitution(self, name: PartName, given: _Given, resources: Resources, error: ProviderError) -> None:
        """Raise the error of a part that could not be made, unless the embedded model may run in its place."""
        provider = BUILT_IN if given is None else given.provider
        if not may_substitute(name, provider, error, resources.credentials, self._settings):
            raise error
        _log.warning("a part without a key runs on the embedded model", part=name, provider=provider, error=str(error))


def _attempt(
    create: Callable[[_Given, Resources], _MadeT], given: _Given, resources: Resources
) -> _MadeT | ProviderError:
    try:
        return create(given, resources)
    except ProviderError as error:
        return error


def _settled(
    candidates: Sequence[Candidate[_MadeT]], combine: Callable[[Sequence[Candidate[_MadeT]]], _MadeT]
) -> _MadeT:
    """Return the only candidate, or all of them as one part.

    Raises:
        ProviderError: none of them can be made.
    """
    only = candidates[0].part
    if len(candidates) > 1:
        return combine(candidates)
    if isinstance(only, ProviderError):
        raise only
    return only


def _find(name: PartName, parts: Mapping[str, _PartT], given: _Given) -> tuple[_PartT, WireModel]:
    """Return the vendor's part that serves `given`, and `given` as that vendor's type.

    Raises:
        ProviderError: no vendor serves it, or it is not what that vendor's type requires.
    """
    part = parts.get(BUILT_IN if given is None else given.provider)
    if part is not None and isinstance(given, part.config):
        return part, given
    _, config = read_part(name, {} if given is None else given.to_json())
    return parts[BUILT_IN if given is None else given.provider], config


_OF_THE_OWNER_ALONE = "monitor"
"""A field of a call that providers do not get: its URLs control the call."""


def _context(assistant: Assistant, call: JsonObject) -> JsonObject:
    """Return the call as providers get it: as messages to its owner carry it, without the addresses that control it."""
    if _is_callers(assistant):
        return _callers_context(assistant, call)
    metadata: object = assistant.metadata or call.get("metadata")
    context: JsonObject = {
        "call": _without_monitor(call_in_messages(call)),
        "metadata": metadata,
        "assistant": None if assistant.name is None else {"name": assistant.name},
    }
    for name in ("customer", "phoneNumber"):
        about = as_object_or_none(call.get(name))
        if about is not None:
            context[name] = without_secrets(about)
    return {name: value for name, value in context.items() if value is not None}


def _is_callers(assistant: Assistant) -> bool:
    """Return whether one of an assistant's providers has an address that a caller set."""
    parts = {"model": assistant.model, "voice": assistant.voice, "transcriber": assistant.transcriber}
    given: JsonObject = {name: part.to_json() for name, part in parts.items() if part is not None}
    return any(leads_to_caller(part.given) for part in parts_of(given))


def _change_call(context: JsonObject, changes: JsonObject, *, as_caller: bool) -> None:
    """Put changed fields of the call's record into the call that providers get, which they read for each request."""
    context["call"].update(call_view(changes) if as_caller else _without_monitor(call_in_messages(changes)))


def _without_monitor(call: JsonObject) -> JsonObject:
    return {name: value for name, value in call.items() if name != _OF_THE_OWNER_ALONE}


def _callers_context(assistant: Assistant, call: JsonObject) -> JsonObject:
    """Return the call as providers get it if one of them has an address that a caller set: as clients see it."""
    context: JsonObject = {"call": call_view(call)}
    if author_of(call) == "caller":
        metadata: object = (assistant.metadata if call.get("assistant") is not None else None) or call.get("metadata")
        context |= {} if metadata is None else {"metadata": metadata}
    for name, view in (("customer", customer_view), ("phoneNumber", phone_number_view)):
        about = as_object_or_none(call.get(name))
        if about is not None:
            context[name] = view(about)
    return context

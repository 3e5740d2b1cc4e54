"""The interface between vendors and the server: the spec that a vendor exports, and the inputs of its factories.

A vendor is one folder. Its `__init__.py` exports `VENDOR`, a `VendorSpec`, and `bargein.providers.registry` lists it.
docs/extending.md walks through adding one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httpx

from bargein.clock import Clock
from bargein.ports import (
    EndOfTurnDetector,
    InterruptionClassifier,
    Model,
    ProviderError,
    Transcriber,
    Voice,
    VoiceDetector,
)
from bargein.providers.http import Addresses
from bargein.settings import Section, Settings
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.json import as_string

PartName = Literal["transcriber", "model", "voice"]
"""A part of an assistant that a vendor may serve."""

BUILT_IN = "vapi"
"""The provider of a part that an assistant does not name: the models inside the package."""

CANNOT_START = "call.start.error-get-resources-validation"
"""The `endedReason` of a call whose assistant names something that this server does not have, or cannot use."""


class EmbeddedProviders(Protocol):
    """The models inside the package; one object serves all calls of a process."""

    @property
    def detector(self) -> VoiceDetector:
        """The voice activity detector."""
        ...

    def transcriber_of(self, tags: Sequence[str]) -> Transcriber:
        """Return the transcriber of provider `vapi` for languages ("es-MX"); without tags, for English."""
        ...

    @property
    def voice(self) -> Voice:
        """The voice of provider `vapi`."""
        ...

    @property
    def model(self) -> Model:
        """The model of provider `vapi`."""
        ...

    @property
    def interruption_classifier(self) -> InterruptionClassifier | None:
        """The interruption classifier; None: a voice's length decides."""
        ...

    @property
    def end_of_turn_detector(self) -> EndOfTurnDetector | None:
        """The end-of-turn detector; None: the words decide."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The inputs of a vendor's factory, for one part of one call or chat.

    Attributes:
        settings: all settings; a vendor reads its own section (`resources.settings.section(AcmeSettings)`).
        clock: the one clock.
        client: the HTTP client that all calls share, for the vendor's own hosts and those that the operator's settings
            name.
        guarded_client: the HTTP client for URLs that an assistant names; it refuses private addresses unless the
            operator allows them.
        addresses: resolves hosts of sockets that an assistant names, under the same rule.
        embedded: the models inside the package.
        credentials: the owner's credentials by provider, with their secrets in the clear.
        auth: signs requests to the server that this part names (`server.credentialId`); None: nothing is signed.
        context: the call as providers may see it: `call`, `metadata`, `customer`, `phoneNumber`, without secrets, and
            the `assistant` by its name.
    """

    settings: Settings
    clock: Clock
    client: httpx.AsyncClient
    guarded_client: httpx.AsyncClient
    addresses: Addresses
    embedded: EmbeddedProviders
    credentials: Mapping[str, JsonObject]
    auth: httpx.Auth | None
    context: JsonObject

    def api_key(self, provider: str) -> str | None:
        """Return the `apiKey` of the owner's credential for `provider`, if there is one."""
        return as_string(self.credentials.get(provider, {}).get("apiKey")) or None


@dataclass(frozen=True, slots=True)
class Account:
    """The account that one part of an assistant is charged to.

    Attributes:
        provider: the `provider` of the part, as the assistant names it.
        key: the secret key.
        credential: the owner's credential for the provider; empty: the key is of the settings.
    """

    provider: str
    key: str = field(repr=False)
    credential: JsonObject = field(default_factory=dict[str, Any], repr=False)

    @property
    def api_url(self) -> str | None:
        """The address that the key is for (`apiUrl` of Vapi's credential); None: the vendor's own.

        The key must go nowhere else. A host alone is meant with https, as Vapi's default `api.deepgram.com` shows. Who
        connects to it asks `Resources.addresses`, since JSON names it.
        """
        given = (as_string(self.credential.get("apiUrl")) or "").strip().rstrip("/")
        return (given if "://" in given else f"https://{given}") if given else None


class MissingKeyError(ProviderError):
    """There is no key for a provider: no credential of the owner's, and none in the settings."""


def account_of(resources: Resources, part: PartName, provider: str, key: str | None, key_variable: str) -> Account:
    """Return the account for a provider: the owner's credential, else the key of the settings.

    Args:
        resources: the inputs of the part's factory.
        part: the part, for the error.
        provider: the `provider` of the part, and of the credential.
        key: the key of the vendor's settings.
        key_variable: the environment variable of that key.

    Raises:
        MissingKeyError: there is no key.
    """
    credential = resources.credentials.get(provider, {})
    if (own := resources.api_key(provider)) is not None:
        return Account(provider, own, credential)
    if key is None:
        raise MissingKeyError(
            f"{part} provider {provider} needs a key: add a credential for {provider}, or set {key_variable}",
            ended_reason=CANNOT_START,
            provider=provider,
        )
    return Account(provider, key)


@dataclass(frozen=True, slots=True)
class TranscriberPart:
    """A transcriber of a vendor.

    Attributes:
        config: the type of `assistant.transcriber`.
        create: makes the transcriber of one call from a `config`. Raises `ProviderError` with what to set.
        find_problem: says why this server cannot run a `config`, and what to do; None: it can. It is asked before a
            call is created.
    """

    config: type[WireModel]
    create: Callable[[Any, Resources], Transcriber]
    find_problem: Callable[[Any], str | None] | None = None


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A model of a vendor.

    Attributes:
        config: the type of `assistant.model`.
        create: makes the model of one call or chat from a `config`. Raises `ProviderError` with what to set.
        find_problem: as `TranscriberPart.find_problem`.
    """

    config: type[WireModel]
    create: Callable[[Any, Resources], Model]
    find_problem: Callable[[Any], str | None] | None = None


@dataclass(frozen=True, slots=True)
class VoicePart:
    """A voice of a vendor.

    Attributes:
        config: the type of `assistant.voice`.
        create: makes the voice of one call from a `config` and the sample rate of the call's audio in Hz. A voice may
            have another rate, and is then resampled. Raises `ProviderError` with what to set.
        find_problem: as `TranscriberPart.find_problem`.
    """

    config: type[WireModel]
    create: Callable[[Any, Resources, int], Voice]
    find_problem: Callable[[Any], str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSpec:
    """A vendor, as its folder exports it.

    Attributes:
        name: the name of the folder.
        transcribers: its transcribers, by the `provider` that an assistant names in Vapi's JSON.
        models: its models, likewise.
        voices: its voices, likewise.
        settings: its section of the settings; the fields declared `secret` are masked in every log.
        extra: the optional dependency group of the package that its SDK is in; None: it needs none.
    """

    name: str
    transcribers: Mapping[str, TranscriberPart] = field(default_factory=dict[str, TranscriberPart])
    models: Mapping[str, ModelPart] = field(default_factory=dict[str, ModelPart])
    voices: Mapping[str, VoicePart] = field(default_factory=dict[str, VoicePart])
    settings: type[Section] | None = None
    extra: str | None = None

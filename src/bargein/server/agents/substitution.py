"""The embedded models in place of others: a part whose provider has no key runs on them (`substitute_providers`)."""

from collections.abc import Mapping, Sequence

from bargein.ports import ProviderError
from bargein.providers.interface import BUILT_IN, PartName
from bargein.providers.registry import TRANSCRIBERS
from bargein.server.agents.parts import lacks_key
from bargein.settings import Settings
from bargein.wire.base import JsonObject, WireModel
from bargein.wire.json import as_string, as_strings
from bargein.wire.providers import EmbeddedTranscriber


def may_substitute(
    name: PartName, provider: str, error: ProviderError, credentials: Mapping[str, JsonObject], settings: Settings
) -> bool:
    """Return whether the embedded model runs in the place of a part that could not be made.

    Args:
        name: the part.
        provider: its provider.
        error: the error with which the vendor refused to make it.
        credentials: the owner's credentials by provider.
        settings: the settings.
    """
    wanted = settings.calls.substitute_providers and provider != BUILT_IN
    return wanted and lacks_key(name, provider, error, credentials, settings)


def substitute_tags(given: WireModel | None) -> Sequence[str]:
    """Return the languages of a transcriber as the embedded one can hear them; none is English."""
    data = {} if given is None else given.to_json()
    language = as_string(data.get("language"))
    languages = as_strings(data.get("languages")) or None
    config = EmbeddedTranscriber.from_json({"provider": BUILT_IN, "language": language, "languages": languages})
    find_problem = TRANSCRIBERS[BUILT_IN].find_problem
    return config.tags if find_problem is None or find_problem(config) is None else ()

"""Options that several of Vapi's provider types share, as keyword arguments; those that are not set are left out."""

from typing import TypedDict

from bargein.wire.base import JsonObject
from bargein.wire.plans import Server


class Sampling(TypedDict, total=False):
    """The sampling of a model."""

    temperature: float
    max_tokens: int


class Timeout(TypedDict, total=False):
    """The time limit of a server."""

    timeout_s: float


def read_sampling(temperature: float | None, max_tokens: float | None) -> Sampling:
    """Return `temperature` and `maxTokens` of a model."""
    options: Sampling = {}
    if temperature is not None:
        options["temperature"] = float(temperature)
    if max_tokens is not None:
        options["max_tokens"] = int(max_tokens)
    return options


def read_timeout(server: Server) -> Timeout:
    """Return `timeoutSeconds` of a server."""
    return {} if server.timeout_seconds is None else {"timeout_s": float(server.timeout_seconds)}


def read_headers(headers: JsonObject | None) -> dict[str, str]:
    """Return `headers` of a server or a model, their values as strings."""
    return {name: str(value) for name, value in (headers or {}).items()}

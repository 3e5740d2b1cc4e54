"""Errors for a provider that an assistant names and this server has no adapter for, with what to use instead."""

from bargein.ports import ProviderError

CANNOT_START = "call.start.error-get-resources-validation"
"""The `endedReason` of a call whose assistant names something that this server does not have."""

_OPENAI_COMPATIBLE = frozenset({
    "anthropic", "anyscale", "cerebras", "deep-seek", "deepinfra", "google", "groq", "minimax", "openrouter",
    "perplexity-ai", "together-ai", "xai",
})  # fmt: skip
"""Model providers with an OpenAI-compatible API of their own, which `custom-llm` can reach."""


def unsupported_model(provider: str) -> ProviderError:
    """Return the error for `assistant.model.provider`."""
    if provider in _OPENAI_COMPATIBLE:
        instead = (
            'set model.provider to "custom-llm", model.url to the address of its OpenAI-compatible API and '
            "model.headers.authorization to its key"
        )
    else:
        instead = (
            'set model.provider to "custom-llm" and model.url to a server in front of it that answers OpenAI\'s chat '
            "completions"
        )
    return _unsupported("model", provider, f'{instead}; or use "openai" or the built-in "vapi"')


def unsupported_transcriber(provider: str) -> ProviderError:
    """Return the error for `assistant.transcriber.provider`."""
    return _unsupported(
        "transcriber",
        provider,
        'set transcriber.provider to "custom-transcriber" and transcriber.server.url to a server of yours in front '
        'of it; or use the built-in "vapi"',
    )


def unsupported_voice(provider: str) -> ProviderError:
    """Return the error for `assistant.voice.provider`."""
    return _unsupported(
        "voice",
        provider,
        'set voice.provider to "custom-voice" and voice.server.url to a server of yours in front of it; or use the '
        'built-in "vapi"',
    )


def _unsupported(part: str, provider: str, instead: str) -> ProviderError:
    return ProviderError(
        f"{part} provider {provider} has no adapter on this server: {instead}", ended_reason=CANNOT_START
    )

"""What to do about a provider that an assistant names and this server has no adapter for."""

from bargein.ports import ProviderError

NOT_HERE = "call.start.error-get-resources-validation"
"""The `endedReason` of a call that needs what this server does not have."""

_OPENAI_COMPATIBLE = frozenset({
    "anthropic", "anyscale", "cerebras", "deep-seek", "deepinfra", "google", "groq", "minimax", "openrouter",
    "perplexity-ai", "together-ai", "xai",
})  # fmt: skip
"""Model providers that offer OpenAI's chat completions themselves, so that `custom-llm` reaches them."""


def absent_model(provider: str) -> ProviderError:
    """For `assistant.model.provider`."""
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
    return _absent("model", provider, f'{instead}; or use "openai" or the built-in "vapi"')


def absent_transcriber(provider: str) -> ProviderError:
    """For `assistant.transcriber.provider`."""
    return _absent(
        "transcriber",
        provider,
        'set transcriber.provider to "custom-transcriber" and transcriber.server.url to a server of yours in front '
        'of it; or use the built-in "vapi"',
    )


def absent_voice(provider: str) -> ProviderError:
    """For `assistant.voice.provider`."""
    return _absent(
        "voice",
        provider,
        'set voice.provider to "custom-voice" and voice.server.url to a server of yours in front of it; or use the '
        'built-in "vapi"',
    )


def _absent(part: str, provider: str, instead: str) -> ProviderError:
    return ProviderError(f"{part} provider {provider} has no adapter on this server: {instead}", ended_reason=NOT_HERE)

"""Advice for an assistant that names a provider without an adapter: which server of the owner's can replace it."""

from bargein.providers.interface import PartName


def describe_substitute(part: PartName, provider: str) -> str:  # a provider may have advice of its own
    """Return what to set so that a custom server stands in for `provider`."""
    match part:
        case "transcriber":
            return (
                'set transcriber.provider to "custom-transcriber" and transcriber.server.url to a server of yours in '
                "front of it"
            )
        case "voice":
            return 'set voice.provider to "custom-voice" and voice.server.url to a server of yours in front of it'
        case "model":
            return (
                'set model.provider to "custom-llm" and model.url to a server in front of it that answers OpenAI\'s '
                "chat completions"
            )

"""A self-hosted voice-agent server that speaks Vapi's protocol and yields the floor the instant a person takes it."""

from importlib.metadata import version

__version__ = version("bargein")

"""A self-hosted voice-agent server with Vapi's API that callers can interrupt."""

from importlib.metadata import version

__version__ = version("bargein")

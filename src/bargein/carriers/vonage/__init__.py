"""Vonage (Voice API). The package's extra `vonage` brings what it needs."""

from bargein.carriers.vonage.carrier import VonageCarrier

__all__ = ["VonageCarrier"]

"""Telnyx: numbers bought there, over Call Control or TeXML and bidirectional media streaming."""

from bargein.carriers.telnyx.carrier import TelnyxCarrier

__all__ = ["TelnyxCarrier"]

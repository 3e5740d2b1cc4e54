"""Telnyx: numbers bought there, over Call Control or TeXML and bidirectional media streaming."""

from bargein.carriers.telnyx.carrier import TelnyxCarrier, carrier

__all__ = ["TelnyxCarrier", "carrier"]

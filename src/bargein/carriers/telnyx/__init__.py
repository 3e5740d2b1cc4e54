"""Telnyx: numbers bought there, over Call Control or TeXML and bidirectional media streaming.

The package's extra `telnyx` brings what it needs; without it this room cannot be imported.
"""

from importlib.util import find_spec

from bargein.carriers.telnyx.carrier import TelnyxCarrier, carrier

if find_spec("telnyx") is None:  # which is loaded later, by the first call
    raise ModuleNotFoundError("No module named 'telnyx'", name="telnyx")

__all__ = ["TelnyxCarrier", "carrier"]

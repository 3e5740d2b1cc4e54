"""Twilio: numbers bought there, over TwiML, its REST API and bidirectional Media Streams."""

from bargein.carriers.twilio.carrier import TwilioCarrier, carrier

__all__ = ["TwilioCarrier", "carrier"]

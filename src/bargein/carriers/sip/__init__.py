"""SIP: numbers behind one's own trunk (`byo-phone-number`), and SIP URIs of this server (`vapi`).

The SIP stack runs in a process of its own (`agent`), which `supervisor` keeps alive and `exchange` brings together with
the server. Nothing but `agent` imports the stack, so that a server without the extra `bargein[sip]` can tell so.
"""

from bargein.carriers.sip.carrier import SipCarrier
from bargein.carriers.sip.gateway import SipGateway

__all__ = ["SipCarrier", "SipGateway"]

"""The time that the assistant takes to yield over SIP, measured by RTP packets: `python -m bench.sip`."""

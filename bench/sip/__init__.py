"""Interruptions over SIP, timed by RTP packets at a telephone on loopback: `python -m bench.sip`."""

"""The time that the assistant takes to yield on each telephone carrier: `python -m bench.telephony`."""

"""What the vendors' adapters add to the vendors' own time, against their fakes on loopback."""

"""Checks of what bargein promises under faults: `python -m bench.torture`.

Each part runs real server processes, with callers, owners' servers and providers of its own on loopback, and counts how
often a promise of `docs/reliability.md` was broken. Parts: `kill`, `fuzz`, `peers`, `soak`, `disk`. Every random choice
follows from `--seed`.
"""

"""Benchmarks of a running server, or of its parts on a simulated clock. docs/measurements has their results."""

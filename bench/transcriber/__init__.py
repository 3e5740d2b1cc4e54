"""Benchmark of the embedded transcriber: word error rates of digits, answers that are no digits, noises with words."""

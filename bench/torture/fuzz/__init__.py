"""`fuzz`: mutated messages on every socket and route, beside a call that must not notice.

Input number `index` follows from `--seed` and the index alone, so `--only INDEX` runs it again.
"""

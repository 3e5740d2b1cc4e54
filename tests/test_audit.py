"""The audit of the pinned packages fails for a known vulnerability, and says so where it cannot be done."""

import json

from dev.audit import verdict

FINE = {"name": "anyio", "version": "4.9", "vulns": []}
VULNERABLE = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}]}
SKIPPED = {"name": "anyio", "skip_reason": "Dependency not found on PyPI and could not be audited: anyio (4.9)"}


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_vulnerability_fails() -> None:
    text, status = verdict(report(FINE, VULNERABLE, SKIPPED), "")
    assert status == 1
    assert text.splitlines() == [
        "old 1.0: PYSEC-1, fixed in 1.1",
        "audit: 2 packages, 1 known vulnerabilities, 1 not audited",
    ]
    assert verdict(report(FINE), "") == ("audit: 1 packages, 0 known vulnerabilities, 0 not audited", 0)


def test_an_audit_that_cannot_be_done_is_one_line_and_does_not_fail() -> None:
    text, status = verdict(report(SKIPPED), "")
    assert status == 0
    assert text.startswith("audit: not done, the advisory service has no answer (Dependency not found on PyPI")
    assert len(text.splitlines()) == 1
    text, status = verdict("", "Traceback…\nrequests.exceptions.ConnectionError: refused\n")
    assert (text, status) == (
        "audit: not done, the advisory service has no answer (requests.exceptions.ConnectionError: refused)",
        0,
    )

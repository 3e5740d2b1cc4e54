"""Looks up known vulnerabilities of the pinned packages: `python -m dev.audit`.

It runs `pip-audit` on `constraints.txt`. A known vulnerability fails; where the advisory service cannot be reached, or
does not know the packages, one line says so, and the exit status is 0.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bargein.wire.base import JsonObject
from bargein.wire.json import as_list, as_object

ROOT = Path(__file__).resolve().parents[1]
_WITHIN_S = 240.0


def main() -> int:
    """Run from the command line."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(ROOT / "constraints.txt"), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN_S, check=False)  # noqa: S603  # our own arguments
    except subprocess.TimeoutExpired:
        print(f"audit: not done, no answer of the advisory service within {_WITHIN_S:g} s")
        return 0
    text, status = verdict(done.stdout, done.stderr)
    print(text)
    return status


def verdict(output: str, errors: str) -> tuple[str, int]:
    """Return what to print, and the exit status.

    Args:
        output: what `pip-audit --format json` printed.
        errors: its standard error.
    """
    try:
        packages = [as_object(package) for package in as_list(as_object(json.loads(output)).get("dependencies"))]
    except ValueError:
        packages = []
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        reason = next((as_object(package).get("skip_reason") for package in packages), None) or _last_line(errors)
        return f"audit: not done, the advisory service has no answer ({reason})", 0
    found = [line for package in audited for line in _lines(package)]
    skipped = len(packages) - len(audited)
    counted = f"audit: {len(audited)} packages, {len(found)} known vulnerabilities, {skipped} not audited"
    return "\n".join([*found, counted]), int(bool(found))


def _lines(package: JsonObject) -> Sequence[str]:
    return [
        f"{package.get('name')} {package.get('version')}: {vulnerability.get('id')}, "
        f"fixed in {', '.join(map(str, as_list(vulnerability.get('fix_versions')))) or 'no version'}"
        for vulnerability in map(as_object, as_list(package.get("vulns")))
    ]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing"])[-1][:200]


if __name__ == "__main__":
    raise SystemExit(main())

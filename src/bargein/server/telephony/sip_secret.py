"""The secret that the SIP proxy in front proves itself with."""

import os
import secrets
from pathlib import Path

from bargein.settings import Settings, SipSettings

PROOF_FILE = "sip.secret"


def proof_of(settings: Settings) -> str:
    """The secret that the SIP proxy proves itself with: that of the settings, or one that is made and kept.

    Raises:
        OSError: it can be neither read nor written.
    """
    sip = settings.section(SipSettings)
    if sip.is_served and sip.secret is not None:
        return sip.secret
    path = settings.storage.data_dir / PROOF_FILE
    if not path.exists():
        settings.storage.data_dir.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_hex(24))
    return path.read_text(encoding="ascii").strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)

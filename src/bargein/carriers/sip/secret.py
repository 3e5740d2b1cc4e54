"""The secret that the SIP proxy in front proves itself with."""

import os
import secrets
from pathlib import Path

from bargein.carriers.sip.settings import SipSettings

SECRET_FILE = "sip.secret"  # noqa: S105  # a file's name


def proxy_secret(settings: SipSettings, data_dir: Path) -> str:
    """Return the secret of the settings, or one that is made once and kept in the data folder.

    Raises:
        OSError: the file can be neither read nor written.
    """
    if settings.secret is not None:
        return settings.secret
    path = data_dir / SECRET_FILE
    if not path.exists():
        data_dir.mkdir(0o700, parents=True, exist_ok=True)
        write_private(path, secrets.token_hex(24))
    return path.read_text(encoding="ascii").strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)

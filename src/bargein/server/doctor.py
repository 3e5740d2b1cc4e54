"""What `bargein doctor` finds: what is installed, which models load, which keys are set, and how to mend the rest."""

import platform
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version

from bargein import __version__
from bargein.clock import LoopClock
from bargein.providers.embedded import Embedded
from bargein.server.ops.finding import Finding
from bargein.server.telephony.checkup import examine_telephony
from bargein.settings import Settings

_PACKAGES = ("fastapi", "uvicorn", "uvloop", "onnxruntime", "soxr", "sqlalchemy", "aiosqlite")
_DATABASE = "bargein.db"
_LEAST_FREE_BYTES = 200 << 20


def examine(settings: Settings) -> list[Finding]:
    """Look at everything. Loads each embedded model once, which takes a second or two."""
    return [
        Finding("bargein", ok=True, detail=f"{__version__} on Python {platform.python_version()}, {sys.platform}"),
        *map(_package, _PACKAGES),
        *_models(),
        *_keys(settings),
        *examine_telephony(settings, _DATABASE),
        _data_dir(settings),
        _address(settings),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, ok=True, detail=version(name))
    except PackageNotFoundError:
        return Finding(name, ok=False, detail="not installed", fix=f"python -m pip install {name}")


def _models() -> list[Finding]:
    embedded = Embedded(LoopClock())
    try:
        return [
            Finding(check.name, ok=check.ok, detail=check.detail, fix="" if check.ok else "see the text before")
            for check in embedded.check()
        ]
    finally:
        embedded.close()


def _keys(settings: Settings) -> list[Finding]:
    """Which keys are set; never what they are."""
    loopback = "not set: the server answers to this machine alone"
    told = {
        "BARGEIN_API_KEY": (settings.api_key, loopback),
        "BARGEIN_PUBLIC_KEY": (settings.public_key, "not set: no page can call without the private key"),
        "OPENAI_API_KEY": (settings.openai_api_key, "not set: model provider openai needs it, or OPENAI_BASE_URL"),
        "OPENAI_BASE_URL": (settings.openai_base_url, "not set: model provider openai means OpenAI's own server"),
        "BARGEIN_PUBLIC_URL": (settings.public_url, "not set: addresses are made from each request's Host"),
    }
    return [
        Finding(name, ok=True, detail="set") if value is not None else Finding(name, ok=None, detail=absent)
        for name, (value, absent) in told.items()
    ]


def _data_dir(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Finding("data folder", ok=False, detail=f"{folder}: {why}", fix="set BARGEIN_DATA_DIR to one of yours")
    if free < _LEAST_FREE_BYTES:
        return Finding("data folder", ok=False, detail=f"{folder}: {free >> 20} MiB free", fix="make room there")
    return Finding("data folder", ok=True, detail=f"{folder}, {free >> 30} GiB free")


def _address(settings: Settings) -> Finding:
    name = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            detail = f"{error.strerror or error} (a server that runs already is fine)"
            return Finding(name, ok=None, detail=detail, fix="choose another --port")
    return Finding(name, ok=True, detail="free to listen on")

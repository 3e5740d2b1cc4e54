"""The checks of `bargein doctor`: packages, models, keys, telephony, the data folder and the port."""

import platform
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version

from bargein import __version__
from bargein.clock import LoopClock
from bargein.providers.registry import open_embedded
from bargein.server.lifespan import DATABASE
from bargein.server.ops.finding import Finding
from bargein.server.telephony.checkup import examine_telephony
from bargein.settings import Settings
from bargein.store.private import make_file, make_folder

_PACKAGES = ("fastapi", "uvicorn", "uvloop", "onnxruntime", "soxr", "sqlalchemy", "aiosqlite", "pywebrtc-audio")
_MIN_FREE_BYTES = 200 << 20


def examine(settings: Settings) -> list[Finding]:
    """Run all checks. Each embedded model is loaded once, which takes a second or two."""
    return [
        Finding("bargein", ok=True, detail=f"{__version__} on Python {platform.python_version()}, {sys.platform}"),
        *map(_package, _PACKAGES),
        *_models(),
        *_keys(settings),
        *examine_telephony(settings, DATABASE),
        _data_dir(settings),
        _address(settings),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, ok=True, detail=version(name))
    except PackageNotFoundError:
        return Finding(name, ok=False, detail="not installed", fix=f"python -m pip install {name}")


def _models() -> list[Finding]:
    embedded = open_embedded(LoopClock())
    try:
        return [
            Finding(check.name, ok=check.ok, detail=check.detail, fix="" if check.ok else "see the detail")
            for check in embedded.check()
        ]
    finally:
        embedded.close()


def _keys(settings: Settings) -> list[Finding]:
    """Report which keys and addresses are set, never their values."""
    return [
        Finding(each.name or each.field, ok=None, detail=each.unset)
        if getattr(section, each.field) is None
        else Finding(each.name or each.field, ok=True, detail="set")
        for section in settings.all_sections()
        for each in section.variables()
        if each.unset is not None
    ]


def _data_dir(settings: Settings) -> Finding:
    folder = settings.storage.data_dir.absolute()
    try:
        make_folder(folder)
        probe = folder / ".doctor"
        make_file(probe)
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Finding(
            "data folder",
            ok=False,
            detail=f"{folder}: {why}",
            fix="set BARGEIN_DATA_DIR to a folder that you can write to",
        )
    if free < _MIN_FREE_BYTES:
        return Finding(
            "data folder", ok=False, detail=f"{folder}: {free >> 20} MiB free", fix="free some space on this disk"
        )
    return Finding("data folder", ok=True, detail=f"{folder}, {free >> 30} GiB free")


def _address(settings: Settings) -> Finding:
    name = f"{settings.server.host}:{settings.server.port}"
    family = socket.AF_INET6 if ":" in settings.server.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.server.host, settings.server.port))
        except OSError as error:
            detail = f"{error.strerror or error} (which is fine if a server is running already)"
            return Finding(name, ok=None, detail=detail, fix="choose another --port")
    return Finding(name, ok=True, detail="free to listen on")

"""Telephony's part of `bargein doctor`: whether carriers reach this server, and what each number lacks."""

import socket
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from bargein import __version__
from bargein.carriers.interface import PhoneLine
from bargein.carriers.registry import BY_PROVIDER, CARRIERS
from bargein.carriers.spec import CarrierSpec
from bargein.clock import Clock, LoopClock
from bargein.http_client import request_bounded
from bargein.ports import BargeinError
from bargein.server.ops.finding import Finding
from bargein.server.telephony.numbers import PhoneNumbers
from bargein.settings import Settings, is_loopback
from bargein.store import Query, Store
from bargein.wire.json import as_object, read_json

_SECONDS = 10.0
_MAX_BODY_BYTES = 64 * 1024
_SOON_DAYS = 14
_MAX_SKEW_S = 30
"""Carriers refuse signatures that are a few minutes off, and this server refuses theirs; this is well below that."""
_DAY_MS = 86_400_000


def examine_telephony(settings: Settings, database: str) -> list[Finding]:
    """Check everything that telephone calls need; this requests the public address, and the time of one carrier.

    Args:
        settings: the settings.
        database: the name of the database's file in the data folder.
    """
    clock = LoopClock()
    phone_lines, findings = _phone_lines(settings, clock, database)
    for number_id, phone_line in phone_lines.items():
        findings += _number(settings, number_id, phone_line)
    used = {str(phone_line.number.get("provider")) for phone_line in phone_lines.values()}
    called = [spec for spec in CARRIERS if not spec.native and used & spec.numbers.keys()]
    findings += _address(settings, clock, called)
    return findings + _clock(settings, clock, called)


def _phone_lines(settings: Settings, clock: Clock, database: str) -> tuple[Mapping[str, PhoneLine], list[Finding]]:
    """Return the stored numbers; none without a database, which must not be created by looking at it."""
    path = settings.storage.data_dir / database
    if settings.storage.database_url is None and not path.exists():
        return {}, []

    async def read() -> dict[str, PhoneLine]:
        store = await Store.open(path, clock, url=settings.storage.database_url, secret_keys=settings.keys.secret_keys)
        try:
            numbers = PhoneNumbers(store, settings)
            stored = await store.phone_numbers.list(Query(limit=1000))
            return {str(number["id"]): await numbers.with_credential(number) for number in stored}
        finally:
            await store.close()

    try:
        return anyio.run(read), []
    except (BargeinError, OSError) as error:
        return {}, [Finding("phone numbers", ok=False, detail=f"cannot be read: {error}", fix="start the server once")]


def _number(settings: Settings, number_id: str, phone_line: PhoneLine) -> list[Finding]:
    """Check one number."""
    provider = str(phone_line.number.get("provider"))
    spec = BY_PROVIDER.get(provider)
    if spec is None:
        return []
    name = str(phone_line.number.get("number") or phone_line.number.get("sipUri") or number_id)
    if find_spec(spec.package) is None:
        fix = f"python -m pip install 'bargein[{spec.extra}]'"
        return [Finding(name, ok=False, detail=f"its carrier {provider} needs an extra", fix=fix)]
    problem = spec.check_number(settings.section(spec.settings), phone_line)
    if problem is not None:
        return [Finding(name, ok=False, detail=f"{provider}: {problem.detail}", fix=problem.fix)]
    if phone_line.number.get("status") == "blocked":
        fix = f"PATCH /phone-number/{number_id} with {{}}: its header X-Bargein-Warning says what is wrong"
        return [Finding(name, ok=False, detail=f"{provider}: its webhooks do not point here", fix=fix)]
    return [Finding(name, ok=True, detail=provider)]


def _address(settings: Settings, clock: Clock, called: list[CarrierSpec[Any]]) -> list[Finding]:
    """Check that carriers reach this server at its public address."""
    name = "public address"
    if settings.server.public_url is None:
        if not called:
            return []
        detail = f"BARGEIN_PUBLIC_URL is not set: {', '.join(spec.name for spec in called)} cannot call this server"
        return [Finding(name, ok=False, detail=detail, fix="set it to the https address that the internet reaches")]
    parts = urlsplit(settings.server.public_url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not is_loopback(host):
        return [Finding(name, ok=False, detail=f"{parts.scheme} is not encrypted", fix="use an https address")]
    found = [_reached(settings.server.public_url)]
    if settings.open_to_loopback_only and not is_loopback(host):
        detail = "a server without a key only answers this machine, no proxy or tunnel"
        found.append(Finding("key", ok=False, detail=detail, fix="set BARGEIN_API_KEY"))
    if parts.scheme == "https":
        found.append(_certificate(host, parts.port or 443, clock))
    return found


def _reached(url: str) -> Finding:
    """Check that the server at an address is a bargein of this version."""
    name = "public address"
    try:
        answer = request_bounded("GET", f"{url}/health", timeout_s=_SECONDS, max_bytes=_MAX_BODY_BYTES)
        answer_body = as_object(read_json(answer.content)) if answer.status_code == 200 else {}
    except (httpx.HTTPError, ValueError) as error:
        fix = "start the server, and look at the proxy or tunnel in front of it"
        return Finding(name, ok=False, detail=f"{url} does not answer: {type(error).__name__}", fix=fix)
    version = answer_body.get("version")
    if answer_body.get("status") != "ok" or version is None:
        fix = "have the proxy or tunnel pass everything on to this server, with its path"
        return Finding(name, ok=False, detail=f"{url}/health is not this server's ({answer.status_code})", fix=fix)
    if version != __version__:
        return Finding(
            name, ok=False, detail=f"{url} is bargein {version}, not {__version__}", fix="restart the server"
        )
    return Finding(name, ok=True, detail=f"{url} reaches bargein {version}")


def _certificate(host: str, port: int, clock: Clock) -> Finding:
    """Check that carriers accept the address's certificate, and when it expires."""
    name = "certificate"
    try:
        with (
            socket.create_connection((host, port), timeout=_SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            until = str((secured.getpeercert() or {}).get("notAfter"))
    except ssl.SSLCertVerificationError as error:
        fix = "get one that browsers accept, with its whole chain (as from Let's Encrypt)"
        return Finding(name, ok=False, detail=f"{host}: {error.verify_message}", fix=fix)
    except OSError as error:
        return Finding(name, ok=False, detail=f"{host}: {error}", fix="see the public address")
    left = (ssl.cert_time_to_seconds(until) * 1000 - clock.epoch_ms()) // _DAY_MS
    if left < _SOON_DAYS:
        return Finding(name, ok=False, detail=f"{host}: expires in {left:.0f} days", fix="renew it")
    return Finding(name, ok=True, detail=f"{host}: expires in {left:.0f} days")


def _clock(settings: Settings, clock: Clock, called: list[CarrierSpec[Any]]) -> list[Finding]:
    """Compare this machine's clock with that of the first carrier in use."""
    if not called:
        return []
    carrier = called[0]
    url = None if carrier.api_url is None else carrier.api_url(settings.section(carrier.settings))
    if url is None:
        return []
    try:
        date = request_bounded("HEAD", url, timeout_s=_SECONDS, max_bytes=_MAX_BODY_BYTES).headers["date"]
        theirs = parsedate_to_datetime(date)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        detail = f"{carrier.name} could not be asked for the time: {type(error).__name__}"
        return [Finding("clock", ok=None, detail=detail)]
    off_s = round(clock.epoch_ms() / 1000 - theirs.timestamp())
    if abs(off_s) > _MAX_SKEW_S:
        fix = "set the clock by NTP: signatures are valid for a few minutes only"
        return [Finding("clock", ok=False, detail=f"{abs(off_s)} s {'ahead' if off_s > 0 else 'behind'}", fix=fix)]
    return [Finding("clock", ok=True, detail=f"within {_MAX_SKEW_S} s of {carrier.name}'s")]

"""AWS Signature Version 4, for requests with a JSON body (AWS's guide "Signing AWS API requests")."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote

import httpx

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SIGNED: Final = ("content-type", "host")


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """The keys of an AWS account.

    Attributes:
        access_key_id: identifies the key.
        secret_access_key: the secret key.
        session_token: of temporary keys; None: the keys are permanent.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def sign(request: httpx.Request, keys: AwsKeys, region: str, service: str, now: datetime) -> None:
    """Add the headers of a signature to a request: `X-Amz-Date`, `Authorization`, and the token of temporary keys.

    The signature covers these, `Host`, `Content-Type` and the body.

    Args:
        request: has a body in memory, and a path whose segments are encoded once.
        keys: the account.
        region: like `us-east-1`.
        service: the signing name of the service, like `bedrock`.
        now: the time in UTC; AWS refuses a signature that is five minutes off.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = stamp
    if keys.session_token is not None:
        request.headers["X-Amz-Security-Token"] = keys.session_token
    signed = {
        name.lower(): " ".join(value.split())
        for name, value in request.headers.items()
        if name.lower() in _SIGNED or name.lower().startswith("x-amz-")
    }
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            request.method,
            _canonical_path(request.url),
            _canonical_query(request.url),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(request.content).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(_signing_key(keys, stamp[:8], region, service), to_sign.encode(), hashlib.sha256).hexdigest()
    request.headers["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )


def _signing_key(keys: AwsKeys, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_path(url: httpx.URL) -> str:
    """Return the path with its segments encoded once more, as every service but S3 demands."""
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    return "/".join(quote(segment, safe="-_.~") for segment in path.split("/")) or "/"


def _canonical_query(url: httpx.URL) -> str:
    pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in url.params.multi_items())
    return "&".join(f"{name}={value}" for name, value in pairs)

"""URLs of a call's recordings and logs: the fields of Vapi's `Artifact`, plain and presigned."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_string

ArtifactName = Literal["mono-recording", "stereo-recording", "customer-recording", "assistant-recording", "call-logs"]
"""The last part of an artifact's path, as in Vapi's URLs."""

PRESIGNED_S = 3600
"""Seconds for which a presigned URL is valid."""

_PRESIGNED: dict[str, ArtifactName] = {
    "presignedMonoUrl": "mono-recording",
    "presignedStereoUrl": "stereo-recording",
    "presignedAssistantUrl": "assistant-recording",
    "presignedCustomerUrl": "customer-recording",
    "presignedLogUrl": "call-logs",
}


@dataclass(frozen=True, slots=True)
class ArtifactUrls:
    """The URLs of one call's artifacts, which do not expire and require the private key.

    Attributes:
        call_id: the call's id.
        call: the URL of the call itself; the artifacts are below it.
    """

    call_id: str
    call: str

    @classmethod
    def of(cls, call: JsonObject) -> "ArtifactUrls | None":
        """Return the URLs of a call by the `monitor` in its record; None if that does not contain the server's URL."""
        call_id = str(call.get("id"))
        monitor = as_object(call.get("monitor"))
        for name, path in (("controlUrl", "control"), ("listenUrl", "listen")):
            url = as_string(monitor.get(name))
            if url is not None and url.endswith(end := f"/{call_id}/{path}"):
                return cls(call_id, f"{_as_http(url.removesuffix(end))}/call/{call_id}")
        return None

    def recording(self) -> JsonObject:
        """Return the recording fields of an `Artifact`: `recording`, and two that Vapi calls deprecated."""
        mono, stereo = self._url("mono-recording"), self._url("stereo-recording")
        sides = {"assistantUrl": self._url("assistant-recording"), "customerUrl": self._url("customer-recording")}
        return {
            "recordingUrl": mono,
            "stereoRecordingUrl": stereo,
            "recording": {"stereoUrl": stereo, "mono": {"combinedUrl": mono, **sides}},
        }

    def logging(self) -> JsonObject:
        """Return the log field of an `Artifact`."""
        return {"logUrl": self._url("call-logs")}

    def _url(self, name: ArtifactName) -> str:
        return f"{self.call}/{name}"


def presigned_urls(call: JsonObject, key: str | None, now_s: int) -> JsonObject:
    """Return the `presigned…` fields of a call's artifact, one for each URL in the stored artifact.

    They are made for each answer and each message, and never stored.

    Args:
        call: the call's record.
        key: the server's private key; with None no request needs one, so the URLs are not signed.
        now_s: seconds since 1970.
    """
    urls, artifact = ArtifactUrls.of(call), as_object(call.get("artifact"))
    recording, logs = "recording" in artifact, "logUrl" in artifact
    if urls is None or not (recording or logs):
        return {}
    expires_s = now_s + PRESIGNED_S
    signed: JsonObject = {}
    for field, name in _PRESIGNED.items():
        if logs if name == "call-logs" else recording:
            query = f"?expires={expires_s}&signature={_signature(key, urls.call_id, name, expires_s)}" if key else ""
            signed[field] = f"{urls.call}/{name}{query}"
    expires_at = datetime.fromtimestamp(expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {**signed, "presignedUrlsExpiresAt": expires_at}


def is_signed(call_id: str, name: str, key: str, *, expires: str, signature: str, now_s: int) -> bool:
    """Return True if a URL was signed with `key` and has not expired."""
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12) or int(expires) < now_s:
        return False
    return hmac.compare_digest(_signature(key, call_id, name, int(expires)).encode(), signature.encode())


def _signature(key: str, call_id: str, name: str, expires_s: int) -> str:
    content = f"bargein artifact\n{call_id}\n{name}\n{expires_s}"
    return hmac.new(key.encode(), content.encode(), hashlib.sha256).hexdigest()


def _as_http(url: str) -> str:
    """Return the server's HTTP URL: ws becomes http, wss https."""
    return f"http{url.removeprefix('ws')}" if url.startswith("ws") else url

"""Where what is kept of a call is fetched: the addresses in Vapi's `Artifact`, plain and presigned."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from bargein.wire.base import JsonObject

ArtifactName = Literal["mono-recording", "stereo-recording", "customer-recording", "assistant-recording", "call-logs"]
"""The last part of an artifact's path, as Vapi has it."""

PRESIGNED_S = 3600
"""For so long an address may be used without a key."""

_PRESIGNED: dict[str, ArtifactName] = {
    "presignedMonoUrl": "mono-recording",
    "presignedStereoUrl": "stereo-recording",
    "presignedAssistantUrl": "assistant-recording",
    "presignedCustomerUrl": "customer-recording",
    "presignedLogUrl": "call-logs",
}


@dataclass(frozen=True, slots=True)
class ArtifactUrls:
    """The addresses of one call's artifacts: they do not expire, and want the private key.

    Attributes:
        call_id: whose they are.
        call: the address of the call itself; the artifacts are below it.
    """

    call_id: str
    call: str

    @classmethod
    def of(cls, call: JsonObject) -> "ArtifactUrls | None":
        """From a call's record, by its `monitor`; None where that does not tell where the server is."""
        call_id = str(call.get("id"))
        monitor: object = call.get("monitor")
        for name, path in (("controlUrl", "control"), ("listenUrl", "listen")) if isinstance(monitor, dict) else ():
            url: object = cast("JsonObject", monitor).get(name)
            if isinstance(url, str) and url.endswith(end := f"/{call_id}/{path}"):
                return cls(call_id, f"{_as_http(url.removesuffix(end))}/call/{call_id}")
        return None

    def recording(self) -> JsonObject:
        """The fields of an `Artifact` that tell of its recordings: `recording`, and two that Vapi calls deprecated."""
        mono, stereo = self._url("mono-recording"), self._url("stereo-recording")
        sides = {"assistantUrl": self._url("assistant-recording"), "customerUrl": self._url("customer-recording")}
        return {
            "recordingUrl": mono,
            "stereoRecordingUrl": stereo,
            "recording": {"stereoUrl": stereo, "mono": {"combinedUrl": mono, **sides}},
        }

    def logging(self) -> JsonObject:
        """The field of an `Artifact` that tells of the call's logs."""
        return {"logUrl": self._url("call-logs")}

    def _url(self, name: ArtifactName) -> str:
        return f"{self.call}/{name}"


def presigned(call: JsonObject, key: str | None, now_s: int) -> JsonObject:
    """The `presigned…` fields for a call's artifact: made anew for each answer and each message, never stored.

    There is one for each address that the stored artifact has.

    Args:
        call: the call's record.
        key: the server's private key; None: everything is open to whoever may reach the server.
        now_s: seconds since 1970.
    """
    urls, artifact = ArtifactUrls.of(call), cast("JsonObject", call.get("artifact") or {})
    there = "recording" in artifact, "logUrl" in artifact
    if urls is None or not any(there):
        return {}
    recording, logs = there
    expires_s = now_s + PRESIGNED_S
    signed: JsonObject = {}
    for field, name in _PRESIGNED.items():
        if logs if name == "call-logs" else recording:
            mark = f"?expires={expires_s}&signature={_signature(key, urls.call_id, name, expires_s)}" if key else ""
            signed[field] = f"{urls.call}/{name}{mark}"
    expires_at = datetime.fromtimestamp(expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {**signed, "presignedUrlsExpiresAt": expires_at}


def is_signed(call_id: str, name: str, key: str, *, expires: str, signature: str, now_s: int) -> bool:
    """Whether an address was signed with `key` and has not expired."""
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12) or int(expires) < now_s:
        return False
    return hmac.compare_digest(_signature(key, call_id, name, int(expires)).encode(), signature.encode())


def _signature(key: str, call_id: str, name: str, expires_s: int) -> str:
    what = f"bargein artifact\n{call_id}\n{name}\n{expires_s}"
    return hmac.new(key.encode(), what.encode(), hashlib.sha256).hexdigest()


def _as_http(url: str) -> str:
    """The same server's address for requests: ws becomes http, wss https."""
    return f"http{url.removeprefix('ws')}" if url.startswith("ws") else url

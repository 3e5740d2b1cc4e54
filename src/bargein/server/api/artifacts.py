"""Files that are kept of a call beside its record: recordings, log and journal."""

import anyio

from bargein.server.api.services import Services
from bargein.store.journals import call_log_path, journal_path
from bargein.wire.artifact_urls import presigned_urls
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError


async def erase_artifacts(services: Services, call_id: str) -> None:
    """Delete the recordings, the log and the journal of a call.

    Raises:
        WireError: 503: a file could not be deleted.
    """
    try:
        await services.recordings.erase(call_id)
        for path in (journal_path, call_log_path):
            await anyio.Path(path(services.settings.storage.data_dir, call_id)).unlink(missing_ok=True)
    except OSError as error:
        raise WireError(503, f"Something of this call could not be erased: {error.strerror}. Try again.") from None


def with_presigned(services: Services, call: JsonObject) -> JsonObject:
    """Return a call's record with URLs of its artifacts that need no key for an hour."""
    now_ms = services.clock.epoch_ms()
    urls = presigned_urls(call, services.settings.keys.api_key, now_ms // 1000)
    return {**call, "artifact": {**call["artifact"], **urls}} if urls else call

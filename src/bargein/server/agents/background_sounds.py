"""The background sounds of assistants (`backgroundSound`): the office, and audio files that a URL names."""

import io
from collections import OrderedDict
from typing import Any, cast

import anyio
import anyio.to_thread
import httpx
import numpy as np
import soundfile
import soxr
import structlog

from bargein.audio.ambience import LONGEST_S, BackgroundLoop, loop_of, office
from bargein.audio.pcm import Float32Array
from bargein.call.context import LoadBackground
from bargein.errors import BargeinError
from bargein.http_client import read_bounded, read_url
from bargein.webhooks.guard import PrivateAddressError

OFF, OFFICE = "off", "office"

MAX_BYTES = 10 * 1024 * 1024
"""The longest file."""

_TIMEOUT_S = 10.0
_MOST_KEPT = 32
_MOST_CHANNELS = 8
_MOST_HZ = 192_000
_OFFICE_HZ = 16_000

_log = structlog.get_logger("bargein.server")


class SoundError(BargeinError):
    """A background sound that cannot be played; the text says why, and may be shown."""


class BackgroundSounds:
    """The background sounds of all calls. A file is fetched once, and the last 32 are kept.

    Args:
        client: the guarded client for servers that assistants name.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._kept: OrderedDict[tuple[str, int], BackgroundLoop] = OrderedDict()
        self._loading: dict[tuple[str, int], anyio.Lock] = {}

    def loader(self, sound: str | None, rate_hz: int, *, phone: bool) -> LoadBackground | None:
        """Return the loader of a call's background sound; None: it has none.

        Args:
            sound: `assistant.backgroundSound`: `off`, `office` or a URL. The default is Vapi's: the office in telephone
                calls, and silence in all others.
            rate_hz: the sample rate of the call's audio.
            phone: whether it is a telephone call.
        """
        wanted = sound or (OFFICE if phone else OFF)
        if wanted == OFF:
            return None

        async def load() -> BackgroundLoop | None:
            try:
                return await self.load(wanted, rate_hz)
            except SoundError as error:
                url = read_url(wanted)
                _log.warning("the background sound is left out", host=url and url.host, reason=str(error))
                return None
            except Exception as error:  # noqa: BLE001  # whatever a file does to a decoder, the call goes on without it
                _log.error("the background sound is left out", exc_info=error)
                return None

        return load

    async def load(self, sound: str, rate_hz: int) -> BackgroundLoop:
        """Return the office or the audio file of a URL, as a loop at the level of background sounds.

        Raises:
            SoundError: the file cannot be had or played.
        """
        key = (sound, rate_hz)
        lock = self._loading.setdefault(key, anyio.Lock())
        try:
            async with lock:
                if key not in self._kept:
                    data = None if sound == OFFICE else await self._fetch(sound)
                    self._kept[key] = await anyio.to_thread.run_sync(_loop, data, rate_hz)
                    if len(self._kept) > _MOST_KEPT:
                        self._kept.popitem(last=False)
                self._kept.move_to_end(key)
                return self._kept[key]
        finally:
            if not lock.statistics().tasks_waiting:
                self._loading.pop(key, None)

    async def _fetch(self, url: str) -> bytes:
        try:
            with anyio.fail_after(_TIMEOUT_S):
                async with self._client.stream("GET", url, follow_redirects=True) as response:
                    if not response.is_success:
                        raise SoundError(f"its server answered {response.status_code}")
                    data = await read_bounded(response, MAX_BYTES)
        except TimeoutError:
            raise SoundError(f"its server took longer than {_TIMEOUT_S:g} s") from None
        except PrivateAddressError as error:
            raise SoundError(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SoundError(f"its server cannot be reached ({type(error).__name__})") from None
        if data is None:
            raise SoundError(f"the file is longer than {MAX_BYTES // 1024 // 1024} MiB")
        return data


def _loop(data: bytes | None, rate_hz: int) -> BackgroundLoop:
    """Decode a file, or compute the office if there is none, and make the loop; runs in a thread."""
    samples, from_hz = (office(), _OFFICE_HZ) if data is None else _decoded(data)
    if from_hz != rate_hz:
        samples = cast("Float32Array", soxr.resample(samples, from_hz, rate_hz))
    try:
        return loop_of(np.asarray(samples, dtype=np.float32), rate_hz)
    except ValueError as error:
        raise SoundError(str(error)) from None


def _decoded(data: bytes) -> tuple[Float32Array, int]:
    try:
        with cast("Any", soundfile).SoundFile(io.BytesIO(data)) as file:
            channels, rate_hz = int(file.channels), int(file.samplerate)
            if not (1 <= channels <= _MOST_CHANNELS and 8_000 <= rate_hz <= _MOST_HZ):
                raise SoundError(f"it has {channels} channels at {rate_hz} Hz")
            # in pieces: a file of 10 MiB may hold 350 MiB of samples in all of its channels
            pieces = file.blocks(rate_hz, frames=LONGEST_S * rate_hz, dtype="float32", always_2d=True)
            mono = [np.asarray(piece.mean(axis=1), dtype=np.float32) for piece in pieces]
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise SoundError("it is no audio file that can be read (wav, flac, ogg, mp3)") from error
    return np.concatenate(mono) if mono else np.zeros(0, np.float32), rate_hz

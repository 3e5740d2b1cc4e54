"""The binary event stream of AWS (`application/vnd.amazon.eventstream`), in which Bedrock sends an answer's events.

A message is, in big-endian order: its length and that of its headers in 4 bytes each, the CRC-32 of these 8 bytes, the
headers, the payload, and the CRC-32 of all that. A header is the length of its name in 1 byte, the name, a type, and
the value; a text (type 7) has its length in 2 bytes before it.
"""

import struct
import zlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from bargein.providers.http import MAX_LINE_BYTES, StreamError

_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_SMALLEST = 16
_TEXT = 7
_VALUE_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The sizes of the values of the other types: two truth values, four integers, a time and a UUID."""
_BYTES = 6


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message.

    Attributes:
        headers: its headers of the type text (`:message-type`, `:event-type`, `:exception-type`).
        payload: its content.
    """

    headers: dict[str, str]
    payload: bytes


async def stream_messages(chunks: AsyncIterable[bytes]) -> AsyncIterator[StreamMessage]:
    """Read the messages of a body, regardless of its chunks.

    Raises:
        StreamError: it is no such stream, or ends within a message.
    """
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        while (size := _size(buffer)) is not None and len(buffer) >= size:
            message = bytes(buffer[:size])
            del buffer[:size]
            yield _read(message)
    if buffer:
        raise StreamError("it ends within a message")


def _size(buffer: bytearray) -> int | None:
    """Return the length of the message that the buffer begins with; None: that has not arrived yet."""
    if len(buffer) < _PRELUDE.size + _CRC.size:
        return None
    size, _ = _PRELUDE.unpack_from(buffer)
    (crc,) = _CRC.unpack_from(buffer, _PRELUDE.size)
    if crc != zlib.crc32(buffer[: _PRELUDE.size]) or not _SMALLEST <= size <= MAX_LINE_BYTES:
        raise StreamError("it is not an event stream of AWS")
    return size


def _read(message: bytes) -> StreamMessage:
    (crc,) = _CRC.unpack_from(message, len(message) - _CRC.size)
    if crc != zlib.crc32(message[: -_CRC.size]):
        raise StreamError("a message of its event stream is damaged")
    _, headers_size = _PRELUDE.unpack_from(message)
    begin = _PRELUDE.size + _CRC.size
    end = begin + headers_size
    if end > len(message) - _CRC.size:
        raise StreamError("a message of its event stream is damaged")
    return StreamMessage(_headers(message[begin:end]), message[end : -_CRC.size])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name = data[at + 1 : at + 1 + data[at]].decode()
            at += 1 + data[at]
            kind = data[at]
            at += 1
            if kind in {_BYTES, _TEXT}:
                (size,) = struct.unpack_from(">H", data, at)
                at += 2
                if kind == _TEXT:
                    found[name] = data[at : at + size].decode()
                at += size
            else:
                at += _VALUE_BYTES[kind]
    except (IndexError, KeyError, UnicodeDecodeError, struct.error):
        raise StreamError("a message of its event stream has unreadable headers") from None
    return found

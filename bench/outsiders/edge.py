"""Twilio's side of a call that streamdouble plays: the webhook, and the signature of the media socket.

streamdouble simulates the media socket alone. It sends no `X-Twilio-Signature` with the upgrade, and its `callSid` is
its own and not that of a webhook, so a server that checks both refuses it. The relay adds these two, and passes
everything else on unchanged in both directions.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import httpx
import websockets
from tests.carriers.twilio.loopback import TwilioLoopback, signature
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve


@asynccontextmanager
async def edge(carrier: TwilioLoopback, number_id: str, server_url: str) -> AsyncGenerator[str]:
    """Relay each connection to the media socket of a call of its own; yield the relay's URL.

    Args:
        carrier: Twilio on loopback; its account signs the webhooks.
        number_id: id of the number that is called.
        server_url: URL of the server.
    """
    carrier.server_url, carrier.number_id = server_url, number_id

    async def relay(caller: ServerConnection) -> None:
        phone = carrier.new_call()
        answer = await carrier.send(carrier.incoming(phone))
        url = stream_url(answer)
        headers = {"X-Twilio-Signature": signature(url, {})}
        try:
            async with (
                websockets.connect(url, compression=None, additional_headers=headers, max_size=None) as media,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(_back, media, caller)
                async for frame in caller:
                    await media.send(with_call_id(frame, phone.id))
                tasks.cancel_scope.cancel()
        except* websockets.ConnectionClosed:
            pass
        finally:
            with anyio.move_on_after(3, shield=True):
                await carrier.tell_over(phone)

    async with serve(relay, "127.0.0.1", 0, compression=None) as relays:
        port = next(iter(relays.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/media-stream"


async def _back(media: ClientConnection, caller: ServerConnection) -> None:
    async for frame in media:
        await caller.send(frame)
    await caller.close()


def stream_url(answer: httpx.Response) -> str:
    """Return the address in `<Connect><Stream>` of the answer to the webhook of an incoming call.

    Raises:
        RuntimeError: there is none.
    """
    found = ET.fromstring(answer.text).find("Connect/Stream") if answer.is_success else None  # noqa: S314 - our server
    if found is None:
        raise RuntimeError(f"the server did not answer the call: {answer.status_code} {answer.text}")
    return found.attrib["url"]


def with_call_id(frame: str | bytes, call_id: str) -> str | bytes:
    """Return a frame of streamdouble with the webhook's call id, if it is the one that names a call."""
    if isinstance(frame, bytes) or '"start"' not in frame:
        return frame
    message = json.loads(frame)
    if message.get("event") != "start":
        return frame
    message["start"] = message["start"] | {"callSid": call_id}
    return json.dumps(message)

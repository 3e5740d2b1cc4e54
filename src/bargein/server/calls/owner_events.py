"""Messages to owners' servers about records that are created, changed or deleted: chats, sessions and deleted calls.

They are sent only where the assistant asks for them (`serverMessages`); none of them is among Vapi's defaults.
"""

from typing import Literal

import structlog

from bargein.ports import StoreError
from bargein.server.agents.resolve import phone_number_of, resolve_chat
from bargein.server.agents.squads import MissingAgentError
from bargein.server.calls.owner_jobs import OwnerJobs, wanted_by
from bargein.store import Store
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels
from bargein.wire.base import JsonObject
from bargein.wire.errors import WireError
from bargein.wire.ownership import without_author
from bargein.wire.redact import without_secrets

CallEvent = Literal["call.deleted", "call.delete.failed"]
ChatEvent = Literal["chat.created", "chat.deleted"]
SessionEvent = Literal["session.created", "session.updated", "session.deleted"]

_log = structlog.get_logger("bargein.server")


class OwnerEvents:
    """Sends events to owners' servers. An event that cannot be sent is logged and does not fail the request.

    Args:
        store: where assistants, squads and phone numbers are.
        owner_channels: reaches the owners' servers.
        owner_jobs: finds the channels of calls.
    """

    def __init__(self, store: Store, owner_channels: OwnerChannels, owner_jobs: OwnerJobs) -> None:
        self._store = store
        self._owner_channels = owner_channels
        self._owner_jobs = owner_jobs

    async def call(self, call: JsonObject, kind: CallEvent) -> None:
        """Send an event about a call, which may be deleted already."""
        try:
            channel, assistant = await self._owner_jobs.channel(call)
        except StoreError as error:
            _log_unsent(kind, error)
        else:
            self._send(channel, assistant, {"type": kind})

    async def chat(self, chat: JsonObject, kind: ChatEvent) -> None:
        """Send an event about a chat."""
        await self._send_about(chat, {"type": kind, "chat": without_secrets(without_author(chat))})

    async def session(self, session: JsonObject, kind: SessionEvent) -> None:
        """Send an event about a session."""
        await self._send_about(session, {"type": kind, "session": without_secrets(without_author(session))})

    async def _send_about(self, record: JsonObject, message: JsonObject) -> None:
        try:
            assistant = (await resolve_chat(record, self._store)).assistant_json
            number = await phone_number_of(record, self._store)
        except (WireError, MissingAgentError):
            return  # without an assistant, nobody has asked for messages
        except StoreError as error:
            _log_unsent(message["type"], error)
            return
        customer: JsonObject = {"customer": record["customer"]} if "customer" in record else {}
        self._send(self._owner_channels.channel(customer, assistant, number), assistant, message)

    def _send(self, channel: OwnerChannel, assistant: JsonObject, message: JsonObject) -> None:
        if message["type"] not in wanted_by(assistant) or not channel.has_server:
            return
        self._owner_channels.open(channel)
        channel.send(message)
        channel.close()


def _log_unsent(kind: str, error: StoreError) -> None:
    _log.warning("an event could not be sent to its owner", type=kind, reason=str(error))

"""What owners' servers are told of records that come and go: chats, sessions, deleted calls.

Told are those whose assistant asks for it (`serverMessages`); none of these messages is among Vapi's defaults.
"""

from typing import Literal

import structlog

from bargein.ports import StoreError
from bargein.server.agents.resolve import assistant_of
from bargein.server.calls.owner_jobs import OwnerJobs, wanted_by
from bargein.store import Store
from bargein.webhooks.owner_channel import OwnerChannel, OwnerChannels
from bargein.wire.base import JsonObject
from bargein.wire.call import effective_assistant
from bargein.wire.errors import WireError
from bargein.wire.redact import without_secrets

OfACall = Literal["call.deleted", "call.delete.failed"]
OfAChat = Literal["chat.created", "chat.deleted"]
OfASession = Literal["session.created", "session.updated", "session.deleted"]

_log = structlog.get_logger("bargein.server")


class OwnerEvents:
    """Tells owners' servers. Nothing that goes wrong with it is the request's concern.

    Args:
        store: where assistants, squads and phone numbers are.
        switchboard: opens lines.
        reporting: knows the lines of calls.
    """

    def __init__(self, store: Store, switchboard: OwnerChannels, owner_jobs: OwnerJobs) -> None:
        self._store = store
        self._switchboard = switchboard
        self._owner_jobs = owner_jobs

    async def call(self, call: JsonObject, kind: OfACall) -> None:
        """Tell of a call, whose record may be gone already."""
        try:
            line, assistant = await self._owner_jobs.line(call)
        except StoreError as error:
            _lost(kind, error)
        else:
            self._tell(line, assistant, {"type": kind})

    async def chat(self, chat: JsonObject, kind: OfAChat) -> None:
        """Tell of a chat."""
        await self._of_texts(chat, {"type": kind, "chat": without_secrets(chat)})

    async def session(self, session: JsonObject, kind: OfASession) -> None:
        """Tell of a session."""
        await self._of_texts(session, {"type": kind, "session": without_secrets(session)})

    async def _of_texts(self, record: JsonObject, message: JsonObject) -> None:
        try:
            found = await assistant_of(record, self._store)
            assistant = effective_assistant({"assistantOverrides": record.get("assistantOverrides")}, found)
            number = await self._owner_jobs.phone_number(record)
        except WireError:
            return  # there is no assistant, or no more: nobody has asked for messages
        except StoreError as error:
            _lost(message["type"], error)
            return
        about: JsonObject = {"customer": record["customer"]} if "customer" in record else {}
        self._tell(self._switchboard.channel(about, assistant, number), assistant, message)

    def _tell(self, line: OwnerChannel, assistant: JsonObject, message: JsonObject) -> None:
        if message["type"] not in wanted_by(assistant) or not line.has_server:
            return
        self._switchboard.open(line)
        line.tell(message)
        line.close()


def _lost(kind: str, error: StoreError) -> None:
    _log.warning("nobody could be told", type=kind, reason=str(error))

"""Knowledge of a caller about its call: messages, turns, words, tools, the record, and files for people."""

from pathlib import Path

import anyio.to_thread

from bargein.client.connection import Connection
from bargein.client.pacing import PacedSender
from bargein.client.server_api import Server
from bargein.client.turns import Turn
from bargein.testing.caller_ears import Ears, ToolCall, Utterance
from bargein.testing.caller_timeline import save_call, write_timeline
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string


class CallerReport:
    """The part of `caller.Caller` that is only read, at any time during the call and after it.

    Args:
        server: the server that has the call.
        connection: the call's socket.
        sender: sends the caller's audio.
    """

    def __init__(self, server: Server, connection: Connection, sender: PacedSender) -> None:
        self._server = server
        self._connection = connection
        self._sender = sender
        self._ears = Ears()
        self._utterances: list[Utterance] = []
        self._record: JsonObject = connection.call.json

    @property
    def call_id(self) -> str:
        """The call's id."""
        return self._connection.call.id

    @property
    def messages(self) -> list[JsonObject]:
        """Every client message so far, in the order of arrival."""
        return [message.data for message in self._ears.messages]

    @property
    def turns(self) -> list[Turn]:
        """The model's responses, oldest first: their tokens by `turnId`, and which were interrupted."""
        return self._ears.turns.all

    @property
    def interrupted(self) -> list[JsonObject]:
        """The `user-interrupted` messages; `turnId` names the model response that was cut."""
        return self._ears.of("user-interrupted")

    @property
    def tokens_after_cut(self) -> list[JsonObject]:
        """The `model-output` messages that came after the `user-interrupted` of their turn; there must be none."""
        return list(self._ears.late_tokens)

    @property
    def utterances(self) -> list[Utterance]:
        """Everything that this caller let be heard or typed."""
        return list(self._utterances)

    @property
    def history(self) -> list[JsonObject]:
        """The conversation as the server has it: of the record if the call has ended, else `conversation-update`."""
        stored = as_objects(as_object(self._record.get("artifact")).get("messages"))
        return stored or self._ears.history()

    @property
    def heard_text(self) -> str:
        """The assistant's words in the history, a message in each line: of a cut answer those that were heard."""
        return "\n".join(str(message.get("message")) for message in self.history if message.get("role") == "bot")

    @property
    def transcript(self) -> str:
        """The final transcripts, a line each: `caller: …` (as the server understood it) and `assistant: …`."""
        return self._ears.transcript()

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tools that the assistant called, in order."""
        return self._ears.tool_calls()

    @property
    def record(self) -> JsonObject:
        """The call's record: as it was made, and after `wait_for_end` or `hang_up` with its end and artifact."""
        return self._record

    @property
    def ended_reason(self) -> str | None:
        """Vapi's `endedReason`; None while the call goes on."""
        return as_string((self._ears.ended or self._record).get("endedReason"))

    @property
    def timeline(self) -> str:
        """Events of the call, a line each, with its time."""
        return write_timeline(self._connection, self._server.url, self._sender, self._ears, self._utterances)

    async def save(self, folder: Path, name: str = "call") -> tuple[Path, Path, Path]:
        """Write the recording (left the caller, right the assistant), the time line and the messages into a folder.

        Raises:
            ClientError, OSError: a file cannot be written.
        """
        return await anyio.to_thread.run_sync(save_call, folder, self.timeline, self._sender, self._ears, name)

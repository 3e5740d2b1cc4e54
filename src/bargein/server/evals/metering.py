"""Models of an eval whose tokens are counted, for its costs."""

from collections.abc import AsyncIterator, Sequence

from typing_extensions import override

from bargein.call.record.usage import Usage, UsageMeter, metered_reply
from bargein.ports import ChatMessage, Model, ToolCall
from bargein.server.agents.resolve import parse_assistant
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object


class MeteredModel(Model):
    """A model that counts its tokens.

    Args:
        model: the model.
        given: its JSON, which names the vendor and the model.
        usage: gets each use.
    """

    def __init__(self, model: Model, given: object, usage: Usage) -> None:
        named: JsonObject = as_object(given)
        self._model = model
        self._meter = UsageMeter(usage, lambda: 0.0, lambda _use: None)
        self._meter.switch_assistant(parse_assistant({"model": named} if named else {}))

    @override
    def reply(self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()) -> AsyncIterator[str | ToolCall]:
        return metered_reply(self._model, self._meter, messages, tools)

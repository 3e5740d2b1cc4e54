"""An independent observer of the order of a random call's history, and of what the model is asked."""

from itertools import pairwise

from bargein.turns import State
from bargein.turns.commands import Remember, StartReply
from bargein.turns.conversation import CALLED_OFF, TAKEN_OVER
from bargein.turns.events import AddMessage, Event, ToolReturned
from bargein.turns.phrases import count_words


class OrderWatch:
    """Checks laws 26 to 28 by what was heard, in the order in which it was."""

    def __init__(self) -> None:
        self.count = 0
        self.words: list[int] = []
        self.said: dict[int, tuple[Remember, int, int]] = {}
        self.sounded: dict[str, int] = {}
        self.owed = False
        self.owed_to_caller = False
        self.ending: set[str] = set()

    def _next(self) -> int:
        self.count += 1
        return self.count

    def hear_words(self) -> None:
        """Note that words of the caller's open turn have come."""
        self.words.append(self._next())

    def sound(self, turn_id: str) -> None:
        """Note that a reply begins to sound."""
        self.sounded[turn_id] = self._next()

    def take(self, event: Event, before: State) -> None:
        """Note an event before it is applied."""
        if isinstance(event, AddMessage) and event.respond:
            self.owed = True
            self.owed_to_caller = self.owed_to_caller or (event.role == "user" and bool(count_words(event.text)))
        running = {tool.call_id for tool in before.tools if tool.status == "running"}
        if isinstance(event, ToolReturned) and event.end_call_reason is not None and event.call_id in running:
            self.ending.add(event.call_id)
        elif isinstance(event, ToolReturned) and event.say is None and event.call_id in running:
            self.owed = self.owed or not next(t for t in before.tools if t.call_id == event.call_id).by_hook

    def commit(self, entry: Remember, event: Event) -> None:
        """Note an entry of the caller: typed just now, or the words of the open turn."""
        if isinstance(event, AddMessage) and entry.text == event.text:
            at = self._next()
            self.said[id(entry)] = entry, at, at
        elif self.words:
            self.said[id(entry)] = entry, self.words[0], self.words[-1]
            self.words = []
            self.owed = self.owed_to_caller = True

    def check_request(self, command: StartReply, state: State) -> None:
        """Check laws 27 and 28 for a request to the model that is to answer."""
        if command.text is not None or command.prompt or command.said:
            return
        last = state.history[-1] if state.history else None
        by_assistant = last is not None and last.role == "assistant" and not last.tool_calls
        assert by_assistant or not command.unanswered
        assert not (by_assistant and self.owed) or command.unanswered, (
            "law 27: no request ends with the assistant's words, unless the assistant goes on by itself"
        )
        if self.owed_to_caller:
            results = {one.tool_call_id: one.text for one in state.history if one.tool_call_id in self.ending}
            assert set(results.values()) <= {CALLED_OFF, TAKEN_OVER}, "law 28: what was called off is told"
        self.owed = self.owed_to_caller = False

    def check_history(self, state: State) -> None:
        """Check law 26: utterances stand in the order in which they began."""
        utterances = [one for one in state.history if one.role in ("user", "assistant") and one.text]
        assert all(a.start_ms <= b.start_ms for a, b in pairwise(utterances)), "law 26: in the order of time"
        for at, one in enumerate(utterances):
            if id(one) not in self.said:
                continue
            _, first, last = self.said[id(one)]
            before, after = self._begins(utterances[:at]), self._begins(utterances[at:])
            assert all(begun < last for begun in before), "law 26: words before a reply stand before it"
            assert all(begun > first for begun in after), "law 26: words over a reply stand behind it"

    def _begins(self, entries: list[Remember]) -> list[int]:
        """Return when the replies among these entries began to sound."""
        return [self.sounded[one.turn_id] for one in entries if one.turn_id in self.sounded]

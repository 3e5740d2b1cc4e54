"""Smart endpointing by the owner's own model: its server is asked at each pause how long to wait.

A request is about one pause: these words, this end of the voice. When the caller goes on it is void, and a late answer
to it is dropped by its number. Until the answer comes the turn stays open, for `Plan.endpointing_timeout_ms` at most;
without an answer the transcription plan decides.

    caller      #####|.............................
    transcript         "my number is"
                       |----request---->|
                                        answer: timeoutSeconds 0.9
                     |<---------- 900 ms ---------->|
                     end of voice                   end of turn
"""

from dataclasses import replace

from bargein.turns.commands import AskEndpointing
from bargein.turns.events import EndpointingAnswered
from bargein.turns.item import Item
from bargein.turns.plan import Plan
from bargein.turns.state import Change, EndpointingRequest, State


def current_request(state: State) -> EndpointingRequest | None:
    """Return the request about the pause that the caller is in; None: there is none."""
    request, caller = state.endpointing_request, state.caller
    about = request is not None and (request.said, request.offset_ms) == (caller.said, caller.offset_ms)
    return request if about else None


def apply_answer(state: State, event: EndpointingAnswered) -> State:
    """Keep an answer, if it is the first one to the last request."""
    request = state.endpointing_request
    if request is None or request.number != event.number or request.answered:
        return state
    return replace(state, endpointing_request=replace(request, answered=True, pause_ms=event.pause_ms))


def _due(state: State, plan: Plan) -> int | None:
    caller = state.caller
    if plan.endpointing_timeout_ms is None or not caller.said or caller.holds_turn:
        return None
    return None if current_request(state) is not None else state.now_ms


def _ask(state: State, _plan: Plan) -> Change:
    number = 1 if state.endpointing_request is None else state.endpointing_request.number + 1
    caller = state.caller
    request = EndpointingRequest(number=number, said=caller.said, offset_ms=caller.offset_ms, asked_ms=state.now_ms)
    return replace(state, endpointing_request=request), [AskEndpointing(number, caller.said)]


ENDPOINTING_REQUEST = Item(
    "endpointing request",
    "Due when the caller pauses and the assistant has an endpointing model of its own: its server is asked how long to"
    " wait.",
    _due,
    _ask,
)

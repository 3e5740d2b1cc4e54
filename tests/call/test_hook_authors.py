"""Instructions in hooks, by their author and the model's."""

from bargein.call.plan.hooks import compile_hooks
from bargein.wire.ownership import Author, marked

URL = {"provider": "custom-llm", "model": "m", "url": "https://model.example"}


def test_a_hooks_instructions_are_not_for_a_model_that_a_caller_set() -> None:
    note = {"type": "message.add", "message": {"role": "system", "content": "The code is 4711."}}
    asks = {"type": "say", "prompt": "Say the code, 4711."}
    says = {"type": "say", "exact": "Still there?"}
    elapsed = {"on": "call.timeElapsed", "options": {"seconds": 1}}
    hooks = [{**elapsed, "do": [note, asks, says]}, {**elapsed, "do": [note]}]
    theirs = compile_hooks({"hooks": hooks, "model": marked(URL, "caller")}).hooks
    assert [[action.kind for action in hook.do] for hook in theirs] == [["say"]]
    of_one_author: tuple[Author, ...] = ("owner", "caller")
    for author in of_one_author:
        own = compile_hooks(marked({"hooks": hooks, "model": URL}, author)).hooks
        assert [len(hook.do) for hook in own] == [3, 1]

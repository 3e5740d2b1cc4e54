"""Endpointing: is the caller's turn over?

`rules` has Vapi's order of plans and is the place to start; `smart` asks the owner's endpointing model, `end_of_turn`
has each pause judged where the assistant leaves it open, `wait_function` evaluates `waitFunction`, `preemptive` asks
the model before the end of the turn is certain, and `caller_voice` holds the items that depend on the voice alone.
"""

"""The life of a reply: requested, generated, spoken, and closed exactly once.

`reply` has the values, `lifecycle` the changes, `reply_events` routes events by turn id, `history` tells how much was
heard, and `speaking` holds the agenda items. Start reading at `lifecycle`.
"""

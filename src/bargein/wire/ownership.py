"""The rule for secrets: a secret belongs to the address that the owner set it for.

Whoever changes the address, or is not the owner, gets none.

A record (call, chat, session) knows who made it (`MADE_BY`): the owner, whose requests have the rights of the private
key, or a caller, whose requests have those of the public key. The field is set by the server alone and is shown to
nobody.
"""

from typing import Literal

from bargein.wire.base import JsonObject

Author = Literal["owner", "caller"]
"""Who wrote some JSON: the owner of the server, or a caller, who may be anyone with the public key."""

MADE_BY = "madeBy"
"""A field of the stored record of a call, chat or session: its `Author`. Vapi's types have no field for it."""


def author_of(record: JsonObject) -> Author:
    """Return who made a record. One without the field has the rights of a caller."""
    return "owner" if record.get(MADE_BY) == "owner" else "caller"


def made_by(record: JsonObject, author: Author) -> JsonObject:
    """Return a record as it is stored: with its author."""
    return {**record, MADE_BY: author}


def without_author(record: JsonObject) -> JsonObject:
    """Return a stored record as others may see it: without its author."""
    return {name: value for name, value in record.items() if name != MADE_BY}


def least_of(author: Author, before: JsonObject) -> Author:
    """Return the lesser of an author's rights and those of the record that is continued; empty: there is none."""
    return author if not before else "owner" if author == author_of(before) == "owner" else "caller"

"""Conversations for servers that demand messages of user and assistant in turn, the first and the last one a user's.

A voice agent's are not like that: the assistant speaks first, is asked again when the caller is silent, and gets
instructions within the conversation (idle messages, hooks, `add-message`).
"""

from collections.abc import Sequence
from typing import Final

from bargein.ports import ChatMessage, Role

CALL_BEGINS: Final = "(The call begins.)"
"""The user's message before the assistant's first one."""

CALLER_IS_SILENT: Final = "(The caller says nothing.)"
"""The user's message after the assistant's last one."""


def split_instructions(messages: Sequence[ChatMessage]) -> tuple[str, list[ChatMessage]]:
    """Return the system messages that open a conversation as one text, and the rest of it.

    In the rest, a system message is a user's in `<system>` tags, and the first and the last message are a user's or a
    tool's. Messages of one role may still follow each other.
    """
    opening = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    instructions = "\n\n".join(message.content for message in messages[:opening] if message.content)
    rest = [
        ChatMessage("user", f"<system>{message.content}</system>") if message.role == "system" else message
        for message in messages[opening:]
    ]
    if not rest or rest[0].role == "assistant":
        rest.insert(0, ChatMessage("user", CALL_BEGINS))
    if rest[-1].role == "assistant":
        rest.append(ChatMessage("user", CALLER_IS_SILENT))
    return instructions, rest


def alternated(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return a conversation as texts of the user and the assistant in turn, after one system message.

    The results of tools become texts of the user, and calls without text are left out.
    """
    instructions, rest = split_instructions(messages)
    given = [ChatMessage("system", instructions)] if instructions else []
    for message in rest:
        role: Role = "assistant" if message.role == "assistant" else "user"
        if not message.content:
            continue
        text = message.content
        if given and given[-1].role == role:
            text = f"{given.pop().content}\n\n{text}"
        given.append(ChatMessage(role, text))
    return given

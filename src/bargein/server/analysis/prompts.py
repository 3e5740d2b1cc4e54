"""Default prompts of an analysis, and the values of the placeholders in prompts.

The names of the placeholders are those of Vapi's `AnalysisPlan` and `CreateStructuredOutputDTO`.
"""

import json
from collections.abc import Sequence
from typing import Final

from bargein.wire.base import JsonObject
from bargein.wire.call import duration_ms
from bargein.wire.json import as_object, as_objects, as_string
from bargein.wire.ownership import plain_text

MOST_CONVERSATION_CHARS = 120_000
"""The most characters of a conversation that a model is sent: about 30,000 tokens, or two hours of talk."""

_BEGIN_SHARE = 0.25
"""The share of a cut conversation that is its beginning; how a call ended says more about it."""

_TRANSCRIPT: Final[JsonObject] = {
    "role": "user",
    "content": "The transcript of the call:\n\n{{transcript}}\n\nThe call ended for this reason: {{endedReason}}",
}

SUMMARY: Final[Sequence[JsonObject]] = (
    {
        "role": "system",
        "content": "You take notes of telephone calls. Summarize the call of the transcript in two or three sentences, "
        "in the language of the call. Respond with the summary alone.",
    },
    _TRANSCRIPT,
)

STRUCTURED_DATA: Final[Sequence[JsonObject]] = (
    {
        "role": "system",
        "content": "You extract data from the transcripts of calls. Take each value from what was said; never make one "
        "up. The data is valid by this JSON Schema:\n\n{{schema}}\n\nRespond with the JSON alone.",
    },
    _TRANSCRIPT,
)

SUCCESS_EVALUATION: Final[Sequence[JsonObject]] = (
    {
        "role": "system",
        "content": "You evaluate calls of an assistant. From its instructions infer what the call was to achieve, and "
        "judge by the transcript how far it did.\n\nThe rubric of your evaluation:\n{{rubric}}\n\nRespond with the "
        "result alone.",
    },
    {"role": "user", "content": "The instructions of the assistant:\n\n{{systemPrompt}}"},
    _TRANSCRIPT,
)

STRUCTURED_OUTPUT: Final[Sequence[JsonObject]] = (
    {
        "role": "system",
        "content": "You extract one value from the transcripts of calls: {{structuredOutput.name}}.\n"
        "{{structuredOutput.description}}\n\nTake it from what was said; never make it up. It is valid by this JSON "
        "Schema:\n\n{{structuredOutput.schema}}\n\nRespond with the JSON alone.",
    },
    _TRANSCRIPT,
)


def values_of(call: JsonObject, assistant: JsonObject) -> JsonObject:
    """Return the values of the placeholders that every prompt about a call has.

    Args:
        call: the record of the ended call.
        assistant: the assistant that had it last, with its templates filled in.
    """
    lasted_ms = duration_ms(call)
    reason = as_string(call.get("endedReason")) or ""
    return {
        "transcript": cut_transcript(transcript_of(call)),
        "messages": cut_messages(as_objects(as_object(call.get("artifact")).get("messagesOpenAIFormatted"))),
        "systemPrompt": system_prompt_of(assistant),
        "endedReason": reason,
        "callEndedReason": reason,
        "duration": "" if lasted_ms is None else f"{lasted_ms / 1000:g}",
        "startedAt": as_string(call.get("startedAt")) or "",
        "endedAt": as_string(call.get("endedAt")) or "",
    }


def transcript_of(call: JsonObject) -> str:
    """Return an ended call's transcript: that of its artifact, or one of its messages if the artifact has none."""
    artifact = as_object(call.get("artifact"))
    given = as_string(artifact.get("transcript"))
    if given is not None:
        return given
    names = {"user": "User", "assistant": "AI", "bot": "AI"}
    lines: list[str] = []
    for message in as_objects(artifact.get("messages")):
        name, text = names.get(str(message.get("role"))), as_string(message.get("message"))
        if name is not None and text:
            lines.append(f"{name}: {text}\n")
    return "".join(lines)


def system_prompt_of(assistant: JsonObject) -> str:
    """Return the instructions of an assistant (`model.messages` of the role `system`)."""
    messages = as_objects(as_object(assistant.get("model")).get("messages"))
    texts = [as_string(one.get("content")) or "" for one in messages if one.get("role") == "system"]
    return "\n\n".join(plain_text(text) for text in texts if text)


def cut_transcript(text: str, most: int = MOST_CONVERSATION_CHARS) -> str:
    """Return a transcript without its middle, at the ends of lines, if it has more than `most` characters."""
    if len(text) <= most:
        return text
    begin = int(most * _BEGIN_SHARE)
    head, tail = text[:begin], text[-(most - begin) :]
    head = head[: head.rfind("\n") + 1] or head
    tail = tail[tail.find("\n") + 1 :] or tail
    return f"{head}[{len(text) - len(head) - len(tail)} characters of the call are left out here]\n{tail}"


def cut_messages(messages: Sequence[JsonObject], most: int = MOST_CONVERSATION_CHARS) -> str:
    """Return messages as a JSON array, without those of the middle if it has more than `most` characters."""
    texts = [json.dumps(one, ensure_ascii=False) for one in messages]
    if sum(map(len, texts)) <= most:
        return f"[{', '.join(texts)}]"
    head = _fitting(texts, int(most * _BEGIN_SHARE))
    tail = _fitting(texts[len(head) :][::-1], most - int(most * _BEGIN_SHARE))[::-1]
    note = {"role": "system", "content": f"[{len(texts) - len(head) - len(tail)} messages are left out here]"}
    return f"[{', '.join([*head, json.dumps(note), *tail])}]"


def _fitting(texts: Sequence[str], most: int) -> list[str]:
    """Return the first texts that have no more than `most` characters together."""
    found: list[str] = []
    for text in texts:
        most -= len(text)
        if most < 0:
            break
        found.append(text)
    return found

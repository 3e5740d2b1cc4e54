"""The caller's words as a transcriber that makes no mistake would report them while they are spoken."""

AFTER_MS = 100
"""How long after its end a word is reported."""


def partial_words(text: str, begin_ms: float, end_ms: float) -> list[tuple[float, str]]:
    """Return times and texts of partial transcripts: each of the words takes the same part of the voice.

    Args:
        text: the words.
        begin_ms: start of the voice.
        end_ms: end of the voice.
    """
    words = text.split()
    each_ms = (end_ms - begin_ms) / max(1, len(words))
    return [
        (begin_ms + number * each_ms + AFTER_MS, " ".join(words[:number])) for number in range(1, len(words) + 1)
    ]  # fmt: skip

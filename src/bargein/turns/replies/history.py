"""What was really heard of a reply.

A word counts as heard once its last sample has been played: what is remembered is never more than what sounded.
"""

from bargein.turns.phrases import normalise, words_with_ends
from bargein.turns.state import Reply, Segment

# Until a streaming voice without timings has finished a segment, its length is guessed. English speech runs at about
# 15 characters a second; what the same reply has said before tells more.
_MS_PER_CHAR = 66.0
_TELLING_CHARS = 20
_LATELY = 15
"""Some five seconds of words."""


def heard_chars(reply: Reply) -> int:
    """How many characters of the reply's text the caller has heard, up to the end of a word."""
    heard = 0
    for segment in reply.segments:
        inside = chars_heard(segment, reply)
        if inside == 0:
            break
        heard = segment.char_start + inside
    return heard


def heard_text(reply: Reply) -> str:
    """The heard prefix of the reply's text."""
    return reply.text[: heard_chars(reply)].rstrip()


def lately_spoken(reply: Reply) -> tuple[str, ...]:
    """The words of the last seconds, and the one that sounds now, without punctuation: what an echo may bring back."""
    heard = heard_chars(reply)
    return normalise(reply.text[:heard])[-_LATELY:] + normalise(reply.text[heard:])[:1]


def chars_heard(segment: Segment, reply: Reply) -> int:
    """How many characters of one of the reply's segments have been heard."""
    inside_ms = reply.played_ms - segment.start_ms
    if inside_ms <= 0:
        return 0
    if segment.done and inside_ms >= segment.audio_ms:
        return len(segment.text.rstrip())
    if segment.words:
        return max((w.char_end for w in segment.words if w.end_ms <= inside_ms), default=0)
    return _estimate(segment, _length_ms(segment, reply), min(inside_ms, segment.audio_ms))


def _length_ms(segment: Segment, reply: Reply) -> float:
    """How long a segment is, or will be."""
    if segment.done:
        return segment.audio_ms
    said = [s for s in reply.segments if s.done]
    chars, spoken_ms = sum(len(s.text) for s in said), sum(s.audio_ms for s in said)
    pace = spoken_ms / chars if chars >= _TELLING_CHARS else _MS_PER_CHAR
    return max(segment.audio_ms, len(segment.text) * pace)


def _estimate(segment: Segment, total_ms: float, inside_ms: int) -> int:
    """Without timings: each word takes its share of the segment, by its length."""
    spans = words_with_ends(segment.text)
    whole = sum(end - start + 1 for start, end in spans)
    heard = weight = 0
    for start, end in spans:
        weight += end - start + 1
        if weight * total_ms > inside_ms * whole:
            break
        heard = end
    return heard

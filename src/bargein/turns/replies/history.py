"""The part of a reply that the caller has heard.

A word counts as heard once its last sample has been played, so that the history never holds more than what sounded.
"""

from bargein.turns.phrases import normalise, word_spans
from bargein.turns.replies.reply import Reply, Segment

# The length of a segment is estimated until a streaming voice without timings has finished it. English speech has about
# 15 characters a second; what the same reply has said before gives a better rate, once it is at least this long.
_MS_PER_CHAR = 66.0
_CHARS_FOR_RATE = 20
_RECENT_WORDS = 15
"""About five seconds of speech."""
_RECENT_CHARS = 1000
"""More than so many words have."""


def heard_chars(reply: Reply) -> int:
    """Count the characters of the reply's text that the caller has heard, up to the end of a word."""
    heard = 0
    for segment in reply.segments:
        inside = heard_chars_of(segment, reply)
        if inside == 0:
            break
        heard = segment.char_start + inside
    return heard


def heard_text(reply: Reply) -> str:
    """Return the heard prefix of the reply's text."""
    return reply.text[: heard_chars(reply)].rstrip()


def recently_spoken(reply: Reply) -> tuple[str, ...]:
    """Return the words of the last seconds and the one that sounds now, normalised: an echo may repeat them."""
    heard = heard_chars(reply)
    before, after = reply.text[max(0, heard - _RECENT_CHARS) : heard], reply.text[heard : heard + _RECENT_CHARS]
    return normalise(before)[-_RECENT_WORDS:] + normalise(after)[:1]


def heard_chars_of(segment: Segment, reply: Reply) -> int:
    """Count the characters of one of the reply's segments that the caller has heard."""
    inside_ms = reply.played_ms - segment.start_ms
    if segment.unspoken and inside_ms >= 0 and reply.played_ms > 0:
        return len(segment.text.rstrip())
    if inside_ms <= 0:
        return 0
    if segment.done and inside_ms >= segment.audio_ms:
        return len(segment.text.rstrip())
    if segment.words:
        return max((w.char_end for w in segment.words if w.end_ms <= inside_ms), default=0)
    return _estimate(segment, _length_ms(segment, reply), min(inside_ms, segment.audio_ms))


def audio_ms_at(reply: Reply, char: int) -> int:
    """Return where in the reply's audio the word at an offset of its text begins, as far as that is known."""
    segment = next((s for s in reversed(reply.segments) if s.char_start <= char), None)
    if segment is None:
        return 0
    inside = char - segment.char_start
    if segment.words:
        return segment.start_ms + next((w.start_ms for w in segment.words if w.char_end > inside), segment.audio_ms)
    spans = word_spans(segment.text)
    whole = sum(end - start + 1 for start, end in spans)
    before = sum(end - start + 1 for start, end in spans if end <= inside)
    return segment.start_ms + round(_length_ms(segment, reply) * before / max(1, whole))


def _length_ms(segment: Segment, reply: Reply) -> float:
    """Return the length of a segment's audio, estimated while it is not complete."""
    if segment.done:
        return segment.audio_ms
    complete = [s for s in reply.segments if s.done]
    chars, spoken_ms = sum(len(s.text) for s in complete), sum(s.audio_ms for s in complete)
    ms_per_char = spoken_ms / chars if chars >= _CHARS_FOR_RATE else _MS_PER_CHAR
    return max(segment.audio_ms, len(segment.text) * ms_per_char)


def _estimate(segment: Segment, total_ms: float, inside_ms: int) -> int:
    """Count the heard characters without word timings: each word takes a share of the segment by its length."""
    spans = word_spans(segment.text)
    whole = sum(end - start + 1 for start, end in spans)
    heard = weight = 0
    for start, end in spans:
        weight += end - start + 1
        if weight * total_ms > inside_ms * whole:
            break
        heard = end
    return heard

"""The words of a caller's utterances, put together from the pieces in which a vendor sends them.

A vendor sends interim text, which it may still change, and final segments, of which an utterance may have several; it
sends them when it likes. `Utterances` tells one final for each utterance of the caller's voice, and partials with all
of its words so far. It has no socket and no clock.
"""

import difflib
import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

from bargein.ports import TranscriptCallback

PAUSE_TAIL_MS = 96
"""Silence before `voice_paused` that surely has no words."""

STOP_TAIL_MS = 250
"""Silence before `voice_stopped` that surely has no words."""

_Kind = Literal["pause", "stop", "void"]
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Letters and punctuation of languages that are written without spaces between words."""

_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|\w+")
"""A word, or a letter of such a language."""

_CLOSING = frozenset(".,;:!?%)\u2026")
"""Punctuation that follows a word without a space."""

_MOST_PAIRS = 300 * 300
"""The most pairs of words that are compared: 300 words are two minutes of speech, and time grows with the pairs."""

_SAME_WORDS = 0.5
"""The share of the words told before that must come again, for a text to be those words once more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The contents of one message of a vendor.

    Attributes:
        interim: the text after the last final segment, as far as it is known; it replaces the interim text before it.
        segment: text that is final; it replaces the interim text.
        confidence: in the words of this message, from 0 to 1; None: none is given.
        end_of_turn: the vendor's probability that the turn is over, from 0 to 1; None: none is given.
        answered: whether all words of the audio before a finalize message have come.
        ready: whether the vendor takes audio from now on.
        covered_ms: how much of the connection's audio the words so far are of; None: unknown.
        exact: whether the texts have all spaces between them; if not, they are added.
        reply: a message that the vendor needs before it gets more audio; empty: none.
    """

    interim: str | None = None
    segment: str | None = None
    confidence: float | None = None
    end_of_turn: float | None = None
    answered: bool = False
    ready: bool = False
    covered_ms: int | None = None
    exact: bool = False
    reply: str = ""


NOTHING = Heard()


@dataclass(slots=True)
class _Request:
    """A request for all words so far.

    Attributes:
        kind: `void` if the caller went on speaking since.
        voice_end_ms: how much of the connection's audio has words.
        at_ms: the time of the request.
        asked: whether the vendor was asked; else its own final segment may be the answer.
    """

    kind: _Kind
    voice_end_ms: int
    at_ms: float
    asked: bool


def _after(before: str, text: str) -> str:
    """Return a text with the space that belongs between it and the text before it."""
    text = text.strip()
    if not before or not text or text[0] in _CLOSING:
        return text
    unspaced = _UNSPACED.match(text[0]) and _UNSPACED.match(before[-1])
    return text if unspaced else f" {text}"


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def new_words(told: list[str], text: str) -> str:
    """Return the part of a text that follows words which were told before.

    A vendor may word them anew ("I'd like" for "I would like"), so they are aligned with the text. If most of them do
    not come again, all of the text is new.

    Args:
        told: the words, in lower case and without punctuation.
        text: what the vendor says about the same audio, or about audio after it.
    """
    words = _words(text)
    if not told or not words:
        return text if not told else ""
    if len(told) * len(words) > _MOST_PAIRS:
        return text
    blocks = difflib.SequenceMatcher(None, told, words, autojunk=False).get_matching_blocks()
    same = sum(block.size for block in blocks)
    if same < _SAME_WORDS * min(len(told), len(words)):
        return text
    last = max((block for block in blocks if block.size), key=lambda block: block.a)
    begin = last.b + last.size + (len(told) - last.a - last.size)
    starts = [found.start() for found in _WORD.finditer(text)]
    return text[starts[begin] :] if begin < len(starts) else ""


class Utterances:
    """The utterances of one call.

    Args:
        tell: receives partials and finals.
        least_confidence: finals with less confidence are told without words, and partials are not told (Vapi's
            `confidenceThreshold`); 0: all are told.
    """

    def __init__(self, tell: TranscriptCallback, *, least_confidence: float = 0.0) -> None:
        self._tell = tell
        self._least_confidence = least_confidence
        self._final_text = ""
        self._confidences: list[tuple[float, int]] = []
        self._interim = ""
        self._interim_confidence: float | None = None
        self._owed: list[str] = []
        self._told = ""
        self._end_of_turn: float | None = None
        self._covered_ms = 0
        self._speaking = False
        self._complete = False
        self._requests: deque[_Request] = deque()

    @property
    def oldest_request_ms(self) -> float | None:
        """The time of the oldest request that is not answered; None: there is none."""
        return self._requests[0].at_ms if self._requests else None

    def start(self) -> None:
        """Begin an utterance."""
        self._speaking, self._complete = True, False

    def pause(self, position_ms: int, now_ms: float, *, ask: bool) -> bool:
        """Request a complete partial; return whether the vendor is to be asked.

        Args:
            position_ms: how much audio the connection has got.
            now_ms: the time.
            ask: whether the vendor is asked at pauses; if not, its own final segment is the answer, if one comes.
        """
        request = _Request("pause", position_ms - PAUSE_TAIL_MS, now_ms, ask)
        return self._add_request(request) and ask

    def resume(self) -> None:
        """Continue the utterance."""
        self._complete = False
        self._requests = deque(request for request in self._requests if request.asked)
        for request in self._requests:
            if request.kind == "pause":
                request.kind = "void"

    def stop(self, position_ms: int, now_ms: float) -> bool:
        """Request the final; return whether the vendor is to be asked.

        If the words before a pause came already, or are being waited for, they are the final.
        """
        self._speaking = False
        if self._complete:
            self._tell_final()
            return False
        last = self._requests[-1] if self._requests else None
        if last is None or last.kind != "pause":
            return self._add_request(_Request("stop", position_ms - STOP_TAIL_MS, now_ms, asked=True))
        last.kind = "stop"
        if last.asked:
            return False
        last.asked, last.at_ms = True, now_ms
        return True

    def hear(self, heard: Heard) -> None:
        """Receive what a message of the vendor says."""
        segment = heard.segment is not None and self._add_segment(heard.segment, heard)
        if heard.interim is not None:
            text = new_words(self._owed, heard.interim)
            self._interim = text if heard.exact else _after(self._final_text, text)
            self._interim_confidence = heard.confidence
        if heard.end_of_turn is not None:
            self._end_of_turn = heard.end_of_turn
        if heard.covered_ms is not None:
            self._covered_ms = heard.covered_ms
        answered = False
        while self._requests and ((heard.answered and not answered) or self._is_covered(self._requests[0])):
            answered = True
            self._answer(self._requests.popleft().kind)
        if answered:
            return
        if segment and not self._speaking and not self._requests:
            self._tell_final()  # words without a voice, or after it: nobody would ask for them
        elif heard.interim is not None or segment:
            self._tell_partial()

    def expire(self) -> None:
        """Answer the oldest request with the words that have come: the vendor took too long."""
        if self._requests:
            request = self._requests.popleft()
            if request.kind == "stop":
                self._tell_final()

    def withdraw(self) -> None:
        """Answer the newest request with the words that have come: the vendor cannot be asked."""
        if self._requests and self._requests.pop().kind == "stop":
            self._tell_final()

    def lose_connection(self) -> None:
        """Keep the words so far: the next connection knows nothing of them."""
        self._final_text += self._interim
        self._interim = ""
        self._owed, self._covered_ms = [], 0
        while self._requests:
            self.expire()

    def _add_segment(self, text: str, heard: Heard) -> bool:
        """Add a final segment; return whether it has words that were not told in a final."""
        text = new_words(self._owed, text)
        self._owed = []
        self._interim, self._interim_confidence = "", None
        has_words = bool(text.strip())
        self._final_text += text if heard.exact else _after(self._final_text, text)
        if has_words and heard.confidence is not None:
            self._confidences.append((heard.confidence, len(_words(text)) or 1))
        return has_words

    def _add_request(self, request: _Request) -> bool:
        if not self._requests and self._is_covered(request):
            self._answer(request.kind)
            return False
        self._requests.append(request)
        return True

    def _is_covered(self, request: _Request) -> bool:
        return not self._interim.strip() and 0 < request.voice_end_ms <= self._covered_ms

    def _answer(self, kind: _Kind) -> None:
        if not self._interim.strip():
            self._owed = []
        match kind:
            case "stop":
                self._tell_final()
            case "pause":
                self._complete = True
                self._tell_partial(complete=True)
            case "void":
                self._tell_partial()

    def _text(self) -> str:
        return f"{self._final_text}{self._interim}".strip()

    def _confidence(self) -> float | None:
        """Return the confidence in the words so far: the mean, by the number of words."""
        known = list(self._confidences)
        if self._interim and self._interim_confidence is not None:
            known.append((self._interim_confidence, len(_words(self._interim)) or 1))
        count = sum(number for _, number in known)
        return sum(value * number for value, number in known) / count if count else None

    def _tell_partial(self, *, complete: bool = False) -> None:
        text = self._text()
        if not text or (text == self._told and not complete):
            return
        confidence = self._confidence()
        if confidence is not None and confidence < self._least_confidence:
            return
        self._told = text
        self._tell(text, False, confidence, complete=complete, end_of_turn=self._end_of_turn)  # noqa: FBT003 - the port's callback takes it by position

    def _tell_final(self) -> None:
        text, confidence, end_of_turn = self._text(), self._confidence(), self._end_of_turn
        # The vendor may still send a segment for words that were told from its interim text.
        self._owed += _words(self._interim)
        self._final_text, self._confidences = "", []
        self._interim, self._interim_confidence = "", None
        self._told, self._end_of_turn, self._complete = "", None, False
        if confidence is not None and confidence < self._least_confidence:
            text = ""
        self._tell(text, True, confidence if text else None, end_of_turn=end_of_turn)  # noqa: FBT003

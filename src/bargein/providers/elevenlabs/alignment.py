"""The character timings of ElevenLabs, as words.

A pass is the `alignment` of one chunk: characters of the text, and their times in seconds. Two things differ between
models and endpoints, and are decided by the values: whether a pass counts its times from the beginning of the speech or
from the chunk that it came with, and whether a pass is sent twice, the second time with more characters (the flash
models). The last word of a pass may go on in the next one, so it is told with the pass that completes it.
"""

from bargein.ports import SpokenWord
from bargein.providers.http import StreamError
from bargein.providers.voice_audio import LATEST_TIME, Aligner, WordBuilder, WordTiming
from bargein.wire.json import as_list, as_object_or_none

_OVERLAP_MS = 20.0


class CharacterAlignment:
    """A reader of the passes of one speech.

    Args:
        text: the text that is spoken.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._aligner = Aligner(text)
        self._covered = 0  # characters of the text that the passes have reached
        self._pass_at = 0  # the same at the beginning of the last pass
        self._base_ms = 0.0
        self._end_ms = 0.0
        self._builder = WordBuilder()

    def add(self, value: object, audio_before_ms: float) -> tuple[SpokenWord, ...]:
        """Return the words that a pass completes.

        Args:
            value: the pass; None: the chunk has none.
            audio_before_ms: the length of the audio before its chunk.

        Raises:
            StreamError: its lists have different lengths, or a time is no number.
        """
        letters = _letters(value)
        if not letters:
            return ()
        said = "".join(letter.word for letter in letters)
        repeats = not self._text.startswith(said, self._covered) and self._repeats(said)
        if repeats:
            letters = letters[self._covered - self._pass_at :]
        else:
            self._pass_at = self._covered
            counts_from_chunk = letters[0].start_ms + _OVERLAP_MS < self._end_ms
            self._base_ms = audio_before_ms if counts_from_chunk else 0.0
        self._covered = self._pass_at + len(said)
        return self._aligner.align(self._words(letters))

    def end(self) -> tuple[SpokenWord, ...]:
        """Return the last word: the speech is complete."""
        return self._aligner.align(self._builder.end())

    def _repeats(self, said: str) -> bool:
        before = self._text[self._pass_at : self._covered]
        return bool(before) and said.startswith(before) and self._text.startswith(said, self._pass_at)

    def _words(self, letters: list[WordTiming]) -> list[WordTiming]:
        based = [WordTiming(one, self._base_ms + begins, self._base_ms + ends) for one, begins, ends in letters]
        self._end_ms = max([self._end_ms, *(letter.end_ms for letter in based)])
        return self._builder.add(based)


def _letters(value: object) -> list[WordTiming]:
    given = as_object_or_none(value)
    if given is None:
        return []
    letters = as_list(given.get("characters"))
    starts = as_list(given.get("character_start_times_seconds"))
    ends = as_list(given.get("character_end_times_seconds"))
    if not len(letters) == len(starts) == len(ends):
        raise StreamError("an alignment with lists of unequal length")
    return [
        WordTiming(str(letter), _ms(start), _ms(end)) for letter, start, end in zip(letters, starts, ends, strict=True)
    ]


def _ms(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST_TIME:
        raise StreamError("a character's time is not a number of seconds")
    return value * 1000.0

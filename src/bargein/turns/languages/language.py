"""The words of one language that the rules of turn-taking know."""

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of a language, in its own script and in the usual transcriptions of it.

    All of them are compared by `bargein.turns.phrases`: case, punctuation, full-width forms and the way in which
    accents are encoded do not matter, accents themselves do.

    Attributes:
        code: the code of ISO 639-1, in lower case.
        name: the language's name in English.
        failure_message: said before a call ends because its model has failed.
        acknowledgements: default of `stopSpeakingPlan.acknowledgementPhrases`.
        interruptions: default of `stopSpeakingPlan.interruptionPhrases`.
        backchannels: more backchannels, which count under adaptive interruption only.
        hums: those of `interruptions` that a transcriber also makes of hums, because they are short.
        unfinished: words with which no sentence ends: conjunctions, articles, prepositions, particles.
        complete: phrases that may end a sentence although they end with one of `unfinished`.
        fillers: sounds and words of somebody who thinks.
        yes: answers that agree.
        no: answers that refuse.
        digits: the words of the digits 0 to 9; empty if they are not known.
        numbers: other words of numbers.
        number_endings: the ends of longer words of numbers ("teen").
    """

    code: str
    name: str
    failure_message: str
    acknowledgements: tuple[str, ...]
    interruptions: tuple[str, ...]
    backchannels: tuple[str, ...] = ()
    hums: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    digits: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[str, ...] = ()
    number_endings: tuple[str, ...] = ()

    @property
    def number_words(self) -> tuple[str, ...]:
        """The words of all numbers, those of the digits first."""
        return tuple(word for words in self.digits for word in words) + self.numbers


_NAMED = ("code", "name", "failure_message", "digits")
_MEANINGS = ("acknowledgements", "interruptions", "yes", "no")


def merged(code: str, languages: Iterable[Language]) -> Language:
    """Return the words of several languages together, for a caller who may speak any of them.

    A phrase that acknowledges in one language and interrupts in another means what it means in the first of them that
    has it. What one of them has as an answer, or among its numbers, is not `unfinished`.
    """
    parts = tuple(languages)
    words: dict[str, dict[str, None]] = {f.name: {} for f in fields(Language) if f.name not in _NAMED}
    for part in parts:
        before = {
            "acknowledgements": words["interruptions"].copy(),
            "backchannels": words["interruptions"].copy(),
            "interruptions": words["acknowledgements"] | words["backchannels"],
        }
        for name, found in words.items():
            given: tuple[str, ...] = getattr(part, name)
            found.update(dict.fromkeys(word for word in given if word not in before.get(name, {})))
    answers = {word for name in _MEANINGS for word in words[name]} | set(words["numbers"])
    digits = tuple(
        tuple(dict.fromkeys(word for part in parts if part.digits for word in part.digits[digit]))
        for digit in range(10)
    )
    answers.update(word for same in digits for word in same)
    words["unfinished"] = {word: None for word in words["unfinished"] if word not in answers}
    return Language(
        code=code,
        name=" and ".join(part.name for part in parts),
        failure_message=parts[0].failure_message,
        digits=digits,
        **{name: tuple(found) for name, found in words.items()},
    )

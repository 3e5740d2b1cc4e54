"""The words of other languages: how they are compared, and what follows from them."""

import re
import unicodedata
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from bargein.turns import Plan
from bargein.turns.commands import UserInterrupted
from bargein.turns.endpointing.rules import ends_with_number, unfinished
from bargein.turns.events import InterruptionJudged, TranscriptReceived, VoiceStarted
from bargein.turns.interruption.evidence import is_backchannel
from bargein.turns.languages import LANGUAGES, MULTILINGUAL, Language, find_language, key_of_tags
from bargein.turns.phrases import consists_of, find_phrase, longest_ending, normalise
from tests.turns.talking import WAITING, Call

EACH = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
OTHERS = [language for code, language in LANGUAGES.items() if code != "en"]
KEYS = [*LANGUAGES, MULTILINGUAL, "en+es", "ar+en"]


def plan_in(key: str, **values: object) -> Plan:
    """A plan as `bargein.call.plan.compile` makes it for a language."""
    language = find_language(key)
    return Plan(
        language=key,
        acknowledgement_phrases=language.acknowledgements,
        interruption_phrases=language.interruptions,
        first_message_mode=WAITING,
        adaptive_interruption=True,
        **values,  # type: ignore[arg-type]
    )


def full_width(text: str) -> str:
    """Write Latin letters in their full-width forms, as input methods of Asia may."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


WAYS: list[Callable[[str], str]] = [
    lambda text: unicodedata.normalize("NFC", text),
    lambda text: unicodedata.normalize("NFD", text),
    str.upper,
    str.title,
    full_width,
    lambda text: f"\u00ab{text}\u00bb!",
    lambda text: f"\u300c{text}\u3002\u300d",
    lambda text: f"  {text}\u2026\n",
    lambda text: f"\u00bf{text}\u061f\ufe0f",
]
"""Ways to write a phrase that mean the same."""


@st.composite
def phrases_and_ways(draw: st.DrawFn) -> tuple[Language, str, str]:
    language = draw(st.sampled_from(list(LANGUAGES.values())))
    phrase = draw(st.sampled_from(language.acknowledgements + language.interruptions + language.backchannels))
    written = phrase
    for way in draw(st.lists(st.sampled_from(WAYS), max_size=3)):
        written = way(written)
    return language, phrase, written


@given(phrases_and_ways())
def test_a_phrase_is_the_same_however_it_is_written(case: tuple[Language, str, str]) -> None:
    language, phrase, written = case
    assert normalise(written) == normalise(phrase)
    assert is_backchannel(written, plan_in(language.code)) is is_backchannel(phrase, plan_in(language.code))


@given(st.text(max_size=40))
def test_composed_and_decomposed_text_is_the_same(text: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert normalise(composed) == normalise(decomposed) == normalise(text)
    assert all(any(char.isalnum() for char in word) for word in normalise(text))


@given(st.text(max_size=40))
def test_what_is_normalised_stays_as_it_is(text: str) -> None:
    words = normalise(text)
    assert normalise(" ".join(words)) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u300c\u306f\u3044\u3002\u300d", "\u306f\u3044"),
        ("\u30cf\u30a4", "\u306f\u3044"),
        ("\uff8a\uff72", "\u306f\u3044"),
        ("\uff2f\uff2b", "ok"),
        ("Stra\u00dfe", "STRASSE"),
        ("HAYIR", "hay\u0131r"),
        ("\u0130YI", "iyi"),
        ("\u0646\u064e\u0639\u064e\u0645", "\u0646\u0639\u0645"),
        ("\u0623\u064a\u0648\u0647", "\u0627\u064a\u0648\u0629"),
        ("d\u2019accord", "d'accord"),
        ("\u0939\u093e\u200d\u0901", "\u0939\u093e\u0901"),
    ],
)
def test_two_ways_to_write_the_same_word(one: str, other: str) -> None:
    assert normalise(one) == normalise(other) != ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u0939\u093e\u0901", "\u0939\u0948"),  # the vowel sign alone tells "yes" and "is" apart
        ("\u0e44\u0e21\u0e48", "\u0e44\u0e21"),
        ("s\u00ed", "si"),
        ("\u5bf9", "\u4e0d\u5bf9"),
    ],
)
def test_two_different_words(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@EACH
def test_a_language_is_written_down_once_and_in_full(language: Language) -> None:
    assert language.acknowledgements
    assert language.interruptions
    assert language.yes
    assert language.no
    assert len(language.digits) == 10
    assert len(language.unfinished) > 25
    assert set(language.hums) <= set(language.interruptions)
    everything = (*language.acknowledgements, *language.interruptions, *language.backchannels, *language.unfinished)
    assert all(normalise(phrase) for phrase in everything)


@EACH
def test_a_backchannel_contains_no_interruption_phrase(language: Language) -> None:
    """It would interrupt: interruption phrases are looked for first."""
    found = {
        phrase: find_phrase(phrase, language.interruptions)
        for phrase in language.acknowledgements + language.backchannels
        if find_phrase(phrase, language.interruptions)
    }
    assert found == {}


@EACH
def test_phrases_mean_what_their_lists_say(language: Language) -> None:
    plan = plan_in(language.code)
    for phrase in language.acknowledgements + language.backchannels:
        assert is_backchannel(f"{phrase}.", plan), phrase
    for phrase in language.interruptions:
        assert find_phrase(f"{phrase}!", language.interruptions), phrase
        assert not consists_of(phrase, language.acknowledgements + language.backchannels), phrase


@EACH
def test_an_answer_is_complete_and_a_conjunction_is_not(language: Language) -> None:
    for answer in language.yes + language.no:
        assert unfinished(f"{answer}.", language.code) <= 0.35, answer
    known = {" ".join(normalise(phrase)) for phrase in language.complete}
    numbers = {" ".join(normalise(word)) for word in language.number_words}
    for word in language.unfinished:
        if " ".join(normalise(word)) in known | numbers:
            continue
        assert unfinished(word, language.code) == 0.8, word
        assert unfinished(f"{word},", language.code) == 0.9, word


@EACH
def test_a_digit_ends_the_words_with_a_number(language: Language) -> None:
    for words in language.digits:
        for word in words:
            assert ends_with_number(f"{word}.", language.code), word
            assert ends_with_number(f"{language.unfinished[0]} {word}", language.code), word


@pytest.mark.parametrize(
    ("said", "language", "number"),
    [
        ("Das macht einundzwanzig.", "de", True),
        ("Das ist einzig", "de", False),
        ("\u516b\u3001\u4e09\u3001\u4e03", "ja", True),
        ("\u06f1\u06f2\u06f3", "ar", True),
        ("\u0967\u0968", "hi", True),
        ("trentadue", "it", True),
        ("nessuno", "it", False),
        ("\u043f\u044f\u0442\u044c\u0434\u0435\u0441\u044f\u0442", "ru", True),
        ("teen", "en", False),
        ("(four)", "en", False),
        ("", "en", False),
        ("\u0301", "en", False),
        ("one", "de", False),
    ],
)
def test_numbers_of_a_language(said: str, language: str, number: bool) -> None:
    assert ends_with_number(said, language) is number


@pytest.mark.parametrize(
    ("said", "language", "likely"),
    [
        ("quiero una mesa y", "es", 0.8),
        ("creo que s\u00ed", "es", 0.4),
        ("ich m\u00f6chte einen", "de", 0.8),
        ("Auf Wiedersehen.", "de", 0.05),
        ("\u3053\u3093\u306b\u3061\u306f\u3002", "ja", 0.05),
        ("\u79c1\u306e\u756a\u53f7\u306f", "ja", 0.8),
        ("\u79c1\u306e\u756a\u53f7\u306f\u3001", "ja", 0.9),
        ("\u6211\u8981\u4e00\u676f\u5496\u5561\u548c", "zh", 0.8),
        ("\u73b0\u5728", "zh", 0.4),
        ("\u091c\u0940 \u0939\u093e\u0901\u0964", "hi", 0.05),
        ("\u0645\u0627 \u0627\u0633\u0645\u0643\u061f", "ar", 0.05),
        ("quiero una mesa and", "es", 0.4),
        ("quiero una mesa and", "multi", 0.8),
        ("quiero una mesa y", "multi", 0.8),
    ],
)
def test_what_a_language_leaves_open(said: str, language: str, likely: float) -> None:
    assert unfinished(said, language) == likely


def test_a_longer_ending_outweighs_a_shorter_one() -> None:
    assert longest_ending("creo que s\u00ed", ("s\u00ed", "que s\u00ed")) == 2
    assert longest_ending("a s\u00ed", ("que s\u00ed", "no")) == 0
    assert longest_ending("", ("no",)) == 0
    assert longest_ending("s\u00ed", ("que s\u00ed", "s\u00ed")) == 1


# Tags.


@pytest.mark.parametrize(
    ("tags", "key"),
    [
        ([], "en"),
        (["en"], "en"),
        (["en-US"], "en"),
        (["es-MX"], "es"),
        (["es-419"], "es"),
        (["pt_BR"], "pt"),
        (["hi-Latn"], "hi"),
        (["ZH-hant-tw"], "zh"),
        (["cmn"], "zh"),
        (["yue"], "zh"),
        (["cmn_en"], "zh+en"),
        (["en_es"], "en+es"),
        (["Spanish"], "es"),
        (["Multilingual"], "multi"),
        (["auto"], "multi"),
        (["multi"], "multi"),
        (["de", "multi"], "multi"),
        (["de", "de-AT", "fr"], "de+fr"),
        (["xx"], "en"),
        ([""], "en"),
    ],
)
def test_a_tag_names_a_language(tags: list[str], key: str) -> None:
    assert key_of_tags(tags) == key
    assert find_language(key).code == key


@given(st.lists(st.text(max_size=12), max_size=4))
def test_any_tags_name_languages_that_are_known(tags: list[str]) -> None:
    assert find_language(key_of_tags(tags)).acknowledgements


def test_a_key_of_a_language_without_words_is_english() -> None:
    assert find_language("tlh") is LANGUAGES["en"]
    assert find_language("tlh+es").acknowledgements[0] == LANGUAGES["en"].acknowledgements[0]


# Languages together.


@pytest.mark.parametrize("key", KEYS)
def test_a_phrase_has_one_meaning(key: str) -> None:
    language = find_language(key)
    stops = {normalise(phrase) for phrase in language.interruptions}
    assert not stops & {normalise(phrase) for phrase in language.acknowledgements + language.backchannels}
    if key not in LANGUAGES:
        open_words = {normalise(word) for word in language.unfinished}
        assert not open_words & {normalise(word) for word in language.yes + language.no + language.number_words}


def test_of_two_meanings_the_first_language_has_the_word() -> None:
    """In Polish, "no" agrees."""
    assert is_backchannel("no", plan_in("pl"))
    assert not is_backchannel("no", plan_in("en+pl"))
    assert find_phrase("no", find_language("en+pl").interruptions) == "no"
    assert is_backchannel("no", plan_in("pl+en"))
    assert find_phrase("no", find_language("pl+en").interruptions) is None


def test_multilingual_callers_are_understood_in_ten_languages_and_english_words_mean_what_they_did() -> None:
    plan = plan_in(MULTILINGUAL)
    for word in ("uh-huh", "aj\u00e1", "d'accord", "genau", "\u0939\u093e\u0901", "\u0443\u0433\u0443", "\u306f\u3044"):
        assert is_backchannel(word, plan), word
    english = LANGUAGES["en"]
    assert set(english.interruptions) <= set(plan.interruption_phrases)
    assert set(english.acknowledgements) <= set(plan.acknowledgement_phrases)


# What the engine makes of them.


def stopped_by(said: str, plan: Plan, probability: float = 0.5) -> bool:
    """Stop an assistant with words and a sound that leaves it open, or not."""
    call = Call(plan)
    onset_ms = call.talking(audio_ms=60_000) + 2000
    call.feed(VoiceStarted(onset_ms + 32, onset_ms))
    call.feed(InterruptionJudged(onset_ms + 400, onset_ms, 390, probability))
    call.feed(TranscriptReceived(onset_ms + 460, said, final=False))
    return bool(call.when(UserInterrupted))


@pytest.mark.parametrize(
    ("said", "language", "stops"),
    [
        ("Aj\u00e1, claro.", "es", False),
        ("Espere.", "es", True),
        ("Genau, ach so.", "de", False),
        ("Warten Sie", "de", True),
        ("\u0939\u093e\u0901 \u091c\u0940", "hi", False),
        ("haan ji", "hi", False),
        ("\u0930\u0941\u0915\u093f\u090f", "hi", True),
        ("\u300c\u306f\u3044\u3002\u300d", "ja", False),
        ("\u30b9\u30c8\u30c3\u30d7", "ja", True),
        ("\u5bf9\u5bf9\uff0c\u597d\u7684\u3002", "zh", False),
        ("\u7b49\u4e00\u4e0b", "zh", True),
        ("\ub124, \uc54c\uaca0\uc2b5\ub2c8\ub2e4.", "ko", False),
        ("\uc7a0\uae50\ub9cc\uc694", "ko", True),
        ("\u0646\u0639\u0645\u060c \u062a\u0645\u0627\u0645", "ar", False),
        ("\u0644\u062d\u0638\u0629", "ar", True),
        ("\u0443\u0433\u0443", "ru", False),
        ("\u043f\u043e\u0434\u043e\u0436\u0434\u0438\u0442\u0435", "ru", True),
        ("uh-huh", "en", False),
        ("wait", "en", True),
    ],
)
def test_a_backchannel_goes_on_and_a_command_stops_in_its_own_language(said: str, language: str, stops: bool) -> None:
    assert stopped_by(said, plan_in(language)) is stops


def test_the_words_of_another_language_are_words_like_any_other() -> None:
    two_words = "aj\u00e1 claro"
    assert not stopped_by(two_words, plan_in("es"), 0.6)
    assert stopped_by(two_words, plan_in("de"), 0.6), "two words that are no backchannel need 50 %"
    assert not stopped_by("espera", plan_in("de"), 0.6)


@pytest.mark.parametrize("language", OTHERS, ids=lambda language: language.code)
def test_a_short_phrase_that_may_be_a_hum_needs_the_sound(language: Language) -> None:
    hum = next(iter(language.hums), None)
    if hum is None:
        return
    assert not stopped_by(hum, plan_in(language.code), 0.35)
    assert stopped_by(hum, plan_in(language.code), 0.8)


# English is as it was.

_NUMBER_END = re.compile(
    r"(?:\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million))[\s.,!?-]*$",
    re.IGNORECASE,
)
_MORE_TO_COME = frozenset({
    "and", "but", "or", "so", "because", "if", "when", "while", "then", "than", "that", "which", "who", "the",
    "a", "an", "to", "of", "for", "with", "in", "on", "at", "from", "by", "as", "my", "your", "our", "his",
    "her", "their", "its", "is", "are", "was", "were", "am", "be", "been", "will", "would", "could", "should",
    "can", "may", "might", "do", "does", "did", "have", "has", "had", "i", "we", "you", "he", "she", "they",
    "it", "not", "very", "really", "just", "also", "like", "um", "uh", "er", "hmm", "well", "about", "into",
})  # fmt: skip
ENGLISH_WORDS = st.sampled_from([
    *sorted(_MORE_TO_COME), "four", "fourteen", "twenty-one", "4", "table", "please", "don't", "teen", "million",
])  # fmt: skip
ENDINGS = st.sampled_from(["", ".", "?", ",", "...", " -", ".)", '"', "!  ", "\u2014"])


@given(st.text(alphabet=st.characters(max_codepoint=126), max_size=40))
def test_ascii_is_compared_as_before(text: str) -> None:
    spoken = re.sub(r"[^\w\s]|_", " ", text.lower().replace("'", ""))
    assert normalise(text) == tuple(spoken.split())


@given(st.lists(ENGLISH_WORDS, min_size=1, max_size=4), ENDINGS)
def test_the_end_of_english_words_is_judged_as_before(words: list[str], ending: str) -> None:
    said = " ".join(words) + ending
    number = bool(_NUMBER_END.search(said))
    assert ends_with_number(said) is number
    if not number:
        ends_open = normalise(said)[-1] in _MORE_TO_COME
        assert (unfinished(said) in (0.9, 0.35, 0.8)) is ends_open

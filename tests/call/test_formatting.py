"""The text for the voice: Vapi's formatters, and how much of the model's text counts as heard."""

import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.call.plan.compile import PlanError
from bargein.call.plan.voice_text import (
    FORMATTERS,
    FormatPlan,
    VoiceTextPlan,
    check_voice_text,
    compile_voice_text,
)
from bargein.call.speaking.formatter import MOST_SPOKEN_CHARS, Formatter
from bargein.call.speaking.spoken_text import HeardWords
from bargein.ports import SpokenWord
from bargein.turns.phrases import word_spans
from bargein.wire.assistant import Assistant

BOTH = frozenset({"break", "spell"})


def spoken(text: str, *, ends_line: bool = False, marks: frozenset[str] = BOTH, **plan: Any) -> str:
    return Formatter(FormatPlan(**plan), marks).format(text, ends_line=ends_line).text


def plan_of(voice: dict[str, Any], **more: Any) -> VoiceTextPlan:
    return compile_voice_text(Assistant.from_json({"voice": {"provider": "11labs", "voiceId": "x", **voice}, **more}))


def formatted(text: str, format_plan: dict[str, Any]) -> str:
    formatting = plan_of({"chunkPlan": {"formatPlan": format_plan}}).formatting
    assert formatting is not None
    return Formatter(formatting).format(text).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the examples of Vapi's page "Voice formatting plan", read to their end
        ("Hello <tag> world", "Hello world"),
        ("**Wanted** to say *hi*", "Wanted to say hi"),
        ("Hello world\n to say\nWe have NASA", "Hello world. to say. We have nasa"),
        ("price: $42.50", "price. forty-two dollars and fifty cents"),
        ("NASA and .NET", "nasa and .net"),
        ("JOHN.DOE@example.COM", "JOHN dot DOE at example dot COM"),
        ("2023 05 10", "Wednesday, May 10, 2023"),
        ("14:00", "fourteen"),
        ("5km", "five kilometers"),
        ("43 lb", "forty-three pounds"),
        ("50%", "fifty percent"),
        ("123-456-7890", "1 2 3 4 5 6 7 8 9 0"),
        ("-9", "minus nine"),
        ("2.5", "two point five"),
        ("2023", "2023"),
        ("12345", "1 2 3 4 5"),
        ("1200", "twelve hundred"),
        ("320 ST 21 RD", "three hundred twenty STREET twenty-one ROAD"),
        # and of its page on email addresses
        ("john.doe@example.com", "john dot doe at example dot com"),
        ("SALES@company.org", "SALES at company dot org"),
        ("jane_smith-work@my-company.co.uk", "jane underscore smith dash work at my dash company dot co dot uk"),
    ],
)
def test_vapis_examples(text: str, expected: str) -> None:
    assert spoken(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# title", "title"),
        ("- item one", "item one"),
        ("`code` and ~tilde~.", "code and tilde."),
        ("See [our page](https://example.com/x) now.", "See our page now."),
        ("Great \U0001f600, go \U0001f1e9\U0001f1ea! 1\ufe0f\u20e3", "Great, go! one"),
        ("\U0001f600", ""),
        ("...", ""),
        ("a < b and c > d", "a < b and c > d"),
        ('Wait <break time="1s" /> here, <<note>>', 'Wait <break time="1s" /> here, <<note>>'),
        ('Wait <break time="500ms"/> for 500ms', 'Wait <break time="500ms"/> for five hundred milliseconds'),
        ("<spell>123</spell> <spell>NASA</spell> 7", "<spell>123</spell> <spell>NASA</spell> seven"),
        ("$1,200, \u20ac0.50, \u00a31", "one thousand two hundred dollars, fifty cents, one pound"),
        ("$1.5 million", "one point five million dollars"),
        ("-$3", "minus three dollars"),
        ("2024-02-30", "2024-02-30"),
        ("9:05 AM or 2:00PM", "nine oh five AM or two PM"),
        ("(555) 123-4567 or +44 20 7946 0958", "5 5 5 1 2 3 4 5 6 7 or plus 4 4 2 0 7 9 4 6 0 9 5 8"),
        ("123 Main St.", "one hundred twenty-three Main Street."),
        ("2 St. Louis tickets", "two St. Louis tickets"),
        ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
        ("007", "0 0 7"),
        ("the 1st and the 22nd", "the first and the twenty-second"),
        ("5-10 people", "five to ten people"),
        ("1776", "seventeen seventy-six"),
        ("1905", "1905"),
        ("HTML for Mr. X", "H T M L for Mr. X"),
        ("1/2, 1.2.3, A12B, covid-19", "1/2, 1.2.3, A12B, covid-19"),
        ("72\u00b0F at 60 mph", "seventy-two degrees Fahrenheit at sixty miles per hour"),
        ("-3 \u00b0C", "minus three degrees Celsius"),
        ("4111111111111111", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
        ("https://example.com/a_b?c=1", "https://example.com/a_b?c=1"),
    ],
)  # fmt: skip
def test_what_the_page_leaves_open(text: str, expected: str) -> None:
    assert spoken(text) == expected


def test_a_line_ends_as_a_sentence() -> None:
    assert spoken("A title", ends_line=True) == "A title."
    assert spoken("**A title!**", ends_line=True) == "A title!"
    assert spoken("A title", ends_line=True, formatters=frozenset()) == "A title"


def test_another_language_keeps_its_numbers() -> None:
    assert spoken("**Hola:** 5 km, $3 \U0001f600", english=False) == "Hola. 5 km, $3"
    spanish = plan_of({}, transcriber={"provider": "deepgram", "language": "es"})
    assert spanish.formatting is not None
    assert not spanish.formatting.english
    english = plan_of({"language": "en-US"}, transcriber={"provider": "deepgram", "language": "multi"})
    assert english.formatting is not None
    assert english.formatting.english


def test_a_voice_gets_the_marks_that_it_carries_out_and_no_others() -> None:
    text = '<spell>AB1</spell> <break time="1s"/> ok'
    assert spoken(text) == '<spell>AB1</spell> <break time="1s"/> ok'
    assert spoken(text, marks=frozenset({"break"})) == 'A B one <break time="1s"/> ok'
    assert spoken(text, marks=frozenset()) == "A B one ok"
    assert spoken("<SPELL>a.b-1@x</SPELL>", marks=frozenset(), formatters=frozenset()) == "a dot b dash 1 at x"
    without = Formatter(None)
    assert without.format(f"{text} **<i>5</i>**").text == "A B 1 ok **<i>5</i>**"
    assert without.format("a  b ...").text == "a  b ...", "nothing else is changed"
    assert Formatter(None, BOTH).format(text).text == text


def test_only_the_formatters_that_are_named_run() -> None:
    text = "**A_B**: $5 for a@b.de <x>\U0001f600"
    assert formatted(text, {"formattersEnabled": ["email"]}) == "**A_B**: $5 for a at b dot de"
    assert formatted(text, {"formattersEnabled": []}) == "**A_B**: $5 for a@b.de"
    assert formatted("*x* say \u201chi\u201d \u2014 now", {"formattersEnabled": ["asterisk", "quote", "dash"]}) == (
        "say hi, now"
    )


@pytest.mark.parametrize("name", sorted(FORMATTERS))
def test_each_formatter_can_be_left_out(name: str) -> None:
    examples = {
        "markdown": "`a`", "newline": "a\nb", "colon": "a: b", "acronym": "HTML", "dollarAmount": "$5",
        "email": "a@b.de", "date": "2023-05-10", "time": "14:30", "distance": "5 km", "unit": "5 kg",
        "percentage": "5 %", "phoneNumber": "+14155550123", "number": "5", "stripAsterisk": "a*",
    }  # fmt: skip
    assert spoken(examples[name]) != examples[name]
    if name in ("dollarAmount", "date", "percentage", "distance", "unit", "phoneNumber", "time"):
        other = FORMATTERS - {name, "number"}
    else:
        other = FORMATTERS - {name}
    assert spoken(examples[name], formatters=other) == examples[name]


def test_the_cutoff() -> None:
    assert formatted("1999, 2026, 12345", {}) == "1999, 2 0 2 6, 1 2 3 4 5"
    assert formatted("12345", {"numberToDigitsCutoff": 300_000}) == "twelve thousand three hundred forty-five"
    assert formatted("12", {"numberToDigitsCutoff": 0}) == "1 2"


def test_replacements() -> None:
    exact = {"type": "exact", "key": "hello", "value": "hi"}
    assert formatted("hello world, hello universe", {"replacements": [exact]}) == "hi world, hello universe"
    everywhere = exact | {"replaceAllEnabled": True}
    assert formatted("hello world, hello universe", {"replacements": [everywhere]}) == "hi world, hi universe"
    words = {"type": "regex", "regex": r"\b[a-zA-Z]{5}\b", "value": "hi"}
    assert formatted("hello brave one", {"replacements": [words]}) == "hi hi one"
    groups = {"type": "regex", "regex": r"(\w+)@(?<host>\w+)", "value": "$2 of $1 $$ $& $3"}
    assert formatted("x@y", {"replacements": [groups]}) == "y of x $ x@y $3"
    options = [{"type": "ignore-case", "enabled": True}, {"type": "whole-word", "enabled": True}]
    word = {"type": "regex", "regex": "ai", "options": options, "value": "artificial intelligence"}
    assert formatted("AI said", {"replacements": [word]}) == "artificial intelligence said"
    off = [{"type": "ignore-case", "enabled": False}]
    assert formatted("AI", {"replacements": [word | {"options": off}]}) == "AI"


def test_a_replacement_that_cannot_be_carried_out_is_refused_by_name_and_left_out_of_a_call() -> None:
    bad = {"type": "regex", "regex": r"(?<=\. |^)[a-z]", "value": "x"}
    good = {"type": "exact", "key": "a", "value": "b"}
    given = {
        "voice": {"provider": "11labs", "voiceId": "x", "chunkPlan": {"formatPlan": {"replacements": [good, bad]}}}
    }
    with pytest.raises(PlanError, match=r"voice\.chunkPlan\.formatPlan\.replacements\.1\.regex must not have a look"):
        check_voice_text(Assistant.from_json(given))
    assert formatted("a", {"replacements": [bad, good]}) == "b"
    many = {
        "voice": {"provider": "11labs", "voiceId": "x", "chunkPlan": {"formatPlan": {"replacements": [good] * 201}}}
    }
    with pytest.raises(PlanError, match="must contain no more than 200 elements"):
        check_voice_text(Assistant.from_json(many))


def test_a_replacement_cannot_make_a_text_without_end() -> None:
    letter = {"type": "regex", "regex": "[ab]", "value": "ab" * 500}
    assert len(formatted("abab" * 60, {"replacements": [letter] * 20})) < 4 * MOST_SPOKEN_CHARS


def test_plans_that_are_off() -> None:
    assert plan_of({"chunkPlan": {"enabled": False}}) == VoiceTextPlan(flushes=False, formatting=None)
    assert plan_of({"chunkPlan": {"formatPlan": {"enabled": False}}}).formatting is None
    assert plan_of({"inputReformattingEnabled": False}).formatting is None
    legacy = plan_of({"inputPunctuationBoundaries": ["."], "inputMinCharacters": 5})
    assert (legacy.boundaries, legacy.min_chars) == (frozenset("."), 5)
    given = plan_of({"chunkPlan": {"punctuationBoundaries": [",", "||"], "minCharacters": 12}})
    assert (given.boundaries, given.min_chars) == (frozenset({",", "||"}), 12)


SAMPLES = (
    "a word ,word . ** * _ ` ~ [x](y) [ ] ( ) # - > \n < > <tag> </flush> <break/> <spell>ab</spell> << >> : $5 $42.50 "
    "5km 43_lb 50% 123-456-7890 2023-05-10 14:30 -9 2.5 12345 1,200 1st 5-10 1/2 a.b@c.de https://a.b/c NASA HTML "
    "320_ST 12_Main_St. \U0001f600 \u200d \ufe0f \u20e3 \u00e9 \u0e01 \u3002 \ud800 \u00a0"
)
PIECES = st.sampled_from(SAMPLES.split(" ")).map(lambda piece: piece.replace("_", " "))
TEXTS = st.lists(PIECES | st.text(max_size=3) | st.just(" "), max_size=25).map("".join)
REPLACEMENTS = [
    {"type": "exact", "key": "word", "value": "two words", "replaceAllEnabled": True},
    {"type": "regex", "regex": "[ab]|x*", "value": "$&-$&"},
    {"type": "regex", "regex": "five", "value": ""},
]
PLANS = st.sampled_from(
    [
        FormatPlan(),
        FormatPlan(english=False),
        FormatPlan(formatters=FORMATTERS | {"asterisk", "quote", "dash"}),
        FormatPlan(formatters=frozenset()),
        plan_of({"chunkPlan": {"formatPlan": {"replacements": REPLACEMENTS}}}).formatting,
    ]
)


@settings(max_examples=1500, deadline=None)
@given(TEXTS, PLANS | st.none(), st.booleans(), st.sampled_from([BOTH, frozenset[str]()]))
def test_what_is_heard_is_a_growing_part_of_the_text_and_all_of_it_in_the_end(
    text: str, plan: FormatPlan | None, ends_line: bool, marks: frozenset[str]
) -> None:
    result = Formatter(plan, marks).format(text, ends_line=ends_line)
    heard = [result.heard(at) for at in range(len(result.text) + 1)]
    assert heard == sorted(heard)
    assert heard[-1] == len(text)
    assert result.text == "" or heard[0] == 0
    assert result.heard(10**6) == len(text)
    assert result.credit is None or len(result.credit) == len(result.text) + 1
    assert result.credit is not None or result.text == text


@settings(max_examples=800, deadline=None)
@given(TEXTS, PLANS)
def test_the_words_of_the_voice_become_words_of_the_text(text: str, plan: FormatPlan) -> None:
    result = Formatter(plan).format(text)
    spans = word_spans(result.text)
    words = [SpokenWord(end, index * 100, index * 100 + 100) for index, (_, end) in enumerate(spans)]
    heard = HeardWords(result)
    timed = [one for word in words for one in heard.add([word])]
    ends = [word.char_end for word in timed]
    assert ends == sorted(set(ends)), "each goes further than the one before"
    assert all(0 < end <= len(text) for end in ends)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(timed))
    if words:
        assert ends, "something is heard when everything was said"
        assert ends[-1] == len(text)
        assert timed[0].start_ms == 0, "no time is lost"
        assert timed[-1].end_ms <= words[-1].end_ms


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(["hello", "brave", "world,", "yes.", "so"]), min_size=1, max_size=8), st.data())
def test_a_text_that_is_changed_in_one_place_is_heard_word_by_word_elsewhere(words: list[str], data: Any) -> None:
    at = data.draw(st.integers(0, len(words)))
    place, said = data.draw(
        st.sampled_from([("$5", "five dollars"), ("**so**", "so"), ("12345", "1 2 3 4 5"), ("5km", "five kilometers")])
    )
    text = " ".join((*words[:at], place, *words[at:]))
    result = Formatter(FormatPlan()).format(text)
    assert result.text == " ".join((*words[:at], said, *words[at:]))
    before, after = " ".join(words[:at]), " ".join((*words[:at], said))
    assert result.heard(len(before)) == len(before), "what was before is heard, and nothing of the place"
    inside = len(before) + bool(before) + len(said.split()[0])
    if " " in said:
        assert result.heard(inside) <= len(before) + 1, "a part of it is not heard as all of it"
    assert result.heard(len(after)) == len(before) + bool(before) + len(place), "all of it is"


@pytest.mark.parametrize(
    "text",
    ["a.a-", "1", "1,234 ", "1.", "12/", "$", "<a", "<", "<<", "[a](", "_", "a@", "a.", "+1 ", "(555) ", "A B ", "\n ",
     "5 Main ", "\U0001f600", "* ", "**a", "-", ": ", "|a", "&a", "&#1", "1-1", "$1-", "1:00-", "<!--", "<|",
     "5'1", "\\", "[a]", "a*", "am-", "Jan 1", "<spell>", "1 "],
)  # fmt: skip
def test_formatting_takes_linear_time(text: str) -> None:
    formatter = Formatter(FormatPlan(formatters=FORMATTERS | {"asterisk", "quote", "dash"}))

    def cpu_s(size: int) -> float:
        made = (text * size)[:size]
        best = 10.0
        for _ in range(3):
            began = time.thread_time()
            formatter.format(made)
            best = min(best, time.thread_time() - began)
        return best

    large_s = cpu_s(16_000)
    assert large_s < 1
    assert large_s < 0.05 or large_s < cpu_s(4_000) * 8


def test_a_voice_text_plan_is_read_from_any_json() -> None:
    odd = {"enabled": "x", "minCharacters": "x", "punctuationBoundaries": [1], "formatPlan": {"replacements": [1, {}]}}
    plan = plan_of(json.loads(json.dumps({"chunkPlan": odd})))
    assert plan.formatting is not None
    assert plan.formatting.replacements == ()

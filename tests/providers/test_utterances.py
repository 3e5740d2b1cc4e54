"""The words of utterances, put together from a vendor's interim texts and final segments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.providers.utterances import Heard, Utterances, new_words


class Call:
    """The utterances of a call, and what is told: (text, final), with a star for a partial with all words."""

    def __init__(self, least_confidence: float = 0.0) -> None:
        self.told: list[tuple[str, str]] = []
        self.confidences: list[float | None] = []
        self.ends: list[float | None] = []
        self.utterances = Utterances(self._tell, least_confidence=least_confidence)

    def _tell(
        self,
        text: str,
        final: bool,
        /,
        confidence: float | None = None,
        *,
        complete: bool = False,
        end_of_turn: float | None = None,
    ) -> None:
        self.told.append((text, "final" if final else "complete" if complete else "partial"))
        self.confidences.append(confidence)
        self.ends.append(end_of_turn)

    def hear(self, interim: str | None = None, segment: str | None = None, **more: object) -> None:
        self.utterances.hear(Heard(interim=interim, segment=segment, **more))  # type: ignore[arg-type]

    def start(self) -> None:
        self.utterances.start()

    def pause(self, at_ms: int = 0, *, ask: bool = True) -> bool:
        return self.utterances.pause(at_ms, at_ms, ask=ask)

    def stop(self, at_ms: int = 0) -> bool:
        return self.utterances.stop(at_ms, at_ms)


def test_segments_are_joined_until_the_utterance_ends() -> None:
    call = Call()
    call.start()
    call.hear("I would")
    call.hear(segment="I would like")
    call.hear("to")
    call.hear(segment="to book.")
    assert call.stop()
    call.hear(segment="", answered=True)
    assert call.told == [
        ("I would", "partial"),
        ("I would like", "partial"),
        ("I would like to", "partial"),
        ("I would like to book.", "partial"),
        ("I would like to book.", "final"),
    ]


def test_the_words_before_a_pause_are_the_final_if_nothing_follows() -> None:
    call = Call()
    call.start()
    assert call.pause()
    call.hear(segment="Yes.", answered=True)
    assert not call.stop()
    assert call.told == [("Yes.", "complete"), ("Yes.", "final")]


def test_an_answer_that_comes_between_a_pause_and_the_end_is_awaited_once() -> None:
    call = Call()
    call.start()
    assert call.pause(100)
    assert not call.stop(300)  # asked already
    assert call.utterances.oldest_request_ms == 100
    call.hear(segment="Yes.", answered=True)
    assert call.told == [("Yes.", "final")]


def test_a_vendor_that_is_not_asked_at_pauses_may_answer_of_its_own() -> None:
    call = Call()
    call.start()
    assert not call.pause(100, ask=False)
    assert call.stop(300)  # asked now
    assert call.utterances.oldest_request_ms == 300
    call.hear(segment="Yes.", answered=True)
    call.start()
    assert not call.pause(500, ask=False)
    call.hear(segment="No.", answered=True)
    assert not call.stop(700)
    assert call.told == [("Yes.", "final"), ("No.", "complete"), ("No.", "final")]


def test_a_pause_that_is_over_ends_nothing() -> None:
    call = Call()
    call.start()
    call.pause()
    call.utterances.resume()
    call.hear(segment="I would", answered=True)
    assert call.told == [("I would", "partial")]
    assert call.stop()
    call.hear(segment="like that.", answered=True)
    assert call.told[-1] == ("I would like that.", "final")


def test_the_answer_to_a_pause_that_is_over_is_not_the_final() -> None:
    call = Call()
    call.start()
    call.pause(100)
    call.utterances.resume()
    assert call.stop(900)
    call.hear(segment="I would", answered=True)
    assert call.told == [("I would", "partial")]
    call.hear(segment="like that.", answered=True)
    assert call.told[-1] == ("I would like that.", "final")


def test_results_up_to_the_end_of_the_voice_are_an_answer() -> None:
    """A vendor may not answer if it has nothing left to transcribe."""
    call = Call()
    call.start()
    call.hear(segment="Yes.", covered_ms=1000)
    assert not call.stop(1200)  # the last 250 ms are silence
    assert call.told == [("Yes.", "partial"), ("Yes.", "final")]
    call.start()
    assert call.stop(3000)
    call.hear("", covered_ms=2000)
    assert len(call.told) == 2
    call.hear("", covered_ms=2800)
    assert call.told[2:] == [("", "final")]


def test_results_with_interim_text_are_no_answer() -> None:
    call = Call()
    call.start()
    assert call.stop(1200)
    call.hear("yes", covered_ms=1200)
    assert call.told == [("yes", "partial")]


def test_late_words_are_told_once() -> None:
    call = Call()
    call.start()
    call.hear("I'd like to")
    call.stop()
    call.utterances.expire()
    assert call.told[-1] == ("I'd like to", "final")
    call.hear("I would like to")
    assert len(call.told) == 2
    call.hear("I would like to book")
    assert call.told[-1] == ("book", "partial")
    call.hear(segment="I would like to book.", answered=True)
    assert call.told[-1] == ("book.", "final")
    call.hear(segment="Hello.")
    assert call.told[-1] == ("Hello.", "final")


def test_late_words_belong_to_the_utterance_that_has_begun() -> None:
    call = Call()
    call.start()
    call.stop()
    call.utterances.expire()
    call.start()
    call.hear(segment="Yes.", answered=True)
    call.hear("please")
    call.stop()
    call.hear(segment="please.", answered=True)
    assert call.told == [
        ("", "final"),
        ("Yes.", "partial"),
        ("Yes. please", "partial"),
        ("Yes. please.", "final"),
    ]


def test_a_segment_without_a_voice_is_a_final() -> None:
    call = Call()
    call.hear("hm")
    call.hear(segment="Hm.")
    assert call.told == [("hm", "partial"), ("Hm.", "final")]


def test_a_lost_connection_loses_no_words() -> None:
    call = Call()
    call.start()
    call.hear(segment="I would")
    call.hear("like")
    call.utterances.lose_connection()
    call.hear("that")
    call.stop()
    call.hear(segment="that.", answered=True)
    assert call.told[-1] == ("I would like that.", "final")
    call.start()
    call.hear("And")
    call.stop()
    call.utterances.lose_connection()  # nobody will answer
    assert call.told[-1] == ("And", "final")


def test_confidence_is_the_mean_over_the_words() -> None:
    call = Call(least_confidence=0.5)
    call.start()
    call.hear(segment="one two three", confidence=0.9)
    call.hear("four", confidence=0.1)
    assert call.confidences[-1] == pytest.approx(0.7)
    call.stop()
    call.hear(segment="four", confidence=0.1, answered=True, end_of_turn=0.3)
    assert call.told[-1] == ("one two three four", "final")
    assert (call.confidences[-1], call.ends[-1]) == (pytest.approx(0.7), 0.3)
    call.start()
    call.hear("mumble", confidence=0.4)
    call.stop()
    call.hear(segment="mumble", confidence=0.4, answered=True)
    assert call.told[-1] == ("", "final")
    assert call.confidences[-1] is None
    assert call.ends[-1] is None
    assert ("mumble", "partial") not in call.told


@pytest.mark.parametrize(
    ("segments", "joined"),
    [
        (["Hello", "there", ".", "Who", "are you?"], "Hello there. Who are you?"),
        (["東京", "まで", "。"], "東京まで。"),
        (["東京", "Tower"], "東京 Tower"),
        (["Привет,", "мир"], "Привет, мир"),
    ],
)
def test_segments_get_the_spaces_of_their_language(segments: list[str], joined: str) -> None:
    call = Call()
    call.start()
    for segment in segments:
        call.hear(segment=segment)
    assert call.told[-1][0] == joined


def test_exact_texts_are_joined_as_they_are() -> None:
    call = Call()
    call.start()
    call.hear(segment=" Hel", exact=True)
    call.hear("lo", exact=True)
    call.hear(segment="lo there", exact=True)
    assert call.told[-1][0] == "Hello there"


@pytest.mark.parametrize(
    ("told", "text", "new"),
    [
        ("", "I would like", "I would like"),
        ("i would like", "I would like", ""),
        ("i would like", "I'd like to book", "to book"),
        ("i would like", "Never mind", "Never mind"),
        ("for two", "4, 2 people", "4, 2 people"),
        ("i would", "I", ""),
        ("yes", "Yes, yes.", "yes."),
        ("東 京", "東京まで。", "まで。"),
    ],
)
def test_words_that_were_told_are_found_in_other_wordings(told: str, text: str, new: str) -> None:
    assert new_words(told.split(), text) == new


TEXTS = st.lists(st.sampled_from(["yes", "no", "I", "would", "like", "東京", "."]), max_size=4).map(" ".join)
STEPS = st.one_of(
    st.tuples(st.just("interim"), TEXTS),
    st.tuples(st.just("segment"), TEXTS),
    st.tuples(st.just("answer"), TEXTS),
    st.tuples(st.sampled_from(["start", "pause", "resume", "stop", "expire", "lost"]), st.just("")),
)


def take(call: Call, kind: str, text: str) -> None:
    match kind:
        case "interim":
            call.hear(text)
        case "segment" | "answer":
            call.hear(segment=text, answered=kind == "answer")
        case "start" | "pause" | "stop":
            getattr(call, kind)()
        case "lost":
            call.utterances.lose_connection()
        case _:
            getattr(call.utterances, kind)()


@given(st.lists(STEPS, max_size=30))
def test_each_stop_has_one_final_in_the_end(steps: list[tuple[str, str]]) -> None:
    """Random messages of a vendor, in any order, between the marks of the voice."""
    call = Call()
    stops = 0
    for kind, text in steps:
        stops += kind == "stop"
        take(call, kind, text)
    while call.utterances.oldest_request_ms is not None:
        call.utterances.expire()
    finals = [text for text, kind in call.told if kind == "final"]
    assert len(finals) >= stops
    assert all(text == text.strip() for text, _ in call.told)
    assert all(text for text, kind in call.told if kind != "final")
    said = sum(len(text.split()) for kind, text in steps if kind in ("interim", "segment", "answer"))
    assert sum(len(text.split()) for text in finals) <= said


def test_texts_of_any_length_take_little_time() -> None:
    text = "no yes " * 20_000
    assert new_words(["no", "yes"] * 20_000, text) == text

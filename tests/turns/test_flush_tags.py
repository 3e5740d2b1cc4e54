"""Flush tags: taken out of a text in pieces of any size, and never in a reply's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.turns import Plan
from bargein.turns.commands import StartReply, Transcript, VoiceInput
from bargein.turns.events import Played, ReplyEnded, SpeechQueued, SpeechRequested
from bargein.turns.replies.flush_tags import FlushTags, without_flush_tags
from tests.turns.talking import Call

TEXTS = st.lists(
    st.sampled_from(
        ["<flush />", "<flush>", "</flush>", "< FLUSH/>", "<", "/", "fl", "ush", ">", " ", "a", "b. ", "\n"]
    )
).map("".join)


@pytest.mark.parametrize(
    "tag",
    [
        "<flush />",
        "<flush/>",
        "<flush>",
        "</flush>",
        "<FLUSH  />",
        "< flush >",
        "< / Flush >",
        '<flush id="1"/>',
        "<Flush a=b c='d e' >",
        "<flush / >",
    ],
)
def test_each_form_is_taken_out(tag: str) -> None:
    assert without_flush_tags(f"One moment. {tag} Here it is.") == "One moment. Here it is."
    assert without_flush_tags(f"One{tag}two{tag}") == "Onetwo"
    assert FlushTags().push(f"One{tag}two") == ["One", "two"]


@pytest.mark.parametrize(
    "text", ["a < b", "<flushed>", "<flush it>", "</ flash>", "<", "<fl", "<flush a />", "<flush =1>"]
)
def test_what_is_no_tag_stays(text: str) -> None:
    assert without_flush_tags(text) == text


@pytest.mark.parametrize("rest", ["<flush", "<flush /", "</flush", '<FLUSH id="1"'])
def test_a_tag_that_the_text_ends_in_is_no_text(rest: str) -> None:
    assert without_flush_tags(f"One moment. {rest}") == "One moment. "


@given(TEXTS, st.data())
def test_any_pieces_give_the_same_text(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    tags, parts, flushes = FlushTags(), list[str](), 0
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found = tags.push(text[start:end])
        flushes += len(found) - 1
        parts += found
    parts.append(tags.flush())
    assert "".join(parts) == without_flush_tags(text)
    assert flushes == len(FlushTags().push(text + "x")) - 1, "and each tag is told once"


@given(TEXTS)
def test_nothing_is_held_but_the_beginning_of_a_tag(text: str) -> None:
    tags = FlushTags()
    tags.push(text)
    held = tags.flush()
    assert len(held) < 140
    assert not held or held.startswith("<")


def test_a_tag_in_a_first_message_is_no_part_of_the_reply() -> None:
    call = Call(Plan(first_message="One moment. <flush /> Here it is.")).start()
    (started,) = call.commands(StartReply)
    assert started.text == "One moment. <flush /> Here it is.", "the tag tells the voice's side where a chunk ends"
    assert call.state.reply is not None
    assert call.state.reply.text == "One moment. Here it is."


def test_what_is_not_spoken_is_heard_with_what_was_before_it_and_never_alone() -> None:
    call = Call(Plan(first_message="\U0001f600 Hello! \U0001f44b")).start()
    turn = call.reply()
    call.feed(SpeechRequested(10, turn, 0, 0, "\U0001f600", ""))
    call.feed(SpeechQueued(10, turn, 0, 0, done=True))
    call.feed(SpeechRequested(10, turn, 1, 2, "Hello!", None))
    call.feed(SpeechQueued(20, turn, 1, 1000, done=True))
    call.feed(SpeechRequested(30, turn, 2, 9, "\U0001f44b", ""))
    call.feed(SpeechQueued(30, turn, 2, 0, done=True))
    call.feed(ReplyEnded(30, turn))
    assert [message.text for message in call.messages(VoiceInput)] == ["Hello!"]
    assert call.remembered() == []
    call.feed(Played(1100, turn, 1000, drained=True))
    call.until(1200)
    assert call.remembered() == [("assistant", "\U0001f600 Hello! \U0001f44b")]
    assert [message.text for message in call.messages(Transcript)] == ["Hello!"]


def test_the_voice_input_is_the_text_as_it_was_formatted() -> None:
    call = Call(Plan(first_message="It is $5.")).start()
    call.feed(SpeechRequested(10, call.reply(), 0, 0, "It is $5.", "It is five dollars."))
    assert [message.text for message in call.messages(VoiceInput)] == ["It is five dollars."]

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bargein.ports import ChatMessage
from bargein.providers.embedded import llm_script as script
from bargein.providers.embedded.llm import DemoModel, answer
from bargein.providers.embedded.tts import RATE_HZ, HibariVoice

pytestmark = pytest.mark.anyio

STORY = script.STORY_OPENING + script.STORY + script.STORY_ENDING


def talk(*texts):
    """The caller speaks first, then both in turn."""
    turns = [ChatMessage("user" if k % 2 == 0 else "assistant", text) for k, text in enumerate(texts)]
    return [ChatMessage("system", "You are a pirate."), *turns]


def ask(*texts):
    return answer(talk(*texts))


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("Hello.", script.GREETING),
        ("What can you do?", script.ABILITIES),
        ("Are you a robot?", script.SELF),
        ("What is barge in?", script.ABOUT),
        ("Can you tell me a story, please?", STORY),
        ("How are you?", script.FEELINGS),
        ("I'm fine, thanks.", script.GLAD),
        ("Tell me a joke.", script.JOKE),
        ("What's the weather like?", script.NO_WINDOW),
        ("Bye.", script.GOODBYE),
        ("Spell lighthouse.", "Lighthouse: L, I, G, H, T, H, O, U, S, E."),
        ("How do you spell the word sea?", "Sea: S, E, A."),
        ("Repeat after me, the quick brown fox.", "The quick brown fox."),
        ("Say hello world", "Hello world."),
        ("Repeat after me: ...", None),
        ("My name is anna.", "Nice to meet you, Anna. I'll remember that for this call."),
        ("What is my name?", script.NAME_UNKNOWN),
        ("What did I say?", script.NOTHING_SAID),
        ("What did you say?", script.SILENT_SO_FAR),
        ("Go on.", script.NOTHING_TO_GO_ON),
        (" ", script.NOTHING_HEARD),
    ],
)
def test_first_questions(said, answered):
    if answered is None:
        assert ask(said).startswith("I heard: ")
    else:
        assert ask(said) == answered


@pytest.mark.parametrize(
    ("said", "first", "last", "count"),
    [
        ("Count to five.", "One", "five", 5),
        ("count", "One", "ten", 10),
        ("Please count up to fourteen", "One", "fourteen", 14),
        ("count to twenty-one", "One", "twenty-one", 21),
        ("count from 98 to 103", "Ninety-eight", "one hundred and three", 6),
        ("count down from three", "Three", "zero", 4),
        ("count down", "Ten", "zero", 11),
        ("count from 5 to 2", "Five", "two", 4),
        ("count to 5000", "One", "one hundred and one", 101),
        ("count to a hundred", "One", "one hundred", 100),
        ("count to aardvark", "One", "ten", 10),
    ],
)
def test_counting(said, first, last, count):
    numbers = ask(said).rstrip(".").split(", ")
    assert (numbers[0], numbers[-1], len(numbers)) == (first, last, count)


@pytest.mark.parametrize(
    "said", ["Stop.", "Wait, wait!", "Stop, please.", "Okay, hold on a second.", "Please stop talking.", "Shush"]
)
def test_a_stop_is_answered_briefly(said):
    assert ask(said) in script.STOPPED


@pytest.mark.parametrize("said", ["Where does the bus stop?", "I can't wait for my holiday"])
def test_stop_words_within_a_sentence_are_no_stop(said):
    assert ask(said) not in script.STOPPED


def test_yes_no_and_backchannels_are_answered_briefly():
    assert ask("Yes, please.") in script.YES
    assert ask("I'm fine", script.GLAD, "Yes, please.") == STORY
    assert ask("No.") in script.NO
    assert ask("uh-huh") in script.ACKNOWLEDGED
    assert ask("Thank you.") in script.THANKS


def test_the_unknown_is_repeated_with_a_suggestion():
    reply = ask("I would like to order a pizza")
    assert reply.startswith("I heard: I would like to order a pizza. I'm only a script")
    assert reply.endswith(script.SUGGESTIONS)
    assert "x, and so on." in ask("x " * 50)
    assert len({ask(*(["a pizza", "I see"] * k), "a pizza").split("beyond me. ")[1] for k in range(5)}) == 5


def test_it_says_that_it_is_a_script():
    for text in (script.GREETING, script.SELF):
        assert "demo" in text
        assert "a script and not a language model" in text


def test_it_remembers_what_was_said():
    assert ask("My name is bo", "Hi", "What's my name?") == "Your name is Bo."
    assert ask("I like ships.", "I see.", "What did I just say?") == "You said: I like ships."
    assert ask("Hello", "Hi there.", "What did you say?") == "I said: Hi there."


def cut(text, share):
    """The heard prefix of `text`, ending with a word."""
    return text[: int(len(text) * share)].rsplit(" ", 1)[0]


def test_it_knows_where_it_was_interrupted():
    heard = cut(STORY, 0.3)
    reply = ask("Tell me a story", heard, "What did you just say?")
    assert reply.startswith("You cut me off. The last you heard of me was: ")
    assert " ".join(heard.split()[-5:]) in reply


@pytest.mark.parametrize("share", [0.1, 0.35, 0.8, 0.99])
def test_go_on_resumes_at_the_interrupted_sentence(share):
    heard = cut(STORY, share)
    reply = ask("Tell me a story", heard, "Go on.")
    rest = reply.removeprefix("Where was I? ")
    assert STORY.endswith(rest)
    begin = len(STORY) - len(rest)
    assert begin <= len(heard) + 1
    assert begin == 0 or STORY[begin - 2] in ".!?"
    assert not any(mark + " " in STORY[begin : len(heard)] for mark in ".!?")


def test_going_on_again_after_another_interruption_and_after_a_stop():
    first = cut(STORY, 0.2)
    stopped = ["Tell me a story", first, "Stop.", script.STOPPED[0], "Go on, please."]
    resumed = ask(*stopped)
    assert resumed == ask("Tell me a story", first, "Continue")
    second = cut(resumed, 0.3)
    again = ask(*stopped, second, "Keep going.")
    assert len(again) < len(resumed)
    assert STORY.endswith(again.removeprefix("Where was I? "))


def test_nothing_to_go_on_with_after_all_was_heard():
    assert ask("Tell me a story", STORY, "Go on") == script.NOTHING_TO_GO_ON
    assert ask("Hi", "something the script never says", "Go on") == script.NOTHING_TO_GO_ON


def test_it_speaks_first_when_asked_to():
    assert answer([ChatMessage("system", "x")]) == script.GREETING
    assert answer([]) == script.GREETING


def test_several_messages_of_the_caller_are_one_question():
    messages = [ChatMessage("user", "Count to"), ChatMessage("user", "three.")]
    assert answer(messages) == "One, two, three."


roles = st.sampled_from(["system", "user", "assistant", "tool"])
PHRASES = [
    "",
    "go on",
    "what did you say",
    "my name is",
    "count to",
    "spell",
    "stop",
    "é ?",
    STORY[:90],
    "repeat after me",
]


@given(st.lists(st.builds(ChatMessage, roles, st.sampled_from(PHRASES)), max_size=12))
def test_it_always_has_an_answer_and_the_same_one(messages):
    assert answer(messages).strip()
    assert answer(messages) == answer(list(messages))


async def test_tokens_are_words_and_join_to_the_answer():
    tokens = [token async for token in DemoModel().reply(talk("Count to twelve"))]
    assert len(tokens) == 12
    assert "".join(tokens) == ask("Count to twelve")


async def test_a_reply_can_be_closed_early():
    reply = DemoModel().reply(talk("Tell me a story"))
    assert await anext(reply) == "Gladly. "
    await reply.aclose()


async def test_the_story_takes_long_enough_to_interrupt():
    voice = HibariVoice()
    seconds = np.sum([chunk.pcm.size async for chunk in voice.speak(STORY)]) / RATE_HZ
    voice.close()
    assert seconds > 40

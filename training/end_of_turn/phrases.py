"""The texts of the synthetic turns, class by class, with the question before them and the pauses within them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from zlib import crc32

from bargein.turns.phrases import normalise

PARTS_OF_HELD_OUT = 4
"""One of so many phrases is held out: it occurs in no turn of the training."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A turn to be spoken.

    Attributes:
        part: class of the turn.
        pieces: the text between the pauses; a piece that ends with a comma has the intonation of more to come.
        pauses_s: length of the pause after each piece but the last.
        asked: the assistant's question before it; empty without one.
        topic: text that says which part the phrase belongs to; empty: its first piece.
    """

    part: str
    pieces: tuple[str, ...]
    pauses_s: tuple[float, ...] = ()
    asked: str = ""
    topic: str = ""

    @property
    def held_out(self) -> bool:
        """Return True if the phrase belongs to the held-out part."""
        return is_held_out(self.topic or self.pieces[0])


def is_held_out(text: str) -> bool:
    """Return True if a text belongs to the held-out part."""
    return crc32(" ".join(normalise(text)).encode()) % PARTS_OF_HELD_OUT == 0


def _alike(first: str, texts: Sequence[str]) -> list[str]:
    """Return the texts of the part that `first` belongs to."""
    return [text for text in texts if is_held_out(text) == is_held_out(first)]


_WORDS = (
    "Yes.", "No.", "Stop.", "Wait.", "Hello.", "Hi.", "Help.", "Cancel.", "Okay.", "Thanks.", "Goodbye.", "Sure.",
    "Correct.", "Maybe.", "Nothing.", "Agent.", "Repeat.", "Continue.", "Operator.", "Exactly.", "Perfect.", "Great.",
    "Really?", "Why?", "What?", "When?", "Where?", "Who?", "Sorry?", "Pardon?", "Anna.", "Michael.", "Rebecca.",
    "Thompson.", "London.", "Chicago.", "Tuesday.", "Friday.", "Tomorrow.", "Today.", "Tonight.", "Morning.",
    "Large.",
    "Medium.", "Blue.", "Pizza.", "Coffee.", "Billing.", "Sales.", "Support.", "English.", "Spanish.", "Nope.",
    "Never.", "Always.", "Enough.", "Quiet.", "Go.", "Next.", "Both.", "Neither.", "Please.", "Absolutely.",
    "Definitely.",
)  # fmt: skip

_SENTENCES = (
    "Tell me a story.", "I need a taxi.", "Turn it off.", "Please call me back.", "I want to cancel.",
    "Say that again.",
    "That's not right.", "I have no idea.", "Book a table for two.", "Send it by mail.", "I'm looking for a gift.",
    "My card was declined.", "I lost my password.", "Put it on my account.", "We will be late.",
    "Let me speak to a person.",
    "Show me the menu.", "I'd like the large one.", "It doesn't work anymore.", "I moved last month.",
    "Leave it at the door.",
    "Thank you very much.", "That's all for today.", "I am calling about my order.", "The package never arrived.",
    "Change my appointment.", "Make it a double.", "You can call me Sam.", "I already paid for that.",
    "Go back to the start.",
    "I'd rather come on Monday.", "It was delivered broken.", "Please speak more slowly.", "I want my money back.",
    "Add a salad to that.", "I think we are done.", "Read me the first one.", "The blue one, please.",
    "Nobody told me that.",
    "I would like to talk about my bill.",
)  # fmt: skip

_QUESTIONS = (
    "What is your name?", "How much is it?", "Are you open today?", "Where are you located?", "Can you help me?",
    "What time is it?", "Do you deliver?", "Is this a robot?", "Who am I speaking to?", "When will it arrive?",
    "Could you repeat that?", "How long does it take?", "Do you have it in blue?", "What are my options?",
    "Is there a discount?", "Can I pay by card?", "Why was I charged twice?", "What does that mean?",
    "Did you get that?",
    "Which one is cheaper?", "How do I reset it?", "Can I bring my dog?", "Is the kitchen still open?",
    "Are there any seats left?", "What's the weather like?", "May I ask something?", "Do I need an appointment?",
    "How far is the airport?", "Where is my order?", "Can I change the date?", "Is it going to rain tomorrow?",
    "Would you recommend it?", "What happens next?", "Does that include breakfast?", "Has it been sent?",
    "Shall I call again?",
)  # fmt: skip

_ANSWERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Would you like to go ahead?", ("Yes.", "No.", "Yes, please.", "No, thanks.", "Sure.", "I think so.")),
    ("Is that correct?", ("Yes.", "That's right.", "No, it isn't.", "Correct.", "Yes, it is.", "Not quite.")),
    ("Do you want me to send you a confirmation?", ("Yes, by email.", "No need.", "Please do.", "Yeah.")),
    ("How many people will be coming?", ("Four.", "Two.", "Six people.", "Just me.", "Five of us.", "Three, I think.")),
    ("How old are you?", ("Thirty five.", "Forty two.", "Sixty.", "I'm twenty nine.")),
    ("What is your name?", ("Anna Miller.", "My name is David.", "It's Laura.", "Peter Johnson.", "This is Karen.")),
    ("May I have your last name, please?", ("Smith.", "Anderson.", "It's Baker.", "Williams.", "O'Connor.")),
    ("What day would suit you?", ("Friday.", "Next Tuesday.", "Tomorrow.", "The third of May.", "Any day is fine.")),
    ("What time should I book it for?", ("Seven thirty.", "At noon.", "Around eight.", "Nine in the morning.")),
    ("What is your date of birth?", ("March third, nineteen eighty.", "The first of June, nineteen ninety two.")),
    ("Which size do you want?", ("Large.", "The small one.", "Medium, please.", "Whatever is cheapest.")),
    ("What city are you in?", ("Boston.", "I live in Denver.", "San Francisco.", "New York.", "Manchester.")),
    ("How can I help you today?", ("I need a refund.", "My internet is down.", "I want to book a room.", "Billing.")),
    ("Anything else I can do for you?", ("No, that's all.", "Nothing else.", "No, thank you.", "That was it.")),
)  # fmt: skip

_NUMBER_QUESTIONS = (
    "What is your phone number?",
    "Could you give me a number to call you back on?",
    "What is your telephone number?",
    "Please tell me your mobile number, starting with the area code.",
    "",
)
_CODE_QUESTIONS = (
    "What is your order number?",
    "Please say your account number.",
    "Can you read me the code?",
    "What is your zip code?",
    "",
)
_SPELLING_QUESTIONS = (
    "How do you spell that?",
    "Could you spell your last name for me?",
    "Please spell your email address.",
    "Can you spell it out?",
    "",
)
_OPEN_QUESTIONS = ("How can I help you today?", "What can I do for you?", "Tell me more about it.", "", "")

_STARTS = (
    "I'd like to,", "I want to,", "My number is,", "My name is,", "I'm calling about,", "Can you,",
    "Could you tell me,",
    "I need,", "The reason I'm calling is,", "I was wondering if,", "Well, I,", "So, the,", "It's about the,",
    "I would like to book a,", "Do you know if,", "Please send it to,", "We want a table for,", "I'll be there at,",
    "I think it was,", "What I need is,", "Is there any,", "Let me see,", "Okay, so,", "Because the,", "And then,",
)  # fmt: skip
_RESTS = (
    "change my reservation.", "five people.", "the order from last week.", "half past seven.", "a new password.",
    "cancel it please.", "my account.", "the main street.", "talk to someone about it.", "a blue jacket.",
    "the train to Boston.", "Robert Allen.", "the delivery on Monday.", "get some help.", "a room with a view.",
    "send me the invoice.",
)  # fmt: skip
_FILLERS = ("um,", "uh,", "let me think,", "hmm,", "you know,", "well,")
_THOUGHTS = (
    ("I would like a table", "for Saturday evening"), ("We need two rooms", "with a bath"),
    ("It was last week", "on Thursday"),
    ("I ordered a lamp", "and it came broken"), ("Send it to my office", "not to my home"),
    ("I want the red one", "or maybe the green one"),
    ("My flight leaves at nine", "from the second terminal"), ("I have a question", "about my last bill"),
    ("The address is twelve", "Garden Street"), ("I'd like to fly to Paris", "on the tenth of June"),
    ("Can I get a pizza", "with extra cheese"), ("I called yesterday", "but nobody answered"),
    ("I live near the park", "on the west side"),
    ("You could try my wife", "she is at home"), ("I think I'll take", "the second one"),
    ("The problem is", "that it never starts"),
    ("I was told to call", "before Friday"), ("There are four of us", "and a baby"),
    ("Let's say around noon", "if that's possible"),
    ("I want to return a coat", "which I bought in May"),
)  # fmt: skip
_ITEMS = (
    "milk", "bread", "apples", "two lemons", "butter", "a box of eggs", "tomatoes", "rice", "coffee", "cheese",
    "onions",
    "orange juice", "paper towels", "chicken", "a bag of flour", "bananas", "green tea", "potatoes", "honey",
    "batteries",
)  # fmt: skip
_NAMES = (
    "SMITH", "MILLER", "BAKER", "JOHNSON", "KELLY", "WRIGHT", "NGUYEN", "COOPER", "LOPEZ", "FISCHER", "MURPHY",
    "DAVIES",
    "HUGHES", "KAPOOR", "OLSEN", "ZHANG", "VARGA", "QUINN", "PETROV", "BECKER", "ROSSI", "ADLER", "WEBB", "TRAN",
)  # fmt: skip
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TELEPHONE = ((3, 3, 4), (3, 3, 4), (3, 4), (3, 3, 2, 2), (2, 4, 4), (5, 6))
_CODES = ((4,), (5,), (3, 3), (4, 4), (2, 4), (6, 2))
_PAUSES_S = (0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1.1, 1.4)
_ONE_WORD_QUESTIONS = ("", "", "How can I help you today?", "Is there anything else?")


def phrases(each: int) -> Iterator[Phrase]:
    """Yield `each` phrases of every class; the same at each call."""
    random = Random(23)
    makers = (_word, _sentence, _question, _answer, _false_start, _number, _telephone, _spelled, _list, _thinking)
    for make in makers:
        for number in range(each):
            yield make(number, random)


def _word(number: int, random: Random) -> Phrase:
    return Phrase("word", (_WORDS[number % len(_WORDS)],), asked=random.choice(_ONE_WORD_QUESTIONS))


def _sentence(number: int, random: Random) -> Phrase:
    return Phrase("sentence", (_SENTENCES[number % len(_SENTENCES)],), asked=random.choice(_OPEN_QUESTIONS))


def _question(number: int, random: Random) -> Phrase:
    return Phrase("question", (_QUESTIONS[number % len(_QUESTIONS)],), asked=random.choice(_OPEN_QUESTIONS))


def _answer(number: int, random: Random) -> Phrase:
    asked, answers = _ANSWERS[number % len(_ANSWERS)]
    return Phrase("answer", (random.choice(answers),), asked=asked)


def _false_start(number: int, random: Random) -> Phrase:
    start = _STARTS[number % len(_STARTS)]
    pieces = (start, random.choice(_alike(start, _RESTS)))
    return Phrase("false start", pieces, _pauses(1, random), random.choice(_OPEN_QUESTIONS))


def _digits(groups: tuple[int, ...], random: Random) -> tuple[str, ...]:
    said = [" ".join(random.choice(_DIGITS) for _ in range(count)) for count in groups]
    return (*(f"{group}," for group in said[:-1]), f"{said[-1]}.")


def _number(number: int, random: Random) -> Phrase:
    groups = _CODES[number % len(_CODES)]
    pieces = _digits(groups, random)
    return Phrase("number", pieces, _pauses(len(pieces) - 1, random), random.choice(_CODE_QUESTIONS))


def _telephone(number: int, random: Random) -> Phrase:
    groups = _TELEPHONE[number % len(_TELEPHONE)]
    pieces = _digits(groups, random)
    if number % 3 == 0:
        pieces = (f"My number is {pieces[0]}", *pieces[1:])
    return Phrase("telephone", pieces, _pauses(len(pieces) - 1, random), random.choice(_NUMBER_QUESTIONS))


def _spelled(number: int, random: Random) -> Phrase:
    name = _NAMES[number % len(_NAMES)]
    cut = random.choice((0, 0, 1, 2, 3))
    parts = [name[:cut], name[cut:]] if cut else [name]
    said = [", ".join(part) for part in parts]
    pieces = (*(f"{group}," for group in said[:-1]), f"{said[-1]}.")
    if number % 4 == 0:
        pieces = (f"{name.title()}.", *pieces)
    return Phrase("spelled", pieces, _pauses(len(pieces) - 1, random), random.choice(_SPELLING_QUESTIONS), name)


def _list(number: int, random: Random) -> Phrase:
    first = _ITEMS[number % len(_ITEMS)]
    others = random.sample([item for item in _alike(first, _ITEMS) if item != first], 2)
    pieces = (f"{first.capitalize()},", f"{others[0]},", f"and {others[1]}.")
    if number % 2 and not is_held_out(first):
        pieces = (f"I need {first},", *pieces[1:])
    return Phrase("list", pieces, _pauses(2, random), random.choice(_OPEN_QUESTIONS), first)


def _thinking(number: int, random: Random) -> Phrase:
    first, rest = _THOUGHTS[number % len(_THOUGHTS)]
    pieces = (f"{first},", f"{rest}.")
    if number % 2:
        pieces = (f"{first},", random.choice(_FILLERS), f"{rest}.")
    return Phrase("thinking", pieces, _pauses(len(pieces) - 1, random), random.choice(_OPEN_QUESTIONS))


def _pauses(count: int, random: Random) -> tuple[float, ...]:
    return tuple(random.choice(_PAUSES_S) for _ in range(count))

"""The texts that synthetic voices speak in the benchmark, and the voices.

They are held out: no training uses a phrase of this module, or one of its voices (a test compares them). The words of
`LANGUAGES` are what people say to yield, to interrupt and to answer; phrase lists of the server may contain them.
"""

# ruff: noqa: RUF001 - Cyrillic letters are meant
from dataclasses import dataclass

VOICES = (
    ("espeak-ng", "en-us+Annie", "155"), ("espeak-ng", "en-gb+Andy", "170"), ("espeak-ng", "en-us+Lee", "145"),
    ("espeak-ng", "en-gb+Linda", "160"), ("espeak-ng", "en-us-nyc+Steph", "165"), ("espeak-ng", "en-us+Robert", "150"),
    ("hibari", "1.06"), ("hibari", "0.94"),
)  # fmt: skip
"""Program, voice and words a minute; hibari has its speed, which changes the pitch with it.

hibari has a single speaker, whom training hears too, at other speeds: of it, only the phrases are held out.
"""

WORDS = (
    "Certainly.", "Negative.", "Olivia.", "Benjamin.", "Kowalski.", "Seattle.", "Glasgow.", "Wednesday.", "Saturday.",
    "Yesterday.", "Eleven.", "Twelve.", "Sixteen.", "Yellow.", "Purple.", "Lasagna.", "Lemonade.", "Refunds.",
    "Delivery.", "Checkout.", "Invoices.", "Margaret.", "Patrick.", "Evening.", "Upstairs.", "Vegetarian.",
    "Downtown.", "Hurry!", "Begin.", "Undo.", "Faster.", "Lower.", "Silence!", "Resume.", "French.", "Portuguese.",
    "December.", "Whichever.", "Unfortunately.", "Whose?",
)  # fmt: skip

SHORT = (
    "Play some jazz.", "Where is the exit?", "I live in Leeds.", "Is it far?", "Who wrote this?", "My back hurts.",
    "Close the window.", "How old is it?", "We have two kids.", "Can I sit here?", "I forgot my keys.",
    "That sounds expensive.", "Give me an example.", "Do you speak Dutch?", "What colour is it?", "It's for my sister.",
    "She is not home.", "I'll take the bus.", "Lower the volume.", "The screen is black.", "When do you open?",
    "They sent two boxes.", "I feel much better.", "Is parking free?", "Find a cheaper flight.", "Where do I sign?",
    "It came this morning.", "I prefer the aisle.", "Drop the second item.", "Are cats allowed?", "Tell him I called.",
    "The door is locked.", "We need four chairs.", "How do I get there?", "Wake me at seven.", "He is my brother.",
)  # fmt: skip

LONG = (
    "I bought a vacuum cleaner from you and now it makes a strange noise.",
    "Could you find me a hotel near the station that costs under ninety euros?",
    "My daughter has a fever since yesterday and I would like to see a doctor.",
    "Is there any chance of moving my driving lesson to the following week?",
    "We are looking for a quiet place where eight people can have dinner on Sunday.",
    "The heating in our flat has not worked since the engineer came round.",
    "Please tell the landlord that the lift is stuck between two floors again.",
    "I want to know why my electricity bill is twice as high as last winter.",
    "Can you explain to me how the new recycling bins are supposed to work?",
    "I'd like to renew my library card and reserve two books about gardening.",
    "Somebody parked in front of our garage and we cannot get out any more.",
    "How much luggage may I take with me if I travel with a small child?",
    "The website says that my password is wrong although I changed it this week.",
    "I am allergic to peanuts, so please make sure there are none in the sauce.",
    "What do I have to bring with me when I come in to pick up the parcel?",
    "My neighbour told me that you also repair old bicycles and sewing machines.",
    "There must be some mistake because I never ordered any of these magazines.",
    "Would it be possible to get a written offer before the end of the month?",
    "I left my umbrella on the number nine tram about half an hour ago.",
    "Which of your language courses would you suggest for a complete beginner?",
    "The concert was moved to another hall and I'd like to give back my tickets.",
    "I need somebody who can look after our plants while we are on holiday.",
    "Do I get a certificate at the end or do I have to pay extra for it?",
    "Please remind me to call the dentist when I get back from the gym.",
)  # fmt: skip

PAUSES = (
    (("I'd like,", "um,", "two.",), (0.6, 0.8)),
    (("Can I have,", "uh,", "the mushroom soup."), (0.5, 0.7)),
    (("I'm looking for,", "hmm,", "something for my uncle."), (0.8, 0.9)),
    (("It must have been,", "let me see,", "a Sunday."), (0.7, 0.8)),
    (("We would need,", "well,", "about thirty of them."), (0.5, 1.0)),
    (("My flight is,", "hang on,", "KL eight oh three."), (0.6, 1.1)),
    (("I want to book,", "er,", "the late ferry."), (0.7, 0.6)),
    (("The name was,", "um,", "Hendricks I believe."), (0.9, 0.6)),
    (("Let's take,", "one,", "no, two bottles."), (0.6, 0.7)),
    (("You can deliver it,", "between ten and twelve."), (0.9,)),
    (("I have been waiting,", "since half past eight."), (0.8,)),
    (("Would you rather,", "that I come in person?"), (0.7,)),
    (("The one that,", "you showed me last spring."), (1.0,)),
    (("Forty two,", "Maple Avenue,", "Portland."), (0.7, 0.8)),
    (("One hundred and seven,", "Victoria Road,", "second floor."), (0.6, 0.9)),
    (("Flat nine,", "Harbour Court,", "Bristol."), (0.8, 0.7)),
    (("It's eighteen,", "Church Lane,", "the house with the red gate."), (0.5, 0.8)),
    (("Six hundred,", "West Lake Drive,", "apartment five,", "Chicago."), (0.7, 0.6, 0.8)),
    (("Three,", "Orchard Close,", "near the old mill."), (0.6, 0.9)),
    (("Twenty one,", "Queens Parade,", "that's in Leeds."), (0.8, 0.7)),
    (("five five five,", "two oh one,", "seven seven nine four."), (0.6, 0.7)),
    (("oh two oh,", "seven nine four six,", "oh eight one three."), (0.7, 0.8)),
    (("six one seven,", "four four two,", "one nine oh six."), (0.5, 0.6)),
    (("Area code four one five,", "three six eight,", "two two five nine."), (0.8, 0.9)),
    (("seven two,", "nine one,", "three three,", "eight oh."), (0.5, 0.6, 0.6)),
    (("It's eight eight one,", "six four oh,", "five one two seven."), (0.7, 0.5)),
    (("nine zero two,", "three four seven eight."), (0.8,)),
    (("double four,", "one six,", "nine three seven two."), (0.6, 0.8)),
)  # fmt: skip
"""Turns with pauses: their pieces, and the length of the pause after each piece but the last, in seconds."""


@dataclass(frozen=True, slots=True)
class Language:
    """The texts of one language.

    Attributes:
        tag: the value of `transcriber.language`.
        voice: espeak-ng's voice.
        commands: interruptions of several words.
        words: interruptions of one word.
        backchannels: what a listener says.
        answers: complete turns of one word.
    """

    tag: str
    voice: str
    commands: tuple[str, ...]
    words: tuple[str, ...]
    backchannels: tuple[str, ...]
    answers: tuple[str, ...]


SPEAKERS = ("Annie", "Lee")
"""Variants of espeak-ng that speak each language."""

LANGUAGES = (
    Language(
        "es", "es", ("Espera un momento, por favor.", "Quiero cambiar mi pedido."), ("Para.", "Espera."),
        ("ajá", "mhm", "claro", "ya"), ("Madrid.", "Martes."),
    ),
    Language(
        "fr", "fr-fr", ("Attendez une seconde, s'il vous plaît.", "Je voudrais changer ma commande."),
        ("Attendez.", "Arrêtez."), ("mhm", "d'accord", "oui oui", "ah bon"), ("Lyon.", "Mardi."),
    ),
    Language(
        "de", "de", ("Warten Sie bitte einen Moment.", "Ich möchte meine Bestellung ändern."), ("Stopp.", "Moment."),
        ("mhm", "aha", "genau", "ach so"), ("Hamburg.", "Dienstag."),
    ),
    Language(
        "it", "it", ("Aspetti un attimo, per favore.", "Vorrei cambiare il mio ordine."), ("Basta.", "Aspetta."),
        ("mhm", "certo", "ah ecco", "capito"), ("Torino.", "Martedì."),
    ),
    Language(
        "pt", "pt-br", ("Espere um momento, por favor.", "Quero mudar o meu pedido."), ("Pare.", "Espera."),
        ("aham", "tá", "claro", "entendi"), ("Curitiba.", "Terça-feira."),
    ),
    Language(
        "nl", "nl", ("Wacht even alstublieft.", "Ik wil mijn bestelling veranderen."), ("Stop.", "Wacht."),
        ("mhm", "ja ja", "precies", "oké"), ("Utrecht.", "Dinsdag."),
    ),
    Language(
        "ru", "ru", ("Подождите минутку, пожалуйста.", "Я хочу изменить свой заказ."), ("Стоп.", "Подожди."),
        ("угу", "ага", "понятно", "да да"), ("Казань.", "Вторник."),
    ),
    Language(
        "hi", "hi", ("कृपया एक मिनट रुकिए।", "मुझे अपना ऑर्डर बदलना है।"), ("रुको।", "बस।"),
        ("हाँ", "अच्छा", "ठीक है", "हम्म"), ("दिल्ली।", "मंगलवार।"),
    ),
    Language(
        "ja", "ja", ("ちょっと まって ください。", "ちゅうもんを かえたい です。"), ("まって。", "やめて。"),
        ("はい", "うん", "ええ", "そうですか"), ("おおさか。", "かようび。"),
    ),
    Language(
        "zh", "cmn", ("请等一下。", "我想改一下我的订单。"), ("停。", "等等。"), ("嗯", "对", "好的", "是啊"),
        ("上海。", "星期二。"),
    ),
    Language(
        "ko", "ko", ("잠깐만 기다려 주세요.", "주문을 바꾸고 싶어요."), ("그만.", "잠깐만."),
        ("네", "음", "그렇군요", "아하"),
        ("부산.", "화요일."),
    ),
)  # fmt: skip

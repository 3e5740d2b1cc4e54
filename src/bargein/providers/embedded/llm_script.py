"""The texts of the built-in model; `llm` chooses among them."""

GREETING = (
    "Hello! I'm bargein's built-in demo: a script and not a language model, so don't expect too much of my wits. "
    "Ask me what I can do, or ask for a story, and interrupt me whenever you like."
)

ABILITIES = (
    "I can tell you a story, count, spell a word, repeat after you, remember your name, and tell you what you said or "
    "what you heard of what I said. But what I'm here for is this: talk over me at any time, and I'll stop at once. "
    "Then say go on, and I'll take up the thread where you cut it."
)

ABOUT = (
    "bargein is a voice agent server that you run yourself. It speaks the same protocol as Vapi, and it gives you the "
    "floor the moment you take it. When you cut in, it tells the client which of the model's answers was cut off, and "
    "from then on nothing of that answer is sent, heard, or remembered."
)

SELF = (
    "I'm bargein's built-in demo. I'm a script and not a language model: I answer a handful of things, and a real "
    "model goes in my place. The voice you hear, and the ears that understood you, run right on this machine."
)

STORY_OPENING = "Gladly. It's called The Lamp on Gull Rock. Cut in whenever you like. "

STORY = (
    "Far out, where the last of the islands crumbles into the sea, there is a stone the sailors call Gull Rock, "
    "and on it stands a lighthouse no taller than a barn. Its keeper was a woman named Marta, who had come for "
    "one summer and stayed for thirty years. She kept three things in good order: the lamp, the log book, and a "
    "kettle that was never quite cold. One night in November the fog came down so thick that the gulls walked "
    "home. Marta lit the lamp, as she always did, but its beam went no further than the length of her arm, and "
    "there it stopped, like a guest who doesn't dare to come in. Then she heard an engine, small and tired, "
    "somewhere below her, going round and round. Now a lamp is no use to a boat that can't see it, thought "
    "Marta. So she took the kettle and a soup spoon, went out on the gallery, and began to beat the slowest "
    "waltz she knew. One, two, three. One, two, three. And she waited. For a while there was nothing but the "
    "fog. Then, from the water, came an answer: somebody was knocking on wood, one, two, three. She beat a "
    "little faster, and the knocking came a little nearer. When she stopped, it stopped; and when it was wrong, "
    "she stopped at once and began again, so that the boat always knew what she meant. It took an hour. At the "
    "end of it a boy climbed out on the rock, wet to the ears, with an oar in his hand that was chipped at one "
    "end. You can dance to that, he said. He drank all of the tea, and most of the soup. In the morning the fog "
    "was gone, and so was the boy. But in the log book, under the date, there was a new line in a hand that "
    "wasn't hers: the light was out of sight, so I came in by the listening. Marta kept the kettle after that, "
    "dents and all. And on foggy nights, they say, you can still hear it from the boats: somebody out there, "
    "beating time, and stopping now and then to hear whether you are there. "
)

STORY_ENDING = "And that's the end."

STOPPED = ("Okay. I'm listening.", "Sure, I've stopped. Go ahead.", "All right. What would you like?")
YES = ("Good. What shall we do next?", "All right. Ask me for a story, if you like.")
NO = ("All right, then not.", "Okay, no. Something else, perhaps?")
ACKNOWLEDGED = ("I'm still here.", "Whenever you're ready.")
THANKS = ("You're welcome.", "My pleasure.")
GOODBYE = "Goodbye! It was nice talking with you."
FEELINGS = "I'm a script, so I'm always the same; but thanks for asking. How are you?"
GLAD = "I'm glad to hear that. Would you like a story?"
NO_WINDOW = "I have no clock and no window, I'm only a script. But I could count for you, or tell you a story."
JOKE = "A skeleton walks up to a lighthouse and says: nobody told me it would be this many stairs. I felt every one."
NOTHING_HEARD = "I heard you, but no words that I could make out. Would you say it again?"
NOTHING_SAID = "You haven't said anything before that."
SILENT_SO_FAR = "I haven't said anything yet."
NOTHING_TO_GO_ON = (
    "I was done, as far as I know. Ask me for a story, and cut in; then I'll have something to go on with."
)
NAME_UNKNOWN = "You haven't told me your name yet."

SUGGESTIONS = (
    "Ask me for a story, and cut in when you've had enough.",
    "You could ask me to count to twenty, and stop me on the way.",
    "You could ask what bargein is.",
    "Tell me your name, and see whether I remember it.",
    "Ask me to spell a word, or to repeat after you.",
)

UNITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

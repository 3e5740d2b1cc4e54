"""English. The first two lists are Vapi's defaults."""

from bargein.turns.languages.language import Language

ENGLISH = Language(
    code="en",
    name="English",
    failure_message="I am sorry, I have a technical problem. Please call again later.",
    acknowledgements=(
        "i understand", "i see", "i got it", "i hear you", "im listening", "im with you", "right", "okay", "ok", "sure",
        "alright", "got it", "understood", "yeah", "yes", "uh-huh", "mm-hmm", "gotcha", "mhmm", "ah", "yeah okay",
        "yeah sure",
    ),
    interruptions=(
        "stop", "shut", "up", "enough", "quiet", "silence", "but", "dont", "not", "no", "hold", "wait", "cut", "pause",
        "nope", "nah", "nevermind", "never", "bad", "actually",
    ),
    backchannels=(
        "absolutely", "aha", "all right", "alright then", "cool", "exactly", "gosh", "great", "good", "go on", "huh",
        "hm", "hmm", "indeed", "mm", "mmm", "mhm", "mm hmm", "nice", "of course", "oh", "really", "true", "uh",
        "uh huh", "um", "wow", "yep", "yup",
    ),
    hums=("but", "dont", "no", "not", "up"),
    unfinished=(
        "and", "but", "or", "so", "because", "if", "when", "while", "then", "than", "that", "which", "who", "the", "a",
        "an", "to", "of", "for", "with", "in", "on", "at", "from", "by", "as", "my", "your", "our", "his", "her",
        "their", "its", "is", "are", "was", "were", "am", "be", "been", "will", "would", "could", "should", "can",
        "may", "might", "do", "does", "did", "have", "has", "had", "i", "we", "you", "he", "she", "they", "it", "not",
        "very", "really", "just", "also", "about", "into",
    ),
    fillers=("like", "um", "uh", "er", "hmm", "well"),
    yes=("yes", "yeah", "yep", "yup", "sure", "of course", "correct", "right", "absolutely", "please do", "i do"),
    no=("no", "nope", "nah", "not really", "no thanks", "no thank you", "never", "i dont", "not now"),
    digits=(
        ("zero", "oh"), ("one",), ("two",), ("three",), ("four",), ("five",), ("six",), ("seven",), ("eight",),
        ("nine",),
    ),
    numbers=(
        "ten", "eleven", "twelve", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
        "hundred", "thousand", "million",
    ),
    number_endings=("teen",),
)  # fmt: skip

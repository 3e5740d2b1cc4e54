"""German."""

from bargein.turns.languages.language import Language

GERMAN = Language(
    code="de",
    name="German",
    failure_message="Es tut mir leid, ich habe ein technisches Problem. Bitte rufen Sie später noch einmal an.",
    acknowledgements=(
        "ja", "ja ja", "jaja", "jawohl", "jo", "genau", "okay", "ok", "okey", "gut", "alles klar", "klar", "na klar",
        "natürlich", "verstehe", "ich verstehe", "verstanden", "ich habe verstanden", "richtig", "stimmt", "das stimmt",
        "sicher", "in ordnung", "einverstanden", "mhm", "mm-hmm", "hm", "hmhm", "aha", "ach so", "achso", "ich höre zu",
        "ich höre", "ja genau", "ja klar", "ja gut", "ja okay",
    ),
    interruptions=(
        "stopp", "stop", "halt", "warte", "warten", "moment", "momentchen", "sekunde", "genug", "das reicht",
        "es reicht", "reicht", "ruhe", "still", "leise", "schluss", "aufhören", "hör auf", "hören sie auf", "schweig",
        "klappe", "aber", "nein", "nee", "nö", "nicht", "nie", "niemals", "falsch", "pause", "egal", "vergiss es",
        "eigentlich", "lass das", "lassen sie das",
    ),
    backchannels=(
        "ah", "oh", "ach", "äh", "ach ja", "ach was", "ach komm", "mh", "hmm", "mmm", "sehr gut", "super", "toll",
        "prima", "schön", "passt", "wirklich", "echt", "logisch", "eben", "schon", "tatsächlich", "gewiss",
        "selbstverständlich", "so ist es", "absolut", "na gut", "na ja", "jep", "jup", "soso", "interessant", "wow",
        "uh-huh", "weiter", "perfekt",
    ),
    hums=("aber", "nee", "nein", "nicht"),
    unfinished=(
        "und", "oder", "aber", "denn", "weil", "dass", "wenn", "als", "ob", "wie", "wo", "wer", "damit", "obwohl",
        "während", "sondern", "also", "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem",
        "einer", "kein", "keine", "keinen", "zu", "zum", "zur", "von", "vom", "für", "mit", "in", "im", "ins", "an",
        "am", "auf", "aus", "bei", "beim", "bis", "nach", "über", "unter", "vor", "um", "ohne", "gegen", "durch",
        "mein", "meine", "meinen", "dein", "sein", "seine", "ihr", "ihre", "unser", "unsere", "ist", "sind", "war",
        "bin", "wäre", "habe", "hat", "haben", "hätte", "möchte", "will", "kann", "könnte", "würde", "ich", "wir", "du",
        "er", "sie", "es", "man", "sehr", "auch", "noch", "nur",
    ),
    complete=("hören sie", "danke ihr", "auf wiedersehen", "das war es", "das wäre es", "ich auch", "immer noch"),
    fillers=("äh", "ähm", "öh", "öhm", "hm", "hmm", "tja", "naja", "na ja", "also", "sagen wir", "halt", "sozusagen"),
    yes=("ja", "jawohl", "genau", "klar", "natürlich", "gerne", "gern", "richtig", "stimmt", "auf jeden fall", "doch"),
    no=("nein", "nee", "nö", "nein danke", "auf keinen fall", "niemals", "noch nicht", "jetzt nicht", "lieber nicht"),
    digits=(
        ("null",), ("eins", "ein"), ("zwei", "zwo"), ("drei",), ("vier",), ("fünf",), ("sechs",), ("sieben",),
        ("acht",), ("neun",),
    ),
    numbers=(
        "zehn", "elf", "zwölf", "zwanzig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig",
        "hundert", "tausend", "million", "millionen",
    ),
    number_endings=(
        "zehn", "zwanzig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig", "hundert",
        "tausend",
    ),
)  # fmt: skip

"""Dutch."""

from bargein.turns.languages.language import Language

DUTCH = Language(
    code="nl",
    name="Dutch",
    failure_message="Het spijt me, ik heb een technisch probleem. Belt u later nog eens.",
    acknowledgements=(
        "ja", "ja ja", "jaja", "jawel", "jazeker", "oké", "oke", "ok", "okay", "goed", "prima", "precies", "juist",
        "klopt", "dat klopt", "begrepen", "ik begrijp het", "ik snap het", "snap ik", "duidelijk", "helder",
        "natuurlijk", "tuurlijk", "zeker", "inderdaad", "mhm", "mm-hmm", "hmhm", "aha", "ik luister", "ja hoor",
        "ja precies", "ja oké", "ja goed",
    ),
    interruptions=(
        "stop", "wacht", "wacht even", "momentje", "een moment", "één moment", "seconde", "hou op", "houd op",
        "ophouden", "genoeg", "stil", "stilte", "zwijg", "hou je mond", "houd je mond", "maar", "nee", "neen", "niet",
        "nooit", "laat maar", "eigenlijk", "pauze", "fout", "ho", "vergeet het",
    ),
    backchannels=(
        "ah", "oh", "och", "hm", "hmm", "mm", "mmm", "uhuh", "uh-huh", "leuk", "mooi", "fijn", "top", "super", "echt",
        "echt waar", "werkelijk", "nou", "zo", "tja", "goh", "jeetje", "wauw", "absoluut", "perfect", "interessant",
        "ga door", "joh", "yep", "zeg", "dus",
    ),
    hums=("maar", "nee", "niet"),
    unfinished=(
        "en", "of", "maar", "want", "omdat", "dat", "als", "toen", "terwijl", "dus", "hoe", "waar", "wie", "die",
        "zodat", "hoewel", "de", "het", "een", "dit", "deze", "naar", "van", "voor", "met", "in", "op", "aan", "bij",
        "tot", "over", "onder", "uit", "om", "door", "zonder", "tegen", "tussen", "te", "mijn", "je", "jouw", "zijn",
        "haar", "ons", "onze", "hun", "is", "was", "ben", "bent", "waren", "heb", "heeft", "hebben", "had", "wil",
        "wilde", "zou", "kan", "kunnen", "moet", "ga", "ik", "wij", "we", "jij", "hij", "zij", "ze", "er", "heel",
        "erg", "ook", "nog", "meer",
    ),
    complete=("ik ook", "dat was het", "dank je", "weet ik", "zegt u dat", "is het", "bedankt he", "dat is het"),
    fillers=("eh", "ehm", "uh", "uhm", "euh", "nou", "nou ja", "even kijken", "zeg maar", "hm", "hmm", "tja"),
    yes=("ja", "jazeker", "jawel", "zeker", "natuurlijk", "graag", "ja graag", "klopt", "inderdaad", "prima"),
    no=("nee", "neen", "nee dank je", "nee bedankt", "zeker niet", "nooit", "nog niet", "nu niet", "liever niet"),
    digits=(
        ("nul",), ("één", "een"), ("twee",), ("drie",), ("vier",), ("vijf",), ("zes",), ("zeven",), ("acht",),
        ("negen",),
    ),
    numbers=(
        "tien", "elf", "twaalf", "twintig", "dertig", "veertig", "vijftig", "zestig", "zeventig", "tachtig", "negentig",
        "honderd", "duizend", "miljoen",
    ),
    number_endings=(
        "tien", "twintig", "dertig", "veertig", "vijftig", "zestig", "zeventig", "tachtig", "negentig", "honderd",
        "duizend",
    ),
)  # fmt: skip

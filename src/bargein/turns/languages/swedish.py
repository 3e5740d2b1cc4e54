"""Swedish."""

from bargein.turns.languages.language import Language

SWEDISH = Language(
    code="sv",
    name="Swedish",
    failure_message="Jag är ledsen, jag har ett tekniskt problem. Ring gärna igen senare.",
    acknowledgements=(
        "ja", "jo", "jadå", "jaha", "jaså", "javisst", "okej", "ok", "okay", "mm", "mhm", "mm-hmm", "aha", "precis",
        "just det", "visst", "självklart", "såklart", "absolut", "jag förstår", "förstår", "förstått", "uppfattat",
        "bra", "exakt", "det stämmer", "stämmer", "jag lyssnar", "okej då", "ja just det", "ja precis", "jag hör",
    ),
    interruptions=(
        "stopp", "stop", "stanna", "vänta", "ett ögonblick", "ögonblick", "en sekund", "sekund", "en minut", "sluta",
        "nog", "räcker", "tyst", "tystnad", "men", "nej", "nä", "inte", "aldrig", "paus", "strunt i det", "glöm det",
        "faktiskt", "fel",
    ),
    backchannels=(
        "ah", "oh", "åh", "oj", "hm", "hmm", "mmm", "toppen", "kul", "fint", "härligt", "verkligen", "jasså", "just",
        "perfekt", "wow", "givetvis", "japp", "jajamän", "uh-huh", "intressant", "fortsätt", "jamen", "bra bra",
    ),
    hums=("inte", "men", "nej", "nä", "nog"),
    unfinished=(
        "och", "eller", "men", "för", "att", "om", "när", "medan", "så", "som", "därför", "eftersom", "hur", "var",
        "vem", "fast", "den", "det", "de", "en", "ett", "till", "från", "av", "med", "i", "på", "vid", "hos", "över",
        "under", "utan", "mot", "mellan", "genom", "min", "mitt", "mina", "din", "ditt", "sin", "hans", "hennes", "vår",
        "deras", "är", "blir", "har", "hade", "vill", "skulle", "kan", "kunde", "ska", "måste", "jag", "vi", "du",
        "han", "hon", "man", "mycket", "också", "mer",
    ),
    complete=("jag med", "jag också", "det var det", "tack så mycket", "hur så", "det är det", "vad är det"),
    fillers=("öh", "eh", "ehm", "hm", "hmm", "alltså", "liksom", "typ", "tja", "nja", "låt se", "låt mig se"),
    yes=("ja", "jo", "javisst", "visst", "gärna", "ja tack", "absolut", "självklart", "stämmer", "precis"),
    no=("nej", "nä", "nej tack", "aldrig", "inte alls", "inte än", "inte nu", "absolut inte"),
    digits=(("noll",), ("ett", "en"), ("två",), ("tre",), ("fyra",), ("fem",), ("sex",), ("sju",), ("åtta",), ("nio",)),
    numbers=(
        "tio", "elva", "tolv", "tretton", "fjorton", "femton", "sexton", "sjutton", "arton", "nitton", "tjugo",
        "hundra", "tusen", "miljon", "miljoner",
    ),
    number_endings=("ttio", "rtio", "mtio", "xtio", "utio", "tjugo", "hundra", "tusen"),
)  # fmt: skip

"""Italian."""

from bargein.turns.languages.language import Language

ITALIAN = Language(
    code="it",
    name="Italian",
    failure_message="Mi dispiace, ho un problema tecnico. Per favore, richiami più tardi.",
    acknowledgements=(
        "sì", "si", "sì sì", "certo", "va bene", "bene", "ok", "okay", "okei", "d'accordo", "capito", "ho capito",
        "capisco", "esatto", "esattamente", "giusto", "perfetto", "certamente", "chiaro", "ovvio", "ovviamente",
        "naturalmente", "infatti", "già", "mhm", "mm-hmm", "ti ascolto", "la ascolto", "ti seguo", "la seguo",
        "sì certo", "sì va bene", "sì ho capito", "intesi",
    ),
    interruptions=(
        "stop", "ferma", "fermo", "fermati", "si fermi", "basta", "alt", "aspetta", "aspetti", "aspettate", "un attimo",
        "attimo", "un momento", "momento", "un secondo", "un minuto", "silenzio", "zitto", "zitta", "taci", "smettila",
        "la smetta", "ma", "però", "pero", "no", "non", "mai", "pausa", "lascia stare", "lasci stare", "lascia perdere",
        "in realtà", "sbagliato",
    ),
    backchannels=(
        "ah", "ah sì", "ah ecco", "eh", "eh sì", "oh", "uh", "ecco", "vero", "è vero", "davvero", "bello", "ottimo",
        "benissimo", "molto bene", "proprio così", "assolutamente", "vedo", "hmm", "mmm", "uh-huh", "aha", "wow",
        "caspita", "interessante", "sul serio", "appunto", "bravo", "brava", "continua", "continui", "dimmi",
    ),
    hums=("ma", "no", "non"),
    unfinished=(
        "e", "ed", "o", "oppure", "ma", "però", "perché", "che", "se", "quando", "mentre", "come", "dove", "chi",
        "quindi", "poi", "allora", "il", "lo", "la", "i", "gli", "le", "l", "un", "uno", "una", "di", "a", "da", "in",
        "con", "su", "per", "tra", "fra", "del", "dello", "della", "dei", "degli", "delle", "al", "allo", "alla", "ai",
        "alle", "dal", "dalla", "nel", "nella", "nei", "sul", "sulla", "mio", "mia", "miei", "tuo", "tua", "suo", "sua",
        "nostro", "è", "sono", "era", "sei", "ho", "hai", "ha", "abbiamo", "hanno", "vorrei", "voglio", "posso", "può",
        "devo", "mi", "ti", "ci", "vi", "io", "tu", "lui", "lei", "noi", "molto", "più", "anche", "senza", "verso",
        "non",
    ),
    complete=("anche io", "grazie a lei", "grazie a te", "credo di sì", "non lo so che", "ci sono"),
    fillers=("ehm", "eh", "uhm", "allora", "cioè", "dunque", "insomma", "beh", "mah", "hmm", "vediamo", "diciamo"),
    yes=("sì", "si", "certo", "certamente", "esatto", "va bene", "d'accordo", "volentieri", "giusto", "ok"),
    no=("no", "no grazie", "per niente", "mai", "non ancora", "non adesso", "assolutamente no", "macché"),
    digits=(
        ("zero",), ("uno", "una"), ("due",), ("tre",), ("quattro",), ("cinque",), ("sei",), ("sette",), ("otto",),
        ("nove",),
    ),
    numbers=(
        "dieci", "undici", "dodici", "tredici", "quattordici", "quindici", "sedici", "diciassette", "diciotto",
        "diciannove", "venti", "trenta", "quaranta", "cinquanta", "sessanta", "settanta", "ottanta", "novanta", "cento",
        "mille", "milione", "milioni",
    ),
    number_endings=(
        "ntuno", "ntidue", "ntadue", "ntitré", "ntatré", "ntiquattro", "ntaquattro", "nticinque", "ntacinque", "ntisei",
        "ntasei", "ntisette", "ntasette", "ntotto", "ntinove", "ntanove", "cento", "mila",
    ),
)  # fmt: skip

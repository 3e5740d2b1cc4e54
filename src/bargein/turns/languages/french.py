"""French."""

from bargein.turns.languages.language import Language

FRENCH = Language(
    code="fr",
    name="French",
    failure_message="Je suis désolé, j'ai un problème technique. Veuillez rappeler plus tard.",
    acknowledgements=(
        "oui", "ouais", "oui oui", "ok", "okay", "d'accord", "bien", "très bien", "c'est bien", "bien sûr", "je vois",
        "je comprends", "compris", "j'ai compris", "entendu", "exact", "exactement", "tout à fait", "voilà", "c'est ça",
        "en effet", "effectivement", "parfait", "mhm", "mm-hmm", "hum", "hm", "ah oui", "ah d'accord", "je vous écoute",
        "je t'écoute", "je vous suis", "ça marche", "oui d'accord", "oui bien sûr",
    ),
    interruptions=(
        "stop", "arrête", "arrêtez", "arrete", "arretez", "attends", "attendez", "un instant", "un moment",
        "une minute", "une seconde", "deux secondes", "deux minutes", "minute", "assez", "ça suffit", "silence", "chut",
        "tais-toi", "taisez-vous", "la ferme", "mais", "non", "pas", "jamais", "pause", "laisse tomber",
        "laissez tomber", "peu importe", "en fait", "halte", "faux",
    ),
    backchannels=(
        "ah", "oh", "eh", "hein", "hmm", "mmm", "ah bon", "ah ok", "bon", "ben oui", "eh oui", "mouais", "ouaip", "si",
        "super", "génial", "vraiment", "c'est vrai", "vrai", "certes", "absolument", "ça va", "sérieux", "ah là là",
        "tiens", "évidemment", "carrément", "chouette", "continuez", "continue", "nickel", "uh-huh", "aha",
    ),
    hums=("mais", "non", "pas"),
    unfinished=(
        "et", "ou", "mais", "donc", "or", "car", "parce", "parce que", "que", "qu", "si", "quand", "lorsque", "comme",
        "puis", "alors", "qui", "dont", "où", "le", "la", "les", "l", "un", "une", "des", "du", "de", "d", "au", "aux",
        "à", "en", "dans", "avec", "pour", "par", "sans", "sur", "sous", "chez", "vers", "entre", "depuis", "mon", "ma",
        "mes", "ton", "ta", "tes", "son", "sa", "ses", "notre", "nos", "votre", "vos", "leur", "leurs", "ce", "cet",
        "cette", "ces", "est", "sont", "était", "suis", "sera", "ai", "avez", "avons", "ont", "je", "j", "tu", "il",
        "elle", "on", "nous", "ils", "elles", "c'est", "j'ai", "il y a", "je voudrais", "voudrais", "peux", "peut",
        "veux", "très", "plus", "aussi", "ne", "se", "me",
    ),
    complete=("je ne sais pas", "ça ira", "non plus", "moi aussi", "et moi", "ou pas", "merci à vous"),
    fillers=("euh", "heu", "ben", "bah", "enfin", "alors", "genre", "du coup", "hum", "hmm", "voyons"),
    yes=("oui", "ouais", "bien sûr", "d'accord", "exact", "tout à fait", "absolument", "volontiers", "si", "c'est ça"),
    no=("non", "non merci", "pas du tout", "jamais", "pas encore", "pas maintenant", "nan", "surtout pas"),
    digits=(
        ("zéro", "zero"), ("un", "une"), ("deux",), ("trois",), ("quatre",), ("cinq",), ("six",), ("sept",), ("huit",),
        ("neuf",),
    ),
    numbers=(
        "dix", "onze", "douze", "treize", "quatorze", "quinze", "seize", "vingt", "vingts", "trente", "quarante",
        "cinquante", "soixante", "septante", "huitante", "nonante", "cent", "cents", "mille", "million", "millions",
    ),
)  # fmt: skip

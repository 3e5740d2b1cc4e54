"""Polish."""

from bargein.turns.languages.language import Language

POLISH = Language(
    code="pl",
    name="Polish",
    failure_message="Przepraszam, mam problem techniczny. Proszę zadzwonić później.",
    acknowledgements=(
        "tak", "tak tak", "no", "no tak", "mhm", "mm-hmm", "yhm", "aha", "dobrze", "dobra", "okej", "ok", "okay",
        "rozumiem", "zrozumiałem", "zrozumiałam", "jasne", "pewnie", "oczywiście", "racja", "zgadza się", "właśnie",
        "dokładnie", "w porządku", "wiem", "widzę", "słyszę", "zgoda", "no dobrze", "no dobra", "tak rozumiem",
    ),
    interruptions=(
        "stop", "stój", "czekaj", "czekać", "poczekaj", "poczekać", "zaczekaj", "zaczekać", "chwila", "chwilę",
        "chwileczkę", "moment", "momencik", "sekundę", "sekunda", "minutę", "dość", "dosyć", "wystarczy", "cicho",
        "cisza", "zamknij się", "przestań", "przestać", "ale", "nie", "nigdy", "nieważne", "źle", "zatrzymaj", "jednak",
        "właściwie", "pauza",
    ),
    backchannels=(
        "ah", "ach", "ach tak", "och", "oj", "ojej", "hm", "hmm", "mmm", "spoko", "super", "świetnie", "fajnie",
        "naprawdę", "serio", "ciekawe", "ładnie", "brawo", "wow", "absolutnie", "na pewno", "słusznie", "fakt",
        "prawda", "i co dalej", "no proszę", "uh-huh", "pięknie",
    ),
    hums=("ale", "nie"),
    unfinished=(
        "i", "a", "oraz", "albo", "lub", "ale", "bo", "ponieważ", "że", "żeby", "jeśli", "jeżeli", "gdy", "kiedy",
        "jak", "więc", "który", "która", "które", "gdzie", "czy", "niż", "w", "we", "z", "ze", "na", "do", "od", "dla",
        "o", "u", "po", "przy", "przez", "za", "nad", "pod", "przed", "bez", "między", "mój", "moja", "moje", "twój",
        "jego", "jej", "nasz", "ich", "ten", "ta", "jest", "są", "był", "była", "będzie", "mam", "ma", "chcę",
        "chciałbym", "chciałabym", "mogę", "może", "muszę", "ja", "my", "on", "ona", "się", "bardzo", "też", "także",
        "tylko",
    ),
    complete=("ja też", "zgadza się", "nazywam się", "być może", "to jest to", "zamknij się"),
    fillers=("yyy", "eee", "hmm", "hm", "no więc", "znaczy", "to znaczy", "jakby", "wiesz", "zaraz", "no", "więc"),
    yes=("tak", "no tak", "jasne", "pewnie", "oczywiście", "zgadza się", "poproszę", "dobrze", "owszem"),
    no=("nie", "nie dziękuję", "wcale nie", "nigdy", "jeszcze nie", "nie teraz", "raczej nie"),
    digits=(
        ("zero",), ("jeden", "jedna", "jedno"), ("dwa", "dwie"), ("trzy",), ("cztery",), ("pięć",), ("sześć",),
        ("siedem",), ("osiem",), ("dziewięć",),
    ),
    numbers=(
        "dziesięć", "sto", "dwieście", "trzysta", "czterysta", "pięćset", "sześćset", "siedemset", "osiemset",
        "dziewięćset", "tysiąc", "tysiące", "tysięcy", "milion",
    ),
    number_endings=("naście", "dzieścia", "dzieści", "dziesiąt"),
)  # fmt: skip

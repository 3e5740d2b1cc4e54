"""Spanish."""

from bargein.turns.languages.language import Language

SPANISH = Language(
    code="es",
    name="Spanish",
    failure_message="Lo siento, tengo un problema técnico. Por favor, vuelva a llamar más tarde.",
    acknowledgements=(
        "sí", "si", "ya", "ya veo", "ya entiendo", "entiendo", "entendido", "comprendo", "comprendido", "claro",
        "claro que sí", "vale", "ok", "okay", "okey", "de acuerdo", "bien", "muy bien", "está bien", "bueno", "ajá",
        "aja", "mhm", "mm-hmm", "así es", "exacto", "correcto", "cierto", "seguro", "por supuesto", "perfecto",
        "te escucho", "le escucho", "te sigo", "le sigo", "lo entiendo", "eso es", "sí claro", "dale",
    ),
    interruptions=(
        "para", "pare", "paren", "stop", "basta", "alto", "silencio", "cállate", "callate", "cállese", "callese",
        "espera", "espere", "esperen", "espérate", "esperate", "un momento", "momento", "momentito", "un segundo",
        "un minuto", "pero", "no", "nunca", "detente", "deténgase", "detengase", "olvídalo", "olvidalo", "olvídelo",
        "en realidad", "suficiente", "pausa", "cancela",
    ),
    backchannels=(
        "ah", "ah sí", "ah ya", "eh", "oh", "uy", "mmm", "hmm", "hm", "uh-huh", "ajam", "ah vale", "genial", "qué bien",
        "qué bueno", "en serio", "de verdad", "verdad", "anda", "guau", "órale", "orale", "sale", "listo", "eso",
        "estupendo", "exactamente", "desde luego", "efectivamente", "sigue", "siga", "sip", "fenomenal", "interesante",
    ),
    hums=("no", "para", "pero"),
    unfinished=(
        "y", "e", "o", "u", "pero", "porque", "que", "si", "cuando", "mientras", "entonces", "como", "donde", "quien",
        "cual", "aunque", "sino", "pues", "el", "la", "los", "las", "un", "una", "unos", "unas", "lo", "al", "del",
        "de", "a", "en", "con", "por", "para", "sin", "sobre", "hasta", "desde", "entre", "hacia", "según", "mi", "tu",
        "su", "mis", "tus", "sus", "nuestro", "nuestra", "es", "son", "era", "está", "están", "estoy", "soy", "fue",
        "ser", "estar", "ha", "han", "he", "hay", "tengo", "tiene", "quiero", "quisiera", "necesito", "puedo", "puede",
        "me", "te", "se", "nos", "le", "les", "yo", "él", "ella", "muy", "más", "también", "además", "este", "esta",
    ),
    complete=("que sí", "que si", "claro que sí", "creo que sí", "gracias a usted", "lo que hay"),
    fillers=("eh", "em", "este", "esto", "pues", "bueno", "o sea", "a ver", "mmm", "hmm"),
    yes=(
        "sí", "si", "claro", "claro que sí", "por supuesto", "correcto", "exacto", "vale", "de acuerdo", "desde luego",
    ),
    no=("no", "no gracias", "para nada", "nunca", "todavía no", "ahora no", "claro que no", "en absoluto"),
    digits=(
        ("cero",), ("uno", "una"), ("dos",), ("tres",), ("cuatro",), ("cinco",), ("seis",), ("siete",), ("ocho",),
        ("nueve",),
    ),
    numbers=(
        "diez", "once", "doce", "trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve",
        "veinte", "veintiuno", "veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete",
        "veintiocho", "veintinueve", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa",
        "cien", "ciento", "quinientos", "setecientos", "novecientos", "mil", "millón", "millones",
    ),
    number_endings=("cientos", "cientas"),
)  # fmt: skip

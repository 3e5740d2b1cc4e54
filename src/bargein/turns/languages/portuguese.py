"""Portuguese, of Brazil and Portugal."""

from bargein.turns.languages.language import Language

PORTUGUESE = Language(
    code="pt",
    name="Portuguese",
    failure_message="Desculpe, estou com um problema técnico. Por favor, ligue novamente mais tarde.",
    acknowledgements=(
        "sim", "é", "isso", "isso mesmo", "tá", "tá bom", "ta bom", "tá bem", "está bem", "está bom", "certo", "ok",
        "okay", "tudo bem", "beleza", "claro", "com certeza", "entendi", "entendo", "percebi", "percebo", "compreendo",
        "compreendi", "aham", "ahã", "uhum", "mhm", "mm-hmm", "pois", "pois é", "pois sim", "exato", "exatamente",
        "perfeito", "correto", "combinado", "de acordo", "estou ouvindo", "estou a ouvir", "sim sim", "sim claro",
    ),
    interruptions=(
        "para", "pare", "parem", "stop", "chega", "basta", "espera", "espere", "esperem", "peraí", "pera aí", "pera",
        "calma", "um momento", "um minuto", "um minutinho", "um segundo", "um instante", "momento", "silêncio",
        "silencio", "quieto", "cala a boca", "cale a boca", "cala-te", "cale-se", "mas", "não", "nao", "nunca", "pausa",
        "deixa pra lá", "deixa para lá", "esquece", "na verdade", "errado", "alto", "cancela",
    ),
    backchannels=(
        "ah", "ah sim", "ah tá", "ah é", "eh", "oh", "hum", "hum hum", "hmm", "mmm", "bom", "muito bem", "muito bom",
        "legal", "sei", "já", "verdade", "é verdade", "sério", "nossa", "poxa", "ótimo", "que bom", "que legal", "fixe",
        "boa", "interessante", "uau", "positivo", "continua", "continue", "absolutamente", "uh-huh", "aha", "show",
        "entendido",
    ),
    hums=("mas", "nao", "não", "para"),
    unfinished=(
        "e", "ou", "mas", "porque", "que", "se", "quando", "enquanto", "então", "como", "onde", "quem", "qual",
        "embora", "pois", "o", "a", "os", "as", "um", "uma", "uns", "umas", "ao", "à", "do", "da", "dos", "das", "no",
        "na", "nos", "nas", "num", "numa", "pelo", "pela", "de", "em", "com", "por", "para", "pra", "pro", "sem",
        "sobre", "até", "desde", "entre", "meu", "minha", "meus", "minhas", "seu", "sua", "teu", "tua", "nosso",
        "nossa", "são", "era", "está", "estou", "estava", "sou", "foi", "ser", "tem", "tenho", "há", "quero", "queria",
        "gostaria", "preciso", "posso", "pode", "vou", "vai", "me", "te", "lhe", "eu", "ele", "ela", "nós", "você",
        "muito", "mais", "também", "não",
    ),
    complete=("e você", "eu também", "obrigado a você", "acho que não", "isso não", "ainda não"),
    fillers=("é", "eh", "hum", "hã", "ãh", "então", "tipo", "bem", "bom", "ora", "assim", "quer dizer", "deixa ver"),
    yes=("sim", "claro", "isso", "com certeza", "certo", "exato", "pode ser", "quero", "tá bom", "ok", "pois"),
    no=(
        "não", "nao", "não obrigado", "não obrigada", "nunca", "ainda não", "agora não", "de jeito nenhum",
        "nada disso",
    ),
    digits=(
        ("zero",), ("um", "uma"), ("dois", "duas"), ("três", "tres"), ("quatro",), ("cinco",), ("seis", "meia"),
        ("sete",), ("oito",), ("nove",),
    ),
    numbers=(
        "dez", "onze", "doze", "treze", "catorze", "quatorze", "quinze", "dezesseis", "dezasseis", "dezessete",
        "dezassete", "dezoito", "dezenove", "dezanove", "vinte", "trinta", "quarenta", "cinquenta", "sessenta",
        "setenta", "oitenta", "noventa", "cem", "cento", "duzentos", "trezentos", "mil", "milhão", "milhões",
    ),
    number_endings=("centos", "centas"),
)  # fmt: skip

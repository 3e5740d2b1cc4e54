"""Turkish."""

from bargein.turns.languages.language import Language

TURKISH = Language(
    code="tr",
    name="Turkish",
    failure_message="Üzgünüm, teknik bir sorun yaşıyorum. Lütfen daha sonra tekrar arayın.",
    acknowledgements=(
        "evet", "evet evet", "hı hı", "hıhı", "hi hi", "tamam", "peki", "anladım", "anliyorum", "anlıyorum", "doğru",
        "dogru", "elbette", "tabii", "tabi", "tabii ki", "tabi ki", "olur", "haklısın", "haklısınız", "aynen",
        "kesinlikle", "ok", "okey", "okay", "oldu", "mhm", "mm-hmm", "dinliyorum", "biliyorum", "evet tamam",
        "tamam anladım", "öyle",
    ),
    interruptions=(
        "dur", "durun", "stop", "bekle", "bekleyin", "bir dakika", "bir saniye", "bi dakika", "bi saniye", "yeter",
        "sus", "susun", "sessiz ol", "sessizlik", "ama", "fakat", "hayır", "hayir", "yok", "değil", "degil", "yapma",
        "yapmayın", "istemiyorum", "boşver", "boş ver", "bırak", "kes", "yanlış", "asla", "aslında", "olmaz",
    ),
    backchannels=(
        "ah", "aa", "ay", "oh", "ha", "hah", "he", "hı", "hım", "hımm", "hmm", "hm", "mm", "mmm", "öyle mi",
        "gerçekten", "gerçekten mi", "ciddi misin", "güzel", "çok güzel", "iyi", "harika", "süper", "vay", "vay be",
        "eyvallah", "muhakkak", "şüphesiz", "devam", "devam et", "devam edin", "ilginç", "aha", "uh-huh", "hoş",
    ),
    hums=("ama", "dur", "yok"),
    unfinished=(
        "ve", "veya", "ya da", "ama", "fakat", "çünkü", "ki", "eğer", "ile", "için", "gibi", "kadar", "sonra", "önce",
        "diye", "hem", "ne", "bir", "bu", "şu", "o", "en", "çok", "daha", "de", "da", "benim", "senin", "sizin", "onun",
        "bizim", "ben", "biz", "sen", "siz", "her", "bana", "göre", "ancak", "yani", "hangi", "bazı", "üzere", "rağmen",
        "doğru olan", "adım",
    ),
    complete=("ben de", "sen de", "evet de", "o kadar", "bu kadar", "daha sonra", "sonra", "hepsi bu", "çok daha"),
    fillers=("ı", "ıı", "ııı", "eee", "ee", "şey", "yani", "hani", "hmm", "hım", "işte", "nasıl desem", "bakalım"),
    yes=("evet", "tabii", "tabii ki", "elbette", "olur", "tamam", "doğru", "kesinlikle", "aynen", "isterim"),
    no=(
        "hayır", "hayir", "yok", "istemiyorum", "olmaz", "hayır teşekkürler", "asla", "henüz değil", "şimdi değil",
        "cık",
    ),
    digits=(("sıfır",), ("bir",), ("iki",), ("üç",), ("dört",), ("beş",), ("altı",), ("yedi",), ("sekiz",), ("dokuz",)),
    numbers=(
        "on", "yirmi", "otuz", "kırk", "elli", "altmış", "yetmiş", "seksen", "doksan", "yüz", "bin", "milyon", "buçuk",
    ),
)  # fmt: skip

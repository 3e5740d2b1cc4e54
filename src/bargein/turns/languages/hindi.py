"""Hindi, in Devanagari and in Latin letters, with the English words that its speakers mix in."""

from bargein.turns.languages.language import Language

HINDI = Language(
    code="hi",
    name="Hindi",
    failure_message="माफ़ कीजिए, एक तकनीकी समस्या आ गई है। कृपया थोड़ी देर बाद फिर से कॉल करें।",
    acknowledgements=(
        "हाँ", "हां", "हा", "जी", "जी हाँ", "जी हां", "हाँ जी", "हां जी", "हाँ हाँ", "हां हां", "जी जी", "अच्छा",
        "अच्छा अच्छा", "ठीक", "ठीक है", "सही", "सही है", "सही बात", "समझ गया", "समझ गई", "समझ गयी", "समझा", "समझी",
        "मैं समझ गया", "बिल्कुल", "बिलकुल", "ओके", "हम्म", "हूँ", "हूं", "मैं सुन रहा हूँ", "मैं सुन रही हूँ", "ज़रूर",
        "जरूर", "haan", "han", "haa", "haan ji", "ji", "ji haan", "ji han", "accha", "acha", "achha", "theek",
        "theek hai", "thik hai", "sahi", "sahi hai", "samajh gaya", "samajh gayi", "bilkul", "zaroor", "ok", "okay",
        "right", "sure", "yes", "hmm", "mhm", "mm-hmm", "uh-huh", "hoon",
    ),
    interruptions=(
        "रुको", "रुकिए", "रुकिये", "रुक", "ठहरो", "ठहरिए", "बस", "बंद करो", "बंद कीजिए", "चुप", "शांत", "लेकिन", "मगर",
        "नहीं", "नही", "मत", "एक मिनट", "एक सेकंड", "सुनो", "सुनिए", "छोड़ो", "छोड़िए", "कभी नहीं", "गलत", "ग़लत",
        "स्टॉप", "वेट", "नो", "दरअसल", "असल में", "ruko", "rukiye", "rukie", "ruk", "thehro", "bas", "band karo",
        "chup", "lekin", "magar", "nahi", "nahin", "mat", "ek minute", "ek second", "suno", "suniye", "chhodo", "galat",
        "stop", "wait", "no", "but",
    ),
    backchannels=(
        "ओह", "अरे", "अरे वाह", "वाह", "आह", "सच", "सच में", "क्या बात है", "बढ़िया", "बहुत अच्छा", "बहुत बढ़िया", "हम",
        "मम", "ऊँ", "अच्छा जी", "हाँ ठीक है", "हां ठीक है", "और", "फिर", "बोलिए", "बोलो", "कमाल है", "oh", "are wah",
        "wah", "sach", "sach mein", "badhiya", "bahut accha", "kya baat hai", "boliye", "aha", "hm", "nice", "great",
        "good",
    ),
    hums=("मत", "बस", "नहीं", "नही", "bas", "mat", "no", "but", "nahi"),
    unfinished=(
        "और", "या", "लेकिन", "मगर", "पर", "परंतु", "क्योंकि", "कि", "अगर", "यदि", "जब", "तब", "तो", "जो", "जैसे",
        "ताकि", "का", "के", "की", "को", "से", "में", "ने", "तक", "लिए", "के लिए", "साथ", "के साथ", "बारे", "मेरा",
        "मेरी", "मेरे", "आपका", "आपकी", "उसका", "हमारा", "मैं", "मुझे", "हम", "आप", "वह", "यह", "ये", "एक", "बहुत",
        "भी", "सिर्फ", "इस", "उस", "aur", "ya", "lekin", "par", "kyunki", "ki", "agar", "jab", "to", "jo", "ka", "ke",
        "ko", "se", "mein", "ne", "tak", "liye", "mera", "meri", "mere", "main", "mujhe", "aap", "yeh", "bahut", "bhi",
    ),
    complete=("मैं भी", "हम भी", "और आप", "और नहीं", "main bhi", "aur aap", "बस एक"),
    fillers=(
        "अं", "उम", "मतलब", "वो", "ऐसा", "हम्म", "यानी", "matlab", "woh", "um", "uh", "hmm", "yaani", "देखिए",
        "dekhiye",
    ),
    yes=(
        "हाँ", "हां", "जी", "जी हाँ", "जी हां", "हाँ जी", "बिल्कुल", "ज़रूर", "सही", "ठीक है", "haan", "ji", "ji haan",
        "haan ji", "bilkul", "zaroor", "theek hai", "yes",
    ),
    no=(
        "नहीं", "नही", "ना", "जी नहीं", "नहीं धन्यवाद", "कभी नहीं", "अभी नहीं", "बिल्कुल नहीं", "nahi", "nahin", "na",
        "ji nahi", "abhi nahi", "no",
    ),
    digits=(
        ("शून्य", "ज़ीरो", "जीरो", "shunya", "zero"), ("एक", "वन", "ek", "one"), ("दो", "टू", "do", "two"),
        ("तीन", "थ्री", "teen", "three"), ("चार", "फोर", "chaar", "char", "four"),
        ("पाँच", "पांच", "फाइव", "paanch", "five"), ("छह", "छः", "छे", "सिक्स", "chhah", "che", "six"),
        ("सात", "सेवन", "saat", "seven"), ("आठ", "एट", "aath", "eight"), ("नौ", "नाइन", "nau", "nine"),
    ),
    numbers=(
        "दस", "ग्यारह", "बारह", "पंद्रह", "बीस", "पच्चीस", "तीस", "चालीस", "पचास", "साठ", "सत्तर", "अस्सी", "नब्बे",
        "सौ", "हज़ार", "हजार", "लाख", "करोड़", "das", "bees", "pachaas", "sau", "hazaar", "hazar", "lakh", "crore",
        "डबल", "ट्रिपल",
    ),
)  # fmt: skip

"""Turkish."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

TURKISH = Phrases(
    tone=(
        r"(?:bip|sinyal|dit|uyari|ton|bip ses\w*|sinyal ses\w*)(?: ses\w*)?(?:inden|undan|den|dan"
        r"|tan)? (?:sonra|sonrasinda|duydugunuzda|duyunca|ardindan)"
    ),
    leave=(
        r"(?:mesaj\w*|not|isminizi|adinizi|isim|numaranizi)(?: \w+){0,3} (?:birak\w*|kaydedin\w*"
        r"|iletin\w*)"
    ),
    box=r"sesli mesaj|telesekreter\w*|sesli posta|mesaj kutu\w*|sesli ileti",
    machine=(
        r"(?:aradiginiz|ulasmaya calistiginiz) (?:\w+ ){1,4}(?:ulasilami\w*|ulasilamamakta\w*|cevap ver\w*"
        r"|mesgul\w*|kapali\w*|musait degil|kapsama|kullanilmamak\w*|yanit ver\w*)|mesaj kutusu dolu"
        r"|telesekreter\w* (?:yonlendir|bagland)\w*"
    ),
    reached=r"(?:numarasini|evini|ofisini|hattini) aradiniz|ulastiniz|(?:telesekreterine|mesaj kutusuna)",
    away=(
        r"(?:su an|su anda|simdi|suan)(?: \w+){0,4} (?:cevap verem\w*|telefona (?:bakam\w*|cikam\w*)"
        r"|yanit verem\w*|musait degil\w*|konusam\w*|yerimde degil\w*|acam\w*)|cevap verem\w*"
        r"|telefona (?:bakam|cikam)\w*"
    ),
    callback=(
        r"(?:en kisa (?:surede|zamanda)|size|mumkun olan)(?: \w+){0,4} (?:donecegim|donecegiz|arayacagim"
        r"|arayacagiz|donus\w*|geri)|en kisa (?:surede|zamanda)"
    ),
    number=r"(?:numaranizi|telefon numaranizi|numarani)",
    name=(
        r"(?:adinizi|isminizi|adini|ismini)(?: \w+){0,6} (?:soyle\w*|belirt\w*|kayded\w*)|kim (?:ariyor"
        r"|aradiginizi|ariyorsunuz|oldugunuzu)|kimsiniz|kimle gorusuyorum"
    ),
    reason=(
        r"(?:arama|arayis|gorusme)\w* (?:nedeninizi|sebebinizi|neden\w*|sebeb\w*|amac\w*|konu\w*)|(?:neden"
        r"|nicin|niye) ara(?:diginizi|digini|dini\w*|yorsun\w*)"
    ),
    screening=(
        r"(?:arama|cagri) (?:filtre\w*|eleme\w*|tarama\w*|denetim\w*)|(?:musait|uygun) (?:olup olmadig\w*"
        r"|mu)(?: \w+)? (?:bak\w*|kontrol|ogren\w*)|sanal asistan\w*|dijital asistan\w*|sesli asistan\w*"
    ),
    menu=(
        r"(?:\d\w*|sifir\w*|bir\w*|iki\w*|uc\w*|dort\w*|bes\w*|alti\w*|yedi\w*|sekiz\w*|dokuz\w*|yildiz\w*"
        r"|kare\w*)(?: tus\w*)?(?: ya| ye| e| a| i| u| yi)? (?:basin\w*|basiniz|tuslayin\w*|tuslayiniz"
        r"|cevirin\w*)|ana menu|(?:asagidaki|su) secenek\w*|dahili numara\w*"
        r"|musteri temsilcisi\w* (?:baglanmak|icin)"
    ),
)

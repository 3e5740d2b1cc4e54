"""Swedish."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

SWEDISH = Phrases(
    tone=(
        r"efter (?:pipet|tonen|signalen|pip|ett pip|den \w+ tonen|pip ljudet|pipsignalen|ljudsignalen)"
        r"|nar du hor (?:pipet|tonen)"
    ),
    leave=(
        r"(?:lamna|lamnar|tala in|prata in|spela in|tala)(?: garna| da| ett| ditt| mig| oss"
        r"| in)* (?:meddelande|namn|nummer|ditt namn|kort meddelande|ett meddelande)"
    ),
    box=r"rostbrevlada|rostbrevladan|telefonsvarare\w*|mobilsvar|roestbrevlada|telesvar|voicemail",
    machine=(
        r"(?:rostbrevlada|rostbrevladan|telefonsvararen)(?: hos| till| for| ar) |(?:numret|abonnenten"
        r"|personen|kunden|telefonen)(?: du)?(?: \w+){0,6} (?:kan inte nas|inte (?:nas|tillganglig|anslut)"
        r"|ar upptagen|svarar inte|avstangd|inte ar tillganglig)"
    ),
    reached=r"du har (?:kommit till|ringt|natt|kopplats)|ni har kommit till",
    away=(
        r"(?:kan|kunde|kan jag|kan vi)(?: \w+){0,4} inte (?:svara|ta|prata|komma)|inte (?:svara"
        r"|tillganglig|anstraffbar|pa plats|hemma|ta ditt samtal)|(?:upptagen|inte inne)"
        r"|kontoret ar stangt"
    ),
    callback=(
        r"(?:ringer|aterkommer|kontaktar|hor av)(?: jag| vi| oss| mig| upp| dig"
        r"| till)*(?: \w+){0,4} (?:sa snart|sa fort|tillbaka|senare|nar jag|snarast)|sa (?:snart"
        r"|fort) (?:som mojligt|jag|vi)"
    ),
    number=r"(?:ditt|ert) (?:\w+ ){0,2}(?:nummer|telefonnummer)",
    name=(
        r"(?:sag|ange|uppge|tala in|spela in|beratta|saga)(?: garna)?(?: vad)? (?:ditt"
        r"|ert) (?:fullstandiga )?namn|vem (?:det ar som |som )?(?:ringer|talar|pratar)|vem ar det"
    ),
    reason=(
        r"(?:orsak\w*|anledning\w*|syfte\w*|arende\w*) (?:till|med|for)? ?(?:\w+ )?(?:samtal\w*|du ringer"
        r"|samtalet)?|varfor du ringer|vad (?:det|samtalet) (?:galler|gäller|handlar)|vad galler"
    ),
    screening=(
        r"samtals(?:screening|filter|granskning|kontroll)|(?:filtrera\w*|granska\w*"
        r"|sallas) (?:\w+ )?samtal|screening|(?:ser|kollar|kontrollerar|undersoker|hora|fragar)(?: jag"
        r"| efter)* om (?:\w+ ){1,3}(?:tillganglig|ar|kan|har)|virtuell\w* assistent|digital\w* assistent"
    ),
    menu=(
        r"(?:tryck|valj|knappa in|sla|tryck pa)(?: pa)?(?: knapp| siffra| siffran)? (?:\d|noll|ett|en|tva"
        r"|tre|fyra|fem|sex|sju|atta|nio|stjarna|fyrkant)\b|huvudmenyn?|foljande (?:alternativ|val)"
        r"|anknytning\w*|knappa in (?:ditt|kund)"
    ),
)

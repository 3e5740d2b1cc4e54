"""Dutch."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

DUTCH = Phrases(
    tone=r"(?:na|bij) (?:de |het |een )?(?:\w+ )?(?:piep|pieptoon|toon|signaal|biep|beep|geluidssignaal)\b",
    leave=(
        r"(?:laat|spreek|laten|spreekt|kunt|kun)(?: u| je| dan| gerust| hier| alstublieft| mij| ons"
        r"| me)* (?:een |uw |je |jouw |het |naam )(?:\w+ ){0,3}(?:bericht\w*|boodschap|naam"
        r"|nummer)(?: \w+){0,6} (?:achter|in|inspreken|achterlaten)|(?:bericht"
        r"|boodschap) (?:\w+ ){0,4}(?:achterlaten|inspreken|inspreekt|achterlaat)"
    ),
    box=r"voicemail|antwoordapparaat|mailbox",
    machine=(
        r"(?:voicemail|mailbox|antwoordapparaat) (?:van|is|vol|voor)|(?:nummer|abonnee|persoon|klant"
        r"|gebruiker)(?: dat| die)?(?: \w+){0,5} (?:niet (?:beschikbaar|bereikbaar|in gebruik|opneemt)"
        r"|is bezet|staat uit|buiten gebruik)"
    ),
    reached=(
        r"(?:u|je|jij) (?:bent verbonden|hebt gebeld|heeft gebeld|spreekt met de|belt met"
        r"|heeft het nummer)|dit is de voicemail"
    ),
    away=(
        r"(?:kan|kunnen|ben|zijn|is)(?: \w+){0,4} (?:niet (?:opnemen|bereikbaar|beschikbaar|aannemen"
        r"|beantwoorden|aanwezig|aan de telefoon|te woord)|de telefoon (?:\w+ )?niet|afwezig|gesloten)"
        r"|niet (?:in staat|bereikbaar|beschikbaar)"
    ),
    callback=(
        r"(?:bel|bellen|neem|nemen)(?: ik| wij| we| u| je)*(?: \w+){0,5} (?:terug|contact)|zo (?:snel"
        r"|spoedig) mogelijk|zodra (?:ik|wij|we)"
    ),
    number=r"(?:uw|je|jouw) (?:\w+ ){0,2}(?:nummer|telefoonnummer)",
    name=(
        r"(?:zeg|noem|zegt|noemt|geef|vermeld|spreek|in)(?: u| even| alstublieft| alsjeblieft)* (?:uw|je"
        r"|jouw) (?:volledige )?naam|(?:met )?wie (?:belt|spreek ik|ben je|bent u|is dit)|wie er belt"
    ),
    reason=(
        r"(?:reden|doel|aanleiding|onderwerp) (?:van|voor) (?:\w+ ){0,2}(?:oproep|telefoontje|gesprek|belt"
        r"|u belt|bellen|telefonisch)|waarom (?:u|je) belt|waarover (?:u|je|het)|waar het over gaat"
    ),
    screening=(
        r"(?:oproep|gesprek)(?:en|s)?(?:screening|filter| gescreend| gefilterd)|screen(?:t|ing|en)|(?:kijk"
        r"|kijken|controleer|vraag|zie)(?: ik| even| we)* of (?:\w+ ){1,4}(?:beschikbaar|bereikbaar|tijd"
        r"|kan)|virtuele assistent|digitale assistent"
    ),
    menu=(
        r"(?:toets|kies|druk op|toetst|kiest|drukt u op)(?: u| dan| op| de| het)* (?:\d|nul|een|twee|drie"
        r"|vier|vijf|zes|zeven|acht|negen|sterretje|hekje)\b|hoofdmenu|keuzemenu|volgende (?:opties|keuzes"
        r"|mogelijkheden)|(?:toets|voer) (?:u )?(?:uw|het) (?:\w+ )?(?:doorkiesnummer|klantnummer"
        r"|toestelnummer)"
    ),
)

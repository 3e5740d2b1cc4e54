"""German."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

GERMAN = Phrases(
    tone=(
        r"(?:nach|auf|mit|beim) (?:dem |den |einem )?(?:\w+ )?(?:signalton|piepton|piep|ton|signal|pieps"
        r"|pfeifton|pfeiften)\b"
    ),
    leave=(
        r"(?:hinterlassen|hinterlasse|hinterlasst|hinterlass|sprechen|sprich)(?: sie)?(?: mir| uns"
        r"| ihm)?(?: bitte| doch| einfach| gerne?)*(?: nach \w+ \w+)? (?:eine|ihre|deine|ihren|deinen"
        r"|einfach eine|mir eine|uns eine) (?:\w+ )?(?:nachricht|namen|telefonnummer|rufnummer)"
        r"|nachricht (?:\w+ ){0,3}(?:hinterlassen|hinterlasst|aufsprechen|auf band)|(?:sprechen"
        r"|sprich) (?:sie )?(?:\w+ ){0,2}(?:aufs band|auf band|auf die mailbox)"
    ),
    box=r"mailbox|anrufbeantworter|sprachbox|voicemail|sprachnachricht",
    machine=(
        r"(?:mailbox|sprachbox|anrufbeantworter) (?:von|der|des|ist|mit der)|(?:gewunschte|gewahlte"
        r"|angerufene|gerufene)(?:n|r)? (?:\w+ )?(?:gesprachspartner|teilnehmer|rufnummer|person|anschluss"
        r"|nummer|gesprachspartnerin)|rufnummer (?:ist )?(?:nicht vergeben|derzeit nicht)"
        r"|teilnehmer (?:ist )?(?:\w+ )?(?:nicht erreichbar|nicht verfugbar)"
    ),
    reached=(
        r"(?:hier ist|sie haben|das ist|dies ist|willkommen bei) (?:\w+ ){0,2}(?:der anschluss|die mailbox"
        r"|die nummer|anrufbeantworter|den anschluss|den anrufbeantworter)|sind (?:\w+ )?verbunden mit"
        r"|haben (?:\w+ ){1,4}erreicht"
    ),
    away=(
        r"nicht (?:\w+ )?(?:erreichbar|ans telefon|verfugbar|entgegennehmen|entgegen nehmen|personlich"
        r"|zu erreichen|rangehen|zu hause)|(?:anruf|telefon)(?: \w+){0,3} (?:nicht (?:annehmen"
        r"|entgegennehmen|beantworten))|buro ist (?:\w+ )?(?:geschlossen|nicht besetzt)|ausserhalb unserer"
    ),
    callback=(
        r"(?:rufe|rufen|melde|melden)(?: sie| dich| mich| uns| wir)*(?: \w+){0,5} (?:zuruck"
        r"|schnellstmoglich|so schnell|sobald|umgehend|baldmoglichst)|(?:so schnell|sobald) wie moglich"
        r"|schnellstmoglich"
    ),
    number=r"(?:ihre|deine|ihrer) (?:\w+ ){0,2}(?:nummer|telefonnummer|rufnummer)",
    name=(
        r"(?:nennen|nenne|sagen|sag|sprechen|geben|teilen)(?: sie)?(?: mir| uns)?(?: bitte| kurz"
        r"| nach \w+ \w+)* (?:ihren|deinen|den) (?:vollstandigen )?namen|wer (?:ruft|spricht|sind sie"
        r"|anruft|da ist)"
    ),
    reason=(
        r"(?:grund|zweck|anlass|anliegen) (?:ihres|deines|fur|des|nennen|ihren)|(?:warum|weshalb|weswegen"
        r"|wieso) (?:sie|du) (?:\w+ )?anruf|worum (?:es )?(?:geht|handelt)|ihr anliegen"
    ),
    screening=(
        r"anruf(?:filter|prufung|er filter|screening)|(?:anrufe?|gesprach) (?:\w+ )?(?:gefiltert|gepruft)"
        r"|(?:sehe|prufe|schaue|schau|frage|sehen|prufen)(?: ich| nach| wir)* ob (?:\w+ ){1,4}(?:verfugbar"
        r"|erreichbar|zeit|da ist|annehmen)|virtuelle\w* assistent|digitale\w* assistent|screening"
    ),
    menu=(
        r"(?:drucken|wahlen|drucke|wahle|betatigen)(?: sie)?(?: bitte)?(?: die)?(?: taste| ziffer"
        r"| nummer)? (?:\d|null|eins|die eins|zwei|die zwei|drei|die drei|vier|funf|sechs|sieben|acht|neun"
        r"|stern|raute)\b|hauptmenu|folgenden (?:optionen|moglichkeiten|auswahl)|(?:wahlen"
        r"|geben) sie (?:\w+ ){0,3}(?:durchwahl|kundennummer)|(?:fur|bei) (?:\w+ ){1,6}(?:drucken|wahlen"
        r"|sagen) sie"
    ),
)

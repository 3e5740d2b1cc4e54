"""Italian."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

ITALIAN = Phrases(
    tone=(
        r"(?:dopo|al|attend\w+) (?:il |la |un )?(?:\w+ )?(?:segnale|bip|tono|beep|segnale acustico"
        r"|suono)\b"
    ),
    leave=(
        r"(?:lasciate|lasci|lascia|lasciami|lasciatemi|lasciateci|lasciaci|registrate|registra|registri"
        r"|puoi lasciare|potete lasciare|puo lasciare|vi preghiamo di lasciare"
        r"|pregato di lasciare)(?: pure| qui| per favore| ci| mi)* (?:un|il|tuo|suo|vostro|il tuo|il suo"
        r"|il vostro|nome) (?:\w+ )?(?:messaggio|nome|recapito|numero|e)"
    ),
    box=r"segreteria|casella vocale|messaggeria|voicemail",
    machine=(
        r"segreteria telefonica (?:di|del|e|automatica)|casella (?:vocale )?(?:e piena|di|del)|l?(?:utente"
        r"|cliente|numero|persona|abbonato)(?: da lei"
        r"| che)?(?: \w+){0,4} (?:non e (?:al momento )?(?:raggiungibile|disponibile)|non raggiungibile"
        r"|non risponde|occupato|spento|inesistente|potrebbe avere)"
    ),
    reached=r"(?:avete|ha|hai) (?:chiamato|raggiunto|contattato)|risponde la segreteria|questa e la segreteria",
    away=(
        r"non (?:\w+ )?(?:posso|possiamo|puo|sono|siamo|e)(?: \w+){0,4} (?:rispondere|disponibile"
        r"|disponibili|raggiungibile|raggiungibili|casa|ufficio)|(?:sono|siamo) (?:momentaneamente "
        r"|attualmente )?(?:assent|occupat|fuori)|uffici sono chiusi"
    ),
    callback=(
        r"(?:vi|ti|la|le) (?:richiam\w+|ricontatt\w+|faro sapere|risponder\w+)|(?:richiamer\w+"
        r"|ricontatter\w+)(?: \w+){0,3} (?:appena|presto|possibile)|(?:non )?appena (?:possibile|posso"
        r"|potro)|il prima possibile"
    ),
    number=r"(?:suo|tuo|vostro) (?:\w+ ){0,2}(?:numero|recapito)",
    name=(
        r"(?:dica|dimmi|dici|dite|indichi|indica|pronunci|registri|registra|comunichi|mi dica|di)(?: pure"
        r"| per favore)* (?:il )?(?:suo|tuo|proprio|vostro) nome|chi (?:parla|chiama|sta chiamando)"
    ),
    reason=(
        r"(?:motivo|ragione|scopo|oggetto) (?:della|di|del|per) (?:\w+ ){0,2}(?:chiamata|telefonata|chiama"
        r"|cui)|perche (?:sta |stai )?chiama\w*|di cosa si tratta"
    ),
    screening=(
        r"filtr\w+ (?:\w+ ){0,2}(?:chiamat)|(?:vedere|verificare|vedo|verifico|controllare|controllo|vedro"
        r"|verifichero) se (?:questa|la|e|il|puo)|assistente (?:virtuale|vocale)"
        r"|copia di questa conversazione"
    ),
    menu=(
        r"(?:prema|premere|premi|premete|digiti|digitare|digita|digitate|selezioni)(?: il tasto| il| tasto"
        r"| il numero| o dica)? (?:\d|zero|uno|due|tre|quattro|cinque|sei|sette|otto|nove|asterisco"
        r"|cancelletto)\b|menu principale|(?:seguenti|nostre) opzioni|(?:digiti|digitare|componga) (?:il"
        r"|linterno) (?:\w+ )?(?:codice|interno)"
    ),
)

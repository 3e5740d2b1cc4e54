"""Spanish."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

SPANISH = Phrases(
    tone=(
        r"(?:despues (?:del?|de oir(?: el)?)|tras(?: (?:el|la|oir el))?|al (?:oir|escuchar|sonar)(?: el"
        r"| la)?|luego del?|escuche el) (?:\w+ )?(?:tono|senal|pitido|bip|beep)"
    ),
    leave=(
        r"\b(?:deje|deja|dejame|dejeme|dejenos|dejanos|dejen|puede dejar|puedes dejar)(?:me|nos)? (?:aqui "
        r"|por favor )?(?:su|tu|un|el|sus|tus|nos un|me un) (?:\w+ )?(?:mensaje|recado|nombre|numero"
        r"|datos)|\b(?:grabe|graba) (?:su|tu|un) (?:\w+ )?(?:mensaje|recado)"
    ),
    box=r"buzon|contestador|casilla de mensajes",
    machine=(
        r"buzon (?:de voz |de mensajes )?(?:esta|del?|se encuentra)|(?:numero|persona|cliente|abonado"
        r"|telefono|usuario|movil|celular)(?: al?)?(?: que| cual)? (?:\w+ ){0,3}(?:llama|llamado|marcado"
        r"|marco|marca|llamando|solicita)(?: \w+){0,4} (?:no (?:esta|se encuentra|puede|responde|contesta"
        r"|existe)|apagado|fuera)"
    ),
    reached=(
        r"(?:ha|has|se ha|te has|usted ha) (?:llamado|comunicado|contactado)|esta(?:s)? llamando (?:al?"
        r"|a la)"
    ),
    away=(
        r"no (?:le |te |lo )?(?:puedo|podemos|puede|estoy|estamos|esta"
        r"|se encuentra)(?: \w+){0,4} (?:atender|contestar|responder|disponible|disponibles|coger|tomar)"
        r"|en este momento no (?:puedo|podemos|estoy|estamos|se encuentra)|fuera de (?:la )?oficina"
    ),
    callback=(
        r"(?:devolver|devuelvo|devolveremos|devolvere)(?:le|te|mos)?(?: \w+)? (?:su |tu |la )?llamada"
        r"|(?:le|te|lo) (?:llamare|llamaremos|devolvere|devolveremos|contactare|contactaremos|respondere)"
        r"|(?:me|nos) (?:pondre|pondremos|comunicare|comunicaremos)(?: \w+){0,3} en contacto"
        r"|en cuanto (?:pueda|podamos)"
    ),
    number=r"(?:su|tu) (?:\w+ ){0,2}(?:numero|telefono)",
    name=(
        r"(?:diga|di|digame|dime|indique|indica|grabe|graba|mencione|proporcione)(?:nos"
        r"|me)?(?: por favor)? (?:su|tu) (?:nombre)|quien (?:llama|habla|es y)"
    ),
    reason=(
        r"(?:motivo|razon|asunto|objeto) (?:de|por) (?:\w+ ){0,3}(?:llamada|llama|llamas)|por que (?:esta "
        r"|estas )?llama(?:s|ndo)?|para que llama"
    ),
    screening=(
        r"filtr(?:o|ado|ar|ando) (?:de |las |esta |la )?llamad|(?:ver|comprobar|vere|comprobare"
        r"|averiguar) si (?:esta|puede|la persona)|asistente (?:virtual|de llamadas)"
        r"|copia de esta conversacion"
    ),
    menu=(
        r"(?:pulse|marque|oprima|presione|digite|pulsa|marca|presiona|oprime|teclee)(?: la tecla| el"
        r"| el numero| la opcion| o diga)? (?:\d|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve"
        r"|asterisco|almohadilla|numeral)\b|menu principal|(?:siguientes|nuestras) opciones|marque (?:la"
        r"|el|su) (?:\w+ )?(?:extension|interno)|escuche (?:atentamente|con atencion)"
    ),
)

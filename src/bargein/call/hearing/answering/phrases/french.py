"""French."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

FRENCH = Phrases(
    tone=r"(?:apres|au|des|entendez|attendez) (?:le |la )?(?:\w+ )?(?:bip|signal|tonalite|top|beep)\b",
    leave=(
        r"(?:laissez|laisse|enregistrez|pouvez laisser|deposez|(?:merci|prie|priere"
        r"|invite) de (?:bien vouloir )?(?:me |nous )?laisser)(?: moi| nous| lui)?(?: donc"
        r"| s il vous plait| ici)? (?:un|votre|vos|ton|tes|le|dun) (?:\w+ )?(?:message|nom|nom et"
        r"|coordonnees|numero)"
    ),
    box=r"(?:messagerie|repondeur|boite vocale|boite aux lettres vocale)",
    machine=(
        r"(?:messagerie|boite|repondeur)(?: vocale)? (?:est|de|du|des|automatique)|(?:correspondant|numero"
        r"|abonne|personne|client)(?: que)?(?: vous)? (?:\w+ ){0,4}(?:nest pas|ne peut|ne repond"
        r"|est injoignable|est indisponible|indisponible|injoignable|nest plus)"
    ),
    reached=(
        r"vous (?:etes bien|avez joint|etes en communication|etes en relation|etes en contact) (?:\w+ )?"
        r"|bien (?:sur le|chez|au) (?:repondeur|numero|telephone)|bonjour vous etes bien"
    ),
    away=(
        r"(?:ne (?:peux|peut|pouvons|puis)|ne suis|ne sommes|nest)(?: \w+){0,4} (?:repondre|disponible"
        r"|disponibles|joignable|prendre|decrocher)|(?:suis|sommes|est) (?:actuellement "
        r"|pour le moment )?(?:absent|absente|absents|indisponible|occupe)|bureaux (?:sont"
        r"|est) (?:\w+ )?ferm"
    ),
    callback=(
        r"(?:vous|te|t) (?:rappelle|rappellerai|rappellerons|recontacte|recontacterai|recontacterons)"
        r"|rappelle(?:rai|rons)? (?:des|au plus|dans)|des que (?:possible|je|nous)|dans les (?:plus brefs"
        r"|meilleurs) delais"
    ),
    number=r"(?:votre|ton|vos) (?:\w+ ){0,2}(?:numero|coordonnees)",
    name=(
        r"(?:dites|donnez|indiquez|dindiquer|indiquer|donner|dire|enoncez|enregistrez|precisez"
        r"|annoncez)(?: moi| nous)?(?: s il vous plait)? (?:votre|ton) (?:nom)|qui (?:appelle"
        r"|est a lappareil|etes vous)|de la part de qui"
    ),
    reason=(
        r"(?:raison|motif|objet|sujet) (?:de |du )?(?:\w+ ){0,2}(?:appel|lappel)|pourquoi vous appelez"
        r"|pourquoi tu appelles"
    ),
    screening=(
        r"filtr(?:e|age|er|es|ons) (?:\w+ ){0,2}appels?|(?:verifier|verifie|voir|verifierai|vais voir"
        r"|demander) si (?:cette|la|elle|il|votre)|assistant (?:virtuel|vocal|dappel)"
        r"|copie de cette conversation"
    ),
    menu=(
        r"(?:tapez|appuyez|faites|composez|pressez|tapes|appuie)(?: sur| sur la| la"
        r"| le)?(?: touche)?(?: le)? (?:\d|zero|un|deux|trois|quatre|cinq|six|sept|huit|neuf|etoile"
        r"|diese)\b|menu principal|(?:options|choix) suivant|composez (?:le|votre) (?:\w+ )?(?:poste"
        r"|extension|code)|ecoutez attentivement"
    ),
)

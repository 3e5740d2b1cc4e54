"""Polish."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

POLISH = Phrases(
    tone=(
        r"po (?:\w+ )?(?:sygnale|sygnału|sygnalu|dzwieku|tonie|sygnale dzwiekowym)\b|usłyszeniu sygnału"
        r"|uslyszeniu sygnalu"
    ),
    leave=(
        r"(?:zostaw|zostawic|nagraj|prosze zostawic|prosze nagrac|nagraj|zostawcie|nagrac|pozostaw"
        r"|pozostawic|zostawienie|nagranie)(?: \w+){0,4} (?:wiadomosc|wiadomosci|nazwisko|numer|imie)"
    ),
    box=(
        r"poczt\w+ głosow\w+|poczt\w+ glosow\w+|skrzynk\w+ (?:głosow|glosow|pocztow)\w*"
        r"|automatyczna sekretarka|sekretark\w+ automatyczn\w+"
    ),
    machine=(
        r"(?:abonent|numer|uzytkownik|osoba)(?: \w+){0,6} (?:jest niedostepny|nie odpowiada|nie moze"
        r"|niedostepny|niedostepna|poza zasiegiem|wylaczony|wyłączony|zajety|nie istnieje|czasowo)"
        r"|skrzynka (?:\w+ )?(?:jest )?(?:pelna|pełna)"
    ),
    reached=r"dodzwonil\w*|dodzwonił\w*|(?:tu|witaj w|to) (?:poczta|automatyczna|skrzynka)|polaczy\w+ sie z",
    away=(
        r"nie (?:moge|mozemy|moze|jestem|jestesmy|ma)(?: \w+){0,4} (?:odebrac|rozmawiac|dostepn\w+|podejsc"
        r"|odpowiedziec|telefon|mnie|nas)|(?:jestem|jestesmy) (?:nieobecn\w+|niedostepn\w+|zajet\w+)"
    ),
    callback=(
        r"(?:oddzwoni\w*|skontaktuj\w*|odezw\w*)(?: \w+){0,5} (?:jak najszybciej|gdy tylko|najszybciej"
        r"|kiedy|mozliwe|wkrotce|pozniej|pierwszej)|(?:oddzwonie|oddzwonimy)|jak najszybciej|gdy tylko"
    ),
    number=r"(?:swoj|twoj|panstwa|pana) (?:\w+ ){0,2}numer",
    name=(
        r"(?:podaj|podac|powiedz|powiedziec|przedstaw|prosze podac|prosze powiedziec"
        r"|nagraj)(?: \w+){0,3} (?:imie|nazwisko)|kto (?:dzwoni|mowi)|przedstaw(?:ic)? sie"
    ),
    reason=(
        r"(?:powod|cel|przyczyn\w+|temat) (?:\w+ ){0,2}(?:polaczenia|rozmowy|telefonu|dzwonienia|kontaktu)"
        r"|dlaczego (?:pan |pani )?dzwoni\w*|w jakiej sprawie|po co dzwoni"
    ),
    screening=(
        r"filtrowani\w+ (?:polaczen|rozmow)|filtr\w* (?:polaczen|rozmow)|(?:sprawdze|sprawdzimy|zobacze"
        r"|zapytam|sprawdzic) czy|wirtualn\w+ asystent\w*|asystent\w* (?:glosow|polaczen|rozmow)\w*"
    ),
    menu=(
        r"(?:wcisnij|nacisnij|wybierz|prosze (?:wybrac|wcisnac|nacisnac)|wybrac|nacisnac"
        r"|wcisnac)(?: klawisz| cyfre| przycisk)? (?:\d|zero|jeden|jedynke|dwa|dwojke|trzy|trojke|cztery"
        r"|piec|szesc|siedem|osiem|dziewiec|gwiazdke|krzyzyk)\b|menu glowne|glowne menu|numer wewnetrzny"
        r"|nastepujac\w+ opcj\w+|wybierz tonowo|tonowo"
    ),
)

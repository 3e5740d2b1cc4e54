"""Voicemails, call screening, menus and persons, told apart by their words in every language."""

import pytest

from bargein.call.hearing.answering import classify
from bargein.call.hearing.answering.phrases import LANGUAGES as PHRASES
from bargein.turns.languages import LANGUAGES

VOICEMAILS = {
    "en": [
        "Please leave a message after the tone.",
        "Hi, you've reached Tom. I can't come to the phone right now. Leave your name and number.",
        "You have reached the voicemail of Ann Smith.",
        "The person you are trying to reach is not available. At the tone, record your message, or press one for more.",
        "Your call has been forwarded to an automated voice messaging system.",
        "Hey, it's Joe, I'm not available, I'll call you back as soon as I can.",
        "The mailbox is full and cannot accept any messages.",
        "Please state your name, number and the reason for your call after the beep.",
    ],
    "es": [
        "Deje su mensaje después de la señal.",
        "Hola, soy Ana. Ahora no puedo atenderte, deja tu mensaje y te llamaré en cuanto pueda.",
        "Ha llamado al buzón de voz de Pedro.",
        "El número que usted marcó no está disponible.",
    ],
    "fr": [
        "Veuillez laisser un message après le bip sonore.",
        "Bonjour, vous êtes bien sur le répondeur de Paul, je ne suis pas disponible pour le moment.",
        "Laissez-moi un message et je vous rappellerai dès que possible.",
        "Votre correspondant n'est pas joignable.",
    ],
    "de": [
        "Bitte hinterlassen Sie eine Nachricht nach dem Signalton.",
        "Hier ist der Anrufbeantworter von Familie Müller, wir sind gerade nicht zu Hause.",
        "Ich bin zurzeit nicht erreichbar, ich rufe Sie so schnell wie möglich zurück.",
        "Der gewünschte Gesprächspartner ist zurzeit nicht erreichbar.",
    ],
    "hi": [
        "कृपया बीप के बाद अपना संदेश छोड़ें।",
        "मैं अभी उपलब्ध नहीं हूँ, अपना संदेश छोड़ दें।",
        "आपने जिस नंबर पर कॉल किया है वह अभी उपलब्ध नहीं है।",
    ],
    "ru": [
        "Пожалуйста, оставьте сообщение после сигнала.",
        "Здравствуйте, вы позвонили Ивану. Сейчас я не могу ответить, оставьте сообщение.",
        "Абонент временно недоступен.",
    ],
    "pt": [
        "Deixe sua mensagem após o sinal.",
        "Olá, você ligou para a Ana. No momento não posso atender, deixe seu recado.",
        "Sua chamada está sendo encaminhada para a caixa postal.",
    ],
    "ja": [
        "発信音の後にメッセージをお残しください。",
        "ただいま電話に出ることができません。ご用件をお話しください。ピーという音の後に録音してください。",
        "留守番電話サービスセンターに接続します。",
        "おかけになった電話は電波の届かない場所にあるか、電源が入っていないためかかりません。",
    ],
    "it": [
        "Lasciate un messaggio dopo il segnale acustico.",
        "Ciao, sono Marco, ora non posso rispondere, lasciami un messaggio.",
        "Risponde la segreteria telefonica di casa Rossi.",
        "L'utente da lei chiamato non è al momento raggiungibile.",
    ],
    "nl": [
        "Spreek een bericht in na de piep.",
        "Dit is de voicemail van Jan. Ik kan nu de telefoon niet opnemen.",
        "Laat een bericht achter en ik bel je zo snel mogelijk terug.",
    ],
    "ar": [
        "من فضلك اترك رسالتك بعد سماع الصافرة.",
        "لا أستطيع الرد الآن، اترك رسالة وسأعاود الاتصال بك.",
        "الهاتف المطلوب مغلق أو خارج نطاق التغطية.",
    ],
    "zh": [
        "请在提示音后留言。",
        "您好，我现在不方便接听电话，请留下您的姓名和电话，我会尽快回复。",
        "您拨打的电话暂时无法接通，请稍后再拨。",
    ],
    "ko": [
        "삐 소리가 나면 메시지를 남겨 주세요.",
        "지금은 전화를 받을 수 없습니다. 메시지를 남겨 주시면 다시 연락드리겠습니다.",
        "고객님이 전화를 받을 수 없어 음성사서함으로 연결됩니다.",
    ],
    "pl": [
        "Proszę zostawić wiadomość po sygnale.",
        "Dodzwoniłeś się do Anny. Nie mogę teraz odebrać telefonu, zostaw wiadomość.",
        "Abonent jest czasowo niedostępny.",
    ],
    "sv": [
        "Lämna ett meddelande efter tonen.",
        "Hej, du har kommit till Eva. Jag kan inte svara just nu, tala in ett meddelande.",
        "Personen du söker kan inte nås för tillfället.",
    ],
    "tr": [
        "Lütfen bip sesinden sonra mesajınızı bırakın.",
        "Şu an telefona bakamıyorum, mesaj bırakın, size en kısa sürede döneceğim.",
        "Aradığınız kişiye şu anda ulaşılamıyor.",
    ],
}
SCREENINGS = {
    "en": [
        "Hi. If you record your name and reason for calling, I'll see if this person is available.",
        "Hi, the person you're calling is using a screening service. Please say your name and why you're calling.",
        "Please state your name and why you are calling.",
        "Please say your name after the tone.",
        "Who is calling, and what is this regarding?",
    ],
    "es": ["Diga su nombre y el motivo de su llamada.", "Si graba su nombre y el motivo, veré si esta persona puede."],
    "fr": ["Dites votre nom et la raison de votre appel.",
           "Indiquez votre nom, je vais voir si cette personne est disponible."],
    "de": ["Bitte nennen Sie Ihren Namen und den Grund Ihres Anrufs.", "Sagen Sie mir Ihren Namen und worum es geht."],
    "hi": ["कृपया अपना नाम और कॉल करने का कारण बताएं।"],
    "ru": ["Назовите ваше имя и цель звонка.", "Представьтесь, пожалуйста, и скажите, по какому вопросу вы звоните."],
    "pt": ["Diga seu nome e o motivo da ligação."],
    "ja": ["お名前とご用件をおっしゃってください。"],
    "it": ["Dica il suo nome e il motivo della chiamata."],
    "nl": ["Zeg uw naam en de reden van uw oproep.", "Noem je naam en waarom je belt."],
    "ar": ["من فضلك اذكر اسمك وسبب الاتصال."],
    "zh": ["请说出您的姓名和来电原因。"],
    "ko": ["성함과 전화하신 용건을 말씀해 주세요."],
    "pl": ["Proszę podać swoje imię i powód połączenia."],
    "sv": ["Säg ditt namn och varför du ringer."],
    "tr": ["Lütfen adınızı ve arama nedeninizi söyleyin."],
}  # fmt: skip
MENUS = {
    "en": [
        "Thank you for calling Acme. For sales, press 1. For support, press 2.",
        "Press one to speak to an agent, or press two to leave a message.",
        "Please listen carefully, as our menu options have changed.",
        "If you know your party's extension, you may dial it now.",
        "To repeat these options, press star.",
    ],
    "es": ["Para ventas, marque 1. Para soporte, marque 2.", "Para español, oprima dos."],
    "fr": ["Pour le service commercial, tapez 1.", "Appuyez sur la touche étoile pour revenir au menu principal."],
    "de": ["Für den Vertrieb drücken Sie die 1.", "Drücken Sie bitte die Taste zwei."],
    "hi": ["हिंदी के लिए एक दबाएं, अंग्रेजी के लिए दो दबाएं।"],
    "ru": ["Для связи с отделом продаж нажмите 1.", "Нажмите два, чтобы поговорить с оператором."],
    "pt": ["Para vendas, digite 1. Para suporte, digite 2.", "Pressione dois para falar com um atendente."],
    "ja": ["営業へのお問い合わせは1を、サポートは2を押してください。"],
    "it": ["Per informazioni prema uno.", "Digiti 2 per parlare con un operatore."],
    "nl": ["Toets 1 voor verkoop.", "Voor een medewerker, kies twee."],
    "ar": ["للغة العربية اضغط واحد.", "للتحدث مع موظف اضغط 2"],
    "zh": ["普通话请按1，英文请按2。", "人工服务请按零。"],
    "ko": ["상담원 연결은 0번을 눌러 주세요.", "한국어는 1번을 누르세요."],
    "pl": ["Aby połączyć się z działem sprzedaży, wybierz 1.", "Naciśnij dwa, aby porozmawiać z konsultantem."],
    "sv": ["Tryck 1 för kundtjänst.", "För svenska, tryck ett."],
    "tr": ["Satış için 1'e basın.", "Müşteri temsilcisine bağlanmak için sıfırı tuşlayın."],
}
PERSONS = {
    "en": [
        "Hello?", "Hello, this is Tom.", "Good morning, Acme, Ann speaking, how can I help you?", "Who is this?",
        "Sorry, I can't talk right now, can you call me back later?", "He's not available, can I take a message?",
        "Would you like to leave a message for her?", "I got your voicemail yesterday.",
        "You've reached the right person.",
        "Yes, speaking.", "I was just about to press on with my work.", "What is this about?",
        "Give me one second, I'm driving.", "Can you tell me your name again?",
    ],
    "es": ["¿Diga?", "Hola, soy Ana, ¿en qué puedo ayudarle?", "Ahora no puedo hablar, llámeme más tarde.",
           "¿Quién es?", "No está en casa, ¿quiere dejar un recado?"],
    "fr": ["Allô ?", "Bonjour, cabinet du docteur Martin, j'écoute.", "Je ne peux pas vous parler maintenant.",
           "C'est de la part de qui ?", "Il n'est pas disponible, voulez-vous laisser un message ?"],
    "de": ["Hallo?", "Müller.", "Guten Tag, Praxis Doktor Weber, was kann ich für Sie tun?", "Wer spricht da?",
           "Ich bin gerade beschäftigt, rufen Sie später an.", "Er ist nicht da, soll ich etwas ausrichten?"],
    "hi": ["हेलो?", "हाँ जी, बोलिए।", "कौन बोल रहा है?", "मैं अभी गाड़ी चला रहा हूँ, बाद में फोन कीजिए।"],
    "ru": ["Алло?", "Да, слушаю вас.", "Кто это?", "Я сейчас занят, перезвоните позже.", "Его нет, что передать?"],
    "pt": ["Alô?", "Bom dia, consultório, em que posso ajudar?", "Quem fala?",
           "Agora não posso falar, ligue mais tarde."],
    "ja": ["もしもし。", "はい、田中です。", "どちら様ですか。", "今ちょっと手が離せません。"],
    "it": ["Pronto?", "Buongiorno, studio Rossi, come posso aiutarla?", "Chi parla?", "Adesso non posso parlare."],
    "nl": ["Hallo?", "Met Jan de Vries.", "Goedemorgen, waarmee kan ik u helpen?", "Met wie spreek ik?",
           "Ik heb het druk, een moment.", "Kunt u later terugbellen?"],
    "ar": ["ألو؟", "نعم، تفضل.", "من معي؟", "أنا مشغول الآن، اتصل لاحقا."],
    "zh": ["喂？", "你好，哪位？", "我现在在开车。", "您找谁？", "他不在，您有什么事吗？"],
    "ko": ["여보세요?", "네, 김민수입니다.", "누구세요?", "지금 바빠서요, 나중에 전화 주세요."],
    "pl": ["Halo?", "Dzień dobry, firma Nowak, słucham.", "Kto mówi?",
           "Nie mogę teraz rozmawiać, proszę zadzwonić później."],
    "sv": ["Hallå?", "Hej, det är Eva.", "God morgon, vad kan jag hjälpa dig med?", "Vem är det?",
           "Jag kan inte prata nu, ring senare."],
    "tr": ["Alo?", "Efendim?", "Buyurun, nasıl yardımcı olabilirim?", "Kimsiniz?", "Şu an meşgulüm, sonra arayın."],
}  # fmt: skip


def rows(table: dict[str, list[str]]) -> list[str]:
    return [text for texts in table.values() for text in texts]


def test_each_language_of_turn_taking_has_phrases_and_examples() -> None:
    assert set(PHRASES) == set(LANGUAGES)
    for table in (VOICEMAILS, SCREENINGS, MENUS, PERSONS):
        assert set(table) == set(LANGUAGES)


@pytest.mark.parametrize("text", rows(VOICEMAILS))
def test_a_voicemail(text: str) -> None:
    assert classify(text) == "voicemail"


@pytest.mark.parametrize("text", rows(SCREENINGS))
def test_a_screening_service(text: str) -> None:
    assert classify(text) == "screening"


@pytest.mark.parametrize("text", rows(MENUS))
def test_a_menu(text: str) -> None:
    assert classify(text) == "menu"


@pytest.mark.parametrize("text", rows(PERSONS))
def test_a_person(text: str) -> None:
    assert classify(text) is None
    assert classify(text, final=False) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Please leave a message", None),
        ("Please leave a message after the tone", "voicemail"),
        ("For sales press 1", "menu"),
        ("I am not available, I will call you back as soon as", None),
        ("say your name and the reason for your call", "screening"),
    ],
)
def test_of_a_partial_only_what_needs_nothing_more_counts(text: str, found: str | None) -> None:
    assert classify(text, final=False) == found


@pytest.mark.parametrize(
    "text", ["DEJE SU MENSAJE DESPUES DE LA SENAL", "deje su mensaje despue\u0301s de la sen\u0303al"]
)
def test_case_accents_and_their_encoding_do_not_matter(text: str) -> None:
    assert classify(text) == "voicemail"


def test_a_text_of_any_length_takes_little_time() -> None:
    assert classify("leave your " * 20_000) is None

"""Portuguese."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

PORTUGUESE = Phrases(
    tone=r"(?:apos|depois|ao) (?:do? |o |ouvir o )?(?:\w+ )?(?:sinal|bip|bipe|apito|tom|beep)\b",
    leave=(
        r"(?:deixe|deixa|grave|deixem|pode deixar)(?: me| nos| aqui| por favor)* (?:o |a |um |uma |sua "
        r"|seu |tua |teu |o seu |a sua )(?:\w+ )?(?:mensagem|recado|nome|numero|contato|contacto)"
    ),
    box=(
        r"caixa postal|correio de voz|secretaria eletronica|caixa de mensagens|caixa de correio|voice mail"
        r"|voicemail|atendedor"
    ),
    machine=(
        r"caixa (?:postal|de mensagens|de correio) (?:esta|de|do|da)|(?:numero|pessoa|cliente|assinante"
        r"|telefone|celular|telemovel)(?: \w+){0,5} (?:nao esta disponivel|nao pode|nao atende"
        r"|nao se encontra|desligado|fora da area|indisponivel|nao existe|nao foi possivel)"
        r"|sua chamada (?:esta|sera|foi) (?:sendo )?(?:encaminhada|direcionada"
        r"|transferida) para (?:a )?caixa"
    ),
    reached=r"(?:voce|voces) (?:ligou|ligaram|chegou|contatou)|(?:ligou|esta a ligar) para",
    away=(
        r"nao (?:\w+ )?(?:posso|podemos|pode|estou|estamos|esta|consigo|podem)(?: \w+){0,3} (?:atender"
        r"|disponivel|disponiveis|falar)|(?:estou|estamos) (?:ausente|ocupad|indisponive)"
        r"|fora do escritorio"
    ),
    callback=(
        r"(?:retorn\w+)(?: \w+){0,3} (?:ligacao|chamada|contato|assim que|logo|breve)|(?:ligo|ligarei"
        r"|ligaremos|retornarei|retornaremos|entrarei em contato"
        r"|entraremos em contato)(?: \w+){0,3} (?:assim que|logo que|em breve|de volta|logo|possivel)"
        r"|assim que (?:possivel|puder|pudermos)"
    ),
    number=r"(?:seu|teu|sua) (?:\w+ ){0,2}(?:numero|telefone|contato|contacto)",
    name=(
        r"(?:diga|fale|informe|grave|indique|diz|fala|me diga)(?: me| nos| por favor)* (?:o |a )?(?:seu"
        r"|teu) nome|quem (?:esta|e que esta|ta) (?:falando|ligando|a falar|a ligar)|quem (?:fala|liga)\b"
    ),
    reason=(
        r"(?:motivo|razao|assunto|objetivo) (?:da|de|do|pelo|pela) (?:\w+ ){0,2}(?:ligacao|chamada|contato"
        r"|contacto|qual)|(?:por que|porque|porque e que) (?:voce )?(?:esta )?(?:ligando|a ligar|ligou)"
        r"|do que se trata"
    ),
    screening=(
        r"(?:filtro|triagem|filtragem) (?:de|das) (?:chamada|ligac)|(?:ver|verificar|verei|verificarei"
        r"|vou ver|confirmar) se (?:a pessoa|essa pessoa|ela|ele|esta|o|pode)|assistente (?:virtual"
        r"|de chamadas)|copia desta conversa"
    ),
    menu=(
        r"(?:digite|disque|pressione|tecle|aperte|marque|prima|carregue)(?: a tecla| o| o numero| a opcao"
        r"| na tecla| em)? (?:\d|zero|um|dois|tres|quatro|cinco|seis|sete|oito|nove|asterisco|estrela"
        r"|cardinal|jogo da velha)\b|menu principal|(?:seguintes|nossas) opcoes|opcoes a seguir|(?:digite"
        r"|disque) (?:o|seu) (?:\w+ )?(?:ramal|cpf|codigo)"
    ),
)

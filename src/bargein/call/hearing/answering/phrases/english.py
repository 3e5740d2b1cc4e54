"""English."""

from bargein.call.hearing.answering.phrases.kinds import Phrases

ENGLISH = Phrases(
    tone=(
        r"(?:after|at|following|upon|on|wait for|hear) (?:the|a) (?:sound of the )?(?:\w+ )?(?:tone|beep"
        r"|signal)\b"
    ),
    leave=(
        r"(?<!to )leave (?:me |us |him |her |them )?(?:an? |your |the )?(?:\w+ ){0,2}(?:message"
        r"|voice ?mail)\b|(?<!to )leave (?:me |us )?your (?:\w+ ){0,3}(?:name|number)"
        r"|free to leave (?:an? |your )?(?:\w+ )?message|(?:record|speak) (?:an? |your )(?:\w+ )?message"
    ),
    box=r"voice ?mail|mail ?box|answering (?:machine|service)|voice messaging",
    machine=(
        r"(?:mailbox|voice ?mail(?: box)?) (?:is|has|belong|of|for)\b|forwarded to (?:an? "
        r"|the )?(?:automat\w+ )?voice|automat\w+ (?:voice|answering)|(?:person|party|customer|subscriber"
        r"|user|number|extension)(?: that| whom?)? you(?: are|re| have|ve)? (?:trying to (?:reach|call)"
        r"|calling|called|dialed|dialled|reached)(?: \w+){0,4} (?:not available|unavailable|not answering"
        r"|busy|not reachable|not in service|cannot be (?:reached|completed)|cant be reached|switched off)"
        r"|no one is available to (?:take|answer)"
    ),
    reached=r"you(?:ve| have)? (?:have )?(?:just )?reached",
    away=(
        r"(?:cant|cannot|can not|unable to|not able to|couldnt|could not) (?:\w+ )?(?:come to|get to"
        r"|answer|take|pick up)|(?:is|am|are|im|were|hes|shes) (?:currently |presently |either "
        r"|both )?(?:not available|unavailable)|missed your call|away from (?:my|the|our|his|her) (?:phone"
        r"|desk)|(?:our|the) offices? (?:is|are) (?:\w+ )?closed"
    ),
    callback=(
        r"(?:get back to you|(?:call|ring|phone) you(?: right)? back|return your call) (?:as soon|when"
        r"|once|at (?:my|our)|shortly|soon|promptly)|return your call"
    ),
    number=r"your (?:\w+ ){0,2}number",
    name=(
        r"(?:say|state|record|give|tell|announce|provide) (?:me |us )?(?:with )?your (?:full |first )?name"
        r"|who(?:s| is| am i| are you)? (?:calling|speaking with)|ask who"
    ),
    reason=(
        r"why you(?:re| are) calling|reason (?:for|of) (?:your |the |this )?call(?:ing)?"
        r"|purpose of (?:your|the|this) call|what(?:s| is)? (?:this|it|the call|your call"
        r"|all this) (?:is )?(?:about|regarding|in reference)|what (?:its|it is|this is|the call is"
        r"|your call is|youre calling|you are calling) (?:about|regarding|for)"
    ),
    screening=(
        r"screening (?:service|assistant|your|this|calls)|call screening|(?:is|being|will be"
        r"|are) screen(?:ed|ing)|see if (?:this person|the person|they|he|she|\w+) (?:is|are|can"
        r"|will) (?:available|(?:take|answer))|before i (?:try to )?connect|connect you (?:if|when|after)"
        r"|copy of this conversation"
    ),
    menu=(
        r"(?:press|dial)(?: or say| the number| key| option)? (?:\d|zero|one|two|three|four|five|six|seven"
        r"|eight|nine|star|pound|hash|the (?:star|pound|hash))\b|(?:for|to) (?:\w+ ){1,8}(?:press|dial"
        r"|say) (?:\d|zero|one|two|three|four|five|six|seven|eight|nine)\b|main menu|(?:menu|our) options"
        r"|listen (?:carefully|closely) (?:to|as|because)|(?:enter|dial|know) (?:your|the|your partys"
        r"|their|his|her) (?:\w+ ){0,3}(?:extension|account number|pin)\b"
    ),
)

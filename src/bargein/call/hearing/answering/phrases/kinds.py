"""The kinds of phrases by which the machines that answer a call are told apart."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The phrases of one language, each an alternation.

    Attributes:
        tone: speak after the tone. A voicemail's, or a screening service's.
        leave: leave a message, as a request; not what a receptionist or a menu offers ("to leave a message").
        box: a voicemail by its name.
        machine: what no person says: the mailbox is full, the number you have dialled is not available.
        reached: whom the caller has reached.
        away: nobody can answer now.
        callback: the call will be returned.
        number: leave your number.
        name: say your name, as a request.
        reason: say why you call.
        screening: what only a screening service says.
        menu: press a key, or listen to the options.
    """

    tone: str
    leave: str
    box: str
    machine: str
    reached: str
    away: str
    callback: str
    number: str
    name: str
    reason: str
    screening: str
    menu: str

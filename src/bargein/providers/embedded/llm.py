"""The built-in model: a script, which needs no key and no download, for trying out interruptions.

An answer depends on the conversation alone, so the script can compute the answer that was interrupted: "go on" resumes
at the sentence that was not heard to its end.
"""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import anyio
from typing_extensions import override

from bargein.ports import UNANSWERED, ChatMessage, Model
from bargein.providers.embedded import llm_script as script
from bargein.wire.base import JsonObject

_MOST_COUNTED = 100
_QUOTED_WORDS = 16
_TOKEN = re.compile(r"\S+\s*")
_SENTENCE_BEGIN = re.compile(r"(?<=[.!?])\s+(?=\S)")


class DemoModel(Model):
    """The scripted model."""

    @override
    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[JsonObject] = ()
    ) -> AsyncGenerator[str, None]:
        """Yield the answer word by word, as fast as it is consumed. No tools are called."""
        del tools
        for token in _TOKEN.findall(answer(messages)):
            yield token
            await anyio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class _Talk:
    """The conversation, prepared for the answers.

    Attributes:
        messages: the whole conversation.
        said: the caller's words since the assistant's last message, joined.
        asked_at: the index in `messages` at which they begin.
    """

    messages: Sequence[ChatMessage]
    said: str
    asked_at: int

    def pick(self, choices: Sequence[str]) -> str:
        """Return one of `choices` in turn, by the number of the caller's messages."""
        return choices[sum(m.role == "user" for m in self.messages) % len(choices)]

    def last_answer(self) -> tuple[int, str] | None:
        """Return the index and text of the assistant's last message, as far as it was heard."""
        for index in range(self.asked_at - 1, -1, -1):
            message = self.messages[index]
            if message.role == "assistant" and message.content.strip():
                return index, message.content.strip()
        return None

    def said_before(self) -> list[str]:
        """Return the caller's earlier messages, the latest last."""
        return [m.content.strip() for m in self.messages[: self.asked_at] if m.role == "user" and m.content.strip()]


def answer(messages: Sequence[ChatMessage]) -> str:
    """Return the script's answer, which is always the same for the same conversation."""
    talk = _prepare(messages)
    if talk is None:
        return script.GREETING
    if not talk.said:
        return script.NOTHING_HEARD
    for pattern, respond in _ANSWERS:
        if match := pattern.search(talk.said):
            response = respond(match, talk)
            if response:
                return response
    return f"I heard: {_quote(talk.said)}. I'm only a script, so that's beyond me. {talk.pick(script.SUGGESTIONS)}"


def _prepare(messages: Sequence[ChatMessage]) -> _Talk | None:
    """Find the words to answer; None if the caller has not spoken at all.

    They stand behind the assistant's last words, or before those if the conversation ends with `UNANSWERED`.
    """
    if messages and messages[-1] == ChatMessage("system", UNANSWERED):
        messages = messages[:-1]
        while messages and messages[-1].role in ("assistant", "system"):
            messages = messages[:-1]
    asked_at = len(messages)
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "assistant":
            break
        if messages[index].role == "user":
            asked_at = index
    if not any(m.role == "user" for m in messages):
        return None
    said = " ".join(m.content.strip() for m in messages[asked_at:] if m.role == "user").strip()
    return _Talk(messages, said, asked_at)


def _quote(text: str) -> str:
    words = text.split()
    shown = " ".join(words[:_QUOTED_WORDS]).rstrip(".,;:!?")
    return shown + (", and so on" if len(words) > _QUOTED_WORDS else "")


def _story(_match: re.Match[str], _talk: _Talk) -> str:
    return script.STORY_OPENING + script.STORY + script.STORY_ENDING


def _go_on(_match: re.Match[str], talk: _Talk) -> str:
    """Resume an interrupted answer at the beginning of the sentence that was not heard to its end."""
    last = talk.last_answer()
    while last is not None:
        index, heard = last
        whole = answer(talk.messages[:index])
        at = _heard_up_to(whole, heard)
        if at is not None:
            return f"Where was I? {whole[at:]}"
        earlier = _prepare(talk.messages[:index])
        # an acknowledgement ("Okay. I'm listening.") is not the answer to resume
        acknowledged = earlier is not None and _STOP.search(earlier.said)
        last = earlier.last_answer() if earlier is not None and acknowledged else None
    return script.NOTHING_TO_GO_ON


def _heard_up_to(whole: str, heard: str) -> int | None:
    """Return the offset at which to resume `whole` after `heard`; None if `heard` is all of it, or another text."""
    if not whole.startswith(heard) or len(heard) >= len(whole.rstrip()):
        return None
    begins = [0, *(match.end() for match in _SENTENCE_BEGIN.finditer(whole))]
    return max(begin for begin in begins if begin <= len(heard) + 1)


def _what_i_said(_match: re.Match[str], talk: _Talk) -> str:
    before = talk.said_before()
    return f"You said: {_quote(before[-1])}." if before else script.NOTHING_SAID


def _what_you_said(_match: re.Match[str], talk: _Talk) -> str:
    last = talk.last_answer()
    if last is None:
        return script.SILENT_SO_FAR
    index, heard = last
    if _heard_up_to(answer(talk.messages[:index]), heard) is None:
        return f"I said: {heard}"
    tail = " ".join(heard.split()[-_QUOTED_WORDS:]).rstrip(".,;:!?")
    return f"You cut me off. The last you heard of me was: {tail}. Say go on, and I will."


def _remember_name(match: re.Match[str], _talk: _Talk) -> str:
    return f"Nice to meet you, {match['name'].title()}. I'll remember that for this call."


def _recall_name(_match: re.Match[str], talk: _Talk) -> str:
    for said in reversed(talk.said_before()):
        if match := _NAME.search(said):
            return f"Your name is {match['name'].title()}."
    return script.NAME_UNKNOWN


def _count(match: re.Match[str], _talk: _Talk) -> str:
    first = _number(match["first"]) if match["first"] else None
    last = _number(match["last"]) if match["last"] else None
    down = match["down"] is not None
    begin = first if first is not None else (10 if down else 1)
    end = last if last is not None else (0 if down else 10)
    if abs(end - begin) > _MOST_COUNTED:
        end = begin + (_MOST_COUNTED if end > begin else -_MOST_COUNTED)
    step = 1 if end >= begin else -1
    counted = ", ".join(_spell_out(n) for n in range(begin, end + step, step))
    return f"{counted[0].upper()}{counted[1:]}."


def _number(text: str) -> int | None:
    """Read a number up to 999, in digits or words."""
    if text.isdecimal():
        return min(int(text[:4]), 999)
    total = 0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in script.UNITS:
            total += script.UNITS.index(word)
        elif word in script.TENS:
            total += 20 + 10 * script.TENS.index(word)
        elif word == "hundred":
            total = max(total, 1) * 100
        elif word not in ("a", "and"):
            return None
    return total


def _spell_out(number: int) -> str:
    if number < 20:
        return script.UNITS[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return script.TENS[tens - 2] + (f"-{script.UNITS[units]}" if units else "")
    hundreds, rest = divmod(number, 100)
    return f"{script.UNITS[hundreds]} hundred" + (f" and {_spell_out(rest)}" if rest else "")


def _spell(match: re.Match[str], _talk: _Talk) -> str:
    word = match["word"]
    return f"{word.capitalize()}: {', '.join(letter.upper() for letter in word if letter.isalnum())}."


def _repeat(match: re.Match[str], _talk: _Talk) -> str:
    echoed = match["text"].strip(" ,.:;\"'“”")
    return f"{echoed[0].upper()}{echoed[1:]}." if echoed else ""


def _yes(_match: re.Match[str], talk: _Talk) -> str:
    last = talk.last_answer()
    offered = last is not None and last[1].endswith(script.GLAD.rsplit(". ", 1)[1])
    return script.STORY_OPENING + script.STORY + script.STORY_ENDING if offered else talk.pick(script.YES)


def _say(text: str) -> Callable[[re.Match[str], _Talk], str]:
    return lambda _match, _talk: text


def _one_of(choices: Sequence[str]) -> Callable[[re.Match[str], _Talk], str]:
    return lambda _match, talk: talk.pick(choices)


def _words(pattern: str) -> re.Pattern[str]:
    """Match `pattern` as whole words anywhere in the text."""
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


def _only(pattern: str) -> re.Pattern[str]:
    """Match a text that consists of `pattern`, once or repeatedly, and filler words."""
    filler = r"okay|ok|oh|well|um+|uh|please|now|just|hey|for a (?:second|moment|minute)|a (?:second|moment|minute)"
    return re.compile(rf"^\W*(?:(?:{filler})\W+)*(?:(?:{pattern})\b\W*)+(?:(?:{filler})\b\W*)*$", re.IGNORECASE)


_NUMBER = rf"(?:\d+|(?:(?:a|and|hundred|{'|'.join((*script.UNITS, *script.TENS))})\b[\s-]*)+)"
_STOP = _only(
    r"stop(?: (?:it|that|talking|there))?|wait|hold on|hang on|quiet|be quiet|shush|pause|enough|that'?s enough|silence"
    r"|shut up|one (?:second|moment|minute)|excuse me|sorry"
)
_NAME = _words(r"(?:my name is|my name's|call me|i am called|i'm called)\s+(?P<name>[a-z][a-z'-]*)")

_ANSWERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], _Talk], str]], ...] = (
    (_STOP, _one_of(script.STOPPED)),
    (_words(r"repeat after me\W+(?P<text>.+)"), _repeat),
    (_words(r"what(?:'s| is) my name|(?:remember|know) my name|who am i"), _recall_name),
    (_NAME, _remember_name),
    (_words(r"what (?:did|have) i (?:just )?(?:say|said|ask|tell)|what was i saying"), _what_i_said),
    (
        _words(
            r"what (?:did|have|were) you (?:just )?(?:say|said|saying)|say that again|repeat that|come again"
            r"|(?:say|repeat) (?:it|that|this)(?: once)?(?: more| again)?|what was that"
            r"|i didn'?t (?:hear|catch|get) (?:you|that)"
        ),
        _what_you_said,
    ),
    (
        _words(
            r"go on|carry on|continue|keep going|go ahead|proceed|resume|where were (?:we|you)"
            r"|where did (?:we|you) stop"
            r"|what (?:happened|happens|comes) (?:next|then)|and then"
        ),
        _go_on,
    ),
    (_words(r"story|stories|tale|fairy ?tales?"), _story),
    (
        re.compile(
            rf"\bcount(?:ing)?(?P<down>\s+down|\s+backwards?)?(?:\s+from\s+(?P<first>{_NUMBER}))?"
            rf"\W*(?:(?:up\s+|down\s+)?to\s+(?P<last>{_NUMBER}))?",
            re.IGNORECASE,
        ),
        _count,
    ),
    (_words(r"spell(?: out)?(?: the word| for me)?\W+(?P<word>(?!out\b|the\b|for\b|a\b)[^\W_][\w'-]*)"), _spell),
    (_words(r"say\W+(?P<text>(?!something|anything|what)\S.*)"), _repeat),
    (_words(r"bar ?-?gein|barge ?-?in|bargain|this (?:server|product|thing|software)"), _say(script.ABOUT)),
    (_words(r"what can (?:you|i) (?:do|say|ask)|help|what do you do|what else"), _say(script.ABILITIES)),
    (
        _words(
            r"(?:who|what) (?:are|is) (?:you|this)|your name|are you (?:a |an )?(?:robot|bot|human|person|real|ai"
            r"|machine|model|script|computer|language model)"
        ),
        _say(script.SELF),
    ),
    (_words(r"how are you|how do you (?:do|feel)|how's it going"), _say(script.FEELINGS)),
    (_words(r"joke|make me laugh|funny"), _say(script.JOKE)),
    (_words(r"weather|what time|the time|what day|date|news|temperature"), _say(script.NO_WINDOW)),
    (_only(r"(?:i'?m |i am )?(?:fine|good|great|very well|not bad)(?:\W+thank(?:s| you))?"), _say(script.GLAD)),
    (_words(r"thanks?|thank you"), _one_of(script.THANKS)),
    (_words(r"good ?bye|bye(?:-bye)?|see you|hang up"), _say(script.GOODBYE)),
    (_only(r"yes|yeah|yep|yup|sure|of course|right|i do|i would|correct|exactly"), _yes),
    (_only(r"no|nope|nah|not really|i don't|never ?mind"), _one_of(script.NO)),
    (
        _only(r"okay|ok|uh-huh|mm-hmm|mhm|hmm|i see|wow|really|alright|all right|got it|cool|nice|oh"),
        _one_of(script.ACKNOWLEDGED),
    ),
    (_words(r"hello|hi|hey|good (?:morning|afternoon|evening)|are you there"), _say(script.GREETING)),
)
"""(pattern, answer): the first pattern that matches is used."""

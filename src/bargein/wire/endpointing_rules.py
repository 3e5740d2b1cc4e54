"""The rules of `startSpeakingPlan.customEndpointingRules`, and limits on their number and size.

The patterns run on the event loop with each new transcript, so the limits bound the time of one transcript: at most
about 30 ms for all rules of an assistant, however they and the text are chosen.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bargein.errors import BargeinError
from bargein.patterns import LONGEST_PATTERN, Pattern, PatternError, compile_javascript
from bargein.wire.base import Bool, JsonObject, Number, WireModel
from bargein.wire.json import as_list, as_object, as_objects

MOST_RULES = 100
"""The most rules of an assistant."""
MOST_CHARACTERS = 20_000
"""The most characters of all patterns of an assistant together."""
MOST_INSTRUCTIONS = 3000
"""The largest size of all patterns of an assistant together (`Pattern.size`)."""

RuleSeconds = Annotated[Number, Field(ge=0, le=15)]

_REGEXES = ("regex", "assistantRegex", "customerRegex")


class RuleSizeError(BargeinError, ValueError):
    """The rules of an assistant are too large together."""


class RegexOption(WireModel):
    """An option of a rule's pattern; a disabled one has no effect."""

    type: Literal["ignore-case", "whole-word", "multi-line"]
    enabled: Bool


def compile_regex(pattern: str, options: list[RegexOption] | None = None) -> Pattern:
    """Compile a rule's JavaScript pattern.

    Raises:
        PatternError: the pattern is not valid, too large, or has a look-around or a back-reference.
    """
    on = {option.type for option in options or () if option.enabled}
    flags = ("i" if "ignore-case" in on else "") + ("m" if "multi-line" in on else "")
    return compile_javascript(pattern, flags, whole_word="whole-word" in on)


def _compiles(pattern: str) -> str:
    compile_regex(pattern)
    return pattern


Regex = Annotated[str, Field(max_length=LONGEST_PATTERN), AfterValidator(_compiles)]
RegexOptions = Annotated[list[RegexOption], Field(max_length=10)]


class AssistantRule(WireModel):
    """Waits `timeout_seconds` if the assistant's last message matches."""

    type: Literal["assistant"]
    regex: Regex
    regex_options: RegexOptions | None = None
    timeout_seconds: RuleSeconds


class CustomerRule(WireModel):
    """Waits `timeout_seconds` if the caller's words match."""

    type: Literal["customer"]
    regex: Regex
    regex_options: RegexOptions | None = None
    timeout_seconds: RuleSeconds


class BothRule(WireModel):
    """Waits `timeout_seconds` if both sides' words match."""

    type: Literal["both"]
    assistant_regex: Regex
    assistant_regex_options: RegexOptions | None = None
    customer_regex: Regex
    customer_regex_options: RegexOptions | None = None
    timeout_seconds: RuleSeconds


EndpointingRule = Annotated[AssistantRule | CustomerRule | BothRule, Field(discriminator="type")]


def patterns_of(rule: AssistantRule | CustomerRule | BothRule) -> tuple[Pattern | None, Pattern | None]:
    """Return a rule's patterns for the assistant's message and for the caller's words; None: any.

    Raises:
        PatternError: a pattern cannot be compiled with its options.
    """
    match rule:
        case AssistantRule():
            return compile_regex(rule.regex, rule.regex_options), None
        case CustomerRule():
            return None, compile_regex(rule.regex, rule.regex_options)
        case BothRule():
            assistant = compile_regex(rule.assistant_regex, rule.assistant_regex_options)
            return assistant, compile_regex(rule.customer_regex, rule.customer_regex_options)


def size_of(rule: JsonObject) -> int:
    """Return the size of a rule's patterns.

    Raises:
        PatternError: a pattern is not supported.
    """
    return sum(_size(rule, name) for name in _REGEXES if isinstance(rule.get(name), str))


def characters_of(rule: JsonObject) -> int:
    """Return the number of characters of a rule's patterns."""
    return sum(len(text) for name in _REGEXES if isinstance(text := rule.get(name), str))


def _within_limits(given: object) -> object:
    """Check the limits on all patterns together. What comes after a rule with a broken pattern is not looked at.

    This is done before the rules are validated, so that the time for patterns that are refused is limited, too.
    """
    rules = as_list(given)
    if len(rules) > MOST_RULES:
        return given  # refused by its length
    characters = size = 0
    for index, rule in enumerate(map(as_object, rules)):
        characters += characters_of(rule)
        try:
            size += size_of(rule) if characters <= MOST_CHARACTERS else 0
        except PatternError:
            return rules[: index + 1]  # refused by this pattern, with its path
        if characters > MOST_CHARACTERS:
            raise RuleSizeError(f"must have no more than {MOST_CHARACTERS} characters in all patterns together")
        if size > MOST_INSTRUCTIONS:
            raise RuleSizeError(f"must be smaller: all patterns together have more than {MOST_INSTRUCTIONS} steps")
    return given


EndpointingRules = Annotated[
    list[EndpointingRule],
    BeforeValidator(_within_limits),
    Field(max_length=MOST_RULES),
]


def usable_rules(given: object) -> list[object]:
    """Return the rules that this server can run, in order.

    Left out are rules whose patterns are not supported, and all after the first that exceeds a limit. Rules of another
    form are kept, for validation to refuse.

    Args:
        given: `customEndpointingRules` of an assistant that was stored before the limits.
    """
    usable: list[object] = []
    characters = size = 0
    for one in as_list(given)[:MOST_RULES]:
        rule = as_object(one)
        characters += characters_of(rule)
        if characters > MOST_CHARACTERS:
            break
        try:
            size += size_of(rule)
        except PatternError:
            continue
        if size > MOST_INSTRUCTIONS:
            break
        usable.append(one)
    return usable


def _size(rule: JsonObject, name: str) -> int:
    if len(rule[name]) > LONGEST_PATTERN:
        raise PatternError("is too long")  # validation has its own text for that
    options = {str(o.get("type")) for o in as_objects(rule.get(f"{name}Options")) if o.get("enabled") is True}
    flags = ("i" if "ignore-case" in options else "") + ("m" if "multi-line" in options else "")
    return compile_javascript(str(rule[name]), flags, whole_word="whole-word" in options).size

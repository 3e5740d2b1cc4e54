"""Compilation of an assistant's JSON to the engine's plan."""

from dataclasses import replace
from typing import Any, Literal

from bargein.call.plan.hooks import compile_hooks
from bargein.errors import BargeinError
from bargein.patterns import PatternError
from bargein.turns import Plan
from bargein.turns.endpointing.wait_function import WaitFunctionError, compile_expression
from bargein.turns.languages import ENGLISH_CODE, find_language, key_of_tags
from bargein.turns.plan import WAIT_FUNCTION, Rule
from bargein.wire.assistant import Assistant
from bargein.wire.ended import failed_reason
from bargein.wire.endpointing_rules import AssistantRule, BothRule, CustomerRule, patterns_of
from bargein.wire.plans import (
    CustomEndpointing,
    KrispEndpointing,
    LivekitEndpointing,
    StartSpeakingPlan,
    StopSpeakingPlan,
    VapiEndpointing,
)
from bargein.wire.providers import AssistantModel, AssistantTranscriber, AssistantVoice

_KRISP_THRESHOLD = 0.5
"""Vapi's default of the `krisp` plan's `threshold`."""
_DEFAULT_ASK_MS = 1000
_LONGEST_ASK_MS = 5000
_LONGEST_DELAY_MS = 5000


class PlanError(BargeinError, ValueError):
    """A field of the assistant's plans cannot be compiled; the text names the field."""


def compile_plan(assistant: Assistant, *, preemptive: bool = False) -> Plan:
    """Compile `startSpeakingPlan`, `stopSpeakingPlan` and the other fields of an assistant that concern turns.

    Fields that the assistant does not set keep the engine's defaults, which are Vapi's; those of `stopSpeakingPlan`'s
    phrases are in the language of its transcriber. But an assistant that sets neither `numWords` nor `voiceSeconds`
    gets adaptive interruption (`Plan.adaptive_interruption`), and one whose `startSpeakingPlan` does not say when a
    turn is over gets adaptive endpointing (`Plan.adaptive_endpointing`).

    Args:
        assistant: the assistant.
        preemptive: whether its model may be asked before the turn is surely over.

    Raises:
        PlanError: a `waitFunction` that cannot be parsed.
    """
    language = find_language(language_key(assistant))
    plan = replace(
        Plan(preemptive=preemptive),
        **_given(
            language=language.code,
            acknowledgement_phrases=language.acknowledgements,
            interruption_phrases=language.interruptions,
            first_message=assistant.first_message,
            first_message_mode=assistant.first_message_mode,
            first_message_interruptible=assistant.first_message_interruptions_enabled,
            remember_model_output=assistant.model_output_in_messages_enabled,
            end_call_phrases=_tuple(assistant.end_call_phrases),
            max_duration_ms=_ms(assistant.max_duration_seconds),
            silence_timeout_ms=_ms(assistant.silence_timeout_seconds),
            num_words=assistant.num_words_to_interrupt_assistant,
            adaptive_interruption=assistant.num_words_to_interrupt_assistant is None,
            failure_message=language.failure_message,
            model_failed_reason=_failed_reason("llm", assistant.model),
            voice_failed_reason=_failed_reason("voice", assistant.voice),
            transcriber_failed_reason=_failed_reason("transcriber", assistant.transcriber),
            hooks=compile_hooks(assistant.model_dump(by_alias=True, exclude_none=True, mode="json")).hooks,
        ),
    )
    if assistant.stop_speaking_plan is not None:
        plan = with_stop_speaking(plan, assistant.stop_speaking_plan)
    start = assistant.start_speaking_plan or StartSpeakingPlan()
    if start.smart_endpointing_enabled is None and assistant.smart_endpointing_enabled is not None:
        start = start.model_copy(update={"smart_endpointing_enabled": assistant.smart_endpointing_enabled})
    return with_start_speaking(_with_delays(plan, assistant), _with_response_delay(start, assistant))


def _with_delays(plan: Plan, assistant: Assistant) -> Plan:
    """Return the plan with `llmRequestDelaySeconds`: the least pause after which the model is asked."""
    delay_ms = _ms(assistant.llm_request_delay_seconds)
    if delay_ms is None or delay_ms < 0:
        return plan
    delay_ms = min(delay_ms, _LONGEST_DELAY_MS)
    least_ms = max(plan.min_pause_ms, delay_ms)
    return replace(
        plan, on_punctuation_ms=delay_ms, min_pause_ms=least_ms, max_pause_ms=max(plan.max_pause_ms, least_ms)
    )


def _with_response_delay(start: StartSpeakingPlan, assistant: Assistant) -> StartSpeakingPlan:
    """Return the plan with `responseDelaySeconds`, the older name of `waitSeconds`."""
    delay_s = assistant.response_delay_seconds
    if delay_s is None or start.wait_seconds is not None:
        return start
    return start.model_copy(update={"wait_seconds": min(max(delay_s, 0), _LONGEST_DELAY_MS / 1000)})


def language_key(assistant: Assistant) -> str:
    """Return the key of the language that the caller of an assistant speaks, as `Plan.language`.

    It is that of `transcriber.languages` or `transcriber.language`, and English if there is neither. An empty list
    stands for any language.
    """
    return ENGLISH_CODE if assistant.transcriber is None else key_of_tags(assistant.transcriber.tags)


def with_stop_speaking(plan: Plan, stop: StopSpeakingPlan) -> Plan:
    """Return the plan with a `stopSpeakingPlan` applied."""
    return replace(
        plan,
        **_given(
            num_words=None if stop.num_words is None else int(stop.num_words),
            voice_ms=_ms(stop.voice_seconds),
            adaptive_interruption=None if stop.num_words is None and stop.voice_seconds is None else False,
            backoff_ms=_ms(stop.backoff_seconds),
            acknowledgement_phrases=_tuple(stop.acknowledgement_phrases),
            interruption_phrases=_tuple(stop.interruption_phrases),
        ),
    )


def with_start_speaking(plan: Plan, start: StartSpeakingPlan) -> Plan:
    """Return the plan with a `startSpeakingPlan` applied.

    Raises:
        PlanError: a `waitFunction` that cannot be parsed.
    """
    by_words = start.transcription_endpointing_plan
    rules = start.custom_endpointing_rules
    return replace(
        plan,
        **_given(
            wait_ms=_ms(start.wait_seconds),
            on_punctuation_ms=_ms(by_words.on_punctuation_seconds) if by_words else None,
            on_no_punctuation_ms=_ms(by_words.on_no_punctuation_seconds) if by_words else None,
            on_number_ms=_ms(by_words.on_number_seconds) if by_words else None,
            wait_function=_wait_function(start),
            endpointing_timeout_ms=_endpointing_timeout_ms(start),
            adaptive_endpointing=_adaptive_endpointing(start),
            adaptive_wait_ms=_adaptive_wait_ms(start, plan),
            rules=None if rules is None else _rules(rules),
        ),
    )


def _is_open(start: StartSpeakingPlan) -> bool:
    """Return True if the plan does not say when a turn is over, but for `customEndpointingRules`."""
    given = (start.smart_endpointing_plan, start.transcription_endpointing_plan, start.smart_endpointing_enabled)
    return given == (None, None, None)


def _adaptive_wait_ms(start: StartSpeakingPlan, plan: Plan) -> int:
    """Return `waitSeconds` for adaptive endpointing; 0 if the whole plan is open, so that only the pause counts."""
    if start.wait_seconds is not None:
        return round(start.wait_seconds * 1000)
    return 0 if _is_open(start) else plan.wait_ms


def _adaptive_endpointing(start: StartSpeakingPlan) -> bool:
    """Return whether the embedded model judges pauses: if the plan is open, or asks for the server's own model."""
    smart = start.smart_endpointing_plan
    asked_for = isinstance(smart, VapiEndpointing) or (smart is None and start.smart_endpointing_enabled is True)
    return asked_for or _is_open(start)


def _wait_function(start: StartSpeakingPlan) -> str | None:
    """Return the wait function of the smart plan; None: the transcription plan applies.

    Provider `vapi` has no function of its own in the schema, and gets the default one.
    """
    smart = start.smart_endpointing_plan
    if isinstance(smart, LivekitEndpointing) and smart.wait_function:
        try:
            compile_expression(smart.wait_function)
        except WaitFunctionError as error:
            raise PlanError(f"startSpeakingPlan.smartEndpointingPlan.waitFunction: {error}") from None
        return smart.wait_function
    if isinstance(smart, KrispEndpointing):
        return _with_threshold(_KRISP_THRESHOLD if smart.threshold is None else smart.threshold)
    if isinstance(smart, VapiEndpointing | LivekitEndpointing) or (smart is None and start.smart_endpointing_enabled):
        return WAIT_FUNCTION
    return None


def _with_threshold(threshold: float) -> str:
    """Return the default wait function with its x shifted, so that x is a half where the threshold is reached."""
    over = min(max(threshold, 0.01), 0.99)
    x = f"({over:g} * x / ({over:g} * x + {1 - over:g} * (1 - x)))"
    return WAIT_FUNCTION.replace("x", x)


def _endpointing_timeout_ms(start: StartSpeakingPlan) -> int | None:
    """Return how long the owner's endpointing model may take (`server.timeoutSeconds`); None: there is none."""
    smart = start.smart_endpointing_plan
    if not isinstance(smart, CustomEndpointing):
        return None
    seconds = smart.server.timeout_seconds if smart.server is not None else None
    return _DEFAULT_ASK_MS if seconds is None else min(_LONGEST_ASK_MS, int(seconds * 1000))


def _rules(rules: list[AssistantRule | CustomerRule | BothRule]) -> tuple[Rule, ...]:
    try:
        return tuple(map(_rule, rules))
    except PatternError as error:
        raise PlanError(f"startSpeakingPlan.customEndpointingRules {error}") from None


def _rule(rule: AssistantRule | CustomerRule | BothRule) -> Rule:
    assistant, customer = patterns_of(rule)
    return Rule(
        assistant=None if assistant is None else assistant.source,
        assistant_flags="" if assistant is None else assistant.flags,
        customer=None if customer is None else customer.source,
        customer_flags="" if customer is None else customer.flags,
        timeout_ms=_ms(rule.timeout_seconds) or 0,
    )


def _failed_reason(
    part: Literal["llm", "voice", "transcriber"],
    given: AssistantModel | AssistantVoice | AssistantTranscriber | None,
) -> str | None:
    """Return the `endedReason` for a failed part; None if the assistant does not name it."""
    return None if given is None else failed_reason(part, given.provider)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)

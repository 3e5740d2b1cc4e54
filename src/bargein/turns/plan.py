"""The plan of a call: its rules, compiled once from the assistant. Defaults are Vapi's where Vapi has the field."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast

from bargein.turns.hooks.plan import Hook, hook_from_json
from bargein.turns.languages import ENGLISH_CODE, find_language

FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user"
]

ACKNOWLEDGEMENT_PHRASES = find_language(ENGLISH_CODE).acknowledgements
"""Default of `stopSpeakingPlan.acknowledgementPhrases` in English, which is Vapi's."""

INTERRUPTION_PHRASES = find_language(ENGLISH_CODE).interruptions
"""Default of `stopSpeakingPlan.interruptionPhrases` in English, which is Vapi's."""

WAIT_FUNCTION = "20 + 500 * sqrt(x) + 2500 * x^3"
"""Default of `smartEndpointingPlan.waitFunction`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One of `startSpeakingPlan.customEndpointingRules`.

    Attributes:
        assistant: regular expression in RE2's syntax for the assistant's last message; None: any.
        customer: the same for the words of the caller's turn; None: any.
        assistant_flags: JavaScript's flags i, m and s for `assistant`.
        customer_flags: the same for `customer`.
        timeout_ms: how long to wait if both match (`timeoutSeconds`).
    """

    assistant: str | None = None
    customer: str | None = None
    assistant_flags: str = ""
    customer_flags: str = ""
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All rules of the engine that depend on the assistant.

    Attributes:
        language: the caller's language, as `bargein.turns.languages.key_of_tags` gives it: a code, several joined by
            "+", or `multi`.
        num_words: `stopSpeakingPlan.numWords`; 0: `voice_ms` of voice or any word interrupts.
        voice_ms: `stopSpeakingPlan.voiceSeconds`.
        adaptive_interruption: the assistant gives neither `numWords` nor `voiceSeconds`, so growing evidence decides
            (`bargein.turns.interruption.evidence`).
        unduck_after_ms: how long a voice must be silent for a ducked reply to come back to its full level.
        backoff_ms: `stopSpeakingPlan.backoffSeconds`: no assistant audio for this long after an interruption.
        acknowledgement_phrases: `stopSpeakingPlan.acknowledgementPhrases`: they never interrupt.
        interruption_phrases: `stopSpeakingPlan.interruptionPhrases`: they always interrupt.
        wait_ms: `startSpeakingPlan.waitSeconds`: no assistant audio for this long after the end of the turn.
        on_punctuation_ms: `transcriptionEndpointingPlan.onPunctuationSeconds`.
        on_no_punctuation_ms: `transcriptionEndpointingPlan.onNoPunctuationSeconds`.
        on_number_ms: `transcriptionEndpointingPlan.onNumberSeconds`.
        adaptive_endpointing: the assistant does not say when a turn is over, so each pause is judged
            (`bargein.turns.endpointing.end_of_turn`).
        max_cutoff_risk: the greatest probability of cutting the caller off in a judged pause, from 0 to 1.
        pause_decay_ms: of the pauses within a turn that only their length distinguishes from its end, one in e is
            longer than this.
        min_pause_ms: the shortest judged pause.
        max_pause_ms: the longest judged pause.
        adaptive_wait_ms: replaces `wait_ms` after a judged pause, which was long enough already.
        preemptive: the model is asked before it is certain that the turn is over
            (`bargein.turns.endpointing.preemptive`).
        wait_function: `smartEndpointingPlan.waitFunction`; None: no smart endpointing. Its x comes from the end-of-turn
            detector, or from the words without one. It does not apply where `adaptive_endpointing` does.
        endpointing_timeout_ms: how long the owner's endpointing model may take to answer
            (`smartEndpointingPlan` with provider `custom-endpointing-model`); None: there is none.
        rules: `startSpeakingPlan.customEndpointingRules`, in order; the first that matches counts.
        first_message: `firstMessage`.
        first_message_mode: `firstMessageMode`.
        first_message_interruptible: `firstMessageInterruptionsEnabled`.
        remember_model_output: `modelOutputInMessagesEnabled`: the history holds the whole model output, heard or not.
        end_call_phrases: `endCallPhrases`: the call ends once the assistant has said one.
        max_duration_ms: `maxDurationSeconds`.
        silence_timeout_ms: `silenceTimeoutSeconds`: the call ends when the caller has said no words and heard
            nothing for this long.
        hooks: `hooks`, and `messagePlan.idleMessages`.
        speech_stopped_ms: how long the caller must be silent for `speech-update` to say stopped.
        transcript_timeout_ms: how long after the end of a voice its words may still come.
        false_interruption_timeout_ms: the same after an interruption by evidence: without a word by then it was a false
            interruption.
        smooth_resume: after a false interruption the assistant resumes at the beginning of a clause, and the voice has
            been asked for that before (`bargein.turns.interruption.recovery`). Off in journals of earlier versions.
        background_voice_ms: a voice that brings no new words for this long is background noise.
        hang_ms: a reply without progress for this long is reported by `hang`.
        stall_ms: a reply without progress, or of which nothing is heard, for this long ends the call.
        model_failed_reason: the `endedReason` when the model has stalled.
        voice_failed_reason: the `endedReason` when the voice has stalled.
        transcriber_failed_reason: the `endedReason` when the caller speaks and the transcriber says nothing of it.
        failure_message: said before the call ends because its model has failed; empty: nothing is said. Empty in
            journals of earlier versions.
        unheard_voice_ms: a call that ends by `silence_timeout_ms` ends by the transcriber's fault if so much voice of
            the caller came without any transcript; 0: never. 0 in journals of earlier versions.
    """

    language: str = ENGLISH_CODE
    num_words: int = 0
    voice_ms: int = 200
    adaptive_interruption: bool = False
    unduck_after_ms: int = 250
    backoff_ms: int = 1000
    acknowledgement_phrases: tuple[str, ...] = ACKNOWLEDGEMENT_PHRASES
    interruption_phrases: tuple[str, ...] = INTERRUPTION_PHRASES
    wait_ms: int = 400
    on_punctuation_ms: int = 100
    on_no_punctuation_ms: int = 1500
    on_number_ms: int = 500
    adaptive_endpointing: bool = False
    max_cutoff_risk: float = 0.15
    pause_decay_ms: int = 800
    min_pause_ms: int = 350
    max_pause_ms: int = 2000
    adaptive_wait_ms: int = 0
    preemptive: bool = False
    wait_function: str | None = None
    endpointing_timeout_ms: int | None = None
    rules: tuple[Rule, ...] = ()
    first_message: str | None = None
    first_message_mode: FirstMessageMode = "assistant-speaks-first"
    first_message_interruptible: bool = False
    remember_model_output: bool = False
    end_call_phrases: tuple[str, ...] = ()
    max_duration_ms: int = 600_000
    silence_timeout_ms: int = 30_000
    hooks: tuple[Hook, ...] = ()
    speech_stopped_ms: int = 300
    transcript_timeout_ms: int = 1200
    false_interruption_timeout_ms: int = 450
    smooth_resume: bool = True
    background_voice_ms: int = 5000
    hang_ms: int = 4000
    stall_ms: int = 30_000
    model_failed_reason: str = "pipeline-error-vapi-llm-failed"
    voice_failed_reason: str = "pipeline-error-vapi-voice-failed"
    transcriber_failed_reason: str = "pipeline-error-vapi-transcriber-failed"
    failure_message: str = ""
    unheard_voice_ms: int = 4000

    @property
    def judges_pauses(self) -> bool:
        """Return True if pauses are judged, for adaptive endpointing or as the x of a wait function."""
        return self.adaptive_endpointing or self.wait_function is not None

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values, for the head of a journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Plan":
        """Read a plan from the values of `to_json`.

        Raises:
            ValueError: a field is unknown.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"a plan has no {', '.join(unknown)}")
        values: dict[str, Any] = {k: tuple(cast("list[Any]", v)) if isinstance(v, list) else v for k, v in data.items()}
        if "rules" in values:
            values["rules"] = tuple(Rule(**rule) for rule in values["rules"])
        if "hooks" in values:
            values["hooks"] = tuple(hook_from_json(hook) for hook in values["hooks"])
        return cls(**values)

"""The rules a call runs by, compiled once from the assistant. Defaults are Vapi's where Vapi has the field."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast

from bargein.turns.hooks.plan import Hook, hook_from_json

FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user"
]

ACKNOWLEDGEMENT_PHRASES = (
    "i understand", "i see", "i got it", "i hear you", "im listening", "im with you", "right", "okay", "ok", "sure",
    "alright", "got it", "understood", "yeah", "yes", "uh-huh", "mm-hmm", "gotcha", "mhmm", "ah", "yeah okay",
    "yeah sure",
)  # fmt: skip
"""Default of `stopSpeakingPlan.acknowledgementPhrases`."""

INTERRUPTION_PHRASES = (
    "stop", "shut", "up", "enough", "quiet", "silence", "but", "dont", "not", "no", "hold", "wait", "cut", "pause",
    "nope", "nah", "nevermind", "never", "bad", "actually",
)  # fmt: skip
"""Default of `stopSpeakingPlan.interruptionPhrases`."""

WAIT_FUNCTION = "20 + 500 * sqrt(x) + 2500 * x^3"
"""Default of `smartEndpointingPlan.waitFunction`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One of `startSpeakingPlan.customEndpointingRules`.

    Attributes:
        assistant: pattern for the assistant's last message; None: not looked at.
        customer: pattern for what the caller has said; None: not looked at.
        assistant_flags: of JavaScript's flags, those that mean something here: i, m, s.
        customer_flags: the same for `customer`.
        timeout_ms: how long to wait when the patterns match.
    """

    assistant: str | None = None
    customer: str | None = None
    assistant_flags: str = ""
    customer_flags: str = ""
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the engine is told before the call begins.

    Attributes:
        num_words: `stopSpeakingPlan.numWords`; 0: the voice alone decides, or a word, whichever is first.
        voice_ms: `stopSpeakingPlan.voiceSeconds`.
        by_evidence: the assistant gives neither `numWords` nor `voiceSeconds`, so evidence decides
            (`bargein.turns.interruption.evidence`).
        ease_ms: how long a voice must be silent for a ducked reply to come back.
        backoff_ms: `stopSpeakingPlan.backoffSeconds`: no assistant audio for this long after an interruption.
        acknowledgement_phrases: never interrupt.
        interruption_phrases: always interrupt.
        wait_ms: `startSpeakingPlan.waitSeconds`: no assistant audio for this long after the caller's turn is over.
        on_punctuation_ms: `transcriptionEndpointingPlan.onPunctuationSeconds`.
        on_no_punctuation_ms: `transcriptionEndpointingPlan.onNoPunctuationSeconds`.
        on_number_ms: `transcriptionEndpointingPlan.onNumberSeconds`.
        by_judgement: the assistant does not say when a turn is over, so each pause is judged
            (`bargein.turns.endpointing.end_of_turn`).
        cut_risk: how likely that may be to cut the caller off, pause by pause, from 0 to 1.
        least_pause_ms: no judged pause is shorter than this.
        longest_pause_ms: nor longer, whatever it is taken for.
        judged_wait_ms: what then stands for `wait_ms`: the pause that was waited for has been long enough.
        drafts: whether the model is asked before it is certain that the turn is over
            (`bargein.turns.endpointing.preemptive`).
        wait_function: `smartEndpointingPlan.waitFunction`; None: no smart endpointing. Its x is the judge's, or the
            words' where nobody judges; it decides unless `by_judgement` does.
        ask_ms: how long an endpointing model of the owner's may take to say how long to wait; None: there is none.
        rules: `customEndpointingRules`, in order; the first that matches counts.
        first_message: `firstMessage`.
        first_message_mode: `firstMessageMode`.
        first_message_interruptible: `firstMessageInterruptionsEnabled`.
        remember_model_output: `modelOutputInMessagesEnabled`: history holds all the model put out, heard or not.
        end_call_phrases: `endCallPhrases`: the call ends once the assistant has said one.
        max_duration_ms: `maxDurationSeconds`.
        silence_timeout_ms: `silenceTimeoutSeconds`: the call ends when nobody has said anything for this long.
        hooks: `hooks`, and `messagePlan.idleMessages`.
        silence_hang_ms: how long the caller must be silent for `speech-update` to say stopped.
        words_grace_ms: how long after the voice stopped its words may still come.
        alarm_grace_ms: the same where evidence has cut a reply: with no word by then it was a false alarm.
        stuck_voice_ms: a voice that brings no new words for this long is background, not a caller who holds the floor.
        hang_ms: a reply that shows no sign of life for this long is reported by `hang`.
        stall_ms: and for this long, ends the call.
        model_failed_reason: the `endedReason` when it was the model that stalled.
        voice_failed_reason: the `endedReason` when it was the voice.
    """

    num_words: int = 0
    voice_ms: int = 200
    by_evidence: bool = False
    ease_ms: int = 250
    backoff_ms: int = 1000
    acknowledgement_phrases: tuple[str, ...] = ACKNOWLEDGEMENT_PHRASES
    interruption_phrases: tuple[str, ...] = INTERRUPTION_PHRASES
    wait_ms: int = 400
    on_punctuation_ms: int = 100
    on_no_punctuation_ms: int = 1500
    on_number_ms: int = 500
    by_judgement: bool = False
    cut_risk: float = 0.3
    least_pause_ms: int = 400
    longest_pause_ms: int = 2000
    judged_wait_ms: int = 0
    drafts: bool = False
    wait_function: str | None = None
    ask_ms: int | None = None
    rules: tuple[Rule, ...] = ()
    first_message: str | None = None
    first_message_mode: FirstMessageMode = "assistant-speaks-first"
    first_message_interruptible: bool = False
    remember_model_output: bool = False
    end_call_phrases: tuple[str, ...] = ()
    max_duration_ms: int = 600_000
    silence_timeout_ms: int = 30_000
    hooks: tuple[Hook, ...] = ()
    silence_hang_ms: int = 300
    words_grace_ms: int = 1200
    alarm_grace_ms: int = 450
    stuck_voice_ms: int = 5000
    hang_ms: int = 4000
    stall_ms: int = 30_000
    model_failed_reason: str = "pipeline-error-vapi-llm-failed"
    voice_failed_reason: str = "pipeline-error-vapi-voice-failed"

    @property
    def judges_pauses(self) -> bool:
        """Whether pauses are judged: where `by_judgement` decides, or a wait function wants to know how likely."""
        return self.by_judgement or self.wait_function is not None

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values, for the head of a journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Plan":
        """The inverse of `to_json`; a field this version does not know is an error.

        Raises:
            ValueError: an unknown field.
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

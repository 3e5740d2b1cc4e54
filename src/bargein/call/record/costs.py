"""The costs of a call (Vapi's `costs`, `costBreakdown`, `cost`), from its use of providers and the owner's prices."""

from collections.abc import Sequence
from typing import Any

from bargein.call.record.usage import Usage, Use
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object, as_objects, as_string
from bargein.wire.prices import ModelPrice, Prices, price_of

_MS_PER_MINUTE = 60_000
_DIGITS = 6
"""Digits of a sum in US dollars behind the point."""

_NO_TABLE = "no prices are set: the costs are 0 (BARGEIN_PRICES)"
_NO_PRICE = "there is no price for it"
_ESTIMATED = "the tokens are estimated: the model reported none for some answers"

_TRANSPORTS = {"vapi": "vapi.sip"}
_KNOWN_TRANSPORTS = frozenset({"daily", "vapi.websocket", "twilio", "vonage", "telnyx", "vapi.sip"})
"""The providers that Vapi's `TransportCost` may name; of another carrier the cost has no provider."""

ANALYSES = ("summary", "structuredData", "successEvaluation", "structuredOutput")
"""The kinds of analysis that Vapi's `AnalysisCost` names."""


def cost_fields(call: JsonObject, usage: Usage, prices: Prices | None, ended_ms: int) -> JsonObject:
    """Return `cost`, `costs` and `costBreakdown` of a call that is over.

    Args:
        call: the call's record.
        usage: its use of providers.
        prices: the owner's prices; None: there are none, and every cost is 0.
        ended_ms: when it ended, in milliseconds of the call.
    """
    table = prices or Prices()
    minutes = max(0, ended_ms) / _MS_PER_MINUTE
    costs = [
        _transport(call, table, minutes),
        *(_transcriber(use, table, ms / _MS_PER_MINUTE) for use, ms in usage.transcriber_ms(ended_ms)),
        *(_model(use, table) for use in usage.of("model")),
        *(_voice(use, table) for use in usage.of("voice")),
        {
            "type": "vapi", "subType": "normal", "minutes": _rounded(minutes),
            "cost": _rounded(minutes * (table.vapi or 0.0)), **_note(table.vapi),
        },
    ]  # fmt: skip
    return summed(costs, "" if prices is not None else _NO_TABLE)


def summed(costs: Sequence[JsonObject], note: str = "") -> JsonObject:
    """Return `cost`, `costs` and `costBreakdown` of these costs.

    Args:
        costs: Vapi's `costs`.
        note: a sentence for the breakdown; empty: none.
    """

    def total(kind: str, name: str = "cost", **fields: object) -> Any:
        chosen = (one for one in costs if one["type"] == kind and fields.items() <= one.items())
        return _rounded(sum(one.get(name, 0) for one in chosen))

    analysis: JsonObject = {}
    for kind in ANALYSES:
        analysis[kind] = total("analysis", analysisType=kind)
        for tokens in ("promptTokens", "completionTokens", "cachedPromptTokens"):
            analysis[kind + tokens[0].upper() + tokens[1:]] = total("analysis", tokens, analysisType=kind)
    cost = _rounded(sum(one["cost"] for one in costs))
    breakdown: JsonObject = {
        "transport": total("transport"),
        "stt": total("transcriber"),
        "llm": total("model"),
        "tts": total("voice"),
        "vapi": total("vapi"),
        "chat": 0,
        "total": cost,
        "llmPromptTokens": total("model", "promptTokens"),
        "llmCompletionTokens": total("model", "completionTokens"),
        "llmCachedPromptTokens": total("model", "cachedPromptTokens"),
        "ttsCharacters": total("voice", "characters"),
        "analysisCostBreakdown": analysis,
    }
    return {"cost": cost, "costs": list(costs), "costBreakdown": breakdown | ({"note": note} if note else {})}


def analysis_cost(kind: str, use: Use, prices: Prices | None) -> JsonObject:
    """Return the cost of one analysis of a call by a model (Vapi's `AnalysisCost`).

    Args:
        kind: one of `ANALYSES`.
        use: the use of the model.
        prices: the owner's prices; None: there are none.
    """
    return {**_model(use, prices or Prices()), "type": "analysis", "analysisType": kind}


def model_costs(usage: Usage, prices: Prices | None) -> JsonObject:
    """Return `cost` and `costs` of models alone, as an eval has them; each without a price says so in its `note`.

    Args:
        usage: the use of the models.
        prices: the owner's prices; None: there are none, and every cost is 0.
    """
    costs = [_model(use, prices or Prices()) for use in usage.of("model")]
    return {"cost": _rounded(sum(one["cost"] for one in costs)), "costs": costs}


def analysed_fields(call: JsonObject, analysis: JsonObject, costs: Sequence[JsonObject] = ()) -> JsonObject:
    """Return the fields that a call's record gets when the call has been analysed: the analysis, and its costs.

    This is the only place where an analysis becomes a part of a record; the `end-of-call-report` follows from there.

    Args:
        call: the record of the ended call.
        analysis: Vapi's `Analysis`; without a field for what was not asked for.
        costs: the costs of the analysis (`analysis_cost`); those of an earlier one are replaced.
    """
    others = [one for one in as_objects(call.get("costs")) if one.get("type") != "analysis"]
    note = as_string(as_object(call.get("costBreakdown")).get("note")) or ""
    return {"analysis": analysis, "summary": analysis.get("summary") or "", **summed([*others, *costs], note)}


def _transport(call: JsonObject, table: Prices, minutes: float) -> JsonObject:
    given = as_string(as_object(call.get("transport")).get("provider")) or as_string(call.get("phoneCallProvider"))
    provider = _TRANSPORTS.get(given or "", given or "")
    price = table.transport.get(provider)
    known = {"provider": provider} if provider in _KNOWN_TRANSPORTS else {}
    return {
        "type": "transport", **known, "minutes": _rounded(minutes), "cost": _rounded(minutes * (price or 0.0)),
        **_note(price),
    }  # fmt: skip


def _transcriber(use: Use, table: Prices, minutes: float) -> JsonObject:
    price = price_of(table.transcriber, use.provider, use.model)
    return {
        "type": "transcriber", "transcriber": _named(use, "model"), "minutes": _rounded(minutes),
        "cost": _rounded(minutes * (price or 0.0)), **_note(price),
    }  # fmt: skip


def _model(use: Use, table: Prices) -> JsonObject:
    price = price_of(table.model, use.provider, use.model)
    return {
        "type": "model", "model": _named(use, "model"), "promptTokens": use.prompt_tokens,
        "completionTokens": use.completion_tokens, "cachedPromptTokens": use.cached_prompt_tokens,
        "cost": 0.0 if price is None else _rounded(_tokens_cost(use, price)), **_note(price, use.estimated),
    }  # fmt: skip


def _tokens_cost(use: Use, price: ModelPrice) -> float:
    cached = min(use.cached_prompt_tokens, use.prompt_tokens)
    cached_price = price.prompt if price.cached_prompt is None else price.cached_prompt
    prompt = (use.prompt_tokens - cached) * price.prompt + cached * cached_price
    return (prompt + use.completion_tokens * price.completion) / 1_000_000


def _voice(use: Use, table: Prices) -> JsonObject:
    price = price_of(table.voice, use.provider, use.model)
    return {
        "type": "voice", "voice": _named(use, "voiceId"), "characters": use.characters,
        "cost": _rounded(use.characters / 1000 * (price or 0.0)), **_note(price),
    }  # fmt: skip


def _named(use: Use, field: str) -> JsonObject:
    return {"provider": use.provider} | ({field: use.model} if use.model else {})


def _note(price: object, estimated: bool = False) -> JsonObject:  # noqa: FBT001, FBT002  # whether a second note stands there
    notes = [*([_NO_PRICE] if price is None else []), *([_ESTIMATED] if estimated else [])]
    return {"note": "; ".join(notes)} if notes else {}


def _rounded(value: float) -> float:
    return round(value, _DIGITS)

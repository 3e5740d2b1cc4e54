"""Denoising of the caller's audio for the transcriber, by a denoiser of the operator's (`BARGEIN_DENOISER`).

None is packaged: pyrnnoise, webrtc-noise-gain, hush and DeepFilterNet were measured with the embedded transcriber at
5 dB of noise. Its word error rate was 34.1 % without them and 33.9 to 47.8 % with them, and commands were understood
30 to 90 ms later.
"""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from bargein.errors import BargeinError
from bargein.ports import Denoiser
from bargein.wire.base import JsonObject
from bargein.wire.json import as_object_or_none

DenoiserFactory = Callable[[], Denoiser]

NO_DENOISER = (
    "has no effect on this server without BARGEIN_DENOISER: no denoiser that was measured improves the transcript "
    "(word error rate at 5 dB of noise: 34.1 % without, 33.9 to 47.8 % with one), and all make commands 30 to 90 ms "
    "later"
)


class DenoiserError(BargeinError):
    """`BARGEIN_DENOISER` names nothing that can be used; the text says why."""


def denoising_field(assistant: JsonObject) -> str | None:
    """Return the field by which an assistant asks for denoising (`smartDenoisingPlan` is on by default); None: none."""
    if assistant.get("backgroundDenoisingEnabled") is True:
        return "backgroundDenoisingEnabled"
    plan = as_object_or_none(assistant.get("backgroundSpeechDenoisingPlan"))
    for name, default in (("smartDenoisingPlan", True), ("fourierDenoisingPlan", False)):
        part = None if plan is None else as_object_or_none(plan.get(name))
        if part is not None and part.get("enabled", default) is True:
            return f"backgroundSpeechDenoisingPlan.{name}"
    return None


def load_denoiser(named: str | None) -> DenoiserFactory | None:
    """Import the factory that `BARGEIN_DENOISER` names as `module:factory`, and try it; None if it names none.

    Raises:
        DenoiserError: it cannot be used.
    """
    if named is None:
        return None
    module, _, name = named.partition(":")
    try:
        found: object = getattr(import_module(module), name)
        denoiser: object = found() if callable(found) else None
    except Exception as error:  # the operator's code, which may raise anything
        raise DenoiserError(f"BARGEIN_DENOISER={named} cannot be used: {type(error).__name__}: {error}") from error
    if not callable(getattr(denoiser, "process", None)):
        raise DenoiserError(f"BARGEIN_DENOISER={named} must name a function that returns an object with `process`")
    return cast("DenoiserFactory", found)

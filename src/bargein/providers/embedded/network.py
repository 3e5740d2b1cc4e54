"""Small networks of our own, on what the encoder of the embedded transcriber makes of a voice."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import numpy as np
import numpy.typing as npt

from bargein.ports import ProviderError
from bargein.providers.embedded.moonshine_model import MoonshineModel
from bargein.providers.embedded.runtime import TRANSCRIBER_FAILED

Float32Array = npt.NDArray[np.float32]

_MOST_AT_ONCE = 2

About = TypeVar("About")
Verdict = TypeVar("Verdict")


@dataclass(frozen=True, slots=True)
class Network:
    """One hidden layer of rectifiers, three outputs.

    Attributes:
        mean: of each feature.
        scale: of each feature: its standard deviation.
        hidden: weights, then biases as a last row.
        output: the same.
    """

    mean: Float32Array
    scale: Float32Array
    hidden: Float32Array
    output: Float32Array

    def probabilities(self, rows: Float32Array) -> Float32Array:
        """For each row of features, how probable each of the three is."""
        inside = np.maximum(((rows - self.mean) / self.scale) @ self.hidden[:-1] + self.hidden[-1], 0.0)
        scores = inside @ self.output[:-1] + self.output[-1]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write it, at half precision."""
        arrays = {name: getattr(self, name).astype(np.float16) for name in ("mean", "scale", "hidden", "output")}
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Read what `save` wrote.

        Raises:
            OSError, ValueError, KeyError: there is no such file, or it holds something else.
        """
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name].astype(np.float32) for name in ("mean", "scale", "hidden", "output")})


class EncoderClassifier:
    """What judges by such a network: its weights, and two threads of its own to think on.

    Args:
        model: the transcriber's, shared with it.
        weights: what `Network.save` wrote.
        name: of the weights, for whoever reads that they are broken.
    """

    def __init__(self, model: MoonshineModel, weights: Path, name: str) -> None:
        self._model = model
        self._weights = weights
        self._name = name
        self._loading = threading.Lock()
        self._network: Network | None = None
        self._limiter: anyio.CapacityLimiter | None = None

    def load(self) -> Network:
        """Load the weights, and the encoder, if they are not loaded yet; blocks.

        Raises:
            ProviderError: they are missing or broken.
        """
        self._model.load()
        with self._loading:
            if self._network is None:
                try:
                    self._network = Network.load(self._weights)
                except (OSError, ValueError, KeyError) as error:
                    raise ProviderError(
                        f"{self._name} cannot be read ({type(error).__name__}): install bargein again",
                        ended_reason=TRANSCRIBER_FAILED,
                    ) from error
            return self._network

    async def _think(self, judge: Callable[[About], Verdict], about: About) -> Verdict:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_MOST_AT_ONCE)
        return await anyio.to_thread.run_sync(judge, about, limiter=self._limiter, abandon_on_cancel=True)

"""Small networks on the output of the embedded transcriber's encoder."""

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

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")


@dataclass(frozen=True, slots=True)
class Network:
    """A network with one hidden layer of rectified linear units and three outputs.

    Attributes:
        mean: mean of each feature.
        scale: standard deviation of each feature.
        hidden: weights of the hidden layer; the last row has the biases.
        output: the same of the output layer.
    """

    mean: Float32Array
    scale: Float32Array
    hidden: Float32Array
    output: Float32Array

    def probabilities(self, rows: Float32Array) -> Float32Array:
        """Return the probability of each of the three outputs for each row of features."""
        inside = np.maximum(((rows - self.mean) / self.scale) @ self.hidden[:-1] + self.hidden[-1], 0.0)
        scores = inside @ self.output[:-1] + self.output[-1]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write the network to a file, at half precision."""
        arrays = {name: getattr(self, name).astype(np.float16) for name in ("mean", "scale", "hidden", "output")}
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Read a network that `save` wrote.

        Raises:
            OSError, ValueError, KeyError: the file is missing or holds something else.
        """
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name].astype(np.float32) for name in ("mean", "scale", "hidden", "output")})


class EncoderClassifier:
    """The base of classifiers with a `Network` on the encoder; at most two run at once, on worker threads.

    Args:
        model: the transcriber's model, shared with it.
        weights: a file that `Network.save` wrote.
        name: the name of the weights, for the text of an error.
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
            ProviderError: the weights or the encoder are missing or broken.
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

    async def _run_in_thread(self, classify: Callable[[_Input], _Output], given: _Input) -> _Output:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_MOST_AT_ONCE)
        return await anyio.to_thread.run_sync(classify, given, limiter=self._limiter, abandon_on_cancel=True)

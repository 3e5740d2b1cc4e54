"""Training of the network: Adam on cross-entropy, with dropout, noise on the features and weight decay."""

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array
from bargein.providers.embedded.network import Network

HIDDEN = 24
_MEMBERS = 2
_EPOCHS = 20
_RATE = 2e-3
_BATCH = 512
_DECAY = 1e-2
_DROPOUT = 0.2
_NOISE = 0.15
_SMOOTHING = 0.06

Array = npt.NDArray[np.float32]


def fit(rows: Float32Array, labels: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], seed: int = 0) -> Network:
    """Train some networks and join them: their mean is more certain than any of them.

    Args:
        rows: features, a row for each example.
        labels: label of each example: 0, 1 or 2.
        weights: weight of each example; the three labels are balanced in addition.
        seed: seed of the network.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    inputs = ((rows - mean) / scale).astype(np.float32)
    wanted = (np.eye(3)[labels] * (1 - _SMOOTHING) + _SMOOTHING / 3).astype(np.float32)
    balanced = weights.copy()
    for kind in range(3):
        balanced[labels == kind] /= balanced[labels == kind].sum()
    members = [_member(inputs, wanted, balanced / balanced.sum(), seed + number) for number in range(_MEMBERS)]
    hidden = np.hstack([layers[0] for layers in members])
    output = np.vstack(
        [layers[1][:-1] for layers in members] + [np.sum([layers[1][-1:] for layers in members], axis=0)]
    )
    return Network(mean.astype(np.float32), scale.astype(np.float32), hidden, output / _MEMBERS)


def _member(inputs: Array, wanted: Array, chances: npt.NDArray[np.float64], seed: int) -> list[Array]:
    """Train one of the networks; return its two layers."""
    numbers = np.random.default_rng(seed)
    width = inputs.shape[1]
    layers = [
        np.vstack((numbers.normal(0, width**-0.5, (width, HIDDEN)), np.zeros(HIDDEN))).astype(np.float32),
        np.vstack((numbers.normal(0, HIDDEN**-0.5, (HIDDEN, 3)), np.zeros(3))).astype(np.float32),
    ]
    moments = [(np.zeros_like(layer), np.zeros_like(layer)) for layer in layers]
    done = 0
    for epoch in range(_EPOCHS):
        rate = _RATE * (0.5 * (1 + np.cos(np.pi * epoch / _EPOCHS)) + 0.02)
        order = numbers.choice(len(inputs), size=len(inputs), p=chances)
        for at in range(0, len(order), _BATCH):
            done += 1
            chosen = order[at : at + _BATCH]
            slopes = _slopes(layers, inputs[chosen], wanted[chosen], numbers)
            for layer, (first, second), slope in zip(layers, moments, slopes, strict=True):
                _adam(layer, first, second, slope, rate=rate, done=done)
    return layers


def _slopes(layers: list[Array], inputs: Array, wanted: Array, numbers: np.random.Generator) -> list[Array]:
    hidden, output = layers
    noisy = inputs + _NOISE * numbers.standard_normal(inputs.shape, dtype=np.float32)
    sums = noisy @ hidden[:-1] + hidden[-1]
    kept = ((numbers.random(sums.shape) > _DROPOUT) / (1 - _DROPOUT)).astype(np.float32)
    inside = np.maximum(sums, 0) * kept
    scores = inside @ output[:-1] + output[-1]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    error = (powers / powers.sum(axis=1, keepdims=True) - wanted) / len(inputs)
    back = (error @ output[:-1].T) * kept * (sums > 0)
    return [np.vstack((noisy.T @ back, back.sum(axis=0))), np.vstack((inside.T @ error, error.sum(axis=0)))]


def _adam(layer: Array, first: Array, second: Array, slope: Array, *, rate: float, done: int) -> None:
    first += 0.1 * (slope - first)
    second += 0.001 * (slope**2 - second)
    layer -= rate * (first / (1 - 0.9**done) / (np.sqrt(second / (1 - 0.999**done)) + 1e-8))
    layer[:-1] -= rate * _DECAY * layer[:-1]

"""Training of the network: some small ones on the encoder's main directions and the measures, joined into one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bargein.audio.pcm import Float32Array
from bargein.providers.embedded.end_of_turn import ENCODER_FEATURES
from bargein.providers.embedded.network import Network

DIRECTIONS = 32
HIDDEN = 12
MEMBERS = 3
_EPOCHS = 60
_RATE = 3e-3
_BATCH = 64
_DECAY = 1e-2
_DROPOUT = 0.2
_NOISE = 0.2
_SMOOTHING = 0.02
_LESS_OF_SOUNDS = 0.7

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """The input of the networks: `((rows - mean) / scale) @ directions`."""

    mean: Array
    scale: Array
    directions: Array

    @classmethod
    def of(cls, rows: Float32Array) -> "_Narrowed":
        values = rows.astype(np.float64)
        mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
        alike = (values - mean) / scale
        _, _, main = np.linalg.svd(alike[:, :ENCODER_FEATURES], full_matrices=False)
        into = main[:DIRECTIONS].T
        into = into * (_LESS_OF_SOUNDS / (alike[:, :ENCODER_FEATURES] @ into).std(axis=0))
        measures = values.shape[1] - ENCODER_FEATURES
        directions = np.zeros((values.shape[1], into.shape[1] + measures))
        directions[:ENCODER_FEATURES, : into.shape[1]] = into
        directions[ENCODER_FEATURES:, into.shape[1] :] = np.eye(measures)
        return cls(mean, scale, directions)


def fit(rows: Float32Array, done: npt.NDArray[np.int64], weights: Array) -> Network:
    """Train a network that detects the end of a turn.

    Args:
        rows: features, one row a pause.
        done: 1 for a pause at the end of a turn, otherwise 0.
        weights: weight of each pause.
    """
    narrowed = _Narrowed.of(rows)
    inputs = ((rows - narrowed.mean) / narrowed.scale) @ narrowed.directions
    members = [_member(inputs, done, weights / weights.sum(), seed) for seed in range(MEMBERS)]
    hidden = np.hstack([np.vstack((narrowed.directions @ inner[:-1], inner[-1:])) for inner, _ in members])
    scores = np.concatenate([outer[:-1] for _, outer in members] + [sum(outer[-1:] for _, outer in members)])
    output = np.stack((np.zeros(scores.size), scores / MEMBERS), axis=1)
    found = (narrowed.mean, narrowed.scale, hidden, output)
    return Network(*(array.astype(np.float32) for array in found))


def _member(inputs: Array, done: npt.NDArray[np.int64], chances: Array, seed: int) -> tuple[Array, Array]:
    numbers = np.random.default_rng(seed)
    width = inputs.shape[1]
    layers = [
        np.vstack((numbers.normal(0, width**-0.5, (width, HIDDEN)), np.zeros(HIDDEN))),
        np.append(numbers.normal(0, HIDDEN**-0.5, HIDDEN), 0.0),
    ]
    moments = [(np.zeros_like(layer), np.zeros_like(layer)) for layer in layers]
    wanted = done * (1 - 2 * _SMOOTHING) + _SMOOTHING
    steps = 0
    for epoch in range(_EPOCHS):
        rate = _RATE * (0.5 * (1 + np.cos(np.pi * epoch / _EPOCHS)) + 0.02)
        order = numbers.choice(len(inputs), size=len(inputs), p=chances)
        for at in range(0, len(order), _BATCH):
            steps += 1
            chosen = order[at : at + _BATCH]
            slopes = _slopes(layers, inputs[chosen], wanted[chosen], numbers)
            for layer, (first, second), slope in zip(layers, moments, slopes, strict=True):
                _adam(layer, first, second, slope, rate=rate, done=steps)
    return layers[0], layers[1]


def _adam(layer: Array, first: Array, second: Array, slope: Array, *, rate: float, done: int) -> None:
    first += 0.1 * (slope - first)
    second += 0.001 * (slope**2 - second)
    layer -= rate * first / (1 - 0.9**done) / (np.sqrt(second / (1 - 0.999**done)) + 1e-8)
    layer[:-1] -= rate * _DECAY * layer[:-1]


def _slopes(layers: list[Array], inputs: Array, wanted: Array, numbers: np.random.Generator) -> list[Array]:
    inner, outer = layers
    noisy = inputs + numbers.normal(0, _NOISE, inputs.shape)
    sums = noisy @ inner[:-1] + inner[-1]
    kept = (numbers.random(sums.shape) > _DROPOUT) / (1 - _DROPOUT)
    inside = np.maximum(sums, 0) * kept
    error = (1 / (1 + np.exp(-(inside @ outer[:-1] + outer[-1]))) - wanted) / len(inputs)
    back = error[:, np.newaxis] * outer[:-1] * kept * (sums > 0)
    return [np.vstack((noisy.T @ back, back.sum(axis=0))), np.append(inside.T @ error, error.sum())]

"""Calibration: a logistic regression on the scores of the two networks for each group of words."""

import numpy as np
import numpy.typing as npt

from bargein.providers.embedded.turn_text import Group

Array = npt.NDArray[np.float64]

_STEPS = 50
_SMALLEST = 1e-3
_RIDGE = 4.0
"""The pull to the coefficients below, as strong as that of so many pauses."""

_USUAL = {
    Group.NUMBER: (1.5, 0.0, 0.1),
    Group.UNFINISHED: (0.3, 0.7, 0.0),
    Group.COMPLETE: (0.3, 0.7, 0.0),
    Group.SHORT: (0.3, 0.7, 0.0),
    Group.LONG: (0.5, 0.5, 0.0),
}
"""Coefficients without data: of the number network's score, of the other's, and the constant."""


def fit_calibration(scores: Array, groups: npt.NDArray[np.int64], done: npt.NDArray[np.int64], weights: Array) -> Array:
    """Return the coefficients of each group, fitted on pauses whose speakers the networks have not heard.

    Those of numbers stay as they are: the number network was trained on these speakers.
    """
    found = np.array([_USUAL[group] for group in Group])
    inputs = np.column_stack((scores, np.ones(len(scores))))
    for group in Group:
        of = groups == group
        if group is Group.NUMBER or not of.any():
            continue
        found[group] = _fitted(inputs[of], done[of], weights[of] / weights[of].mean(), found[group])
    return found


def _fitted(inputs: Array, done: npt.NDArray[np.int64], weights: Array, usual: Array) -> Array:
    """Return the coefficients of the least loss, by Newton's method with steps that are halved while they do harm."""
    pull = _RIDGE * np.diag((1.0, 1.0, 0.25))
    signs = np.where(done == 1, 1.0, -1.0)

    def loss(of: Array) -> float:
        away = of - usual
        return float((weights * np.logaddexp(0, -signs * (inputs @ of))).sum() + away @ pull @ away / 2)

    at = usual.copy()
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-(inputs @ at)))
        slope = inputs.T @ (weights * (likely - done)) + pull @ (at - usual)
        curve = (inputs * (weights * likely * (1 - likely))[:, np.newaxis]).T @ inputs + pull
        step, size = np.linalg.solve(curve, slope), 1.0
        while size > _SMALLEST and loss(at - size * step) > loss(at):
            size /= 2
        at = at - size * step
    at[:2] = np.maximum(at[:2], 0)  # a higher score of a network never makes the end less likely
    return at

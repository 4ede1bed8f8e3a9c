"""Distances between what two networks say about the same images.

Definitions, for probabilities p and q over classes: total variation sum|p - q| / 2, in [0, 1];
Jensen-Shannon divergence, in nats, in [0, ln 2]; Hellinger distance sqrt(1 - sum sqrt(p q)), in
[0, 1]; churn, whether the largest class differs. Each is a mean over images, so none is negative.
Cost: one pass over the probabilities.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import rel_entr

from lethe.errors import LetheError


def total_variation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean over images of half the summed difference: [..., n, class] -> [...]."""
    first, second = probabilities(first, second)
    return (np.abs(first - second).sum(-1) / 2).mean(-1)


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean over images of the Jensen-Shannon divergence in nats: [..., n, class] -> [...]."""
    first, second = probabilities(first, second)
    middle = (first + second) / 2
    return ((rel_entr(first, middle) + rel_entr(second, middle)).sum(-1) / 2).mean(-1)


def hellinger(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean over images of the Hellinger distance: [..., n, class] -> [...].

    By the sum of (sqrt p - sqrt q)^2 / 2, which is exact for equal arguments.
    """
    first, second = probabilities(first, second)
    return np.sqrt(((np.sqrt(first) - np.sqrt(second)) ** 2).sum(-1) / 2).mean(-1)


def churn(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of images whose largest class differs: [..., n, class] -> [...]."""
    first, second = probabilities(first, second)
    return (first.argmax(-1) != second.argmax(-1)).mean(-1)


def probabilities(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as doubles; LetheError for shapes that differ or numbers that are no probabilities."""
    pair = np.asarray(first, float), np.asarray(second, float)
    if pair[0].shape != pair[1].shape or pair[0].ndim < 2:
        raise LetheError(
            f"probabilities must be two arrays [..., image, class] of one shape, not "
            f"{pair[0].shape} and {pair[1].shape}"
        )
    for values in pair:
        if not (values >= 0).all() or not np.allclose(values.sum(-1), 1, atol=1e-4):
            raise LetheError("probabilities must be 0 or more and sum to 1 over the last axis")
    return pair


DIVERGENCES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "tv": total_variation,
    "js": jensen_shannon,
    "hellinger": hellinger,
    "churn": churn,
}

"""FLOW: weights for fine-tuning samples that the pretrained network finds easy, and its controls.

Definition (Sanyal et al. 2025, arXiv 2502.02797): with f_i the loss of sample i under the
pretrained network (here: after a linear probe) and tau the median of all f_i, sample i has weight
w_i = exp(-f_i / tau), computed once; training minimises the mean of w_i times the loss. Weights are
not normalised, so they also slow training down: `constant` and `normalised` take that apart.
Cost: nothing beside one pass for the losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from lethe.capture import streams
from lethe.errors import LetheError, nearest

SMALLEST = 1e-6  # temperature: more than half of the losses may be 0 in float32


def temperature(losses: np.ndarray) -> float:
    """The median loss, but at least SMALLEST; LetheError for none, NaN or negative losses."""
    losses = np.asarray(losses, float)
    if not losses.size or not np.isfinite(losses).all() or (losses < 0).any():
        raise LetheError("FLOW needs the losses of one sample or more, finite and 0 or above")
    return max(float(np.median(losses)), SMALLEST)


def flow(losses: np.ndarray, tau: float | None = None) -> np.ndarray:
    """FLOW weights exp(-losses / tau) float[n], in [0, 1]; tau defaults to the median loss.

    Equal losses have equal weights: exp(-1), or 1 if all are 0. LetheError if tau is not above 0.
    """
    median = temperature(losses)
    if tau is not None and not tau > 0:
        raise LetheError(f"the temperature of FLOW must be above 0, not {tau}")
    return np.exp(-np.asarray(losses, float) / (tau or median))


def constant(weights: np.ndarray) -> np.ndarray:
    """The mean weight for every sample: the smaller step without the choice."""
    return np.full(len(weights), np.mean(weights))


def normalised(weights: np.ndarray) -> np.ndarray:
    """Weights with mean 1: the choice without the smaller step; all 1 if all are 0."""
    mean = np.mean(weights)
    return np.asarray(weights) / mean if mean > 0 else np.ones(len(weights))


def permuted(weights: np.ndarray, seed: int, keys: np.ndarray) -> np.ndarray:
    """The same weights on other samples, by stream `order`: the spread without the ease."""
    return np.asarray(weights)[streams.shuffled(seed, "order", (1 << 30) - 2, keys)]


def reversed_order(weights: np.ndarray) -> np.ndarray:
    """The same weights, the largest on the hardest sample; equal weights stay where they are."""
    order, turned = np.argsort(weights, kind="stable"), np.empty(len(weights))
    turned[order] = np.asarray(weights)[order][::-1]
    return turned


def by_id(weights: dict[str, float], sample_ids: Sequence[str]) -> np.ndarray:
    """Weights float[n] in the order of these samples.

    LetheError for a sample without a weight, naming the nearest, and for a weight that is not
    finite or is below 0.
    """
    for name in sample_ids:
        if name not in weights:
            raise LetheError(f"no weight for sample {name!r}: {nearest(name, weights)}")
    values = np.array([weights[name] for name in sample_ids], float)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise LetheError("weights must be finite and 0 or above")
    return values


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean over the batch of weight times cross-entropy: divided by the batch's size, not by the
    sum of its weights, as in the authors' code.
    """
    return (weights * F.cross_entropy(logits.float(), labels, reduction="none")).mean()


KINDS: dict[str, Callable[[np.ndarray, int, np.ndarray], np.ndarray]] = {
    "ones": lambda weights, seed, keys: np.ones(len(weights)),
    "flow": lambda weights, seed, keys: weights,
    "constant": lambda weights, seed, keys: constant(weights),
    "normalised": lambda weights, seed, keys: normalised(weights),
    "permuted": permuted,
    "reversed": lambda weights, seed, keys: reversed_order(weights),
}


def weights_of(kind: str, losses: np.ndarray, seed: int, keys: np.ndarray) -> np.ndarray:
    """The weights of an arm: FLOW's, or one of its controls made from them; float[n]."""
    if kind not in KINDS:
        raise LetheError(f"unknown weights {kind!r}: {nearest(kind, KINDS)}")
    return KINDS[kind](flow(losses), seed, keys)

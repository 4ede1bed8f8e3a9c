"""Empirical-Bayes decay rates: each trace borrows strength from all the others of its run.

Model: the samples' rates are independent draws from one unknown distribution G on [0, 5]; given its
rate, a sample is right at t >= 1 with probability exp(-rate t), independently over epochs. G is the
maximum-likelihood mixing distribution on a fixed grid (Kiefer and Wolfowitz 1956), found by
expectation-maximisation; the shrunken rate is the posterior mean of a sample's rate.
Under the model no other estimate has a lower expected squared error once G is known (Robbins 1956).
Cost: a few hundred passes over [distinct trace, 81 rates].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lethe.analysis.curves.trace_rows import as_rows, distinct, lengths

_GRID = np.concatenate([[0.0], np.geomspace(1e-3, 5.0, 80)])


@dataclass(frozen=True)
class Shrunken:
    """rate [...] is the posterior mean (NaN below 2 epochs); weight [grid] estimates G on grid."""

    rate: np.ndarray
    grid: np.ndarray
    weight: np.ndarray
    log_likelihood: float  # marginal, summed over traces


def shrink(traces: np.ndarray, weights: np.ndarray | None = None, passes: int = 400) -> Shrunken:
    """Estimate the distribution of rates from all traces and return each trace's posterior mean.

    traces [..., epoch] in [0, 1], NaN after the end: all leading axes share one distribution, so
    give one seed at a time if seeds are to stay independent; weights as in fit_exponential.
    Raises LetheError as fit_exponential does. Source: module header.
    """
    y, w, shape = as_rows(traces, weights)
    y, w, back = distinct(y, w)
    chance, weight, total = _posterior(y, w, back, passes)
    rate = np.where(lengths(w) > 1, chance @ _GRID, np.nan)
    return Shrunken(rate[back].reshape(shape), _GRID, weight, total)


def expected_retention(traces: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Posterior mean of exp(-rate t) at every epoch, [..., epoch]: the forecast of the model.

    Arguments and errors as `shrink`; NaN below 2 epochs.
    """
    y, w, shape = as_rows(traces, weights)
    y, w, back = distinct(y, w)
    chance, _, _ = _posterior(y, w, back, 400)
    heights = chance @ np.exp(-_GRID[:, None] * np.arange(y.shape[1]))
    heights = np.where((lengths(w) > 1)[:, None], heights, np.nan)
    return heights[back].reshape(*shape, y.shape[1])


def _posterior(
    y: np.ndarray, w: np.ndarray, back: np.ndarray, passes: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Chance of each grid rate given each row, [row, grid]; weights of G; log-likelihood."""
    count = np.bincount(back, minlength=len(y)) * (lengths(w) > 1)
    log_chance = _log_likelihood(y, w)
    peak = log_chance.max(1, keepdims=True)
    chance = np.exp(log_chance - peak)
    weight = _mixing_weights(chance, count, passes)
    marginal = chance @ weight
    total = float(count @ (np.log(marginal) + peak[:, 0]))
    return chance * weight / marginal[:, None], weight, total


def _mixing_weights(chance: np.ndarray, count: np.ndarray, passes: int) -> np.ndarray:
    """Weight of each grid rate that maximises the marginal likelihood of `count` rows each."""
    weight = np.full(_GRID.size, 1.0 / _GRID.size)
    if not count.any():
        return weight
    for _ in range(passes):
        weight = weight * (count / (chance @ weight) @ chance) / count.sum()
    return weight


def _log_likelihood(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Log-likelihood of each row at each grid rate, [row, grid]; -inf where impossible."""
    clock = np.arange(y.shape[1], dtype=float)
    losses = (w * (1 - y))[:, 1:]
    fails = np.log(-np.expm1(-_GRID[1:, None] * clock[1:]))
    moving = losses @ fails.T - ((w * y) @ clock)[:, None] * _GRID[1:]
    still = np.where(losses.sum(1, keepdims=True) > 0, -np.inf, 0.0)
    return np.concatenate([still, moving], axis=1)

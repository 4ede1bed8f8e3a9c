"""Empirical-Bayes decay rates: each trace borrows strength from all the others of its run.

Model: the samples' rates are independent draws from one unknown distribution G on [0, 5]; given its
rate, a sample is right at t >= 1 with probability exp(-rate t), independently over epochs. G is the
maximum-likelihood mixing distribution on a fixed grid (Kiefer and Wolfowitz 1956), found by
expectation-maximisation; the shrunken rate is the posterior mean of a sample's rate.
Under the model no other estimate has a lower expected squared error once G is known (Robbins 1956).
Above 100,000 traces G is estimated from 100,000 of them, drawn without replacement by a fixed
generator; every trace gets its posterior mean. Cost: a few hundred passes over [distinct trace, 81
rates], and one over all traces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lethe.analysis.curves.trace_rows import as_rows, distinct, lengths

MOST = 100_000  # traces from which G is estimated
_BLOCK = 1 << 16  # rows whose chances of all rates are held at a time
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
    if len(y) <= MOST:
        y, w, back = distinct(y, w)
        chance, weight, total = _posterior(y, w, back, passes)
        rate = np.where(lengths(w) > 1, chance @ _GRID, np.nan)[back]
        return Shrunken(rate.reshape(shape), _GRID, weight, total)
    some = thinned(len(y))
    weight = _estimated(y[some], w[some], passes)
    rate, total = _given(y, w, weight)
    return Shrunken(rate.reshape(shape), _GRID, weight, total)


def thinned(traces: int) -> np.ndarray:
    """The traces, of so many, from which G is estimated: positions in order, at most MOST."""
    if traces <= MOST:
        return np.arange(traces)
    return np.sort(np.random.default_rng(0).choice(traces, MOST, replace=False))


def mixing_weights(
    traces: np.ndarray, weights: np.ndarray | None = None, passes: int = 400
) -> np.ndarray:
    """Estimate G from all traces given: the weight of each rate of the grid; as `shrink`."""
    y, w, _ = as_rows(traces, weights)
    return _estimated(y, w, passes)


def posterior_rate(
    traces: np.ndarray, weights: np.ndarray | None, weight: np.ndarray
) -> np.ndarray:
    """Posterior mean rate of each trace under a known G, [...]; arguments as `shrink`."""
    y, w, shape = as_rows(traces, weights)
    return _given(y, w, weight)[0].reshape(shape)


def _estimated(y: np.ndarray, w: np.ndarray, passes: int) -> np.ndarray:
    """G, and with it one more trace that any rate explains: none must be impossible for others."""
    y, w, back = distinct(y, w)
    traces, weight = len(back), _posterior(y, w, back, passes)[1]
    return (traces * weight + 1 / _GRID.size) / (traces + 1)


def _given(y: np.ndarray, w: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Posterior mean rate [row] under G, and the log-likelihood of all rows."""
    rate, total = np.empty(len(y)), 0.0
    for start in range(0, len(y), _BLOCK):
        rows = slice(start, start + _BLOCK)
        y_one, w_one, back = distinct(y[rows], w[rows])
        usable = lengths(w_one) > 1
        chance, more = _weighed(*_chances(y_one, w_one), weight, back, usable)
        rate[rows] = np.where(usable, chance @ _GRID, np.nan)[back]
        total += more
    return rate, total


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
    usable = lengths(w) > 1
    chance, peak = _chances(y, w)
    weight = _mixing_weights(chance, np.bincount(back, minlength=len(y)) * usable, passes)
    chance, total = _weighed(chance, peak, weight, back, usable)
    return chance, weight, total


def _chances(y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chance of each row at each rate over its highest, [row, grid], and the log of that, [row]."""
    log_chance = _log_likelihood(y, w)
    peak = log_chance.max(1, keepdims=True)
    return np.exp(log_chance - peak), peak[:, 0]


def _weighed(
    chance: np.ndarray, peak: np.ndarray, weight: np.ndarray, back: np.ndarray, usable: np.ndarray
) -> tuple[np.ndarray, float]:
    """Chance of each rate given each row, [row, grid], and the log-likelihood of all that count."""
    count = np.bincount(back, minlength=len(chance)) * usable
    marginal = chance @ weight
    return chance * weight / marginal[:, None], float(count @ (np.log(marginal) + peak))


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

"""Likelihood of 0/1 traces: right at t with probability exp(-rate * clock(t)), independently.

The negative log-likelihood is convex in the rate, so its one minimum is a root of the slope and a
likelihood interval has one piece. The first epoch (t = 0) is right by definition and carries no
information. Real traces depend on their past, which the likelihood ignores: its intervals may be
too narrow there (checked on the page "Forgetting curves").
Cost: 60 evaluations of each distinct row.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from lethe.analysis.trace_rows import as_rows, distinct, lengths, weighted_mean
from lethe.errors import LetheError

CLOCKS = {"exponential": (np.positive, 5.0), "power": (np.log1p, 8.0)}  # time scale, largest rate
_SMALLEST = 1e-9


def likelihood_rate(values: np.ndarray, weights: np.ndarray, curve: str) -> np.ndarray:
    """Maximum-likelihood rate of each row: 0 if it never fails, the bound if it never succeeds.

    values, weights [row, epoch]; curve is exponential or power; returns [row].
    """
    values, weights, back = distinct(values, weights)
    clock, high = _clock(curve, values.shape[1])
    wins = (weights * values) @ clock
    losses = weights * (1 - values)

    def slope(rate: np.ndarray) -> np.ndarray:
        return wins - (losses * _odds(rate, clock)).sum(1)

    rate = _root(slope, np.full(len(values), _SMALLEST), np.full(len(values), high))
    never_fails = (losses * (clock > 0)).sum(1) == 0
    at_top = slope(np.full(len(values), high)) <= 0
    return np.where(never_fails, 0.0, np.where(at_top, high, rate))[back]


def negative_log_likelihood(
    values: np.ndarray, weights: np.ndarray, rate: np.ndarray, curve: str = "exponential"
) -> np.ndarray:
    """Minus the log-likelihood of each row at a rate, over t >= 1; infinite if impossible.

    values, weights [row, epoch]; rate [row] or [row, rate]; returns the shape of rate.
    """
    clock, _ = _clock(curve, values.shape[1])
    wins = (weights * values) @ clock
    losses = (weights * (1 - values))[:, 1:]
    flat = rate.reshape(len(values), -1)
    total = np.empty(flat.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        for column in range(flat.shape[1]):
            fails = np.log(-np.expm1(-flat[:, column, None] * clock[1:]))
            total[:, column] = wins * flat[:, column] - np.where(losses > 0, losses * fails, 0).sum(
                1
            )
    return total.reshape(rate.shape)


def profile_interval(
    traces: np.ndarray, weights: np.ndarray | None = None, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Likelihood interval of the exponential rate: all rates within chi2(level, 1) / 2 of the best.

    traces [..., epoch], NaN after the end; weights as in fit_exponential; returns (low, high),
    each [...], clipped to [0, 5] and NaN for traces of fewer than 2 epochs.
    Raises LetheError for a level outside (0, 1). Source: Wilks' theorem; approximate here, since
    the rate may lie on the bound 0.
    """
    if not 0 < level < 1:
        raise LetheError(f"level is {level}: give a probability between 0 and 1, such as 0.95")
    y, w, shape = as_rows(traces, weights)
    y, w, back = distinct(y, w)
    best = likelihood_rate(y, w, "exponential")
    top = negative_log_likelihood(y, w, best) + stats.chi2.ppf(level, 1) / 2

    def excess(rate: np.ndarray) -> np.ndarray:
        return np.nan_to_num(negative_log_likelihood(y, w, rate) - top, posinf=1e300)

    bottom, ceiling = np.full(len(y), _SMALLEST), np.full(len(y), CLOCKS["exponential"][1])
    low = np.where(best > 0, _root(lambda r: -excess(r), bottom, np.maximum(best, bottom)), 0.0)
    high = np.where(excess(ceiling) <= 0, ceiling, _root(excess, np.maximum(best, bottom), ceiling))
    usable = lengths(w) > 1
    ends = [np.where(usable, end, np.nan)[back].reshape(shape) for end in (low, high)]
    return ends[0], ends[1]


def bernoulli_aic(traces: np.ndarray, curve: str) -> np.ndarray:
    """Akaike criterion of 0/1 traces under their own likelihood, for curves of one parameter.

    traces [..., epoch]; curve is constant, exponential or power; returns [...], NaN for traces of
    fewer than 3 epochs. Raises LetheError for another curve.
    """
    y, w, shape = as_rows(traces)
    if curve == "constant":
        later = w * (np.arange(y.shape[1]) > 0)
        chance = np.clip(weighted_mean(y, later), 1e-12, 1 - 1e-12)[:, None]
        nll = -(later * np.where(y > 0, np.log(chance), np.log1p(-chance))).sum(1)
    else:
        nll = negative_log_likelihood(y, w, likelihood_rate(y, w, curve), curve)
    return np.where(lengths(w) < 3, np.nan, 2 * nll + 2).reshape(shape)


def _clock(curve: str, epochs: int) -> tuple[np.ndarray, float]:
    if curve not in CLOCKS:
        raise LetheError(
            f"no likelihood for curve {curve!r}: choose constant, exponential or power"
        )
    scale, high = CLOCKS[curve]
    return scale(np.arange(epochs, dtype=float)), high


def _odds(rate: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """clock / (exp(rate * clock) - 1), with 0 where the clock is 0."""
    product = rate[:, None] * clock
    return np.where(clock > 0, clock / np.expm1(np.where(clock > 0, product, 1.0)), 0.0)


def _root(rising, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Root of a function that rises along each row, by bisection of the logarithm."""
    low, high = np.log(low), np.log(high)
    for _ in range(60):
        middle = (low + high) / 2
        below = rising(np.exp(middle)) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp((low + high) / 2)

"""Likelihood of 0/1 traces: right at t with probability exp(-rate * clock(t)), independently.

The negative log-likelihood is convex in the rate, so its one minimum is a root of the slope and a
likelihood interval has one piece. (The curve with amplitude and floor: `extended_likelihood`.) The
first epoch (t = 0) is right by definition and carries no information. Real traces depend on their
past, which the likelihood ignores: its intervals may be too narrow there (checked on the page
"Forgetting curves").
Cost: 60 evaluations of each distinct row, 180 with an interval.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from lethe.analysis.curves.trace_rows import as_rows, distinct, lengths
from lethe.errors import LetheError

CLOCKS = {"exponential": (np.positive, 5.0), "power": (np.log1p, 8.0)}  # time scale, largest rate
EXTENDED_BOX = (1e-3, 5.0)  # slower decay than this is a constant over any trace we have
RATED = (*CLOCKS, "extended")
_SMALLEST = 1e-9
_PIECE = 1 << 10  # rows whose terms stay near the processor


def likelihood_rate(values: np.ndarray, weights: np.ndarray, curve: str) -> np.ndarray:
    """Maximum-likelihood rate of each row: 0 if it never fails, the bound if it never succeeds.

    values, weights [row, epoch]; curve is exponential or power; returns [row].
    """
    values, weights, back = distinct(values, weights)
    rate = np.empty(len(values))
    for start in range(0, len(values), _PIECE):
        rows = slice(start, start + _PIECE)
        rate[rows] = _rate_rows(values[rows], weights[rows], curve)
    return rate[back]


def _rate_rows(values: np.ndarray, weights: np.ndarray, curve: str) -> np.ndarray:
    clock, high = _clock(curve, values.shape[1])
    wins = (weights * values) @ clock
    losses = weights * (1 - values)
    terms = np.zeros(losses.shape)  # losses * clock / (exp(rate * clock) - 1), 0 at t = 0
    later = terms[:, 1:]

    def slope(rate: np.ndarray) -> np.ndarray:
        np.multiply(rate[:, None], clock[1:], out=later)
        np.expm1(later, out=later)
        np.divide(clock[1:], later, out=later)
        np.multiply(losses[:, 1:], later, out=later)
        return wins - terms.sum(1)

    rate = _root(slope, np.full(len(values), _SMALLEST), np.full(len(values), high))
    never_fails = (losses * (clock > 0)).sum(1) == 0
    at_top = slope(np.full(len(values), high)) <= 0
    return np.where(never_fails, 0.0, np.where(at_top, high, rate))


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
    traces: np.ndarray,
    weights: np.ndarray | None = None,
    level: float = 0.95,
    curve: str = "exponential",
) -> tuple[np.ndarray, np.ndarray]:
    """Likelihood interval of a curve's rate: the rates within chi2(level, 1) / 2 of the best.

    traces [..., epoch], NaN after the end; weights as in fit_exponential; curve exponential, power
    or extended, where each rate is judged with the A and c that suit it best and the outermost ends
    are given; returns (low, high), each [...], clipped to the rate's box, NaN below 2 epochs.
    A trace that does not determine the rate returns the whole box. Raises LetheError for another
    curve or a level outside (0, 1). Source: Wilks' theorem, approximate on a bound of the box.
    """
    if not 0 < level < 1:
        raise LetheError(f"level is {level}: give a probability between 0 and 1, such as 0.95")
    if curve not in RATED:
        raise LetheError(f"no rate in curve {curve!r}: choose {', '.join(RATED)}")
    y, w, shape = as_rows(traces, weights)
    y, w, back = distinct(y, w)
    drop = stats.chi2.ppf(level, 1) / 2
    ends = (extended_rows(y, w, drop).T[4:]) if curve == "extended" else _ends(y, w, curve, drop)
    usable = lengths(w) > 1
    low, high = (np.where(usable, end, np.nan)[back].reshape(shape) for end in ends)
    return low, high


def _ends(y: np.ndarray, w: np.ndarray, curve: str, drop: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of one rate, each [row]."""
    best = likelihood_rate(y, w, curve)
    top = negative_log_likelihood(y, w, best, curve) + drop

    def excess(rate: np.ndarray) -> np.ndarray:
        return np.nan_to_num(negative_log_likelihood(y, w, rate, curve) - top, posinf=1e300)

    bottom, ceiling = np.full(len(y), _SMALLEST), np.full(len(y), CLOCKS[curve][1])
    inner = np.maximum(best, bottom)
    low = np.where(best > 0, _root(lambda rate: -excess(rate), bottom, inner), 0.0)
    return low, np.where(excess(ceiling) <= 0, ceiling, _root(excess, inner, ceiling))


def extended_rows(y: np.ndarray, w: np.ndarray, drop: float = 0.0) -> np.ndarray:
    """Rate, A, c, minus log-likelihood and ends of the rate's interval of the extended curve."""
    from lethe.analysis.curves.extended_likelihood import fit_rows  # numba: only when it is needed

    return fit_rows(y, w, *EXTENDED_BOX, drop)


def log_loss(values: np.ndarray, weights: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Minus the log-likelihood of each row under the heights of a curve, over t >= 1; [row]."""
    won, lost = (weights * values)[:, 1:], (weights * (1 - values))[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        right, wrong = np.log(heights[:, 1:]), np.log1p(-heights[:, 1:])
        return -(np.where(won > 0, won * right, 0) + np.where(lost > 0, lost * wrong, 0)).sum(1)


def _clock(curve: str, epochs: int) -> tuple[np.ndarray, float]:
    if curve not in CLOCKS:
        raise LetheError(f"no rate by likelihood for {curve!r}: choose {', '.join(CLOCKS)}")
    scale, high = CLOCKS[curve]
    return scale(np.arange(epochs, dtype=float)), high


def _root(
    rising: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Root of a function that rises along each row, by bisection of the logarithm."""
    low, high = np.log(low), np.log(high)
    for _ in range(60):
        middle = (low + high) / 2
        below = rising(np.exp(middle)) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp((low + high) / 2)

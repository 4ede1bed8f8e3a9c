"""Effects of an intervention, with the seed as the unit: intervals, tests, lifetimes.

A value a seed: the same seed with the intervention minus without it, or a distance between the two.
A distance is never below 0, so an interval of it that excludes 0 says nothing: hold it against the
rerun floor, a seed change (`relative`) or a margin (`equivalence`). Intervals: bias-corrected and
accelerated bootstrap over seeds (Efron 1987; scipy), Student's beside it. Test: all sign flips
(Fisher), whose smallest p is 2 / 2^n. Cost: 10 ms an interval of 10 seeds and 9,999 draws.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.stats import bootstrap
from scipy.stats import norm as normal

from lethe.analysis.agreement import Equivalence, Interval, tost_equivalence
from lethe.analysis.arms import mean_interval
from lethe.errors import LetheError

DRAWS = 9999
EXACT = 16  # seeds up to which all sign flips are tried


def bca_interval(values: np.ndarray, level: float = 0.95, draws: int = DRAWS) -> Interval:
    """Mean over seeds with its BCa interval: values [seed].

    No limits below 3 seeds; where all seeds agree the interval is that one number. LetheError for
    values that are not finite.
    """
    values = one_a_seed(values)
    n, mean = len(values), float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    if n < 3:
        return Interval(mean, np.nan, np.nan, error, n, n, "too few seeds", level)
    if np.ptp(values) == 0:
        return Interval(mean, mean, mean, 0.0, n, n, "all seeds equal", level)
    found = resampled(values, level, draws)
    return Interval(mean, found[0], found[1], error, n, n, "BCa over seeds", level)


def resampled(values: np.ndarray, level: float, draws: int) -> tuple[float, float]:
    """Limits of the mean by scipy; the same draws for every call with as many seeds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # near-constant values: scipy says NaN, and so do we
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=draws,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(len(values)),
        ).confidence_interval
    return float(found.low), float(found.high)


def student_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Mean over seeds with Student's interval, to stand beside the other."""
    return mean_interval(one_a_seed(values), level)


def one_a_seed(values: np.ndarray) -> np.ndarray:
    """The values as a vector; LetheError if one is missing."""
    values = np.asarray(values, float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        odd = int((~np.isfinite(values)).sum())
        raise LetheError(
            f"expected one finite number a seed, not {values.shape} with {odd} that are not "
            "finite: leave failed seeds out by hand"
        )
    return values


def sign_flip_p(values: np.ndarray, draws: int = DRAWS) -> float:
    """Two-sided p of mean 0 over all sign flips of the seeds: values [seed].

    Exact up to 16 seeds, where the smallest p is 2 / 2^n; above that by random flips, the observed
    one counted. Ties count within rounding. 1 where all values are 0.
    """
    values = one_a_seed(values)
    n = len(values)
    if n <= EXACT:
        flips = 1 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        drawn = np.random.default_rng(n).choice([-1.0, 1.0], size=(draws, n))
        flips = np.vstack([np.ones(n), drawn])
    sums = np.abs(flips @ values)
    return float((sums >= sums[0] - 1e-12 * np.abs(values).sum()).mean())


def smallest_p(n_seeds: int) -> float:
    """The smallest two-sided p that n seeds can give by sign flips."""
    return 2.0 ** (1 - n_seeds)


def equivalence(values: np.ndarray, margin: float) -> Equivalence:
    """Two one-sided tests of |mean| < margin over seeds. LetheError as `tost_equivalence`."""
    found = student_interval(values)
    return tost_equivalence(found.estimate, max(found.se, 1e-300), found.n_seeds, margin)


def pairing_gain(with_it: np.ndarray, without: np.ndarray) -> float:
    """How much shorter pairing by seed makes the standard error of a difference: [seed] twice.

    1 = nothing gained; infinite where the differences do not vary.
    """
    first, second = one_a_seed(with_it), one_a_seed(without)
    if len(first) != len(second) or len(first) < 2:
        raise LetheError(f"pairs need as many seeds, 2 or more: {len(first)} and {len(second)}")
    apart = np.sqrt(first.var(ddof=1) + second.var(ddof=1))
    together = (first - second).std(ddof=1)
    if together == 0:
        return float("inf") if apart > 0 else 1.0
    return float(apart / together)


def relative(values: np.ndarray, base: np.ndarray, level: float = 0.95) -> Interval:
    """Ratio of two means over seeds, such as an effect over that of a seed change, with its BCa
    interval over seeds drawn in pairs. LetheError if the base is not above 0 in every seed.
    """
    values, base = one_a_seed(values), one_a_seed(base)
    if len(values) != len(base) or not (base > 0).all():
        raise LetheError("a ratio needs a base above 0 in each of the same seeds")
    n, ratio = len(values), float(values.mean() / base.mean())
    without = np.array([np.delete(values, k).mean() / np.delete(base, k).mean() for k in range(n)])
    spread = without.mean() - without
    error = float(np.sqrt((n - 1) / n * (spread**2).sum())) if n > 1 else np.nan
    if n < 3 or not spread.any():
        limits = (np.nan, np.nan) if n < 3 else (ratio, ratio)
        return Interval(ratio, *limits, error, n, n, "ratio, too few or equal seeds", level)
    picked = np.random.default_rng(n).integers(0, n, (DRAWS, n))
    drawn = values[picked].mean(1) / base[picked].mean(1)
    limits = bca_limits(drawn, ratio, spread, level)
    return Interval(ratio, *limits, error, n, n, "BCa over seeds", level)


def bca_limits(
    drawn: np.ndarray, estimate: float, spread: np.ndarray, level: float
) -> tuple[float, float]:
    """BCa limits from bootstrap draws and the jackknife's spread (mean minus leave-one-out)."""
    below = ((drawn < estimate).mean() + (drawn <= estimate).mean()) / 2
    bias = normal.ppf(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    speed = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    at = bias + normal.ppf([(1 - level) / 2, (1 + level) / 2])
    shares = normal.cdf(bias + at / (1 - speed * at))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


def lifetime(effects: np.ndarray, horizons: Sequence[int]) -> float:
    """First horizon after the peak at which the mean effect is at most half of it: effects
    [seed, horizon]. Infinite if it is not reached; NaN without any effect.
    """
    mean = np.asarray(effects, float).mean(0)
    peak = int(mean.argmax())
    if not mean[peak] > 0:
        return float("nan")
    later = np.flatnonzero(mean[peak:] <= mean[peak] / 2)
    return float(horizons[peak + later[0]]) if len(later) else float("inf")


def lifetime_range(
    effects: np.ndarray, horizons: Sequence[int], level: float = 0.95, draws: int = 2000
) -> tuple[float, float]:
    """Central range of the lifetime over seeds drawn with replacement; infinite beyond the last
    horizon, NaN below 3 seeds or without an effect.
    """
    effects = np.asarray(effects, float)
    n = len(effects)
    if n < 3:
        return float("nan"), float("nan")
    picked = np.random.default_rng(n).integers(0, n, (draws, n))
    found = np.array([lifetime(effects[rows], horizons) for rows in picked])
    if np.isnan(found).any():
        return float("nan"), float("nan")
    ends = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return float(ends[0]), float(ends[1])

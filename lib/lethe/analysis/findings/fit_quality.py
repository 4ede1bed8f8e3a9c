"""How well a forgetting curve describes the traces of one or two architectures, with intervals.

Mean R^2 under the three conventions of `curves.r2_conventions`, over runs and samples, for a named
target: the raw 0/1 trace, its running mean over 5 epochs, or the mean over seeds. `fit_worlds` has
the scale on which such a mean is read.
Intervals resample seeds and samples together (see `agreement.resampling`).
Cost: one fit per target; the mean over seeds is fitted again without each seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lethe.analysis import agreement, curves
from lethe.analysis.agreement import Interval
from lethe.analysis.agreement.resampling import NO_LIMITS
from lethe.analysis.curves import CurveFit

QUANTITIES = ("excluded", "scored_1", "scored_0", "share_never_forgotten")
PARTS = ("a", "b", "gap")
Comparison = dict[str, dict[str, Interval]]  # part of PARTS -> quantity of QUANTITIES -> interval


def weighted_conventions(fit: CurveFit, seeds: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Mean R^2 and share of never-forgotten traces with each seed and sample counted so often.

    fit has arrays [seed, sample]; seeds [seed], samples [sample]; returns [quantity] in the order
    of QUANTITIES. With weights of one it equals `r2_conventions` over all runs.
    """
    weight = np.outer(seeds, samples) * ~fit.too_short
    flat = (weight * fit.constant).sum()
    fitted, total = weight.sum(), (weight * np.nan_to_num(fit.r2)).sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array(
            [total / (fitted - flat), (total + flat) / fitted, total / fitted, flat / fitted]
        )


def compare_r2(
    fit_a: CurveFit, fit_b: CurveFit, rng: np.random.Generator, draws: int = 200
) -> Comparison:
    """Mean R^2 of two architectures on the same samples, and the gap b - a.

    Fits with arrays [seed, sample], samples in the same order; intervals by pigeonhole bootstrap.
    """

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> np.ndarray:
        a = weighted_conventions(fit_a, seeds[0], samples)
        b = weighted_conventions(fit_b, seeds[1], samples)
        return np.concatenate([a, b, b - a])

    n_seeds = (fit_a.rate.shape[0], fit_b.rate.shape[0])
    found = agreement.pigeonhole_bootstrap(statistic, n_seeds, fit_a.rate.shape[1], rng, draws)
    return _named(found)


def compare_r2_over_seeds(
    traces_a: np.ndarray, traces_b: np.ndarray, rng: np.random.Generator, draws: int = 100
) -> Comparison:
    """As compare_r2 for one curve per sample, fitted to its mean retention over seeds.

    traces [seed, sample, epoch]; a trace counts at t with the number of seeds that reach t.
    Intervals: each seed left out once (with a new fit), and a bootstrap of samples; NaN with one
    seed.
    """
    cache: dict[tuple[int, bytes], CurveFit] = {}

    def fit(which: int, traces: np.ndarray, seeds: np.ndarray) -> CurveFit:
        key = (which, seeds.tobytes())
        if key not in cache:
            mean, weights = curves.pool_seeds(traces[seeds > 0])
            cache[key] = curves.fit_exponential(mean[None], weights[None])
        return cache[key]

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> np.ndarray:
        a = weighted_conventions(fit(0, traces_a, seeds[0]), np.ones(1), samples)
        b = weighted_conventions(fit(1, traces_b, seeds[1]), np.ones(1), samples)
        return np.concatenate([a, b, b - a])

    n_seeds = (len(traces_a), len(traces_b))
    if min(n_seeds) < 2:  # nothing to leave out: the estimates alone
        values = statistic([np.ones(n) for n in n_seeds], np.ones(traces_a.shape[1]))
        size = (min(n_seeds), traces_a.shape[1], "one seed")
        return _named([Interval(float(v), *NO_LIMITS, *size) for v in values])
    found = agreement.jackknife_seeds(statistic, n_seeds, traces_a.shape[1], rng, draws)
    return _named(found)


def mean_r2(fit: CurveFit) -> dict[str, float]:
    """The QUANTITIES of one fit with arrays [seed, sample], every run and sample counted once."""
    ones = (np.ones(size) for size in fit.rate.shape)
    return dict(zip(QUANTITIES, map(float, weighted_conventions(fit, *ones)), strict=True))


def base_rate(traces: np.ndarray) -> np.ndarray:
    """A code of how long each trace is and how many of its epochs are wrong, int [seed, sample].

    traces [seed, sample, epoch]. Shuffled epochs reach the same R^2 wherever the code is the same.
    """
    wrong, length = (traces == 0).sum(-1), (~np.isnan(traces)).sum(-1)
    return wrong + traces.shape[-1] * length


def matched_gap(
    fit_a: CurveFit,
    fit_b: CurveFit,
    level_a: np.ndarray,
    level_b: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
) -> Interval:
    """Gap b - a in mean R^2 between traces of one level, averaged over the levels of both.

    level int [seed, sample], e.g. `base_rate`. A level weighs 1 / (1 / s_a + 1 / s_b), s being the
    share of each architecture's traces on it. Constant and short traces are left out.
    """
    both = np.concatenate([level_a, level_b])
    found, codes = np.unique(both, return_inverse=True)
    codes_a, codes_b = np.split(codes.reshape(both.shape), [len(level_a)])
    levels = len(found)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        n_a, sum_a = _by_level(fit_a, codes_a, np.outer(seeds[0], samples), levels)
        n_b, sum_b = _by_level(fit_b, codes_b, np.outer(seeds[1], samples), levels)
        both = (n_a > 0) & (n_b > 0)
        if not both.any():
            return (float("nan"),)
        n_a, n_b = n_a[both], n_b[both]
        weight = 1 / (n_a.sum() / n_a + n_b.sum() / n_b)
        return (float(np.average(sum_b[both] / n_b - sum_a[both] / n_a, weights=weight)),)

    n_seeds, n_samples = (len(level_a), len(level_b)), level_a.shape[1]
    return agreement.pigeonhole_bootstrap(statistic, n_seeds, n_samples, rng, draws)[0]


def _by_level(
    fit: CurveFit, level: np.ndarray, weight: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and weighted sum of R^2 of the forgotten traces on each level."""
    weight = (weight * ~(fit.constant | fit.too_short)).ravel()
    weighted_r2 = weight * np.nan_to_num(fit.r2).ravel()
    count = np.bincount(level.ravel(), weight, levels)
    return count, np.bincount(level.ravel(), weighted_r2, levels)


def two_way_mean(values: np.ndarray, rng: np.random.Generator, draws: int = 200) -> Interval:
    """Mean of values [seed, sample], NaN left out, with a pigeonhole interval."""
    mean = _mean_on(values)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        return (mean(seeds[0], samples),)

    n_seeds, n_samples = values.shape
    return agreement.pigeonhole_bootstrap(statistic, (n_seeds,), n_samples, rng, draws)[0]


def compare_means(
    values_a: np.ndarray, values_b: np.ndarray, rng: np.random.Generator, draws: int = 200
) -> dict[str, Interval]:
    """Means of two architectures' values [seed, sample], NaN left out, and the gap b - a."""
    means = _mean_on(values_a), _mean_on(values_b)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float, ...]:
        a, b = (mean(weights, samples) for mean, weights in zip(means, seeds, strict=True))
        return a, b, b - a

    n_seeds, n_samples = (len(values_a), len(values_b)), values_a.shape[1]
    found = agreement.pigeonhole_bootstrap(statistic, n_seeds, n_samples, rng, draws)
    return dict(zip(PARTS, found, strict=True))


def _mean_on(values: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
    """The mean of values [seed, sample] as a function of seed and sample weights; NaN left out."""
    known = (~np.isnan(values)).astype(float)
    filled = np.nan_to_num(values)

    def mean(seeds: np.ndarray, samples: np.ndarray) -> float:
        weight = seeds @ known @ samples
        return float(seeds @ filled @ samples / weight) if weight else float("nan")

    return mean


def lowest(criterion: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where each curve has the lowest criterion: 1, 0, or NaN where there is none; ties are shared.

    criterion arrays [...] by curve, NaN where undefined; returns arrays [...] that add up to 1.
    """
    table = np.stack(list(criterion.values()))
    undefined = np.isnan(table).any(axis=0)
    best = np.where(undefined, 0.0, table).min(axis=0)
    wins = (table <= best + 1e-9) & ~undefined
    share = np.where(undefined, np.nan, wins / np.maximum(wins.sum(axis=0), 1))
    return dict(zip(criterion, share, strict=True))


def _named(found: Sequence[Interval]) -> Comparison:
    rows = [found[i : i + len(QUANTITIES)] for i in range(0, len(found), len(QUANTITIES))]
    return {
        part: dict(zip(QUANTITIES, row, strict=True)) for part, row in zip(PARTS, rows, strict=True)
    }

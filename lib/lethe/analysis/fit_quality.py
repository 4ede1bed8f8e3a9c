"""How well a forgetting curve describes the traces of one or two architectures, with intervals.

Mean R^2 under the three conventions of `curves.r2_conventions`, over runs and samples, for a named
target: the raw 0/1 trace, its running mean over 5 epochs, or the mean over seeds.
Intervals resample seeds and samples together (see `agreement.resampling`). `world_r2` gives the
same means for simulated copies of the traces: the scale on which the real ones are read.
Cost: one fit per target; the mean over seeds is fitted again without each seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lethe.analysis import agreement, curves, scores
from lethe.analysis.agreement import Interval
from lethe.analysis.curves import CurveFit
from lethe.errors import LetheError, nearest

QUANTITIES = ("excluded", "scored_1", "scored_0", "share_never_forgotten")
PARTS = ("a", "b", "gap")
WORLDS = ("null", "ceiling", "lapses")
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
    Intervals: each seed left out once (with a new fit), and a bootstrap of samples.
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
    found = agreement.jackknife_seeds(statistic, n_seeds, traces_a.shape[1], rng, draws)
    return _named(found)


def mean_r2(traces: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    """Mean R^2 of exponential fits by convention, over samples, then over seeds.

    traces, weights [seed, sample, epoch]; keys as in `curves.r2_conventions`.
    """
    fit = curves.fit_exponential(traces, weights)
    return {name: float(np.mean(value)) for name, value in curves.r2_conventions(fit).items()}


def copy_of_world(correct: np.ndarray, world: str, rng: np.random.Generator) -> np.ndarray:
    """One simulated copy of all retention traces, [seed, sample, epoch].

    correct bool [seed, epoch, sample]. `null`: the epochs of each trace are shuffled, the first
    stays. `ceiling`: each trace is redrawn from its own fitted exponential. `lapses`: each sample
    is lost and won back at its own steady pace. Raises LetheError for another world.
    """
    if world not in WORLDS:
        raise LetheError(f"unknown world {world!r}; {nearest(world, WORLDS)}")
    retention = curves.retention_traces(correct)[0]
    if world == "null":
        return curves.permute_epochs(rng, retention)
    first, epochs = scores.first_learned(correct), correct.shape[1]
    if world == "ceiling":
        rate = curves.fit_exponential(retention).rate
        return curves.retention_traces(curves.resample_correct(rate, first, epochs, rng))[0]
    rate, relearn = curves.steady_lapses(correct)
    shape = (epochs, len(first))
    steady = curves.simulate_correct(rng, rate, *shape, "lapse_relearn", first, relearn)
    return curves.retention_traces(steady)[0]


def world_r2(
    correct: np.ndarray, world: str, rng: np.random.Generator, copies: int = 1
) -> dict[str, float]:
    """`mean_r2` of simulated copies of the traces, averaged over `copies`."""
    found = [mean_r2(copy_of_world(correct, world, rng)) for _ in range(copies)]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def matched_gap(
    fit_a: CurveFit,
    fit_b: CurveFit,
    wrong_a: np.ndarray,
    wrong_b: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
) -> Interval:
    """Gap b - a in mean R^2 between traces that are wrong equally often.

    wrong [seed, sample] are the numbers of wrong epochs in the retention traces. For each number
    the mean R^2 of both architectures is compared; the gaps are averaged with the architectures'
    mean share of traces as weights. Constant and short traces are left out.
    """
    levels = int(max(wrong_a.max(), wrong_b.max())) + 1

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        n_a, sum_a = _by_level(fit_a, wrong_a, np.outer(seeds[0], samples), levels)
        n_b, sum_b = _by_level(fit_b, wrong_b, np.outer(seeds[1], samples), levels)
        both = (n_a > 0) & (n_b > 0)
        weight = (n_a / max(n_a.sum(), 1) + n_b / max(n_b.sum(), 1))[both]
        gap = sum_b[both] / n_b[both] - sum_a[both] / n_a[both]
        return (float(np.average(gap, weights=weight)) if both.any() else float("nan"),)

    n_seeds, n_samples = (len(wrong_a), len(wrong_b)), wrong_a.shape[1]
    return agreement.pigeonhole_bootstrap(statistic, n_seeds, n_samples, rng, draws)[0]


def _by_level(
    fit: CurveFit, wrong: np.ndarray, weight: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weight and weighted sum of R^2 of the forgotten traces with each number of wrong epochs."""
    weight = (weight * ~(fit.constant | fit.too_short)).ravel()
    weighted_r2 = weight * np.nan_to_num(fit.r2).ravel()
    count = np.bincount(wrong.ravel(), weight, levels)
    return count, np.bincount(wrong.ravel(), weighted_r2, levels)


def two_way_mean(values: np.ndarray, rng: np.random.Generator, draws: int = 200) -> Interval:
    """Mean of values [seed, sample], NaN left out, with a pigeonhole interval."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        return ((seeds[0] @ filled @ samples) / (seeds[0] @ known.astype(float) @ samples),)

    return agreement.pigeonhole_bootstrap(statistic, values.shape[:1], values.shape[1], rng, draws)[
        0
    ]


def curve_fits(traces: np.ndarray, weights: np.ndarray | None = None) -> dict[str, CurveFit]:
    """All four curves fitted by least squares to the same traces [..., epoch], by name."""
    fitters = (
        curves.fit_constant,
        curves.fit_exponential,
        curves.fit_power,
        curves.fit_extended,
    )
    fits = [fitter(traces, weights) for fitter in fitters]
    return {fit.curve: fit for fit in fits}


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

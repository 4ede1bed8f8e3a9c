"""Intervals that resample seeds and samples together, and nulls by permutation.

Definition: the pigeonhole bootstrap (Owen 2007, doi 10.1214/07-AOAS122) draws seeds with
replacement and, independently, samples with replacement. Both enter as multiplicities. A seed drawn
twice is never compared with itself: pairs of *different* seeds count by the product of both.
Drawing both at once counts the noise of one sample in one run three times (Owen, section 5), so the
draws give the limits their shape, and `two_way_error` their width.
Cost: draws x O(seeds * samples), or seeds^2 with NaN, on all cores; nothing is sorted again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm as normal
from scipy.stats import t as student

from lethe.analysis.agreement.ranks import mean_pairwise
from lethe.analysis.agreement.reliability import noise_corrected
from lethe.analysis.agreement.sorting import Matrix
from lethe.analysis.agreement.threads import in_threads
from lethe.errors import LetheError

MIN_SEEDS = 6  # with fewer seeds a page shows an estimate and gives no verdict
Statistic = Callable[[Sequence[np.ndarray], np.ndarray], Sequence[float] | np.ndarray]
NO_LIMITS = (math.nan, math.nan, math.nan)  # low, high and error of an estimate without interval


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; ``n_seeds`` is the smallest number of seeds behind it."""

    estimate: float
    low: float
    high: float
    se: float
    n_seeds: int
    n_samples: int
    method: str
    level: float = 0.95

    @property
    def can_judge(self) -> bool:
        """Whether there are seeds enough for a verdict (fewer than 6: no verdict)."""
        return self.n_seeds >= MIN_SEEDS and math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Band:
    """Mean and central range of a statistic without the effect (null) or with only it (ceiling)."""

    mean: float
    low: float
    high: float
    draws: int
    p_value: float = math.nan


def seed_weights(n: int, rng: np.random.Generator) -> np.ndarray:
    """Multiplicities of ``n`` seeds drawn with replacement, two different ones at least."""
    while True:
        weights = np.bincount(rng.integers(0, n, n), minlength=n)
        if n == 1 or np.count_nonzero(weights) > 1:
            return weights.astype(float)


def sample_weights(
    n: int, rng: np.random.Generator, groups: np.ndarray | None = None
) -> np.ndarray:
    """Multiplicities of ``n`` samples; with groups [sample] (int), whole groups are drawn."""
    if groups is None:
        return np.bincount(rng.integers(0, n, n), minlength=n).astype(float)
    size = int(groups.max()) + 1
    return np.bincount(rng.integers(0, size, size), minlength=size).astype(float)[groups]


def pigeonhole_bootstrap(
    statistic: Statistic,
    n_seeds: Sequence[int],
    n_samples: int,
    rng: np.random.Generator,
    draws: int = 300,
    groups: np.ndarray | None = None,
    level: float = 0.95,
) -> list[Interval]:
    """Intervals of one or more statistics, resampling seeds (every set) and samples.

    statistic(seed weights, one array per set; sample weights [sample]) -> values; n_seeds e.g.
    (10, 10) for two architectures with 10 seeds each; groups as in `sample_weights`. A statistic
    must average over seeds or pairs of seeds: use `averaging` where it averages scores first. It is
    called from several threads; a stream of its own makes each draw the same on any number of them.
    Limits: percentiles of the draws, scaled to the standard error and t of `two_way_error`.
    """
    if min(n_seeds) < 1 or n_samples < 2 or draws < 2:
        raise LetheError(
            f"cannot resample {tuple(n_seeds)} seeds, {n_samples} samples, {draws} draws"
        )
    whole = statistic([np.ones(n) for n in n_seeds], np.ones(n_samples))
    size = max(draws // 5, min(max(draws // 2, 60), 150))  # the error's own error: 9 to 3 %
    errors = two_way_error(statistic, n_seeds, n_samples, rng, size, groups)

    def replicate(stream: np.random.Generator) -> Sequence[float] | np.ndarray:
        seeds = [seed_weights(n, stream) for n in n_seeds]
        return statistic(seeds, sample_weights(n_samples, stream, groups))

    replicates = in_threads(replicate, rng.spawn(draws))
    units = "samples" if groups is None else "groups"
    form = Interval(
        math.nan, math.nan, math.nan, math.nan, min(n_seeds), n_samples, f"seeds x {units}", level
    )
    return [
        _limits(form, *each)
        for each in zip(whole, *errors, zip(*replicates, strict=True), strict=True)
    ]


def two_way_error(
    statistic: Statistic,
    n_seeds: Sequence[int],
    n_samples: int,
    rng: np.random.Generator,
    draws: int,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Standard error [value] of a statistic of seeds and samples, and its degrees of freedom.

    Variance over seeds (each left out once) plus variance over samples or groups (a bootstrap of
    these alone, times n / (n - 1)); the noise of a sample in a run is in both, so the sum is a
    little too large. Degrees of freedom by Satterthwaite (1946): near K - 1 where K seeds rule,
    n - 1 where n samples do. NaN where the statistic does not exist without one of the seeds.
    """
    ones = [np.ones(n) for n in n_seeds]
    runs = [_left_out_variance(statistic, ones, which, n_samples) for which in range(len(ones))]

    def resampled(stream: np.random.Generator) -> Sequence[float] | np.ndarray:
        return statistic(ones, sample_weights(n_samples, stream, groups))

    drawn = np.ma.masked_invalid(np.array(in_threads(resampled, rng.spawn(draws)), dtype=float))
    units = n_samples if groups is None else int(groups.max()) + 1
    among = drawn.var(axis=0, ddof=1).filled(np.nan) * units / max(units - 1, 1)
    variance = np.sum(runs, axis=0) + among
    parts = zip([*runs, among], [*n_seeds, units], strict=True)
    loose = sum(part**2 / max(n - 1, 1) for part, n in parts)
    freedom = np.divide(variance**2, loose, out=np.full(len(variance), np.inf), where=loose > 0)
    return np.sqrt(variance), np.where(np.isnan(loose), np.nan, freedom)


def _left_out_variance(
    statistic: Statistic, ones: list[np.ndarray], which: int, n_samples: int
) -> np.ndarray:
    """Jackknife variance over the seeds of one set; 0 for a set of one seed."""
    n = ones[which].size

    def without(seed: int) -> Sequence[float] | np.ndarray:
        weights = [w.copy() for w in ones]
        weights[which][seed] = 0
        return statistic(weights, np.ones(n_samples))

    if n == 1:
        return np.zeros(len(statistic(ones, np.ones(n_samples))))
    values = np.array(in_threads(without, range(n)), dtype=float)
    return (n - 1) * values.var(axis=0)


def _limits(
    form: Interval, estimate: float, se: float, freedom: float, column: Sequence[float]
) -> Interval:
    values = np.array(column, dtype=float)
    values = values[np.isfinite(values)]
    if not math.isfinite(estimate) or values.size < 2 or math.isnan(freedom):
        return replace(form, estimate=float(estimate))
    tail, spread = (1 + form.level) / 2, float(values.std(ddof=1))
    reach = student.ppf(tail, freedom) / normal.ppf(tail) * se / spread if spread > 0 else 1.0
    shape = np.quantile(values, [1 - tail, tail]) - estimate
    low, high = (float(x) for x in estimate + reach * shape)
    return replace(form, estimate=float(estimate), low=low, high=high, se=float(se))


def cross_seed(
    matrix_of: Matrix,
    n_seeds: int,
    n_samples: int,
    rng: np.random.Generator,
    draws: int = 300,
    groups: np.ndarray | None = None,
    level: float = 0.95,
) -> Interval:
    """Mean agreement between different seeds, with its interval, cut at -1 and 1.

    matrix_of: `spearman_on(scores)` or `jaccard_on(scores, fraction)`.
    """

    def mean(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        return (mean_pairwise(matrix_of(samples, seeds[0] > 0), seeds[0]),)

    return _cut(pigeonhole_bootstrap(mean, (n_seeds,), n_samples, rng, draws, groups, level)[0])


def _cut(interval: Interval) -> Interval:
    return replace(interval, low=max(interval.low, -1.0), high=min(interval.high, 1.0))


GAP_PARTS = ("within_a", "within_b", "between", "ceiling", "gap", "shared")


def gap_parts(
    matrix: np.ndarray, weights_a: np.ndarray, weights_b: np.ndarray, chance: float = 0.0
) -> tuple[float, ...]:
    """The values named in GAP_PARTS, from a matrix whose first runs are of a and the others of b.

    ceiling = mean of the two within values; gap = ceiling - between; shared = what remains of the
    repeatable agreement, noise-corrected after taking `chance` (0 for Spearman) off each value.
    """
    k = len(weights_a)
    within_a = mean_pairwise(matrix[:k, :k], weights_a)
    within_b = mean_pairwise(matrix[k:, k:], weights_b)
    pair = np.outer(weights_a, weights_b)
    between = float(np.average(matrix[:k, k:][pair > 0], weights=pair[pair > 0]))
    ceiling = (within_a + within_b) / 2
    shared = noise_corrected(between - chance, within_a - chance, within_b - chance)
    return within_a, within_b, between, ceiling, ceiling - between, shared


def within_between_gap(
    matrix_of: Matrix,
    n_seeds: tuple[int, int],
    n_samples: int,
    rng: np.random.Generator,
    draws: int = 300,
    groups: np.ndarray | None = None,
    level: float = 0.95,
    chance: float = 0.0,
) -> dict[str, Interval]:
    """Agreement within architecture a, within b, between them and the gap, each with its interval.

    matrix_of: prepared on np.vstack([scores_a, scores_b]), the same samples in the same order. The
    keys are within_a, within_b, between, ceiling (mean of the within), gap (ceiling - between) and
    shared. All parts share their resamples, so the gap's interval allows for that.
    """

    def parts(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float, ...]:
        a, b = seeds
        return gap_parts(matrix_of(samples, np.concatenate(seeds) > 0), a, b, chance)

    found = pigeonhole_bootstrap(parts, n_seeds, n_samples, rng, draws, groups, level)
    cut = [_cut(interval) for interval in found[:4]] + found[4:]  # agreements, gap, shared
    return dict(zip(GAP_PARTS, cut, strict=True))

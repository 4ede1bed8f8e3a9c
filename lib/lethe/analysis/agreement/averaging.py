"""Agreement of scores that are averaged over seeds first, half of the seeds against the other half.

Definition: the runs of each architecture are dealt into two halves (even and odd) and averaged, so
that a comparison within an architecture and one between two rest on equally many seeds.
Cost: (seeds + draws) x the cost of comparing four score vectors.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student

from lethe.analysis.agreement.coding import Matrix
from lethe.analysis.agreement.ranks import mean_over_runs
from lethe.analysis.agreement.resampling import (
    GAP_PARTS,
    Interval,
    Statistic,
    gap_parts,
    sample_weights,
)
from lethe.errors import LetheError

MIN_RUNS = 4  # a half must survive the loss of one run


def averaged_gap(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    prepare: Callable[[np.ndarray], Matrix],
    rng: np.random.Generator,
    draws: int = 60,
    chance: float = 0.0,
) -> dict[str, Interval]:
    """Like `within_between_gap`, for averages over half of the seeds; all NaN below 4 runs a side.

    scores_a, scores_b [run, sample] of the same samples; prepare is `spearman_on`, or `jaccard_on`
    with its fraction filled in.
    """
    runs, n = (len(scores_a), len(scores_b)), np.shape(scores_a)[1]
    if min(runs) < MIN_RUNS:
        nothing = Interval(*[math.nan] * 4, min(runs), n, "too few runs")
        return dict.fromkeys(GAP_PARTS, nothing)

    def parts(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float, ...]:
        halves = _halves(scores_a, seeds[0]) + _halves(scores_b, seeds[1])
        return gap_parts(prepare(np.array(halves))(samples), np.ones(2), np.ones(2), chance)

    return dict(zip(GAP_PARTS, jackknife_seeds(parts, runs, n, rng, draws), strict=True))


def _halves(scores: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    return [mean_over_runs(scores[start::2], weights[start::2]) for start in (0, 1)]


def jackknife_seeds(
    statistic: Statistic,
    n_seeds: Sequence[int],
    n_samples: int,
    rng: np.random.Generator,
    draws: int = 100,
    level: float = 0.95,
) -> list[Interval]:
    """Intervals for statistics that average scores over seeds before comparing them.

    Resampling seeds with replacement leaves about 63 % of them distinct, so a mean over them is
    noisier than the real one. Here each seed is left out once instead (weight 0) and the variance
    over samples, from a bootstrap of samples only, is added: estimate +- t * sqrt(both variances).
    """
    ones = [np.ones(n) for n in n_seeds]
    whole = np.array(statistic(ones, np.ones(n_samples)))
    variance = sum(
        _left_out_variance(statistic, ones, which, n_samples) for which in range(len(ones))
    )
    sampled = [statistic(ones, sample_weights(n_samples, rng)) for _ in range(draws)]
    se = np.sqrt(variance + np.var(np.array(sampled), axis=0, ddof=1))
    reach = student.ppf((1 + level) / 2, min(n_seeds) - 1) * se
    form = ("jackknife of seeds + bootstrap of samples", level)
    return [
        Interval(float(w), float(w - r), float(w + r), float(s), min(n_seeds), n_samples, *form)
        for w, r, s in zip(whole, reach, se, strict=True)
    ]


def _left_out_variance(statistic: Statistic, ones: list, which: int, n_samples: int) -> np.ndarray:
    n = ones[which].size
    if n < 2:
        raise LetheError("a jackknife over seeds needs 2 seeds or more")
    values = []
    for seed in range(n):
        weights = [w.copy() for w in ones]
        weights[which][seed] = 0
        values.append(statistic(weights, np.ones(n_samples)))
    return (n - 1) * np.var(np.array(values), axis=0)

"""Agreement of scores that are averaged over seeds first, half of the seeds against the other half.

Definition: the runs of each architecture are dealt into two halves (even and odd) and averaged, so
that a comparison within an architecture and one between two rest on equally many seeds.
Cost: (seeds + draws) x the cost of comparing four score vectors.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student

from lethe.analysis.agreement.reliability import complete, icc, mean_over_runs
from lethe.analysis.agreement.resampling import (
    GAP_PARTS,
    NO_LIMITS,
    Interval,
    Statistic,
    gap_parts,
    two_way_error,
)
from lethe.analysis.agreement.sorting import Matrix
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
        nothing = Interval(math.nan, *NO_LIMITS, min(runs), n, "too few runs")
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
    noisier than the real one. So no seed is drawn here: estimate +- t * se of `two_way_error`.
    Raises LetheError below 2 seeds.
    """
    if min(n_seeds) < 2:
        raise LetheError("a jackknife over seeds needs 2 seeds or more")
    whole = np.array(statistic([np.ones(n) for n in n_seeds], np.ones(n_samples)))
    se, freedom = two_way_error(statistic, n_seeds, n_samples, rng, draws)
    reach = student.ppf((1 + level) / 2, freedom) * se
    form = ("jackknife of seeds + bootstrap of samples", level)
    return [
        Interval(float(w), float(w - r), float(w + r), float(s), min(n_seeds), n_samples, *form)
        for w, r, s in zip(whole, reach, se, strict=True)
    ]


def icc_interval(scores: np.ndarray, rng: np.random.Generator, draws: int = 100) -> Interval:
    """ICC(2,1) of scores [run, sample] with its interval, over samples known in all runs.

    `spearman_brown` with the number of runs turns estimate and limits into those of ICC(2,k). Below
    3 runs there are no limits: one run left out must leave two.
    """
    values = complete(scores, "an ICC")
    runs, n = values.shape
    if runs < 3:
        return Interval(icc(values), *NO_LIMITS, runs, n, "too few runs")

    def single(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        drawn = np.repeat(np.arange(n), samples.astype(int))
        return (icc(values[np.ix_(seeds[0] > 0, drawn)]),)

    return jackknife_seeds(single, (runs,), n, rng, draws)[0]

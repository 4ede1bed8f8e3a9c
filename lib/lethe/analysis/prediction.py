"""Does an early score say which samples will be forgotten? Rank correlation, run by run.

Definition: in each run, Spearman's correlation of the early score with the later one over the
samples known in both; then the mean over runs. Runs are never pooled into one long list: the same
sample in ten runs is not ten samples. The partial form removes class means from the ranks first.
Cost: ranks are taken once per run; each resample is a few weighted sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import rankdata

from lethe.analysis import agreement, curves, scores
from lethe.analysis.agreement import Band, Interval
from lethe.errors import LetheError


def run_correlations(
    early: np.ndarray, later: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Spearman correlation of early with later in every run, NaN samples left out; [seed].

    early, later [seed, sample], both higher = harder. groups [sample]: partial correlation given
    the group, from mid-ranks less their group mean. Raises LetheError if the shapes differ.
    """
    x, y, known, sizes = _ranks(early, later, groups)
    return _correlations(x, y, known.astype(float), sizes)


def correlation_interval(
    early: np.ndarray,
    later: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    groups: np.ndarray | None = None,
) -> Interval:
    """Mean of run_correlations with a pigeonhole interval over seeds and samples.

    Shapes as in run_correlations. Resamples weight the ranks of the full run and do not rank anew.
    """
    x, y, known, sizes = _ranks(early, later, groups)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        drawn = seeds[0] > 0
        found = _correlations(x[drawn], y[drawn], known[drawn] * samples, sizes)
        return (float(np.average(found, weights=seeds[0][drawn])),)

    return agreement.pigeonhole_bootstrap(statistic, x.shape[:1], x.shape[1], rng, draws)[0]


def correlation_null(
    early: np.ndarray,
    later: np.ndarray,
    rng: np.random.Generator,
    draws: int = 99,
    groups: np.ndarray | None = None,
) -> Band:
    """Mean correlation when the later score is shuffled over samples (within groups, if given).

    Ranks are taken once over all samples. p_value is (1 + draws at least as large) / (1 + draws),
    so never 0.
    """
    x, y = (rankdata(np.atleast_2d(s), axis=1, nan_policy="omit") for s in (early, later))
    every = np.array([x.shape[1]])

    def statistic(shuffled: np.ndarray) -> float:
        known = ~(np.isnan(x) | np.isnan(shuffled))
        pair = np.where(known, x, 0.0), np.where(known, shuffled, 0.0)
        return float(np.mean(_correlations(*pair, known.astype(float), every)))

    return agreement.permutation_null(statistic, y, rng, draws, groups)


def other_seed_correlation(early: np.ndarray, later: np.ndarray) -> float:
    """Mean correlation of one run's early score with another run's later score.

    Shapes as in run_correlations. Near run_correlations' mean: the early score speaks of the
    sample; well below it: of the run. NaN with one run.
    """
    runs = len(early)
    matrix = agreement.spearman_matrix(np.vstack([early, later]))[:runs, runs:]
    different = ~np.eye(runs, dtype=bool)
    return float(matrix[different].mean()) if runs > 1 else float("nan")


def perfect_knowledge(
    correct: np.ndarray,
    rng: np.random.Generator,
    draws: int = 10,
    later: Callable[[np.ndarray], np.ndarray] = scores.decay_rate,
) -> Band:
    """What the correlation would be if the early score were each sample's true decay rate.

    correct bool [seed, epoch, sample]; later maps such an array to a score [seed, sample] with
    higher = harder. Rates: all seeds of a sample together, shrunken; traces are simulated from them
    with the same first_learned, and scored one run at a time. The noise in one run's score is what
    keeps this below 1.
    """
    traces, _ = curves.retention_traces(correct)
    rate = curves.shrink(*curves.pool_seeds(traces)).rate
    first = scores.first_learned(correct)

    def simulate(rng: np.random.Generator) -> np.ndarray:
        return later(curves.resample_correct(rate, first, correct.shape[1], rng))

    def against_truth(fitted: np.ndarray) -> float:
        return float(np.mean(run_correlations(np.broadcast_to(rate, fitted.shape), fitted)))

    return agreement.intrinsic_ceiling(simulate, against_truth, rng, draws)


def top_overlap(
    early: np.ndarray,
    later: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
    draws: int = 100,
) -> Interval:
    """Jaccard index of the top fraction by the early and by the later score, mean over runs.

    Shapes as in run_correlations; ties are broken at random (in expectation).
    """
    matrices = [
        agreement.jaccard_on(np.stack(pair), fraction) for pair in zip(early, later, strict=True)
    ]

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        drawn = np.flatnonzero(seeds[0])
        values = [matrices[run](samples)[0, 1] for run in drawn]
        return (float(np.average(values, weights=seeds[0][drawn])),)

    n_seeds, n_samples = np.shape(early)
    return agreement.pigeonhole_bootstrap(statistic, (n_seeds,), n_samples, rng, draws)[0]


def _ranks(
    early: np.ndarray, later: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mid-ranks of both scores among the samples known in both, samples sorted by group.

    Returns (ranks of early, ranks of later, known), each [seed, sample], and the group sizes.
    """
    early, later = np.atleast_2d(early).astype(float), np.atleast_2d(later).astype(float)
    if early.shape != later.shape:
        raise LetheError(
            f"scores of shape {early.shape} and {later.shape}: give [seed, sample] both"
        )
    groups = np.zeros(early.shape[1], int) if groups is None else np.asarray(groups)
    order, (_, sizes) = np.argsort(groups), np.unique(groups, return_counts=True)
    early, later = early[:, order], later[:, order]
    known = ~(np.isnan(early) | np.isnan(later))
    x, y = np.zeros(early.shape), np.zeros(early.shape)
    for run, keep in enumerate(known):
        x[run, keep], y[run, keep] = rankdata(early[run, keep]), rankdata(later[run, keep])
    return x, y, known, sizes


def _correlations(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Weighted correlation along each row, group means removed; NaN if a score is constant."""
    starts = np.cumsum(sizes) - sizes
    total = np.maximum(np.add.reduceat(weight, starts, axis=1), 1e-300)
    x, y = (
        score - np.repeat(np.add.reduceat(weight * score, starts, axis=1) / total, sizes, axis=1)
        for score in (x, y)
    )
    spread = np.sqrt((weight * x * x).sum(1) * (weight * y * y).sum(1))
    product = (weight * x * y).sum(1)
    return np.divide(product, spread, out=np.full(len(x), np.nan), where=spread > 1e-6)

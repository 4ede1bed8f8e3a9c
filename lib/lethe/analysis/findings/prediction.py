"""Does an early score say which samples will be forgotten? Rank correlation, run by run.

Definition: in each run, Spearman's correlation of the early score with the later one over the
samples known in both; then the mean over runs. Runs are never pooled into one long list: the same
sample in ten runs is not ten samples. The partial form removes class means from the ranks first,
and, if asked, what a third score explains linearly in the ranks of both.
Cost: ranks are taken once per run; each resample is a few weighted sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement

import numpy as np
from scipy.stats import rankdata

from lethe.analysis import agreement, curves, scores
from lethe.analysis.agreement import Band, Interval
from lethe.analysis.curves.pooled import pooled_rate
from lethe.errors import LetheError


def run_correlations(
    early: np.ndarray,
    later: np.ndarray,
    groups: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> np.ndarray:
    """Spearman correlation of early with later in every run, NaN samples left out; [seed].

    early, later [seed, sample], both higher = harder. groups [sample]: partial correlation given
    the group, from mid-ranks less their group mean; given [seed, sample]: and given this score.
    Raises LetheError if the shapes differ.
    """
    return _correlations([early, later, given], groups)(np.ones(np.shape(early)[-1]))


def correlation_interval(
    early: np.ndarray,
    later: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    groups: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> Interval:
    """Mean of run_correlations with a pigeonhole interval over seeds and samples.

    Shapes as in run_correlations. Resamples weight the ranks of the full run and do not rank anew.
    """
    mean = _mean_correlation([early, later, given], groups)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        return (mean(seeds[0], samples),)

    n_seeds, n_samples = np.shape(early)
    return agreement.pigeonhole_bootstrap(statistic, (n_seeds,), n_samples, rng, draws)[0]


def compare_predictors(
    early: np.ndarray,
    reference: np.ndarray,
    later: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
) -> tuple[Interval, Interval]:
    """Correlation of early with later, and by how much it exceeds the reference's correlation.

    All [seed, sample], higher = harder; both correlations are over the samples known in all three,
    and share their resamples.
    """
    masked = np.where(np.isnan(early) | np.isnan(reference), np.nan, later)
    means = [_mean_correlation([score, masked], None) for score in (early, reference)]

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float, float]:
        rho, other = (mean(seeds[0], samples) for mean in means)
        return rho, rho - other

    n_seeds, n_samples = np.shape(early)
    rho, gain = agreement.pigeonhole_bootstrap(statistic, (n_seeds,), n_samples, rng, draws)
    return rho, gain


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

    def statistic(shuffled: np.ndarray) -> float:
        known = ~(np.isnan(x) | np.isnan(shuffled))
        number = np.maximum(known.sum(1, keepdims=True), 1)
        pair = [np.where(known, score, 0.0) for score in (x, shuffled)]
        a, b = ((s - s.sum(1, keepdims=True) / number) * known for s in pair)
        return float(np.mean(_ratio((a * b).sum(1), (a * a).sum(1) * (b * b).sum(1))))

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
    agree: Callable[[np.ndarray, np.ndarray], np.ndarray] = run_correlations,
) -> Band:
    """What `agree` would be, mean over runs, if the early score were each sample's true decay rate.

    correct bool [seed, epoch, sample]; later maps such an array to a score [seed, sample] with
    higher = harder; agree(early, later) returns [seed]. Rates: all seeds of a sample together,
    shrunken; traces are simulated from them with the same first_learned, and scored one run at a
    time. The noise in one run's score is what keeps this below 1.
    """
    rate = pooled_rate(correct)
    first = scores.first_learned(correct)

    def simulate(rng: np.random.Generator) -> np.ndarray:
        return later(curves.resample_correct(rate, first, correct.shape[1], rng))

    def against_truth(fitted: np.ndarray) -> float:
        return float(np.mean(agree(np.broadcast_to(rate, fitted.shape), fitted)))

    return agreement.intrinsic_ceiling(simulate, against_truth, rng, draws)


def _ranks(
    given: Sequence[np.ndarray | None], groups: np.ndarray | None
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Mid-ranks of each score among the samples known in all, less their mean, sorted by group.

    Returns (ranks, one array [seed, sample] a score; known [seed, sample], both sorted; the order;
    the group sizes).
    """
    found = [np.atleast_2d(score).astype(float) for score in given if score is not None]
    if len({score.shape for score in found}) > 1:
        shapes = " and ".join(str(score.shape) for score in found)
        raise LetheError(f"scores of shape {shapes}: give [seed, sample] for each")
    groups = np.zeros(found[0].shape[1], int) if groups is None else np.asarray(groups)
    order = np.argsort(groups, kind="stable")
    sizes = np.unique(groups, return_counts=True)[1]
    found = [score[:, order] for score in found]
    known = ~np.any(np.isnan(found), axis=0)
    ranks = [np.zeros(known.shape) for _ in found]
    for score, rank in zip(found, ranks, strict=True):
        for run, keep in enumerate(known):
            rank[run, keep] = rankdata(score[run, keep]) - (keep.sum() + 1) / 2
    return ranks, known, order, sizes


def _mean_correlation(
    given: Sequence[np.ndarray | None], groups: np.ndarray | None
) -> Callable[[np.ndarray, np.ndarray], float]:
    """The mean correlation over runs as a function of seed and sample weights."""
    correlations = _correlations(given, groups)

    def mean(seeds: np.ndarray, samples: np.ndarray) -> float:
        drawn = seeds > 0
        return float(np.average(correlations(samples)[drawn], weights=seeds[drawn]))

    return mean


def _correlations(
    given: Sequence[np.ndarray | None], groups: np.ndarray | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Rank correlation of the first two scores in each run [seed], by sample weights [sample].

    Group means are removed; a third score is partialled out: (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)
    (1 - r_yz^2)). NaN if one of the two is constant, or a function of the third; a constant third
    explains nothing.
    """
    ranks, known, order, sizes = _ranks(given, groups)
    pairs = list(combinations_with_replacement(range(len(ranks)), 2))
    moments = np.stack([known, *ranks, *(ranks[i] * ranks[j] for i, j in pairs)])
    starts = np.cumsum(sizes) - sizes

    def correlations(samples: np.ndarray) -> np.ndarray:
        if len(sizes) > 1:
            sums = np.add.reduceat(moments * samples[order], starts, axis=-1)
        else:
            sums = (moments @ samples[order])[..., None]
        total, first, second = np.split(sums, [1, 1 + len(ranks)])
        products = zip(pairs, second, strict=True)
        mean = first / np.maximum(total, 1e-300)
        spread = {(i, j): (both - mean[i] * first[j]).sum(-1) for (i, j), both in products}
        r = {(i, j): _ratio(spread[i, j], spread[i, i] * spread[j, j]) for i, j in pairs}
        if len(ranks) == 2:
            return r[0, 1]
        xz, yz = np.nan_to_num(r[0, 2]), np.nan_to_num(r[1, 2])
        return _ratio(r[0, 1] - xz * yz, (1 - xz**2) * (1 - yz**2))

    return correlations


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / sqrt(below), NaN where below is 0 up to rounding."""
    root = np.sqrt(np.maximum(below, 0.0))
    return np.divide(above, root, out=np.full(root.shape, np.nan), where=root > 1e-6)

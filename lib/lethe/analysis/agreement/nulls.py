"""A statistic without the effect (nulls, controls) and with nothing but the effect (ceiling).

Definitions: null = samples permuted within every run, optionally only inside groups (classes);
misaligned control = images compared by position after every run drew its own split; ceiling = the
statistic on traces simulated with a rate that belongs to the image alone.
Cost: draws x the cost of the statistic, on all cores: each draw has a stream of its own.
"""

from collections.abc import Callable

import numpy as np

from lethe.analysis.agreement.resampling import Band
from lethe.analysis.agreement.threads import in_threads
from lethe.errors import LetheError

Scalar = Callable[[np.ndarray], float]


def shuffle_samples(
    scores: np.ndarray, rng: np.random.Generator, groups: np.ndarray | None = None
) -> np.ndarray:
    """Permute the samples of every run independently; with groups [sample], only inside each group.

    scores [run, sample] -> [run, sample] with the same values in every run (and group).
    """
    scores = np.asarray(scores)
    if groups is None:
        return rng.permuted(scores, axis=1)
    _, codes = np.unique(groups, return_inverse=True)
    home, out = np.argsort(codes, kind="stable"), np.empty_like(scores)
    for run in range(len(scores)):
        # whole part = group, the rest = lot: sorted, every group is in a random order
        out[run, home] = scores[run, np.argsort(codes + rng.random(codes.size))]
    return out


def permutation_null(
    statistic: Scalar,
    scores: np.ndarray,
    rng: np.random.Generator,
    draws: int = 100,
    groups: np.ndarray | None = None,
    level: float = 0.95,
) -> Band:
    """Distribution of statistic(scores) when samples are shuffled in every run; one-sided p.

    The p-value, (1 + draws at least as large) / (1 + draws), is never 0; groups as in
    `shuffle_samples`.
    """
    observed = statistic(scores)
    streams = rng.spawn(draws)
    values = np.array(
        in_threads(lambda r: statistic(shuffle_samples(scores, r, groups)), streams), dtype=float
    )
    p_value = (1 + np.count_nonzero(values >= observed)) / (1 + draws)
    return _band(values, level, float(p_value))


def misalign(scores: np.ndarray, rng: np.random.Generator, share: float = 0.8) -> np.ndarray:
    """The deliberate mistake: every run keeps a random ``share`` of samples, compared by position.

    scores [run, sample] -> [run, round(share * sample)]; the order of the samples is kept, as in a
    re-drawn train split. In class-sorted order the positions still agree roughly in class.
    """
    n = np.shape(scores)[1]
    kept = [np.sort(rng.permutation(n)[: round(share * n)]) for _ in scores]
    return np.array([row[index] for row, index in zip(scores, kept, strict=True)])


def intrinsic_ceiling(
    simulate: Callable[[np.random.Generator], np.ndarray],
    statistic: Scalar,
    rng: np.random.Generator,
    draws: int = 20,
    level: float = 0.95,
) -> Band:
    """What the statistic reaches when forgetting belongs to the image alone (parametric bootstrap).

    simulate(rng) -> scores [run, sample] computed from traces simulated with one rate per sample,
    the same in every run. Rates should be shrunken: raw ones vary too much and raise the ceiling.
    """
    values = in_threads(lambda stream: statistic(simulate(stream)), rng.spawn(draws))
    return _band(np.array(values, dtype=float), level)


def _band(values: np.ndarray, level: float, p_value: float = float("nan")) -> Band:
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise LetheError("the statistic is not a number in any draw: is the score constant?")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Band(float(values.mean()), float(low), float(high), values.size, p_value)

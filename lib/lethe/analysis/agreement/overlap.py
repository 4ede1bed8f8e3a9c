"""Overlap of the most-forgotten sets of two runs.

Definition: the top set of a score holds the ``round(fraction * n)`` highest samples, ties at the
cut broken at random; overlap is the Jaccard index |A and B| / |A or B|, averaged over tie breaks.
Cost: one sort per run, then O(runs^2 * samples) multiplications; no cost per tie draw, because the
share of tie breaks that admit a sample is known in closed form.
NaN (never learned) is left out pair by pair.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from lethe.analysis.agreement.coding import Matrix, level_mass, pairwise_matrix
from lethe.errors import LetheError


def top_size(n: int, fraction: float) -> int:
    """Number of samples in the top ``fraction`` of ``n``; LetheError unless 1 <= size < n."""
    if not 0 < fraction < 1:
        raise LetheError(f"top_fraction is {fraction}: expected a number between 0 and 1")
    size = round(fraction * n)
    if not 1 <= size < n:
        raise LetheError(f"the top {fraction} of {n} samples is {size} samples: too few to compare")
    return size


def top_mask(score: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """The top ``fraction`` of one score, ties broken at random.

    score [sample], higher = more forgotten, NaN never chosen -> bool [sample].
    """
    score = np.asarray(score, dtype=float)
    known = np.flatnonzero(~np.isnan(score))
    size = top_size(known.size, fraction)
    order = np.lexsort((rng.random(known.size), score[known]))
    mask = np.zeros(score.size, dtype=bool)
    mask[known[order[-size:]]] = True
    return mask


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Jaccard index of two boolean masks [sample]; NaN when both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else float("nan")


def jaccard_top(
    a: np.ndarray, b: np.ndarray, fraction: float, rng: np.random.Generator, draws: int = 200
) -> np.ndarray:
    """Jaccard index of the two top sets for each of ``draws`` random tie breaks -> [draw].

    a, b [sample] scores of the same samples; samples that are NaN in either are left out.
    """
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = np.asarray(a)[both], np.asarray(b)[both]
    pairs = ((top_mask(a, fraction, rng), top_mask(b, fraction, rng)) for _ in range(draws))
    return np.array([jaccard(x, y) for x, y in pairs])


def top_share(codes: np.ndarray, weights: np.ndarray, fraction: float) -> np.ndarray:
    """Share of random tie breaks in which each sample is in the top set -> [run, sample].

    codes [run, sample] dense levels of the score, weights [sample] or [run, sample] multiplicities.
    """
    mass = level_mass(codes, weights)
    total = mass.sum(axis=1, keepdims=True)
    above = total - np.cumsum(mass, axis=1)
    room = np.round(fraction * total) - above
    share = np.clip(np.divide(room, mass, out=np.zeros_like(mass), where=mass > 0), 0, 1)
    return np.take_along_axis(share, codes, axis=1)


def _jaccard_kernel(fraction: float) -> Callable[..., np.ndarray]:
    def kernel(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        share = top_share(codes, weights, fraction)
        both = (share * weights) @ share.T
        size = (share * weights).sum(axis=1)
        return both / (size[:, None] + size[None, :] - both)

    return kernel


def jaccard_on(scores: np.ndarray, fraction: float) -> Matrix:
    """Prepare scores [run, sample]; returns sample weights [sample] -> Jaccard matrix [run, run].

    Each entry is E|A and B| / E|A or B| over independent random tie breaks of the two runs: the
    limit of `jaccard_top` over many draws, up to a term of order 1 / (size of the top set).
    """
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    for run in scores:
        top_size(int(np.count_nonzero(~np.isnan(run))), fraction)
    return pairwise_matrix(scores, _jaccard_kernel(fraction))


def jaccard_matrix(scores: np.ndarray, fraction: float) -> np.ndarray:
    """Jaccard index of the top sets of every two runs: scores [run, sample] -> [run, run].

    The diagonal compares a run with another tie break of itself.
    """
    return jaccard_on(scores, fraction)(np.ones(np.shape(scores)[-1]))


def overlap_matrix(scores_a: np.ndarray, scores_b: np.ndarray, fraction: float) -> np.ndarray:
    """Jaccard index of the top sets of every run of a with every run of b -> [run a, run b]."""
    if np.shape(scores_a)[-1] != np.shape(scores_b)[-1]:
        raise LetheError("the two score arrays hold different numbers of samples: match them by id")
    matrix = jaccard_matrix(np.vstack([scores_a, scores_b]), fraction)
    return matrix[: len(scores_a), len(scores_a) :]


def jaccard_null(n: int, fraction: float, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and central ``level`` range of the Jaccard index of two random top sets of ``n``.

    Exact: the intersection of two random sets of size k is hypergeometric(n, k, k).
    """
    size = top_size(n, fraction)
    law = stats.hypergeom(n, size, size)
    both = np.arange(size + 1)
    index = both / (2 * size - both)
    low, high = (index[int(law.ppf(q))] for q in ((1 - level) / 2, (1 + level) / 2))
    return float(law.pmf(both) @ index), float(low), float(high)


def chance_corrected(value: float, chance: float) -> float:
    """Agreement beyond chance, (value - chance) / (1 - chance): 0 = chance, 1 = perfect."""
    return (value - chance) / (1 - chance)


def tie_share(score: np.ndarray, fraction: float) -> float:
    """Share of the places in the top set that are filled by lot, because of ties at the cut."""
    known = np.asarray(score, dtype=float)
    known = np.sort(known[~np.isnan(known)])[::-1]
    size = top_size(known.size, fraction)
    cut = known[size - 1]
    if known[size] < cut:
        return 0.0
    return np.count_nonzero(known[:size] == cut) / size

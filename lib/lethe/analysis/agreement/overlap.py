"""Overlap of the most-forgotten sets of two runs.

Definition: the top set of a score holds the ``round(fraction * n)`` highest samples, ties at the
cut broken at random; overlap is the Jaccard index |A and B| / |A or B|, averaged over tie breaks.
Cost: one sort per run, then the products of all pairs; no cost per tie draw, because the share of
tie breaks that admit a sample is known in closed form.
NaN (never learned) is left out pair by pair.
"""

from functools import cache

import numpy as np
from scipy import stats

from lethe.analysis.agreement import kernels
from lethe.analysis.agreement.sorting import Matrix, SortedRuns, matrix_on, sort_runs
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
    values = score[known]
    cut = np.partition(values, known.size - size)[known.size - size]
    mask = np.zeros(score.size, dtype=bool)
    mask[known[values > cut]] = True
    room = size - np.count_nonzero(mask)
    mask[rng.choice(known[values == cut], room, replace=False, shuffle=False)] = True
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


def jaccard_on(scores: np.ndarray | SortedRuns, fraction: float) -> Matrix:
    """Prepare scores [run, sample]; returns sample weights [sample] -> Jaccard matrix [run, run].

    Each entry is E|A and B| / E|A or B| over independent random tie breaks of the two runs: the
    limit of `jaccard_top` over many draws, up to a term of order 1 / (size of the top set).
    """
    runs = sort_runs(scores)
    for count in runs.counts:
        top_size(int(count), fraction)

    def whole(runs: SortedRuns, which: np.ndarray, weights: np.ndarray) -> np.ndarray:
        size = np.rint(fraction * weights.sum())
        share = kernels.share_rows(runs.order, runs.ends, runs.counts, which, weights, size)
        both = kernels.gram(share, weights)
        return both / (2 * size - both) if size else np.full_like(both, np.nan)

    def pairs(*given: np.ndarray) -> np.ndarray:
        return kernels.overlap_pairs(*(*given, fraction))

    return matrix_on(runs, whole, pairs)


def jaccard_matrix(scores: np.ndarray | SortedRuns, fraction: float) -> np.ndarray:
    """Jaccard index of the top sets of every two runs: scores [run, sample] -> [run, run].

    The diagonal compares a run with another tie break of itself.
    """
    runs = sort_runs(scores)
    return jaccard_on(runs, fraction)(np.ones(runs.known.shape[1]))


def overlap_matrix(scores_a: np.ndarray, scores_b: np.ndarray, fraction: float) -> np.ndarray:
    """Jaccard index of the top sets of every run of a with every run of b -> [run a, run b]."""
    if np.shape(scores_a)[-1] != np.shape(scores_b)[-1]:
        raise LetheError("the two score arrays hold different numbers of samples: match them by id")
    matrix = jaccard_matrix(np.vstack([scores_a, scores_b]), fraction)
    return matrix[: len(scores_a), len(scores_a) :]


@cache
def jaccard_null(n: int, fraction: float, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and central ``level`` range of the Jaccard index of two random top sets of ``n``.

    Exact: the intersection of two random sets of size k is hypergeometric(n, k, k), and so is that
    of two unrelated scores whose ties are broken at random once, however many there are. An overlap
    averaged over tie breaks (`jaccard_on`) has the same mean and varies less: for it the range is
    too wide, never too narrow.
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

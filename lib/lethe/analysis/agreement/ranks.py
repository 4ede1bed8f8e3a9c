"""Rank agreement of runs.

Definitions: Spearman = Pearson correlation of mid-ranks, NaN left out pair by pair; Kendall's W
with tie correction = variance of the rank sums of the samples over what it would be if all runs
agreed, on samples known in every run. Cost: one sort per run, then the products of all pairs.
"""

import math

import numpy as np

from lethe.analysis.agreement import kernels
from lethe.analysis.agreement.sorting import Matrix, SortedRuns, matrix_on, sort_runs
from lethe.errors import LetheError


def spearman_on(scores: np.ndarray | SortedRuns) -> Matrix:
    """Prepare scores [run, sample]; returns sample weights [sample] -> Spearman matrix [run, run].

    Weights are whole numbers and give what repeating the samples would give. A constant run gives
    NaN.
    """
    return matrix_on(scores, _spearman_rows, kernels.spearman_pairs)


def _spearman_rows(runs: SortedRuns, which: np.ndarray, weights: np.ndarray) -> np.ndarray:
    product = _rank_products(runs, which, weights)
    spread = np.sqrt(np.diag(product))
    spread[spread == 0] = np.nan
    return np.clip(product / spread / spread[:, None], -1, 1)


def _rank_products(runs: SortedRuns, which: np.ndarray, weights: np.ndarray) -> np.ndarray:
    ranks = kernels.rank_rows(runs.order, runs.ends, runs.counts, which, weights)
    return kernels.gram(ranks, weights)


def spearman_matrix(scores: np.ndarray | SortedRuns) -> np.ndarray:
    """Spearman correlation of every two runs: scores [run, sample], NaN allowed -> [run, run]."""
    runs = sort_runs(scores)
    return spearman_on(runs)(np.ones(runs.known.shape[1]))


def mean_pairwise(matrix: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean of a [run, run] matrix over pairs of different runs, weighted by both runs' weights."""
    weights = np.ones(len(matrix)) if weights is None else np.asarray(weights, dtype=float)
    pair = np.outer(weights, weights)
    np.fill_diagonal(pair, 0)
    return float((matrix[pair > 0] * pair[pair > 0]).sum() / pair.sum()) if pair.any() else math.nan


def kendall_w(scores: np.ndarray | SortedRuns) -> float:
    """Kendall's coefficient of concordance, tie-corrected, over samples known in all runs.

    scores [run, sample] -> 0 (no agreement) .. 1; NaN if all runs are constant. Kendall and Gibbons
    (1990), chapter 6. LetheError below 2 runs or 2 such samples.
    """
    runs = sort_runs(scores)
    known = np.asarray(runs.known.all(axis=0))
    enough(known, len(runs.known), "Kendall's W")
    product = _rank_products(runs, np.arange(len(runs.known)), known.astype(np.uint16))
    full = len(product) * np.trace(product)
    return float(product.sum() / full) if full > 0 else math.nan


def enough(known: np.ndarray, runs: int, what: str) -> None:
    """LetheError unless there are 2 runs and 2 samples known [sample] in all of them."""
    samples = np.count_nonzero(known)
    if runs < 2 or samples < 2:
        raise LetheError(
            f"{what} needs 2 runs and 2 samples known in all of them: got {runs} and {samples}"
        )

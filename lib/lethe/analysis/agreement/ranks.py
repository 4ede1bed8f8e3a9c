"""Rank agreement of runs and the reliability of a score over seeds.

Definitions: Spearman = Pearson correlation of mid-ranks; Kendall's W with tie correction;
Spearman-Brown r_k = k r / (1 + (k - 1) r), the reliability of a mean over k seeds; ICC(2) of Shrout
and Fleiss (1979). Cost: one sort per run and one product [run, sample] x [sample, run]; NaN is left
out pair by pair.
"""

import math

import numpy as np
from scipy.stats import rankdata

from lethe.analysis.agreement.coding import Matrix, level_mass, pairwise_matrix
from lethe.errors import LetheError, nearest


def _spearman_kernel(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mass = level_mass(codes, weights)
    middle = np.cumsum(mass, axis=1) - mass / 2 - weights.sum() / 2  # centred weighted mid-ranks
    ranks = np.take_along_axis(middle, codes, axis=1) * np.sqrt(weights)
    product = ranks @ ranks.T
    spread = np.sqrt(np.diag(product))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(product / spread / spread[:, None], -1, 1)


def spearman_on(scores: np.ndarray) -> Matrix:
    """Prepare scores [run, sample]; returns sample weights [sample] -> Spearman matrix [run, run].

    Integer weights give what repeating the samples would give. A constant run gives NaN.
    """
    return pairwise_matrix(scores, _spearman_kernel)


def spearman_matrix(scores: np.ndarray) -> np.ndarray:
    """Spearman correlation of every two runs: scores [run, sample], NaN allowed -> [run, run]."""
    return spearman_on(scores)(np.ones(np.shape(scores)[-1]))


def mean_pairwise(matrix: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean of a [run, run] matrix over pairs of different runs, weighted by both runs' weights."""
    weights = np.ones(len(matrix)) if weights is None else np.asarray(weights, dtype=float)
    pair = np.outer(weights, weights)
    np.fill_diagonal(pair, 0)
    return float((matrix[pair > 0] * pair[pair > 0]).sum() / pair.sum()) if pair.any() else math.nan


def complete(scores: np.ndarray) -> np.ndarray:
    """Columns of [run, sample] that are known in every run."""
    return np.asarray(scores, dtype=float)[:, ~np.isnan(scores).any(axis=0)]


def kendall_w(scores: np.ndarray) -> float:
    """Kendall's coefficient of concordance, tie-corrected, over samples known in all runs.

    scores [run, sample] -> 0 (no agreement) .. 1. Kendall and Gibbons (1990), chapter 6.
    """
    ranks = rankdata(complete(scores), axis=1)
    runs, n = ranks.shape
    deviation = ((ranks.sum(axis=0) - runs * (n + 1) / 2) ** 2).sum()
    ties = sum(
        (np.unique(row, return_counts=True)[1].astype(float) ** 3).sum() - n for row in ranks
    )
    full = runs**2 * (float(n) ** 3 - n) - runs * ties
    return float(12 * deviation / full) if full > 0 else math.nan


def icc(scores: np.ndarray, kind: str = "single") -> float:
    """Intraclass correlation ICC(2), absolute agreement, over samples known in all runs.

    scores [run, sample]; kind "single" = ICC(2,1), one run; "average" = ICC(2,k), their mean.
    """
    if kind not in ("single", "average"):
        raise LetheError(f"unknown kind of ICC: {nearest(kind, ['single', 'average'])}")
    values = complete(scores)
    k, n = values.shape
    samples, seeds, grand = values.mean(axis=0), values.mean(axis=1), values.mean()
    between = k * ((samples - grand) ** 2).sum() / (n - 1)
    raters = n * ((seeds - grand) ** 2).sum() / (k - 1)
    rest = ((values - samples - seeds[:, None] + grand) ** 2).sum() / ((n - 1) * (k - 1))
    scale = (
        between + (raters - rest) / n
        if kind == "average"
        else (between + (k - 1) * rest + k * (raters - rest) / n)
    )
    return float((between - rest) / scale) if scale > 0 else math.nan


def spearman_brown(reliability: float, factor: float) -> float:
    """Reliability of the mean over ``factor`` times as many runs (Spearman 1910, Brown 1910)."""
    return factor * reliability / (1 + (factor - 1) * reliability)


def seeds_needed(reliability: float, target: float = 0.8) -> float:
    """Smallest number of seeds whose mean reaches ``target`` (Spearman-Brown); inf if never."""
    if reliability <= 0:
        return math.inf
    if reliability >= target:
        return 1
    exact = target * (1 - reliability) / (reliability * (1 - target))
    return math.ceil(exact - 1e-9)


def split_half(scores: np.ndarray, rng: np.random.Generator, draws: int = 50) -> float:
    """Mean Spearman correlation between the means of two random halves of the runs.

    scores [run, sample]; the mean of a half skips NaN. This is the reliability of a mean over
    floor(runs / 2) runs; `spearman_brown` with factor 2 carries it to all of them.
    """
    runs = len(scores)
    if runs < 2:
        raise LetheError(f"split-half reliability needs 2 runs or more: got {runs}")
    values = [_half_correlation(scores, rng.permutation(runs)) for _ in range(draws)]
    return float(np.mean(values))


def _half_correlation(scores: np.ndarray, order: np.ndarray) -> float:
    half = len(order) // 2
    means = [mean_over_runs(scores[order[:half]]), mean_over_runs(scores[order[half : 2 * half]])]
    return spearman_matrix(np.array(means))[0, 1]


def mean_over_runs(scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Mean of scores [run, sample] over the runs in which the sample is known; NaN if in none.

    weights [run] count a run more than once or, with 0, leave it out.
    """
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=float)
    known = ~np.isnan(scores)
    total = weights @ np.where(known, scores, 0)
    count = weights @ known
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def noise_corrected(between: float, within_a: float, within_b: float) -> float:
    """Correlation of the repeatable parts, between / sqrt(within_a * within_b) (Spearman 1904).

    NaN unless both reliabilities are positive. Sampling error can carry it above 1: show the raw
    value too.
    """
    product = within_a * within_b
    return between / math.sqrt(product) if within_a > 0 and product > 0 else math.nan

"""Reliability of a score over runs, and what more runs would give.

Definitions: ICC(2) of Shrout and Fleiss (1979); Spearman-Brown r_k = k r / (1 + (k - 1) r), the
reliability of a mean over k runs; a split half correlates the means of two halves of the runs.
Cost: a few passes over [run, sample], and two sorts for each random split.
"""

import math

import numpy as np

from lethe.analysis.agreement.ranks import enough, spearman_matrix
from lethe.errors import LetheError, nearest


def complete(scores: np.ndarray, what: str) -> np.ndarray:
    """Columns of [run, sample] known in every run; LetheError below 2 runs or 2 columns."""
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    known = ~np.isnan(scores).any(axis=0)
    enough(known, len(scores), what)
    return scores[:, known]


def icc(scores: np.ndarray, kind: str = "single") -> float:
    """Intraclass correlation ICC(2), absolute agreement, over samples known in all runs.

    scores [run, sample]; kind "single" = ICC(2,1), one run; "average" = ICC(2,k), their mean.
    """
    if kind not in ("single", "average"):
        raise LetheError(f"unknown kind of ICC: {nearest(kind, ['single', 'average'])}")
    values = complete(scores, "an ICC")
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
    """Smallest number of seeds whose mean reaches ``target``; inf if none does, NaN for NaN.

    LetheError unless 0 < target < 1.
    """
    if not 0 < target < 1:
        raise LetheError(f"the target is {target}: expected a reliability between 0 and 1")
    if math.isnan(reliability) or reliability <= 0:
        return math.nan if math.isnan(reliability) else math.inf
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

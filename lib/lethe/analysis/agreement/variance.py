"""Where the variance of a score sits: seed, class, class x seed, sample in class, and the rest.

Definition: score[s, i] = mean + seed_s + class_c(i) + (class x seed)_cs + sample_i + rest_si, all
random; method of moments from the five mean squares (Searle, Casella and McCulloch 1992, chapter 5;
n0 for unequal class sizes). Exact for equal classes, else approximate. Intervals of the shares by
two jackknives, over seeds and over classes with their samples; their variances are added, as in the
pigeonhole bootstrap. Cost: O(runs * samples), for intervals x (runs + classes).
"""

import math

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from lethe.analysis.agreement.resampling import Interval
from lethe.analysis.agreement.threads import in_threads
from lethe.errors import LetheError

COMPONENTS = ("seed", "class", "class x seed", "sample in class", "rest")


def class_means(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean of every class in every run: scores [run, sample], labels [sample] -> [run, class].

    NaN samples are skipped; a class without a known sample in a run is NaN.
    """
    scores = np.asarray(scores, dtype=float)
    _, codes = np.unique(labels, return_inverse=True)
    size = int(codes.max()) + 1
    known = ~np.isnan(scores)
    total = [
        np.bincount(codes, np.where(k, row, 0), size) for k, row in zip(known, scores, strict=True)
    ]
    count = np.array([np.bincount(codes, k, size) for k in known])
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _mean_squares(values: np.ndarray, codes: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    runs, n = values.shape
    groups = counts.size
    cell = class_means(values, codes)
    by_sample, by_class, by_run = values.mean(axis=0), cell.mean(axis=0), values.mean(axis=1)
    grand = values.mean()
    crossed = cell - by_class - by_run[:, None] + grand
    rest = values - cell[:, codes] - by_sample + by_class[codes]
    return {
        "seed": n * ((by_run - grand) ** 2).sum() / (runs - 1),
        "class": runs * (counts * (by_class - grand) ** 2).sum() / (groups - 1),
        "class x seed": (counts * crossed**2).sum() / ((groups - 1) * (runs - 1)),
        "sample in class": runs * ((by_sample - by_class[codes]) ** 2).sum() / (n - groups),
        "rest": (rest**2).sum() / ((n - groups) * (runs - 1)),
    }


def variance_components(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Variance of each of COMPONENTS over samples known in every run; none below 0.

    scores [run, sample], labels [sample]; needs 2 runs, 2 classes and a class with 2 samples.
    """
    found = _components(*_known(scores, labels))
    return {name: max(0.0, float(value)) for name, value in zip(COMPONENTS, found, strict=True)}


def _known(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    keep = ~np.isnan(scores).any(axis=0)
    return scores[:, keep], np.unique(np.asarray(labels)[keep], return_inverse=True)[1]


def _components(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    counts = np.bincount(codes)
    codes = (np.cumsum(counts > 0) - 1)[codes]  # a class may have been left out
    counts = counts[counts > 0]
    runs, n = values.shape
    if runs < 2 or counts.size < 2 or n == counts.size:
        raise LetheError("variance components need 2 runs, 2 classes and a class with 2 samples")
    square = _mean_squares(values, codes, counts)
    typical = (n - (counts**2).sum() / n) / (counts.size - 1)  # n0: class size in expected squares
    crossed = (square["class x seed"] - square["rest"]) / typical
    between = square["class"] - square["class x seed"] - square["sample in class"] + square["rest"]
    return np.array(
        [
            (square["seed"] - square["rest"] - (counts**2).sum() / n * crossed) / n,
            between / (runs * typical),
            crossed,
            (square["sample in class"] - square["rest"]) / runs,
            square["rest"],
        ]
    )


def variance_shares(
    scores: np.ndarray, labels: np.ndarray, level: float = 0.95
) -> dict[str, Interval]:
    """Share of the variance in each of COMPONENTS with its interval, inside 0 and 1.

    As `variance_components`; limits are NaN below 3 runs or 3 classes of 2 samples or more, and all
    is NaN where the score does not vary.
    """
    values, codes = _known(scores, labels)
    runs, counts = len(values), np.bincount(codes)
    found = np.maximum(_components(values, codes), 0)
    share, se = found / found.sum() if found.any() else np.full(len(found), math.nan), math.nan
    if found.any() and min(runs, int(np.count_nonzero(counts > 1))) >= 3:
        se = np.sqrt(_left_out(values, codes, runs) + _left_out(values, codes, counts.size, True))
    reach = student.ppf((1 + level) / 2, max(1, min(runs, counts.size) - 1)) * se
    limits = _limits(share, reach)
    form = (runs, values.shape[1], "jackknife of seeds + of classes", level)
    columns = np.stack(np.broadcast_arrays(share, *limits, se), axis=1).tolist()
    rows = zip(COMPONENTS, columns, strict=True)
    return {name: Interval(one, low, high, se, *form) for name, (one, low, high, se) in rows}


def _limits(share: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Symmetric in log odds, hence inside 0 and 1; plain limits where a share is 0 or 1."""
    inside = (share > 0) & (share < 1)
    p = np.where(inside, share, 0.5)
    odds, width = logit(p), reach / (p * (1 - p))
    plain = np.clip([share - reach, share + reach], 0, 1)
    return np.where(inside, expit([odds - width, odds + width]), plain)


def _left_out(
    values: np.ndarray, codes: np.ndarray, units: int, classes: bool = False
) -> np.ndarray:
    """Jackknife variance of the shares over runs, or over classes."""

    def without(unit: int) -> np.ndarray:
        keep = codes != unit
        part = (values[:, keep], codes[keep]) if classes else (np.delete(values, unit, 0), codes)
        found = _components(*part)
        return found / (found.sum() or math.nan)

    return (units - 1) * np.var(in_threads(without, range(units)), axis=0)

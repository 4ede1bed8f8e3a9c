"""Where the variance of a score sits: seed, class, class x seed, sample in class, and the rest.

Definition: score[s, i] = mean + seed_s + class_c(i) + (class x seed)_cs + sample_i + rest_si, all
random; method of moments from the five mean squares (Searle, Casella and McCulloch 1992, chapter 5;
n0 for unequal class sizes). Exact for equal classes, else approximate. Cost: O(runs * samples).
"""

import numpy as np

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
    scores = np.asarray(scores, dtype=float)
    keep = ~np.isnan(scores).any(axis=0)
    values, labels = scores[:, keep], np.asarray(labels)[keep]
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    runs, n = values.shape
    if runs < 2 or counts.size < 2 or n == counts.size:
        raise LetheError("variance components need 2 runs, 2 classes and a class with 2 samples")
    square = _mean_squares(values, codes, counts)
    typical = (n - (counts**2).sum() / n) / (counts.size - 1)  # n0: class size in expected squares
    crossed = (square["class x seed"] - square["rest"]) / typical
    found = {
        "seed": (square["seed"] - square["rest"] - (counts**2).sum() / n * crossed) / n,
        "class": (
            square["class"] - square["class x seed"] - square["sample in class"] + square["rest"]
        )
        / (runs * typical),
        "class x seed": crossed,
        "sample in class": (square["sample in class"] - square["rest"]) / runs,
        "rest": square["rest"],
    }
    return {name: max(0.0, float(found[name])) for name in COMPONENTS}

"""What finds bad samples without having watched any training: lots, the class, the picture.

A score earns its keep only beyond these. Lots: random numbers, one a sample or one a group. The
class: how often its samples are of the sought kind. The picture: its nearest neighbours by pixels.
Targets are as in `detection`. Cost: 1 ms a draw; the picture 1 s for 6,200 (all pairs of images).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lethe.analysis.agreement import Band
from lethe.analysis.findings.likeness import BLOCK, NEAR_SIDE, shrunk
from lethe.analysis.truth.detection import expected_precision, quality

FLOOR = 1e-3  # a distance of nothing, in units of the range of a pixel


def random_scores(
    target: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    groups: np.ndarray | None = None,
) -> tuple[Band, Band]:
    """AUROC and average precision of random numbers: their mean (exact without groups) and range.

    With groups [sample] (int) a whole group has one number: what a score gets by lot when it knows
    nothing but the group.
    """
    kept = np.asarray(target)[target >= 0]
    which = np.arange(kept.size) if groups is None else groups[target >= 0]
    numbers = rng.random((draws, int(which.max()) + 1))[:, which]
    values = quality(numbers, kept)
    exact = expected_precision(int(kept.sum()), kept.size)
    means = (0.5, exact if groups is None else float(values[:, 1].mean()))
    auroc, precision = values.T
    return _band(means[0], auroc), _band(means[1], precision)


def class_share(target: np.ndarray, labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Share of sought samples in the class of each sample, its own answer included; [sample].

    The best ranking that the label alone allows, so a bound and no detector. Leaving each sample
    out, or sharing out halves, would rank the sought samples of a class below the others of it.
    """
    labels, known = np.asarray(labels), target >= 0
    size = int(labels.max()) + 1
    count = np.bincount(labels[known], minlength=size)
    sought = np.bincount(labels[known], target[known] == 1, minlength=size)
    return (sought / np.maximum(count, 1))[labels]


def class_alone(
    target: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    rng: np.random.Generator,
    draws: int = 60,
) -> tuple[np.ndarray, tuple[Band, Band]]:
    """AUROC and average precision of `class_share`, and their range for a shuffled target.

    The shuffles show how much of it is hindsight: classes differ a little by chance too.
    """

    def found(target: np.ndarray) -> np.ndarray:
        return quality(class_share(target, labels)[None], target)[0]

    known = np.flatnonzero(target >= 0)
    values = []
    for _ in range(draws):
        shuffled = target.copy()
        shuffled[known] = rng.permutation(target[known])
        values.append(found(shuffled))
    auroc, precision = (_band(float(v.mean()), v) for v in np.transpose(values))
    return found(target), (auroc, precision)


def strangeness(pixels: np.ndarray, labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Distance to the nearest image of the same label over that to the nearest of another; [n].

    pixels uint8 [n, h, w, channels]. Above 1: the picture looks more like another class. Infinite
    for the only image of its label. No network is involved.
    """
    flat, labels = shrunk(pixels, NEAR_SIDE) / np.float32(255), np.asarray(labels)
    size, ratio = (flat**2).sum(axis=1), np.empty(len(flat))
    for start in range(0, len(flat), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(flat)))
        far = size - 2 * flat[rows] @ flat.T
        far[np.arange(rows.size), rows] = np.inf
        alike = labels[rows, None] == labels
        own = _nearest(flat, rows, np.where(alike, far, np.inf))
        other = _nearest(flat, rows, np.where(alike, np.inf, far))
        ratio[rows] = (own + FLOOR) / (other + FLOOR)
    return ratio


def _nearest(flat: np.ndarray, rows: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Exact distance to the nearest of the images that are not infinitely far."""
    to = far.argmin(axis=1)
    distance = np.sqrt(((flat[rows] - flat[to]).astype(float) ** 2).sum(axis=1))
    return np.where(np.isfinite(far[np.arange(rows.size), to]), distance, np.inf)


def _band(mean: float, values: np.ndarray) -> Band:
    low, high = np.quantile(values, [0.025, 0.975])
    return Band(float(mean), float(low), float(high), len(values))

"""When two runs part: the share of samples that one has right and the other wrong, by epoch.

Cost: milliseconds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lethe.analysis import arms
from lethe.analysis.factors.design import EVERYTHING, PAIRS, RUNS, Design

SHUFFLED = "by chance"


def differences(design: Design, kinds: tuple[str, ...] = tuple(PAIRS)) -> pd.DataFrame:
    """Share of the common samples that the two runs answer differently: a row for every kind of
    pair and epoch, mean over blocks, with Student's interval over blocks.

    Last comes what two runs as accurate as `base` and `other` would show if they erred
    independently of each other.
    """
    found = {kind: by_epoch(design, *PAIRS[kind]) for kind in kinds}
    found[SHUFFLED] = by_chance(design)
    rows = []
    for kind, shares in found.items():
        for epoch, column in enumerate(shares.T):
            mean = arms.mean_interval(column)
            limits = {"low": mean.low, "high": mean.high}
            rows.append({"pair": kind, "epoch": epoch, "share": mean.estimate} | limits)
    return pd.DataFrame(rows)


def by_epoch(design: Design, one: str, two: str) -> np.ndarray:
    """Share of the common samples on which two runs differ: [block, epoch]."""
    differ = design.correct[:, RUNS.index(one)] ^ design.correct[:, RUNS.index(two)]
    return mean_over(differ, design.common)


def by_chance(design: Design) -> np.ndarray:
    """Share on which `base` and `other` would differ if independent: p (1 - q) + q (1 - p)."""
    pair = [design.correct[:, RUNS.index(run)] for run in PAIRS[EVERYTHING]]
    p, q = (mean_over(right, design.common) for right in pair)
    return p * (1 - q) + q * (1 - p)


def mean_over(right: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Mean of bool [block, epoch, pool] over the common samples [block, pool]: [block, epoch]."""
    return np.stack([rows[:, seen].mean(axis=1) for rows, seen in zip(right, common, strict=True)])

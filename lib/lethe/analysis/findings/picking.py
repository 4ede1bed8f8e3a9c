"""Picking samples by an early score: how many of the most forgotten are among them?

Definition: in each run, the share of the top fraction by the later score that lies in the top
fraction by the early one (precision, and recall too: both sets are of one size); then the mean.
Cost: one sort per run and score; each resample is a count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from lethe.analysis import agreement
from lethe.analysis.agreement import Interval


def top_found(early: np.ndarray, later: np.ndarray, fraction: float) -> np.ndarray:
    """Share of the top fraction by the later score that the top fraction by early holds; [seed].

    Shapes as in run_correlations; ties at either cut are broken at random (in expectation). Chance
    is `fraction`; lift is the share divided by it.
    """
    return np.array(
        [found(np.ones(np.shape(early)[1])) for found in _found(early, later, fraction)]
    )


def top_found_interval(
    early: np.ndarray,
    later: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
    draws: int = 100,
) -> Interval:
    """Mean of top_found over runs, with a pigeonhole interval over seeds and samples."""
    runs = _found(early, later, fraction)

    def statistic(seeds: Sequence[np.ndarray], samples: np.ndarray) -> tuple[float]:
        drawn = np.flatnonzero(seeds[0])
        values = [runs[run](samples) for run in drawn]
        return (float(np.average(values, weights=seeds[0][drawn])),)

    n_seeds, n_samples = np.shape(early)
    return agreement.pigeonhole_bootstrap(statistic, (n_seeds,), n_samples, rng, draws)[0]


def _found(
    early: np.ndarray, later: np.ndarray, fraction: float
) -> list[Callable[[np.ndarray], float]]:
    """For each run, the share found as a function of sample weights.

    Both sets are of one size, so of a Jaccard index J a share 2 J / (1 + J) is common.
    """

    def share(matrix: Callable[[np.ndarray], np.ndarray], samples: np.ndarray) -> float:
        overlap = matrix(samples)[0, 1]
        return 2 * overlap / (1 + overlap)

    pairs = zip(early, later, strict=True)
    return [partial(share, agreement.jaccard_on(np.stack(pair), fraction)) for pair in pairs]

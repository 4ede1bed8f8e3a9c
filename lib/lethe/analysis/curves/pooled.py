"""One shrunken decay rate per sample, from its traces in all runs, for any number of samples.

As `shrink(*pool_seeds(retention_traces(correct)[0]))`, which holds every trace as floats; here a
block of samples at a time. Cost: about 500 MB beyond the input; a second for 10 million cells.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from lethe.analysis.curves import pool_seeds, retention_traces
from lethe.analysis.curves.shrinkage import (
    MOST,
    mixing_weights,
    posterior_rate,
    shrink,
    thinned,
)

CELLS = 1 << 22  # of `correct` that are turned into floats at a time


def pooled_rate(correct: np.ndarray) -> np.ndarray:
    """Posterior mean of each sample's decay rate: correct bool [seed, epoch, sample] -> [sample].

    All samples share one distribution of rates; above 100,000 samples it is estimated as in
    `shrink`. Raises LetheError as retention_traces does.
    """
    samples = correct.shape[-1]
    if samples <= MOST:
        return shrink(*pooled_traces(correct)).rate
    weight = mixing_weights(*pooled_traces(correct[..., thinned(samples)]))
    parts = even_slices(samples, -(-correct.size // CELLS))
    return np.concatenate([posterior_rate(*_pooled(correct[..., p]), weight) for p in parts])


def pooled_traces(correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`pool_seeds` of the retention traces, without all of these at once: two [sample, epoch]."""
    parts = even_slices(correct.shape[-1], -(-correct.size // CELLS))
    mean, number = zip(*(_pooled(correct[..., part]) for part in parts), strict=True)
    return np.concatenate(mean), np.concatenate(number)


def _pooled(correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return pool_seeds(retention_traces(correct)[0])


def even_slices(total: int, blocks: int) -> list[slice]:
    """`total` cut into about `blocks` slices of 2 or more, or one: no block is left with 1."""
    ends = np.linspace(0, total, max(min(blocks, total // 2), 1) + 1).astype(int).tolist()
    return [slice(*pair) for pair in pairwise(ends)]

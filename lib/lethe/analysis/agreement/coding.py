"""Scores as dense levels, so that any weighting of the samples is ranked without sorting again.

Definition: the code of a value is the number of distinct smaller values in its run; -1 = NaN.
Cost: one sort per run, once; then O(runs * samples) per weighting (a count and a look-up).
"""

from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
Matrix = Callable[..., np.ndarray]  # (sample weights, runs wanted: bool [run] = all) -> [run, run]


def dense_codes(scores: np.ndarray) -> np.ndarray:
    """Levels of each run: scores [run, sample], NaN allowed -> int [run, sample], NaN = -1."""
    scores = np.atleast_2d(np.asarray(scores, dtype=float))
    codes = np.full(scores.shape, -1, dtype=np.int64)
    for run, row in enumerate(scores):
        known = ~np.isnan(row)
        codes[run, known] = np.unique(row[known], return_inverse=True)[1]
    return codes


def level_mass(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Total weight of the samples on each level -> [run, level]."""
    runs, levels = len(codes), int(codes.max(initial=0)) + 1
    flat = codes + levels * np.arange(runs)[:, None]
    weights = np.broadcast_to(weights, codes.shape)
    return np.bincount(flat.ravel(), weights.ravel(), runs * levels).reshape(runs, levels)


def pairwise_matrix(scores: np.ndarray, kernel: Kernel) -> Matrix:
    """Turn kernel(codes, weights) -> [run, run] into a matrix that leaves NaN out pair by pair.

    The result takes weights [sample] and, optionally, which runs are wanted (bool [run]); the
    others are NaN. Without NaN the kernel sees all runs at once, otherwise two at a time.
    """
    codes = dense_codes(scores)
    known = codes >= 0
    filled = np.maximum(codes, 0)
    whole = bool(known.all())

    def matrix(weights: np.ndarray, runs: np.ndarray | None = None) -> np.ndarray:
        out = np.full((len(codes), len(codes)), np.nan)
        wanted = np.arange(len(codes)) if runs is None else np.flatnonzero(runs)
        if whole:
            out[np.ix_(wanted, wanted)] = kernel(filled[wanted], weights)
            return out
        for i, j in combinations_with_replacement(wanted, 2):
            pair = kernel(filled[[i, j]], weights * (known[i] & known[j]))
            out[i, j] = out[j, i] = pair[0, 1]
        return out

    return matrix

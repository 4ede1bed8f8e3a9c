"""Retention traces as rows: one [row, epoch] array of values, one of weights, repeats found.

Captured 0/1 traces repeat a lot (most samples are never forgotten), so every solver works on the
distinct rows and copies its answer back. Cost: one pass over the rows, which are hashed.
"""

from __future__ import annotations

import numpy as np

from lethe.errors import LetheError


def as_rows(
    traces: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Flatten traces [..., epoch] to rows; a missing epoch gets value 0 and weight 0.

    Returns (values [row, epoch], weights [row, epoch], leading shape).
    Raises LetheError for values outside [0, 1], weights of another shape or below 0.
    """
    traces = np.atleast_1d(np.asarray(traces, float))
    shape, epochs = traces.shape[:-1], traces.shape[-1]
    present = ~np.isnan(traces)
    values = np.where(present, traces, 0.0)
    if values.size and (values.min() < 0 or values.max() > 1 + 1e-9):
        raise LetheError("retention must lie between 0 and 1 (NaN after the end of a trace)")
    weight = present.astype(float)
    if weights is not None:
        weight = _checked(weights, traces.shape) * present
    return values.reshape(-1, epochs), weight.reshape(-1, epochs), shape


def distinct(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep one of each set of identical rows: (values, weights, index that restores all rows)."""
    from lethe.analysis.curves.row_kernels import (
        same_rows,  # here: numba takes half a second to load
    )

    values, weights = (np.ascontiguousarray(part, float) for part in (values, weights))
    keep, back = same_rows(values.view(np.uint64), weights.view(np.uint64))
    if len(keep) == len(values):
        return values, weights, back
    return values[keep], weights[keep], back


def lengths(weights: np.ndarray) -> np.ndarray:
    """Epochs with any weight in each row, int [row]."""
    return (weights > 0).sum(1)


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean of each row, 0 for a row without weight."""
    total = weights.sum(1)
    return (weights * values).sum(1) / np.where(total > 0, total, 1.0)


def _checked(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    weights = np.asarray(weights, float)
    if weights.shape != shape:
        raise LetheError(f"weights have shape {weights.shape}, traces {shape}: they must be equal")
    weights = np.nan_to_num(weights)
    if np.any(weights < 0):
        raise LetheError("weights must not be negative")
    return weights

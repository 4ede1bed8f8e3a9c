"""Global least squares over one rate for many rows at once, by the compiled `fit_kernels`.

The sum of squares along the rate can have several valleys: a grid finds them, each is followed to
its bottom, the ends of the box compete as they are.
Cost: about half a microsecond per row of 31 epochs; loading numba half a second, once a process.
"""

from __future__ import annotations

import numpy as np

_GRID = 64  # rates, in equal ratios; on a million random traces a grid of 1000 found nothing lower
_NOTHING = 1e-12  # an amplitude that is rounding error
_SLOWEST = 1e-3  # smallest rate of the grid above 0


def decay_rate(
    values: np.ndarray, weights: np.ndarray, clock: np.ndarray, high: float
) -> np.ndarray:
    """Rate in [0, high] that minimises sum of weights * (values - exp(-rate * clock))^2.

    values, weights [row, epoch]; clock [epoch]; returns [row].
    """
    rates = np.concatenate([[0.0], np.geomspace(_SLOWEST, high, _GRID)])
    return _fitted(values, weights, clock, rates, boxed=False)[:, 0]


def box_exponential(values: np.ndarray, weights: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rate, amplitude, floor of A exp(-rate t) + c with A, c in [0, 1]; returns [row, 3].

    Where no decay is better than a constant, the amplitude is 0 and the rate `low`.
    """
    clock = np.arange(values.shape[1], dtype=float)
    found = _fitted(values, weights, clock, np.geomspace(low, high, _GRID), boxed=True)
    found[found[:, 1] < _NOTHING, :2] = low, 0.0
    return found


def _fitted(
    values: np.ndarray, weights: np.ndarray, clock: np.ndarray, rates: np.ndarray, boxed: bool
) -> np.ndarray:
    from lethe.analysis.curves import fit_kernels as kernels  # numba is slow to load

    values, weights = (np.ascontiguousarray(part, float) for part in (values, weights))
    powers = bool(np.array_equal(clock, np.arange(len(clock))))
    grid = np.exp(-rates) if powers else rates
    found = np.empty((len(values), 3))
    mode = kernels.BOXED if boxed else kernels.PURE
    kernels.fit_rows(values, weights, clock, grid, mode, powers, found)
    if powers:
        q = found[:, 0]
        found[:, 0] = np.select([q == grid[0], q == grid[-1]], rates[[0, -1]], -np.log(q))
    return found

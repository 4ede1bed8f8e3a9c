"""Global least squares over one rate for many rows at once.

The sum of squares along the rate can have several valleys. A grid of 97 rates finds them, golden
section narrows the two lowest, Newton steps polish; the ends of the box compete as they are.
Cost: about 60 evaluations of a row beyond one matrix product with the grid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_GRID = 96
_VALLEYS = 2
_GOLDEN = (np.sqrt(5) - 1) / 2
_BLOCK = 4096  # rows at a time, so that memory stays flat

Rows = tuple[np.ndarray, np.ndarray]  # values and weights, [row, epoch]


def decay_rate(values: np.ndarray, weights: np.ndarray, clock: np.ndarray, high: float):
    """Rate in [0, high] that minimises sum of weights * (values - exp(-rate * clock))^2.

    values, weights [row, epoch]; clock [epoch]; returns [row].
    """
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(values), _BLOCK)]
    found = [_decay_block(values[b], weights[b], clock, high) for b in blocks]
    return np.concatenate(found) if found else np.zeros(0)


def box_exponential(values: np.ndarray, weights: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rate, amplitude, floor of A exp(-rate t) + c with A, c in [0, 1]; returns [row, 3]."""
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(values), _BLOCK)]
    found = [_box_block(values[b], weights[b], low, high) for b in blocks]
    return np.concatenate(found) if found else np.zeros((0, 3))


def _decay_block(y: np.ndarray, w: np.ndarray, clock: np.ndarray, high: float) -> np.ndarray:
    grid = np.concatenate([[0.0], np.geomspace(1e-3, high, _GRID)])
    basis = np.exp(-grid[:, None] * clock)
    sse_grid = w @ (basis**2).T - 2 * (w * y) @ basis.T

    def sse(rate: np.ndarray) -> np.ndarray:
        return (w * (y - np.exp(-rate[:, None] * clock)) ** 2).sum(1)

    found = [np.zeros(len(y)), np.full(len(y), high)]
    for low_end, high_end in _valleys(sse_grid, grid):
        rate = _golden(sse, low_end, high_end, 28)
        found.append(_newton(y, w, clock, rate, low_end, high_end))
        found.append(rate)
    candidates = np.stack(found)
    best = np.argmin(np.stack([sse(rate) for rate in candidates]), axis=0)
    return candidates[best, np.arange(len(y))]


def _newton(
    y: np.ndarray, w: np.ndarray, clock: np.ndarray, rate: np.ndarray, low: np.ndarray, high
) -> np.ndarray:
    """Three Newton steps on the sum of squares, kept inside the bracket."""
    for _ in range(3):
        curve = np.exp(-rate[:, None] * clock)
        slope = (w * (y - curve) * curve * clock).sum(1)
        bend = (w * (2 * curve - y) * curve * clock**2).sum(1)
        step = np.where(bend > 0, slope / np.where(bend > 0, bend, 1.0), 0.0)
        rate = np.clip(rate - step, low, high)
    return rate


def _box_block(y: np.ndarray, w: np.ndarray, low: float, high: float) -> np.ndarray:
    clock = np.arange(y.shape[1], dtype=float)
    grid = np.geomspace(low, high, _GRID)
    basis = np.exp(-grid[:, None] * clock)
    fixed = [column[:, None] for column in (w.sum(1), (w * y).sum(1), (w * y * y).sum(1))]
    sums = (w @ basis.T, w @ (basis**2).T, (w * y) @ basis.T)
    sse_grid = _box_solve(*fixed, *sums)[2]

    def solve(rate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        curve = w * np.exp(-rate[:, None] * clock)
        squares = (curve * np.exp(-rate[:, None] * clock)).sum(1)
        return _box_solve(*(c[:, 0] for c in fixed), curve.sum(1), squares, (curve * y).sum(1))

    rates = [_golden(lambda r: solve(r)[2], *ends, 36) for ends in _valleys(sse_grid, grid)]
    rates += [np.full(len(y), low), np.full(len(y), high)]
    best = np.argmin(np.stack([solve(rate)[2] for rate in rates]), axis=0)
    rate = np.stack(rates)[best, np.arange(len(y))]
    return np.stack([rate, *solve(rate)[:2]], axis=1)


def _box_solve(n, sum_y, sum_yy, sum_q, sum_qq, sum_qy):
    """Best (amplitude, floor, sse) in the unit box given the sums over epochs; broadcasts.

    The sum of squares is convex: its minimum is the free one if that lies in the box, else on an
    edge.
    """
    some_n, some_qq = np.where(n > 0, n, 1.0), np.where(sum_qq > 0, sum_qq, 1.0)
    zero, one = np.zeros_like(sum_q), np.ones_like(sum_q)
    pairs = [
        (np.clip(sum_qy / some_qq, 0, 1), zero),
        (np.clip((sum_qy - sum_q) / some_qq, 0, 1), one),
        (zero, np.clip(sum_y / some_n, 0, 1) + zero),
        (one, np.clip((sum_y - sum_q) / some_n, 0, 1)),
        _free_solution(n, sum_y, sum_q, sum_qq, sum_qy),
    ]
    a, c = (np.stack(column) for column in zip(*pairs, strict=True))
    sse = sum_yy + a**2 * sum_qq + c**2 * n + 2 * (a * c * sum_q - a * sum_qy - c * sum_y)
    best = np.argmin(sse, axis=0)[None]
    return tuple(np.take_along_axis(column, best, 0)[0] for column in (a, c, sse))


def _free_solution(n, sum_y, sum_q, sum_qq, sum_qy):
    """Unconstrained amplitude and floor where they lie in the box, (0, 0) elsewhere."""
    determinant = sum_qq * n - sum_q**2
    regular = determinant > 1e-12 * sum_qq * n
    divisor = np.where(regular, determinant, 1.0)
    a = (sum_qy * n - sum_q * sum_y) / divisor
    c = (sum_qq * sum_y - sum_q * sum_qy) / divisor
    inside = regular & (a >= 0) & (a <= 1) & (c >= 0) & (c <= 1)
    return np.where(inside, a, 0.0), np.where(inside, c, 0.0)


def _valleys(sse_grid: np.ndarray, grid: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Brackets around the lowest local minima of each row on the grid."""
    padded = np.pad(sse_grid, ((0, 0), (1, 1)), constant_values=np.inf)
    lowest = (sse_grid <= padded[:, :-2]) & (sse_grid <= padded[:, 2:])
    order = np.argsort(np.where(lowest, sse_grid, np.inf), axis=1, kind="stable")[:, :_VALLEYS]
    left, right = np.maximum(order - 1, 0), np.minimum(order + 1, len(grid) - 1)
    return [(grid[left[:, k]], grid[right[:, k]]) for k in range(_VALLEYS)]


def _golden(
    f: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, steps: int
) -> np.ndarray:
    """Golden-section search on every row at once; the bracket shrinks by 0.618 per step."""
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    f_inner, f_outer = f(inner), f(outer)
    for _ in range(steps):
        left = f_inner < f_outer
        low, high = np.where(left, low, inner), np.where(left, outer, high)
        fresh = np.where(left, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        f_fresh = f(fresh)
        inner, outer = np.where(left, fresh, outer), np.where(left, inner, fresh)
        f_inner, f_outer = np.where(left, f_fresh, f_outer), np.where(left, f_inner, f_fresh)
    return (low + high) / 2

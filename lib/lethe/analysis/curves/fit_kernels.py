"""Compiled least squares over one rate: every valley of the sum of squares is followed down.

For a given rate the best amplitude and floor in the unit box are exact (variable projection), so
only the rate is searched: a grid finds the valleys, the root of the derivative ends the search.
Exponentials are searched in q = exp(-rate), where sums over epochs are polynomials (Horner); other
clocks in the rate itself. A row's answer is the same, to the bit, in any company.
Cost: under a microsecond per row of 31 epochs; the first call ever compiles for some 3 seconds.
"""

from __future__ import annotations

import math

import numpy as np

from lethe.analysis.compiled import njit

compiled = njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
PURE, BOXED, GROUNDED, FULL = 0, 1, 2, 3  # A = 1 and c = 0; both fitted; c = 0; A = 1
_STEPS = 40  # at most; four or five are usual
_CLOSE = 1e-8  # relative change of the rate that ends the search
_ROUNDING = 1e-13  # smaller changes of a sum of squares are no valley
_NEAR = 0.1  # of the edge of the box: a valley may fork there, so both branches are tried


@compiled
def fit_rows(values, weights, clock, grid, mode, powers, out):
    """Write place on the grid's axis, amplitude and floor of each row to out [row, 3].

    values in [0, 1] and weights [row, epoch]; clock [epoch]; grid [place] in rising order of rate:
    q = exp(-rate) if `powers` (the clock is then 0, 1, ...), else the rate; mode PURE or BOXED.
    """
    epochs, places = values.shape[1], len(grid)
    basis, unit = _tables(clock, grid, powers)
    weighted, sums, sse = np.empty(epochs), np.empty((3, places)), np.empty(places)
    for row in range(len(values)):
        w = weights[row]
        n, sum_y, sum_yy, length, ones = _totals(values[row], w, weighted)
        fixed = (n, sum_y, sum_yy, length)
        _grid_sums(weighted, w, length, ones, basis, unit, sums)
        for g in range(places):
            if mode == BOXED:
                sse[g] = _box(n, sum_y, sum_yy, sums[0, g], sums[1, g], sums[2, g])[2]
            else:
                sse[g] = sum_yy + sums[1, g] - 2 * sums[2, g]
        _search(weighted, w, clock, grid, sse, fixed, mode, powers, out[row])


@compiled
def _tables(clock, grid, powers):
    """Curves on the grid [epoch, place], and sums of them and their squares over first epochs."""
    basis = np.empty((len(clock), len(grid)))
    unit = np.zeros((2, len(clock) + 1, len(grid)))
    for t in range(len(clock)):
        for g in range(len(grid)):
            height = grid[g] ** clock[t] if powers else math.exp(-grid[g] * clock[t])
            basis[t, g] = height
            unit[0, t + 1, g] = unit[0, t, g] + height
            unit[1, t + 1, g] = unit[1, t, g] + height * height
    return basis, unit


@compiled
def _grid_sums(weighted, w, length, ones, basis, unit, sums):
    """Sums over epochs of w q, w q^2 and w q y at every place of the grid, into sums [3, place]."""
    for g in range(basis.shape[1]):
        sums[0, g] = unit[0, length, g] if ones else 0.0
        sums[1, g] = unit[1, length, g] if ones else 0.0
        sums[2, g] = 0.0
    for t in range(length):
        y = weighted[t]
        for g in range(basis.shape[1]):
            sums[2, g] += y * basis[t, g]
        if not ones:
            for g in range(basis.shape[1]):
                height = w[t] * basis[t, g]
                sums[0, g] += height
                sums[1, g] += height * basis[t, g]


@compiled
def _totals(values, weights, weighted):
    """Sums over a row, its last epoch with weight + 1, and whether all weights before it are 1."""
    n, sum_y, sum_yy, length, ones = 0.0, 0.0, 0.0, 0, True
    for t in range(len(values)):
        y, w = values[t], weights[t]
        weighted[t] = w * y
        n += w
        sum_y += w * y
        sum_yy += w * y * y
        if w > 0:
            ones = ones and w == 1.0 and length == t
            length = t + 1
    return n, sum_y, sum_yy, length, ones


@compiled
def _box(n, sum_y, sum_yy, sum_q, sum_qq, sum_qy):
    """Best (amplitude, floor, sse) in the unit box for one curve, given the sums over epochs.

    Values lie in [0, 1], so a floor of 1 leaves no amplitude: the edges are A = 0, A = 1, c = 0.
    """
    n, sum_qq = max(n, 1e-300), max(sum_qq, 1e-300)
    mean = min(sum_y / n, 1.0)
    a, c, sse = 0.0, mean, sum_yy + mean * (mean * n - 2 * sum_y)
    edge = min(max(sum_qy / sum_qq, 0.0), 1.0)
    edge_sse = sum_yy + edge * (edge * sum_qq - 2 * sum_qy)
    better = edge_sse < sse
    a, c, sse = (edge if better else a), (0.0 if better else c), (edge_sse if better else sse)
    edge = min(max((sum_y - sum_q) / n, 0.0), 1.0)
    edge_sse = sum_yy + sum_qq - 2 * sum_qy + edge * (edge * n + 2 * (sum_q - sum_y))
    better = edge_sse < sse
    a, c, sse = (1.0 if better else a), (edge if better else c), (edge_sse if better else sse)
    determinant = sum_qq * n - sum_q * sum_q
    regular = determinant > 1e-12 * sum_qq * n
    divisor = determinant if regular else 1.0
    free_a = (sum_qy * n - sum_q * sum_y) / divisor
    free_c = (sum_qq * sum_y - sum_q * sum_qy) / divisor
    inside = regular & (free_a >= 0) & (free_a <= 1) & (free_c >= 0) & (free_c <= 1)
    free_sse = sum_yy - free_a * sum_qy - free_c * sum_y
    return (
        free_a if inside else a,
        free_c if inside else c,
        free_sse if inside else sse,
    )


@compiled
def _search(weighted, w, clock, grid, sse, fixed, mode, powers, out):
    """Refine every valley of the grid and keep the lowest."""
    last, best, falling = len(grid) - 1, np.inf, True
    for g in range(last + 1):
        change = sse[g + 1] - sse[g] if g < last else np.inf
        lowest = falling and change > _ROUNDING
        if abs(change) > _ROUNDING:
            falling = change < 0
        if not lowest:
            continue
        left, right = max(g - 1, 0), min(g + 1, last)
        start, slope = _parabola(grid, sse, g)
        ends = (min(grid[left], grid[right]), max(grid[left], grid[right]), grid[g], slope)
        found = _valley(weighted, w, clock, start, ends, fixed, mode, powers)
        if found[3] < best:
            best = found[3]
            out[0], out[1], out[2] = found[0], found[1], found[2]
        if mode != BOXED:
            continue
        for edge in (GROUNDED, FULL):
            inward = found[2] if edge == GROUNDED else 1 - found[1]
            if not 0 < inward < _NEAR:
                continue
            near = _edge(weighted, w, clock, found[0], ends, fixed, edge, powers)
            if near[3] < best:
                best = near[3]
                out[0], out[1], out[2] = near[0], near[1], near[2]


@compiled
def _edge(weighted, w, clock, x, ends, fixed, edge, powers):
    """Bottom along an edge of the box, downhill from x, if it comes before the valley's end."""
    slope = _profile(weighted, w, clock, x, fixed, edge, powers)[3]
    end = ends[0] if slope > 0 else ends[1]
    a, c, sse, other = _profile(weighted, w, clock, end, fixed, edge, powers)
    if slope * other >= 0:
        return end, a, c, sse
    start = x - slope * (x - end) / (slope - other)
    inside = (min(x, end), max(x, end), x, slope)
    return _valley(weighted, w, clock, start, inside, fixed, edge, powers)


@compiled
def _parabola(grid, sse, g):
    """Through a grid point and its neighbours: the lowest place, and the slope at the point."""
    if g == 0 or g == len(grid) - 1:
        return grid[g], 0.0
    back, ahead = grid[g - 1] - grid[g], grid[g + 1] - grid[g]
    left, right = (sse[g - 1] - sse[g]) / back, (sse[g + 1] - sse[g]) / ahead
    bend = (right - left) / (ahead - back)
    slope = left - bend * back
    if bend <= 0:
        return grid[g], slope
    return grid[g] - 0.5 * slope / bend, slope


@compiled
def _valley(weighted, w, clock, x, ends, fixed, mode, powers):
    """Follow the derivative from x to its root between two ends: (x, amplitude, floor, sse)."""
    low, high, past, past_slope = ends
    best_x, best_a, best_c, best = x, 0.0, 0.0, np.inf
    before, step = high - low, high - low
    for _ in range(_STEPS):
        a, c, sse, slope = _profile(weighted, w, clock, x, fixed, mode, powers)
        if sse <= best:
            best_x, best_a, best_c, best = x, a, c, sse
        if slope == 0:
            break
        if slope > 0:
            high = x
        else:
            low = x
        change = slope - past_slope
        fresh = x - slope * (x - past) / change if change != 0 else x
        if not low < fresh < high or abs(fresh - x) > 0.5 * before:
            fresh = 0.5 * (low + high)
        before, step = step, abs(fresh - x)
        past, past_slope = x, slope
        x = fresh
        if abs(x - past) <= _CLOSE * (x * (1 - x) if powers else x):
            break
    return best_x, best_a, best_c, best


@compiled
def _profile(weighted, w, clock, x, fixed, mode, powers):
    """Amplitude, floor, sum of squares at x, and the derivative of the latter by x."""
    n, sum_y, sum_yy, length = fixed
    sum_q, sum_qq, sum_qy, d_q, d_qq, d_qy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if powers:
        square = x * x
        for t in range(length - 1, -1, -1):
            d_qy = d_qy * x + sum_qy
            sum_qy = sum_qy * x + weighted[t]
            d_qq = d_qq * square + sum_qq
            sum_qq = sum_qq * square + w[t]
            d_q = d_q * x + sum_q
            sum_q = sum_q * x + w[t]
        d_qq *= 2 * x
    else:
        for t in range(length):
            height = math.exp(-x * clock[t])
            sum_qy += weighted[t] * height
            sum_qq += w[t] * height * height
            d_qy -= weighted[t] * height * clock[t]
            d_qq -= 2 * w[t] * height * height * clock[t]
    if mode == PURE:
        return 1.0, 0.0, sum_yy + sum_qq - 2 * sum_qy, d_qq - 2 * d_qy
    if mode == GROUNDED:
        a = min(max(sum_qy / sum_qq, 0.0), 1.0)
        return a, 0.0, sum_yy + a * (a * sum_qq - 2 * sum_qy), a * (a * d_qq - 2 * d_qy)
    if mode == FULL:
        c = min(max((sum_y - sum_q) / n, 0.0), 1.0)
        sse = sum_yy + sum_qq - 2 * sum_qy + c * (c * n + 2 * (sum_q - sum_y))
        return 1.0, c, sse, d_qq + 2 * c * d_q - 2 * d_qy
    a, c, sse = _box(n, sum_y, sum_yy, sum_q, sum_qq, sum_qy)
    return a, c, sse, a * (a * d_qq + 2 * c * d_q - 2 * d_qy)

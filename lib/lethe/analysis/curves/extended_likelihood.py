"""Likelihood of 0/1 traces under R(t) = A exp(-rate t) + c: global optimum and profile of the rate.

The triangle A >= 0, c >= 0, A + c <= 1 keeps R a probability. For a given rate the negative
log-likelihood is convex in (A, c): Newton steps, each the exact solution of a quadratic in the
triangle (Bertsekas 1982), find its one minimum. Along the rate it can have several valleys: a grid
of 49 rates finds them, golden section narrows the two lowest. The first epoch carries no weight.
Cost: 0.1 ms for a row of 31 epochs, with its interval; 4 s to compile, once.
"""

import numpy as np

from lethe.analysis.compiled import njit

_GRID = 49
_GOLDEN = (np.sqrt(5) - 1) / 2


@njit(cache=True, nogil=True)
def fit_rows(
    values: np.ndarray, weights: np.ndarray, low: float, high: float, drop: float
) -> np.ndarray:
    """Rate, A, c, minus log-likelihood, and the ends of the rate's interval; returns [row, 6].

    values, weights [row, epoch]; the interval is the smallest that holds all rates whose profile
    is within `drop` of the best. With drop = 0 its ends are NaN and nothing is spent on them.
    """
    found = np.empty((len(values), 6))
    grid = np.exp(np.linspace(np.log(low), np.log(high), _GRID))
    for row in range(len(values)):
        won = weights[row] * values[row]
        _fit_row(won, weights[row] - won, grid, drop, found[row])
    return found


@njit(cache=True, nogil=True)
def _fit_row(won, lost, grid, drop, found):
    last = _GRID - 1
    profile, place = np.empty(_GRID), np.array([0.5, 0.25])
    for k in range(_GRID):
        profile[k] = _solve(won, lost, grid[k], place)
    found[3] = np.inf
    below = -np.inf  # the lowest valley is left out in the second round
    for _ in range(2):
        best = -1
        for k in range(_GRID):
            left, right = profile[max(k - 1, 0)], profile[min(k + 1, last)]
            valley = profile[k] <= left and profile[k] <= right and profile[k] > below
            if valley and (best < 0 or profile[k] < profile[best]):
                best = k
        if best < 0:
            break
        below = profile[best]
        rate = _golden(won, lost, grid[max(best - 1, 0)], grid[min(best + 1, last)], place)
        for candidate in (grid[best], rate):
            value = _solve(won, lost, candidate, place)
            if value < found[3]:
                found[0], found[1], found[2], found[3] = candidate, place[0], place[1], value
    found[4], found[5] = np.nan, np.nan
    if drop > 0:
        found[4] = _end(won, lost, grid, profile, found[0], found[3] + drop, 1, place)
        found[5] = _end(won, lost, grid, profile, found[0], found[3] + drop, -1, place)


@njit(cache=True, nogil=True)
def _golden(won, lost, low, high, place):
    """Rate with the lowest profile between two rates, by golden section of its logarithm."""
    low, high = np.log(low), np.log(high)
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    f_inner = _solve(won, lost, np.exp(inner), place)
    f_outer = _solve(won, lost, np.exp(outer), place)
    for _ in range(32):
        if f_inner < f_outer:
            high, outer, f_outer = outer, inner, f_inner
            inner = high - _GOLDEN * (high - low)
            f_inner = _solve(won, lost, np.exp(inner), place)
        else:
            low, inner, f_inner = inner, outer, f_outer
            outer = low + _GOLDEN * (high - low)
            f_outer = _solve(won, lost, np.exp(outer), place)
    return np.exp((low + high) / 2)


@njit(cache=True, nogil=True)
def _end(won, lost, grid, profile, rate, top, step, place):
    """Outermost rate on one side (step 1: the lower) whose profile is not above `top`."""
    k = 0 if step > 0 else _GRID - 1
    if profile[k] <= top:
        return grid[k]
    while profile[k] > top and (grid[k] - rate) * step < 0:
        k += step
    reached = profile[k] <= top and (grid[k] - rate) * step < 0
    outside, inside = np.log(grid[k - step]), np.log(grid[k] if reached else rate)
    for _ in range(30):
        middle = (outside + inside) / 2
        if _solve(won, lost, np.exp(middle), place) > top:
            outside = middle
        else:
            inside = middle
    return np.exp(inside)


@njit(cache=True, nogil=True)
def _solve(won, lost, rate, place):
    """Lowest minus log-likelihood at a rate; place (A, c) is the start and becomes the optimum."""
    curve = np.exp(-rate * np.arange(won.size))
    value = _cost(won, lost, curve, place[0], place[1])
    if not np.isfinite(value):
        place[0], place[1] = 0.5, 0.25
        value = _cost(won, lost, curve, 0.5, 0.25)
    for _ in range(60):
        slope_a, slope_c, aa, ac, cc = _bends(won, lost, curve, place[0], place[1])
        b_a = slope_a - aa * place[0] - ac * place[1]
        b_c = slope_c - ac * place[0] - cc * place[1]
        a, c = _triangle(aa, ac, cc, b_a, b_c)
        step_a, step_c = a - place[0], c - place[1]
        fall = slope_a * step_a + slope_c * step_c
        if fall > -1e-11:
            break
        size = 1.0
        while size > 1e-9:
            a, c = place[0] + size * step_a, place[1] + size * step_c
            fresh = _cost(won, lost, curve, a, c)
            if fresh <= value + 1e-4 * size * fall:
                break
            size /= 2
        if size <= 1e-9:
            break
        place[0], place[1], value = a, c, fresh
    return value


@njit(cache=True, nogil=True)
def _cost(won, lost, curve, a, c):
    total = 0.0
    for t in range(1, won.size):
        p = a * curve[t] + c
        if (won[t] > 0 and p <= 0) or (lost[t] > 0 and p >= 1):
            return np.inf
        if won[t] > 0:
            total -= won[t] * np.log(p)
        if lost[t] > 0:
            total -= lost[t] * np.log1p(-p)
    return total


@njit(cache=True, nogil=True)
def _bends(won, lost, curve, a, c):
    """Slopes along A and c, and second derivatives AA, Ac, cc."""
    slope_a = slope_c = aa = ac = cc = 0.0
    for t in range(1, won.size):
        p, q = a * curve[t] + c, curve[t]
        slope = bend = 0.0
        if won[t] > 0:
            slope, bend = -won[t] / p, won[t] / p**2
        if lost[t] > 0:
            slope, bend = slope + lost[t] / (1 - p), bend + lost[t] / (1 - p) ** 2
        slope_a, slope_c = slope_a + slope * q, slope_c + slope
        aa, ac, cc = aa + bend * q * q, ac + bend * q, cc + bend
    return slope_a, slope_c, aa, ac, cc


@njit(cache=True, nogil=True)
def _triangle(aa, ac, cc, b_a, b_c):
    """(A, c) in the triangle that minimises aa A^2 / 2 + ac A c + cc c^2 / 2 + b_a A + b_c c."""
    determinant = aa * cc - ac * ac
    if determinant > 1e-13 * aa * cc:
        a, c = (ac * b_c - cc * b_a) / determinant, (ac * b_a - aa * b_c) / determinant
        if a >= 0 and c >= 0 and a + c <= 1:
            return a, c
    on_c = min(max(-b_c / cc, 0.0), 1.0) if cc > 0 else 0.0
    on_a = min(max(-b_a / aa, 0.0), 1.0) if aa > 0 else 0.0
    across = aa - 2 * ac + cc
    both = min(max((cc - ac + b_c - b_a) / across, 0.0), 1.0) if across > 0 else 0.5
    best_a, best_c, lowest = 0.0, 0.0, np.inf
    for a, c in ((0.0, on_c), (on_a, 0.0), (both, 1 - both)):
        height = aa * a * a / 2 + ac * a * c + cc * c * c / 2 + b_a * a + b_c * c
        if height < lowest:
            best_a, best_c, lowest = a, c, height
    return best_a, best_c

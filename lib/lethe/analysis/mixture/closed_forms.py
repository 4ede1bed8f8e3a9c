"""Closed forms of the weight beta when the components stay at the truth.

Forward KL, zero overlap: in the logit clock beta' = -beta^2 (1 - beta), so
t = 1/beta - 1/beta_0 - logit(beta) + logit(beta_0), which the Wright omega function inverts; in the
Fisher clock beta = beta_0 exp(-t); in the Euclidean clock beta' = -1/(1 - beta), which reaches 0
in finite time. Any overlap, once beta << exp(-separation^2): beta ~ (2 chi2 t)^(-1/2) in the logit
clock with chi2 = exp(separation^2) - 1. Reverse KL, zero overlap: phi relaxes to logit alpha, in
the Fisher clock exponentially at rate 1. Derived here. Cost: none.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, logit, wrightomega

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.flows import CLOCKS
from lethe.analysis.mixture.misassignment import new_to_old


def mass_without_overlap(beta: object, times: object, clock: str = "logit") -> np.ndarray:
    """Weight at `times` under the forward KL at zero overlap, [...] broadcast.

    LetheError unless 0 < beta < 1, times >= 0 and the clock is known.
    """
    start, t = checks.inner("beta", beta), checks.at_least_zero("times", times)
    if checks.one_of("clock", clock, CLOCKS) == "fisher":
        return start * np.exp(-t)
    if clock == "euclidean":
        left = np.maximum(start - start**2 / 2 - t, 0)
        return 2 * left / (1 + np.sqrt(1 - 2 * left))
    phi = logit(start)
    return 1 / (1 + wrightomega(t + np.exp(-phi) - phi))


def mass_tail(separation: object, times: object) -> np.ndarray:
    """What the weight tends to late under the forward KL in the logit clock, [...] broadcast.

    LetheError for a separation of 0 (the weight then stays) and for times of 0.
    """
    square = np.square(checks.positive("separation", separation))
    return 1 / np.sqrt(2 * np.expm1(square) * checks.positive("times", times))


def relaxed_logit(beta: object, alpha: object, times: object) -> np.ndarray:
    """phi at `times` under the reverse KL at zero overlap in the Fisher clock, [...] broadcast."""
    goal, start = logit(checks.inner("alpha", alpha)), logit(checks.inner("beta", beta))
    return goal + (start - goal) * np.exp(-checks.at_least_zero("times", times))


def time_to_fall(separation: float, beta: float, end: float, clock: str = "logit") -> float:
    """Time in which the forward KL lowers the weight from beta to end, components at the truth.

    An integral over phi, by adaptive quadrature. LetheError unless 0 < end < beta < 1 and the
    separation lies in (0, 25].
    """
    power = CLOCKS.index(checks.one_of("clock", clock, CLOCKS))
    checks.positive("separation", separation)
    first, last = logit(checks.inner("beta", beta)), logit(checks.inner("end", end))
    checks.at_least_zero("beta less end", first - last)

    def pace(phi: float) -> float:
        b = expit(phi)
        return float((b * (1 - b)) ** power / (b - new_to_old(separation, b)))

    return quad(pace, last, first, epsabs=0, epsrel=1e-9, limit=200)[0]


def em_steps(separation: float, beta: float, end: float, most: int = 10_000) -> int:
    """Iterations of expectation maximisation on new data until the weight is at most `end`.

    Components at the truth; `most` if it is not reached. Errors as `time_to_fall`.
    """
    checks.positive("separation", separation)
    weight, goal = checks.inner("beta", beta), checks.inner("end", end)
    for step in range(checks.whole("most", most)):
        if weight <= goal:
            return step
        weight = new_to_old(separation, weight)
    return most

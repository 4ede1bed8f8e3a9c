"""TTT-Discover's entropic objective on two modes with constant rewards: what of the old is kept.

Maximise ln E_q[exp(eta R)] - lambda KL(q || q_0) over the weight beta, with
G = exp(eta (R_n - R_o)) and the reference weight beta_0. The one optimum solves
-(G - 1) / (beta + (1 - beta) G) = lambda (logit beta - logit beta_0); hence, for G >= 1,
logit beta >= logit beta_0 - 1 / (lambda (1 - beta_0)) however large the reward gap. With the
expected reward in place of its entropic form, logit beta = logit beta_0 - ln G / lambda: no floor.
The method is that of arXiv 2601.16175 (its released code has a KL term with default 0); the
two-mode analysis is derived here. Cost: a root search a number.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from lethe.analysis.mixture import checks


def kept_entropic(gain: object, strength: object, beta: object) -> np.ndarray:
    """Weight of the old mode at the optimum, [...] broadcast; gain is G, beta is beta_0.

    Strength lambda 0 gives 0 for G > 1, beta_0 for G = 1 and 1 for G < 1.
    LetheError unless G > 0, lambda >= 0 and 0 < beta_0 < 1.
    """
    g, lam = checks.positive("gain", gain), checks.at_least_zero("strength", strength)
    return _optimum(g, lam, checks.inner("beta", beta))


def kept_expected(gain: object, strength: object, beta: object) -> np.ndarray:
    """As `kept_entropic` for the expected reward, in units in which its gap is ln G."""
    g, lam = checks.positive("gain", gain), checks.at_least_zero("strength", strength)
    start, fall = logit(checks.inner("beta", beta)), np.log(g)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.where(fall == 0, 0.0, fall / lam)
    return expit(start - moved)


def floor(strength: object, beta: object) -> np.ndarray:
    """Lower bound of `kept_entropic` over all G >= 1, [...] broadcast; 0 at strength 0."""
    lam, start = checks.at_least_zero("strength", strength), checks.inner("beta", beta)
    with np.errstate(divide="ignore"):
        return expit(logit(start) - 1 / (lam * (1 - start)))


@np.vectorize
def _optimum(gain: float, strength: float, start: float) -> float:
    if gain == 1 or strength == 0:
        return start if gain == 1 else float(gain < 1)
    reach = max(gain, 1 / gain) - 1  # the pull is at most this, in either direction

    def slope(phi: float) -> float:
        beta = expit(phi)
        pull = (gain - 1) / (beta + expit(-phi) * gain)
        return pull + strength * (phi - logit(start))

    ends = logit(start) - reach / strength - 1, logit(start) + reach / strength + 1
    return float(expit(brentq(slope, *ends, xtol=1e-13, rtol=1e-14, maxiter=500)))

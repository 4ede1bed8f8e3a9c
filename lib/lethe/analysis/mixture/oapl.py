"""OAPL on two modes with constant rewards: what of the old mode is kept after some syncs.

The loss is E over the lagged policy of (b2 ln(pi / pi_lag) - (r - V))^2 with
V = b1 ln E[exp(r / b1)]. For b1 = b2 its optimum is pi proportional to pi_lag exp(r / b2): a sync
lowers logit beta by gap / b2, gap = R_n - R_o, so after K syncs logit beta_K = logit beta_0 -
K gap / b2. For b1 != b2 the optimum over beta is found numerically. These are optima; a method that
stops short of them keeps more. The loss is that of arXiv 2602.19362 as a third party's
implementation notes give it (b1 = 1, b2 = 1e-3, sync every 50 steps); the two-mode analysis is
derived here. Cost: a minimisation a sync.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logit

from lethe.analysis.mixture import checks


def kept_after(syncs: object, gap: object, beta: object, temperature: object) -> np.ndarray:
    """Weight of the old mode after `syncs` exact optima with b1 = b2 = temperature, [...].

    LetheError unless syncs >= 0, 0 < beta < 1 and temperature > 0.
    """
    count, start = checks.at_least_zero("syncs", syncs), logit(checks.inner("beta", beta))
    warm = checks.positive("temperature", temperature)
    return expit(start - count * checks.finite("gap", gap) / warm)


def optimal_logit(gap: float, beta: float, b1: float, b2: float) -> float:
    """logit beta at the optimum of one sync for any b1 and b2; errors as `kept_after`."""
    start = float(checks.inner("beta", beta))
    warm = float(checks.positive("b1", b1)), float(checks.positive("b2", b2))
    reward = np.array([0.0, float(checks.finite("gap", gap))])
    logs = np.log([start, 1 - start])
    value = warm[0] * np.logaddexp(*(logs + reward / warm[0]))
    goal = (reward - value) / warm[1]  # wanted log-ratios

    def loss(phi: float) -> float:
        ratio = np.array([log_expit(phi), log_expit(-phi)]) - logs
        return float(np.exp(logs) @ np.square(ratio - goal))

    # the two wanted log-ratios bound the optimum: it lies between what each alone asks for
    ends = [logit(start), _logit_of(logs[0] + goal[0]), -_logit_of(logs[1] + goal[1])]
    spread = 1 + abs(gap) / warm[1]
    low, high = min(ends) - spread, max(ends) + spread
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-11})
    return float(found.x)


def _logit_of(log_share: float) -> float:
    """logit of exp(log_share), cut where the share would be 1."""
    cut = min(log_share, -1e-12)
    return cut - float(np.log(-np.expm1(cut)))

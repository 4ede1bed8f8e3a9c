"""Drift of an old component that is already right: velocity, bounds, and that of SFT.

Definition: velocity of m_o under gradient flow at m_o = 0 (the truth). Reverse KL, with
delta = |m_n|: |m_o'| <= sqrt(beta (1-beta)) delta exp(-delta^2/8) / 2
+ beta sqrt((1-alpha)/alpha) separation exp(-separation^2/8) / 2. Spring and forcing carry the same
factor beta, so from m_o(0) = 0 the displacement never exceeds the supremum over the path of
E_{q_o}[r_n] |m_n - m_o| + E_{q_o}[r*_n] separation (`forcing`). Forward KL: E_{p_n}[r_o (Y - m_o)],
with no restoring term. Exponential decay in the separation is claimed in the abstract of arXiv
2603.12163; constants and forms are derived here. Cost: 901 nodes a number.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.gaussians import FINE, learner, log_odds, target
from lethe.analysis.mixture.gradients import forward_gradient, reverse_gradient


def reverse_velocity(
    separation: object, beta: object, alpha: object, new_mean: object = None
) -> np.ndarray:
    """m_o' of the reverse KL at m_o = 0, signed, [...]; new_mean is the separation unless told.

    LetheError as `reverse_gradient`, and unless 0 < beta < 1.
    """
    distance = checks.separation(separation)
    state = learner(beta, 0.0, distance if new_mean is None else new_mean)
    return -reverse_gradient(state, distance, alpha, FINE)[..., 1]


def forward_velocity(separation: object, beta: object) -> np.ndarray:
    """m_o' of the forward KL on new data at m_o = 0, m_n = separation, [...]; never negative."""
    distance = checks.separation(separation)
    return -forward_gradient(learner(beta, 0.0, distance), distance, rule=FINE)[..., 1]


def velocity_bound(
    separation: object, beta: object, alpha: object, new_mean: object = None
) -> np.ndarray:
    """Upper bound of |`reverse_velocity`|, [...]; arguments and errors as there."""
    weight, share = checks.inner("beta", beta), checks.inner("alpha", alpha)
    distance = checks.separation(separation)
    delta = np.abs(distance if new_mean is None else checks.finite("new_mean", new_mean))
    own = np.sqrt(weight * (1 - weight)) * delta * np.exp(-(delta**2) / 8)
    return (own + weight * np.sqrt((1 - share) / share) * distance * np.exp(-(distance**2) / 8)) / 2


def forcing(states: np.ndarray, separation: object, alpha: object) -> np.ndarray:
    """What pushes the old mean along a path, states [..., 3]; its supremum bounds the drift."""
    truth = target(alpha, separation)
    y = states[..., 1, None] + FINE.nodes
    own, right = (expit(-log_odds(y, state)) @ FINE.weights for state in (states, truth))
    return own * np.abs(states[..., 2] - states[..., 1]) + right * truth[..., 2]


def target_pull_bound(separation: object, alpha: object, old_mean: object) -> np.ndarray:
    """Upper bound of E_{q_o}[r*_n] with the old component at old_mean, [...] broadcast."""
    share, distance = checks.inner("alpha", alpha), checks.separation(separation)
    moved = checks.finite("old_mean", old_mean)
    return np.sqrt((1 - share) / share) * np.exp(-(distance**2) / 8 + distance * moved / 2) / 2

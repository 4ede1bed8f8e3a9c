"""Densities, responsibilities and expectations of the two modes.

Expectations under a Gaussian are trapezoid sums. The integrands are analytic in a strip of half
width pi / separation, so the sum's error falls like exp(-2 pi^2 / (separation step)): far faster
than Gauss-Hermite sums of responsibilities, which have poles at that distance.
Cost: 181 nodes an expectation in flows, 901 where small overlaps must be right relatively.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from lethe.analysis.mixture import checks

REACH = 9.0  # standard deviations of a Gaussian that are integrated over; 1e-19 lies beyond


class Rule(NamedTuple):
    """Nodes and weights of a standard normal expectation, [k] each; the weights sum to 1."""

    nodes: np.ndarray
    weights: np.ndarray


def rule(step: float) -> Rule:
    """The trapezoid rule with nodes `step` apart."""
    count = round(REACH / step)
    nodes = step * np.arange(-count, count + 1)
    return Rule(nodes, normal(nodes, 0.0) * step)


def normal(y: np.ndarray, mean: np.ndarray | float) -> np.ndarray:
    """Density of N(mean, 1) at y, broadcast."""
    return np.exp(-0.5 * np.square(y - mean)) / np.sqrt(2 * np.pi)


FLOW = rule(0.15)
FINE = rule(0.02)


def learner(beta: object, old_mean: object, new_mean: object) -> np.ndarray:
    """Learners as states (phi, m_o, m_n) with phi = logit beta, [..., 3], broadcast.

    LetheError unless 0 < beta < 1 and the means are finite.
    """
    phi = logit(checks.inner("beta", beta))
    means = (checks.finite("old_mean", old_mean), checks.finite("new_mean", new_mean))
    return np.stack(np.broadcast_arrays(phi, *means), axis=-1)


def log_odds(y: np.ndarray, state: np.ndarray) -> np.ndarray:
    """ln(r_o / r_n) of a learner [..., 3] at y [..., k], its last axis kept."""
    phi, old, new = (state[..., i, None] for i in range(3))
    return phi + (old - new) * (y - (old + new) / 2)


def responsibility(y: np.ndarray, state: np.ndarray) -> np.ndarray:
    """r_o, the share of y [..., k] that a learner [..., 3] credits to its old mode, [..., k]."""
    return expit(log_odds(y, state))


def log_density(y: np.ndarray, state: np.ndarray) -> np.ndarray:
    """ln q of a learner [..., 3] at y [..., k], [..., k]."""
    phi, old, new = (state[..., i, None] for i in range(3))
    parts = -np.logaddexp(0, -phi) - np.square(y - old) / 2, -np.logaddexp(0, phi)
    return np.logaddexp(parts[0], parts[1] - np.square(y - new) / 2) - np.log(2 * np.pi) / 2


def target(alpha: object, separation: object) -> np.ndarray:
    """The target as a learner's state, [..., 3]; LetheError unless 0 < alpha < 1."""
    checks.inner("alpha", alpha)
    return learner(alpha, 0.0, checks.separation(separation))


def density(y: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Density q of a learner [..., 3] at y [..., k], [..., k]."""
    return np.exp(log_density(y, state))

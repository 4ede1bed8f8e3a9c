"""Misassignment: how much of one mode's samples a learner credits to the other; and its bound.

Definition: eps_on = E_{p_o}[r_n], eps_no = E_{p_n}[r_o], components at the truth. Exactly, with
b = ln((1 - beta) / beta) and BC = exp(-separation^2 / 8) the Bhattacharyya coefficient,
eps_on = sqrt((1 - beta) / beta) BC E_W[1 / (2 cosh((b + separation W) / 2))], W ~ N(0, 1), and by
the inequality of means eps_on <= sqrt((1 - beta) / beta) BC / 2; eps_no is the same at 1 - beta.
That overlap controls forgetting is in the abstract of arXiv 2603.12163; identity and constant are
derived here. Cost: 1,800 exponentials a number.
"""

from __future__ import annotations

import numpy as np

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.gaussians import rule

RULE = rule(0.01)


def bhattacharyya(separation: object) -> np.ndarray:
    """BC of two unit Gaussians, [...]; LetheError for a separation outside [0, 25]."""
    return np.exp(-np.square(checks.separation(separation)) / 8)


def old_to_new(separation: object, beta: object) -> np.ndarray:
    """eps_on by the identity, [...] broadcast; 1 at beta 0 and 0 at beta 1.

    LetheError for a separation outside [0, 25] or beta outside [0, 1].
    """
    beta, distance = checks.share("beta", beta), checks.separation(separation)
    inside = np.clip(beta, 1e-300, 1 - 1e-16)
    odds = np.log1p(-inside) - np.log(inside)
    half = np.abs(odds[..., None] + distance[..., None] * RULE.nodes) / 2
    mean = (np.exp(-half) / (1 + np.exp(-2 * half))) @ RULE.weights
    found = np.exp(odds / 2) * bhattacharyya(distance) * mean
    return np.where(beta == 0, 1.0, np.where(beta == 1, 0.0, found))


def new_to_old(separation: object, beta: object) -> np.ndarray:
    """eps_no, [...] broadcast: `old_to_new` with the modes exchanged; errors as there."""
    return old_to_new(separation, 1 - checks.share("beta", beta))


def bound(separation: object, beta: object) -> np.ndarray:
    """Upper bound of eps_on by the Bhattacharyya coefficient, [...]; infinite at beta 0."""
    beta = checks.share("beta", beta)
    with np.errstate(divide="ignore"):
        return np.sqrt((1 - beta) / beta) * bhattacharyya(separation) / 2

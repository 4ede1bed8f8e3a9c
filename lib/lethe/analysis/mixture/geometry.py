"""Local geometry of the reverse KL at its optimum.

Definition: the Hessian in (phi, m_o, m_n) at q = p* is the Fisher information of the mixture,
E[s s'] with the scores s = (r_o - alpha, r_o (Y - m_o), r_n (Y - m_n)). Its entry for phi is
alpha (1 - alpha) (1 - A), A = int p_o p_n / p* <= BC / (2 sqrt(alpha (1 - alpha))); at zero overlap
it is diag(alpha (1 - alpha), alpha, 1 - alpha). In the logit clock the KL falls at 2 lambda_min.
Local conditioning is claimed in the abstract of arXiv 2603.12163; the forms are derived here.
Cost: 1,800 nodes a matrix.
"""

from __future__ import annotations

import numpy as np

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.flows import reverse_flow
from lethe.analysis.mixture.gaussians import FINE, responsibility, target
from lethe.analysis.mixture.gradients import reverse_kl
from lethe.analysis.mixture.misassignment import bhattacharyya


def hessian(separation: object, alpha: object) -> np.ndarray:
    """Hessian at the optimum, [..., 3, 3]; singular at separation 0.

    LetheError for a separation outside [0, 25] or alpha outside (0, 1).
    """
    share, distance = np.broadcast_arrays(
        checks.inner("alpha", alpha), checks.separation(separation)
    )
    truth = target(share, distance)
    parts = []
    for mean in (np.zeros_like(distance), distance):
        y = mean[..., None] + FINE.nodes
        r = responsibility(y, truth)
        scores = np.stack([r - share[..., None], r * y, (1 - r) * (y - distance[..., None])], -2)
        parts.append(np.einsum("...ik,...jk,k->...ij", scores, scores, FINE.weights))
    weight = share[..., None, None]
    return weight * parts[0] + (1 - weight) * parts[1]


def smallest_eigenvalue(separation: object, alpha: object) -> np.ndarray:
    """lambda_min of `hessian`, [...]; errors as there."""
    return np.linalg.eigvalsh(hessian(separation, alpha))[..., 0]


def condition_number(separation: object, alpha: object) -> np.ndarray:
    """Largest over smallest eigenvalue of `hessian`, [...]; errors as there."""
    values = np.linalg.eigvalsh(hessian(separation, alpha))
    with np.errstate(divide="ignore"):
        return values[..., 2] / np.maximum(values[..., 0], 0)


def shared_mass(separation: object, alpha: object) -> np.ndarray:
    """A = int p_o p_n / p*, [...]: 1 where the modes coincide, 0 where they are far apart."""
    share, distance = np.broadcast_arrays(
        checks.inner("alpha", alpha), checks.separation(separation)
    )
    odd = distance[..., None] * FINE.nodes  # nodes around the middle of both modes
    # relative to sqrt(p_o p_n) the densities are exp(-+ odd / 2): no underflow far apart
    parts = np.log(share)[..., None] - odd / 2, np.log1p(-share)[..., None] + odd / 2
    return bhattacharyya(distance) * (np.exp(-np.logaddexp(*parts)) @ FINE.weights)


def late_rate(separation: object, alpha: float, start: np.ndarray) -> np.ndarray:
    """Fitted rate at which the KL falls late along reverse flows from states [flow, 3], [flow].

    The slope of ln KL over times of 12 to 20 in units of 1 / (2 lambda_min). Errors as
    `reverse_flow`; all flows share one clock, so give one flow at a time for the best fit.
    """
    distance = checks.separation(separation)
    unit = 1 / (2 * smallest_eigenvalue(distance, alpha))
    times = float(unit) * np.linspace(12, 20, 9)
    states = reverse_flow(start, distance, times, alpha).states
    fall = np.log(reverse_kl(states, distance, alpha))
    return -np.polyfit(times, fall.T, 1)[0]

"""What a learner keeps of the old mode, in function space.

`overlap` is int min(alpha p_o, q) / alpha, the share of the target's old mass that q covers;
`old_half` is the mass that q puts nearer to the old mean. The weight beta alone may mislead: an
old component can move onto the new mode and keep its weight. Cost: 1,800 nodes a learner.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, ndtr

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.gaussians import REACH, density, normal

GRID = np.linspace(-REACH, REACH, 1801)


def overlap(states: np.ndarray, alpha: object) -> np.ndarray:
    """Covered share of the old mass for states [..., 3], 0 to 1; LetheError for a bad alpha."""
    share = checks.inner("alpha", alpha)[..., None]
    least = np.minimum(share * normal(GRID, 0.0), density(GRID, states))
    return np.clip(least.sum(-1) * (GRID[1] - GRID[0]) / share[..., 0], 0, 1)


def overlap_floor(separation: object, alpha: object) -> np.ndarray:
    """`overlap` of a model that knows the new mode only, [...] broadcast."""
    share, distance = np.broadcast_arrays(
        checks.inner("alpha", alpha), checks.separation(separation)
    )
    least = np.minimum(share[..., None] * normal(GRID, 0.0), normal(GRID, distance[..., None]))
    return least.sum(-1) * (GRID[1] - GRID[0]) / share


def old_half(states: np.ndarray, separation: object) -> np.ndarray:
    """Mass of q nearer to the old mean than to the new one, states [..., 3], [...]."""
    middle, beta = checks.separation(separation) / 2, expit(states[..., 0])
    return beta * ndtr(middle - states[..., 1]) + (1 - beta) * ndtr(middle - states[..., 2])

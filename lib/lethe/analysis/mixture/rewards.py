"""When is the pull of a reward on the old mean gated by the overlap? If it is flat on the old mode.

A KL-regularised reward has the target q_0 exp(R / lambda). At the start q = q_0 the old mean moves
with beta / lambda E_{q_o}[R'] (Stein). For R with slope c up to the middle between the modes, a
jump J there, and flat beyond: E_{q_o}[R'] = c Phi(separation / 2) + J phi(separation / 2), and the
second term is J BC / sqrt(2 pi). The jump is gated by the Bhattacharyya coefficient, the slope is
not: far apart, the target's old mean is displaced by c / lambda. Derived here. Cost: none.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.misassignment import bhattacharyya


def old_mean_pull(
    separation: object, beta: object, strength: object, jump: object = 1.0, slope: object = 0.0
) -> np.ndarray:
    """m_o' at the start under a KL-regularised reward, [...] broadcast.

    LetheError unless beta lies in [0, 1], strength > 0 and jump and slope are finite.
    """
    weight, lam = checks.share("beta", beta), checks.positive("strength", strength)
    flat = checks.finite("jump", jump) * bhattacharyya(separation) / np.sqrt(2 * np.pi)
    inside = checks.finite("slope", slope) * ndtr(checks.separation(separation) / 2)
    return weight / lam * (flat + inside)


def is_gated(slope: object) -> np.ndarray:
    """Whether the pull vanishes with growing separation: only for a slope of 0."""
    return checks.finite("slope", slope) == 0

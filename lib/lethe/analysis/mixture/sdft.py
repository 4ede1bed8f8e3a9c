"""SDFT near its target: a student that follows a slowly averaged teacher pulled to demonstrations.

Model, linearised about the target, for one coordinate with stiffness F of the student:
theta' = -F (theta - tau), tau' = a (theta - tau) + lambda (demo - tau), with the teacher's
averaging rate a and the strength lambda of the pull to the demonstrations. Trace -(F + a + lambda),
determinant F lambda: stable exactly if lambda > 0, and the limit is `demo`, right or wrong. At
lambda = 0 the sum a theta + F tau never changes: nothing restores what noise moves.
The method is that of arXiv 2601.19897 (known to us from summaries), this model of it is ours.
Cost: none.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from lethe.analysis.mixture import checks


def system(stiffness: float, averaging: float, anchor: float) -> np.ndarray:
    """The matrix of (theta, tau) about `demo`, [2, 2].

    LetheError unless stiffness and averaging are above 0 and anchor is 0 or more.
    """
    f, a = checks.positive("stiffness", stiffness), checks.positive("averaging", averaging)
    return np.array([[-f, f], [a, -a - checks.at_least_zero("anchor", anchor)]])


def slow_eigenvalue(stiffness: float, averaging: float, anchor: object) -> np.ndarray:
    """The eigenvalue nearer to 0, [...] for anchor [...]; 0 at anchor 0; errors as `system`."""
    pull = checks.at_least_zero("anchor", anchor)
    f, a = checks.positive("stiffness", stiffness), checks.positive("averaging", averaging)
    total = f + a + pull
    return -2 * f * pull / (total + np.sqrt(total**2 - 4 * f * pull))  # no cancellation near 0


def path(
    start: object, demo: float, times: object, stiffness: float, averaging: float, anchor: float
) -> np.ndarray:
    """(theta, tau) at `times` from `start` [2], [time, 2]; errors as `system`, times >= 0."""
    matrix = system(stiffness, averaging, anchor)
    gap = checks.finite("start", start) - checks.finite("demo", demo)
    moved = [expm(matrix * t) @ gap for t in np.atleast_1d(checks.at_least_zero("times", times))]
    return np.array(moved) + demo

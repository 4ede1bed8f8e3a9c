"""Gradient steps with momentum on parabolas: how far two branches are apart, in closed form.

Definition: an instrument has the loss h (theta - a)^2 / 2; a step is v <- mu v + h (theta - a),
theta <- theta - eta v. Branches A and A' start alike and differ in the target a alone, by one unit;
B is the same for both. The state is (theta, v). Predictions are (1/2 + theta, 1/2 - theta), so the
total variation between the branches is |difference in theta|. Derived here. Cost: microseconds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lethe.errors import LetheError


class Apart(NamedTuple):
    """Distance of the branches before and after B."""

    first: float
    second: float

    @property
    def back_flow(self) -> float:
        """What comes back: the distance after B less the one before."""
        return self.second - self.first


def step_matrix(curvature: float, rate: float, momentum: float) -> np.ndarray:
    """What a step does to the difference of two states (theta, v), [2, 2].

    LetheError unless rate > 0 and 0 <= momentum < 1.
    """
    if not (rate > 0 and 0 <= momentum < 1):
        raise LetheError(f"rate must be above 0 and momentum in [0, 1): got {rate}, {momentum}")
    stretch = 1 - rate * curvature
    return np.array([[stretch, -rate * momentum], [curvature, momentum]])


def branches(
    steps: int,
    rate: float,
    momentum: float,
    first: float = 1.0,
    second: float = 1.0,
    broken: bool = False,
) -> Apart:
    """Distances of two branches after `steps` in A and A' (curvature `first`) and as many in B
    (`second`); `broken`: v is set to 0, or to one value in both, before B. LetheError for steps < 1
    and as `step_matrix`.
    """
    if steps < 1:
        raise LetheError(f"an instrument has 1 step or more, not {steps}")
    power = np.linalg.matrix_power
    after_a = (np.eye(2) - power(step_matrix(first, rate, momentum), steps))[:, 0]
    begun = after_a * (1, 0) if broken else after_a
    after_b = power(step_matrix(second, rate, momentum), steps) @ begun
    return Apart(abs(float(after_a[0])), abs(float(after_b[0])))

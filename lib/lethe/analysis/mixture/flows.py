"""Gradient flows of batches of learners, all integrated together.

Definition: d(phi, m_o, m_n)/dt = -rates * gradient, and a clock for the weight: `logit` is the
gradient flow in phi; `fisher` divides phi' by beta (1 - beta), the metric of the weight, so that
beta' = -(dL/dbeta) beta (1 - beta); `euclidean` divides by its square, so that beta' = -dL/dbeta.
Which one arXiv 2603.12163 uses is unknown. `rates` are learning-rate factors of the three
parameters (0 holds one where it is).
Cost: LSODA over the stacked flows, whose Jacobian is banded: five gradients, not three per flow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.gradients import forward_gradient, reverse_gradient
from lethe.errors import LetheError

CLOCKS = ("logit", "fisher", "euclidean")
FIXED = (1.0, 0.0, 0.0)  # rates of a flow in which only the weight moves


@dataclass(frozen=True)
class Flow:
    """Learners along time: times [time], states (phi, m_o, m_n) [flow, time, 3]."""

    times: np.ndarray
    states: np.ndarray

    @property
    def beta(self) -> np.ndarray:
        """Weight of the old mode, [flow, time]."""
        return expit(self.states[..., 0])


def forward_flow(
    start: np.ndarray,
    separation: object,
    times: np.ndarray,
    replay: object = 0.0,
    clock: str = "logit",
    rates: object = (1.0, 1.0, 1.0),
) -> Flow:
    """Flows of the forward KL from states [flow, 3]; separation and replay a number or [flow].

    Times are increasing and count from 0. LetheError for an unknown clock, bad times or numbers,
    and for a flow that leaves the finite numbers.
    """
    lam, distance = checks.share("replay", replay), checks.separation(separation)
    return _flow(
        partial(forward_gradient, separation=distance, replay=lam), start, times, clock, rates
    )


def reverse_flow(
    start: np.ndarray,
    separation: object,
    times: np.ndarray,
    alpha: object,
    clock: str = "logit",
    rates: object = (1.0, 1.0, 1.0),
) -> Flow:
    """Flows of the reverse KL from states [flow, 3], as `forward_flow`, with alpha for replay."""
    share, distance = checks.inner("alpha", alpha), checks.separation(separation)
    return _flow(
        partial(reverse_gradient, separation=distance, alpha=share), start, times, clock, rates
    )


def _flow(
    gradient: Callable, start: np.ndarray, times: np.ndarray, clock: str, rates: object
) -> Flow:
    power = CLOCKS.index(checks.one_of("clock", clock, CLOCKS))
    start = np.atleast_2d(checks.finite("start", start))
    times, rates = _times(times), checks.at_least_zero("rates", rates)

    def slope(_: float, flat: np.ndarray) -> np.ndarray:
        state = flat.reshape(-1, 3)
        beta = expit(state[:, 0])
        change = -gradient(state) * rates
        if power:
            change[:, 0] /= (beta * (1 - beta)) ** power
        return change.ravel()

    return Flow(times, _solve(slope, start, times).reshape(len(start), 3, -1).transpose(0, 2, 1))


def _solve(slope: Callable, start: np.ndarray, times: np.ndarray) -> np.ndarray:
    options = {"method": "LSODA", "rtol": 1e-7, "atol": 1e-9, "lband": 2, "uband": 2}
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        found = solve_ivp(slope, (0, times[-1]), start.ravel(), t_eval=times, **options)
    if not found.success or not np.isfinite(found.y).all() or found.y.shape[1] < len(times):
        raise LetheError(
            f"the flow leaves the finite numbers before time {times[-1]:g}: give a shorter time, "
            "or the clock 'logit', in which no weight reaches 0 in finite time"
        )
    return found.y


def _times(times: object) -> np.ndarray:
    found = np.atleast_1d(checks.at_least_zero("times", times))
    if found.ndim != 1 or not len(found) or np.any(np.diff(found) <= 0) or found[-1] == 0:
        raise LetheError("times are a list of increasing numbers that ends above 0")
    return found

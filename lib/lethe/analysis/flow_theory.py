"""The linear model of FLOW (fine-tuning with easy samples weighted up), in closed form.

Definition: e = theta* - theta_ft leads from the fine-tuned to the pretrained solution; u = e/|e|
and a unit vector v orthogonal to it span the plane, and arrays are in the basis (u, v). Units:
|e| = 1, so tau and losses are in units of |e|^2. Inputs of fine-tuning are x ~ N(0, S),
S = I + rho (uv' + vu'), 0 <= rho < 1; FLOW weights them by w(x) = exp(-(e.x)^2 / tau).
From the paper (Sanyal et al. 2025, arXiv 2502.02797, linear setting, pretraining covariance
S_pre >= I): the model, Q, b (its beta), eigenvalues, both step sizes, the best average. Its plain
text prints mu where mu^2 = b (1-rho^2) / ((1+b)(1 - b rho^2)) is right; the typeset page is unseen.
Ours: `early_stopped`, where plain and FLOW training both take steps as small as they like and stop
when the total loss is least. Cost: under 1 ms a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from lethe.errors import LetheError

MEDIAN_TAU = 0.454936423119573  # median of a chi-square with one degree of freedom: of (e.x)^2


class Losses(NamedTuple):
    """Squared losses along a path, [K]: on pretraining data, on fine-tuning data, their sum."""

    err1: np.ndarray
    err2: np.ndarray
    total: np.ndarray


class EarlyStopped(NamedTuple):
    """Least total loss on the paths of plain training, of FLOW, and of model averaging."""

    vanilla: float
    flow: float
    averaging: float


@dataclass(frozen=True)
class LinearFlow:
    """FLOW at temperature tau; raises LetheError for rho outside [0, 1) or tau <= 0."""

    rho: float
    tau: float = MEDIAN_TAU

    def __post_init__(self) -> None:
        _rho(self.rho)
        _positive("tau", self.tau)

    @property
    def mu(self) -> float:
        """Mean weight, sqrt(tau / (tau + 2))."""
        return float(np.sqrt(self.tau / (self.tau + 2)))

    @property
    def q(self) -> np.ndarray:
        """Q, what one step at 1/(2 mu) leaves of the distance to theta_ft, [2, 2]."""
        rest, cross = 2 / (self.tau + 2), -self.rho * self.mu**2  # rest is 1 - mu^2
        return np.array([[rest, cross], [cross, self.rho**2 * rest]])

    @property
    def weighted_covariance(self) -> np.ndarray:
        """S' = E[w(x) x x'] = mu (I - Q), [2, 2]."""
        return self.mu * (np.eye(2) - self.q)

    @property
    def b(self) -> float:
        """The paper's beta, from tau = 2 b (1 - rho^2) / (1 - b^2 rho^2)."""
        free = (1 - self.rho) * (1 + self.rho)
        return float(self.tau / (free + np.hypot(free, self.tau * self.rho)))

    @property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues lambda1 (the stalled part) and lambda2 of Q, [2]."""
        b, square = self.b, self.rho**2
        return np.array([(1 + b * square) / (1 + b), square * (1 - b) / (1 - b * square)])

    @property
    def directions(self) -> np.ndarray:
        """Unit eigenvectors of Q in rows, along u - b rho v and b rho u + v, [2, 2]."""
        tilt = self.b * self.rho
        return np.array([[1, -tilt], [tilt, 1]]) / np.hypot(1, tilt)

    def path(self, steps: int) -> np.ndarray:
        """theta_K - theta_ft = Q^K e, K = 0..steps, [K, 2]; raises LetheError for steps < 0."""
        return _powers(self.q, steps)


def covariance(rho: float) -> np.ndarray:
    """Return S of the fine-tuning inputs, [2, 2]; raises LetheError for rho outside [0, 1)."""
    return np.array([[1.0, _rho(rho)], [rho, 1.0]])


def flow_weight(x: np.ndarray, e: np.ndarray, tau: float) -> np.ndarray:
    """Weights of inputs x [..., dim] for e [dim] of any length; raises LetheError for tau <= 0."""
    return np.exp(-np.square(np.asarray(x) @ np.asarray(e)) / _positive("tau", tau))


def vanilla_path(rho: float, steps: int, step_size: float = 0.5) -> np.ndarray:
    """Return theta_K - theta_ft of plain gradient descent, K = 0..steps, [K, 2].

    It diverges for step sizes above 1/(1 + rho).
    Raises LetheError for rho outside [0, 1), step_size <= 0 or steps < 0.
    """
    return _powers(np.eye(2) - 2 * _positive("step_size", step_size) * covariance(rho), steps)


def averaging_path(omega: np.ndarray) -> np.ndarray:
    """Return omega e, models from theta_ft (omega 0) to theta* (omega 1), for omega [K]; [K, 2]."""
    return np.multiply.outer(np.asarray(omega, float), [1.0, 0.0])


def losses(path: np.ndarray, s_pre: np.ndarray, rho: float) -> Losses:
    """Losses of models theta - theta_ft, path [K, 2], where the covariances are s_pre [2, 2] and S.

    Raises LetheError for s_pre not positive definite or rho outside [0, 1).
    """
    covariances = (_positive_definite(s_pre), covariance(rho))
    ways = (path - np.array([1.0, 0.0]), path)
    err1, err2 = (np.einsum("ki,ij,kj->k", d, s, d) for d, s in zip(ways, covariances))
    return Losses(err1, err2, err1 + err2)


def best_average(s_pre: np.ndarray) -> float:
    """Least total of averaging, also its omega: a / (a + 1), a = u' S_pre u; checks s_pre."""
    a = _positive_definite(s_pre)[0, 0]
    return float(a / (a + 1))


def early_stopped(s_pre: np.ndarray, rho: float, tau: float = MEDIAN_TAU) -> EarlyStopped:
    """Least total of each arm at its own best stopping time or omega, for s_pre [2, 2].

    Plain and FLOW training are gradient flows, the limit of small steps.
    Raises LetheError for s_pre not positive definite, rho outside [0, 1) or tau <= 0.
    """
    arms = (covariance(rho), LinearFlow(rho, tau).weighted_covariance)
    plain, flow = (_best_stop(s, s_pre, rho) for s in arms)
    return EarlyStopped(plain, flow, best_average(s_pre))


def _best_stop(curvature: np.ndarray, s_pre: np.ndarray, rho: float) -> float:
    """Least total along exp(-curvature t) e over a fine grid of times, to within 1e-5."""
    rates, axes = np.linalg.eigh(curvature)
    rates = np.maximum(rates, np.finfo(float).eps * rates[1])
    times = np.append(0.0, np.geomspace(1e-6 / rates[1], 40 / rates[0], 4000))
    path = (np.exp(-np.outer(times, rates)) * axes[0]) @ axes.T
    return float(losses(path, s_pre, rho).total.min())


def _powers(shrink: np.ndarray, steps: int) -> np.ndarray:
    if not isinstance(steps, Integral) or steps < 0:
        raise LetheError(f"steps is a whole number, 0 or more: got {steps!r}")
    return np.array([np.linalg.matrix_power(shrink, k)[:, 0] for k in range(steps + 1)])


def _rho(rho: float) -> float:
    if not isinstance(rho, Real) or not 0 <= rho < 1:
        raise LetheError(f"rho is a number in [0, 1): got {rho!r}")
    return rho


def _positive(name: str, value: float) -> float:
    if not isinstance(value, Real) or not 0 < value < np.inf:
        raise LetheError(f"{name} is a finite number above 0: got {value!r}")
    return value


def _positive_definite(s_pre: np.ndarray) -> np.ndarray:
    """Return s_pre as floats if its least eigenvalue exceeds rounding error."""
    try:
        matrix = np.asarray(s_pre, float)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    usable = matrix.shape == (2, 2) and np.isfinite(matrix).all()
    usable = usable and abs(matrix[0, 1] - matrix[1, 0]) <= 1e-9 * np.abs(matrix).max()
    least, most = np.linalg.eigvalsh(matrix) if usable else (0, 0)
    if least <= 4 * np.finfo(float).eps * most:
        given = " ".join(str(s_pre).split())
        raise LetheError(f"S_pre is a symmetric positive definite 2 x 2 matrix: got {given:.80}")
    return matrix

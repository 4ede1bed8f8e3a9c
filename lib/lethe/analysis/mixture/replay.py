"""Replay under the reverse KL: batches drawn from (1 - lambda) q + lambda p_o, weighted by w = q/b.

Components are right and stay; only phi moves, by stochastic gradient descent on the score-function
gradient: the mean over the batch of w_i (r_o(y_i) - beta) (h_i - baseline_i), where baseline_i is
the mean of w_j h_j over the others. Its expectation is the gradient of the reverse KL for every
lambda < 1: replay leaves the objective alone, and w <= 1 / (1 - lambda). Old-mode starvation: a
batch without a draw from the old component, of probability ((1 - lambda) (1 - beta))^N.
That replay prevents starvation by bounded weights is in the abstract of arXiv 2603.12163; how it
states it is unknown. Cost: a draw is two random numbers and five exponentials.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from lethe.analysis.mixture import checks


class Recovery(NamedTuple):
    """Steps until the weight has recovered, inf where it has not, [seed]; largest w seen."""

    steps: np.ndarray
    largest_weight: float


def starvation(beta: object, size: object, replay: object = 0.0) -> np.ndarray:
    """Chance that a batch of `size` holds no draw from the old component, [...] broadcast.

    LetheError for beta or replay outside [0, 1] or a size below 1.
    """
    old, lam = checks.share("beta", beta), checks.share("replay", replay)
    return ((1 - lam) * (1 - old)) ** checks.positive("size", size)


def weight_limit(replay: object) -> np.ndarray:
    """1 / (1 - lambda), the largest importance weight there can be; LetheError at lambda = 1."""
    lam = checks.share("replay", replay)
    checks.positive("1 - replay", 1 - lam)  # at 1 no draw comes from the new mode
    return 1 / (1 - lam)


def gradient_draws(
    rng: np.random.Generator,
    phi: np.ndarray,
    separation: float,
    alpha: float,
    replay: float,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """One batch gradient for phi of each learner [n], and all importance weights [n, size].

    LetheError for numbers out of range, a size below 2 (the baseline needs another draw) or
    replay = 1.
    """
    weight_limit(replay)
    share, distance = checks.inner("alpha", alpha), checks.separation(separation)
    phi = np.asarray(phi, float)[:, None]
    shape = (len(phi), checks.whole("size", size, 2))
    old_chance = replay + (1 - replay) * expit(phi)
    center = np.where(rng.random(shape) < old_chance, 0.5, -0.5) * distance
    ratio = distance * (center + rng.normal(size=shape))  # ln(p_o / p_n)
    weight, r_old, h = _terms(phi, ratio, float(share), replay)
    value = weight * h
    others = (value.sum(1, keepdims=True) - value) / (shape[1] - 1)
    return (weight * (r_old - expit(phi)) * (h - others)).mean(1), weight


def recovery(
    rng: np.random.Generator,
    beta: float,
    separation: float,
    alpha: float,
    replay: float,
    size: int,
    goal: float = 0.25,
    seeds: int = 256,
    step_size: float = 0.1,
    most: int = 2000,
) -> Recovery:
    """Steps of descent from weight beta until it reaches `goal`, one run a seed.

    LetheError as `gradient_draws`, and unless 0 < beta < goal < 1.
    """
    start, end = logit(checks.inner("beta", beta)), logit(checks.inner("goal", goal))
    checks.positive("goal less beta", end - start)
    phi, steps, largest = np.full(checks.whole("seeds", seeds), start), np.full(seeds, np.inf), 0.0
    going = np.arange(seeds)
    for step in range(1, most + 1):
        slope, weight = gradient_draws(rng, phi[going], separation, alpha, replay, size)
        phi[going] -= step_size * slope
        largest = max(largest, float(weight.max()))
        there = phi[going] >= end
        steps[going[there]] = step
        going = going[~there]
        if not len(going):
            break
    return Recovery(steps, largest)


def _terms(phi: np.ndarray, ratio: np.ndarray, alpha: float, replay: float) -> tuple:
    """w, r_o and h = ln(q / p*) of draws with ln(p_o / p_n) = ratio."""
    small = np.exp(-np.abs(ratio))  # densities relative to the larger of p_o and p_n
    old, new = np.where(ratio > 0, 1.0, small), np.where(ratio > 0, small, 1.0)
    beta = expit(phi)
    q = beta * old + (1 - beta) * new
    h = np.log(q / (alpha * old + (1 - alpha) * new))
    return q / ((1 - replay) * q + replay * old), beta * old / q, h

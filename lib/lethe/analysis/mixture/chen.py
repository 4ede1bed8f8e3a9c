"""The simulation of Chen et al. 2025 (arXiv 2510.18874), with its learning-rate factor as an axis.

Written anew after the settings of the released code (princeton-pli/retaining-by-doing): target
.75 N(-3, 1) + .25 N(3.5, .7^2); learner .75 N(-3.5, 1) + .25 N(.5, .7^2), whose weight, means and
standard deviations all move, by 200 stochastic steps of 1,000 draws. SFT draws from the new target
mode and ascends ln q. RL draws from the learner's *new* component only, weighs by q over that
component and ascends the reward ln(p_new / (q_new 0.1)). The learning rate of the weight and of the
old component is multiplied by a factor, 0.005 in the release. Overlap of a mode is
int min(target part, learner part) / target mass; gain and drop are its changes on the new and the
old mode, at the first step with gain >= 0.9, else at the last. Standard deviations differ between
the modes, so this lies outside the equal-covariance setting of the other modules.
Cost: 10 seeds of 3 arms at 6 factors in about 5 s; a seed's draws are the same at every factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lethe.analysis.mixture import checks

ARMS = {"SFT, rate 0.15": ("sft", 0.15), "SFT, rate 0.01": ("sft", 0.01), "RL": ("rl", 0.01)}
FACTOR = 0.005
OLD, NEW = (0.75, -3.0, 1.0), (0.25, 3.5, 0.7)  # weight, mean, standard deviation of the target
START = np.array([0.75, -3.5, 1.0, 0.5, 0.7])  # pi, old mean and sd, new mean and sd
STEPS, DRAWS, STOP, REWARD_SCALE = 200, 1000, 0.9, 0.1
GRID = np.linspace(-8, 8, 500)
TINY = 1e-12  # as in the release: keeps densities away from 0


class Outcome(NamedTuple):
    """At the stop, each [seed, factor]: step (0 where it never stops), gain, drop, final weight."""

    step: np.ndarray
    gain: np.ndarray
    drop: np.ndarray
    weight: np.ndarray


def simulate(
    arm: str, factors: object = FACTOR, seeds: int = 10, first_seed: int = 0, new_mean: float = 3.5
) -> Outcome:
    """Run an arm for seeds and learning-rate factors; new_mean moves the new target mode.

    LetheError for an unknown arm, factors below 0 or fewer than 1 seed.
    """
    kind, rate = ARMS[checks.one_of("arm", arm, tuple(ARMS))]
    scale = np.atleast_1d(checks.at_least_zero("factors", factors))
    streams = [np.random.default_rng(first_seed + k) for k in range(checks.whole("seeds", seeds))]
    rates = rate * np.stack([scale, scale, scale, np.ones_like(scale), np.ones_like(scale)], -1)
    state, goal = np.tile(START, (seeds, len(scale), 1)), (NEW[0], float(new_mean), NEW[2])
    history = [state]
    for _ in range(STEPS):
        noise = np.stack([rng.standard_normal(DRAWS) for rng in streams])[:, None]
        state = _clipped(state + rates * _ascent(kind, state, noise, goal))
        history.append(state)
    return _outcome(np.stack(history), goal)


def overlaps(state: np.ndarray, goal: tuple[float, float, float] = NEW) -> tuple:
    """Covered share of the old and of the new target mode by states [..., 5], each [...]."""
    pi, m1, s1, m2, s2 = (state[..., i, None] for i in range(5))
    found = []
    for (w, m, s), own in (
        (OLD, pi * _normal(GRID, m1, s1)),
        (goal, (1 - pi) * _normal(GRID, m2, s2)),
    ):
        part = w * _normal(GRID, m, s)
        found.append(np.trapezoid(np.minimum(part, own), GRID) / np.trapezoid(part, GRID))
    return tuple(found)


def _ascent(kind: str, state: np.ndarray, noise: np.ndarray, goal: tuple) -> np.ndarray:
    """Estimated ascent direction of the five parameters, [seed, factor, 5]."""
    pi, m1, s1, m2, s2 = (state[..., i, None] for i in range(5))
    y = goal[1] + goal[2] * noise if kind == "sft" else m2 + s2 * noise
    n1, n2 = _normal(y, m1, s1), _normal(y, m2, s2)
    q2 = (1 - pi) * n2
    q = pi * n1 + q2 + TINY
    worth = np.ones_like(q)
    if kind == "rl":
        reward = np.log(_normal(y, goal[1], goal[2]) / q2 / REWARD_SCALE + TINY)
        worth = reward * q / (q2 + TINY)
    r1, r2 = worth * pi * n1 / q, worth * q2 / q
    z1, z2 = (y - m1) / s1, (y - m2) / s2
    parts = [worth * (n1 - n2) / q, r1 * z1 / s1, r1 * (z1**2 - 1) / s1]
    parts += [r2 * z2 / s2, r2 * (z2**2 - 1) / s2]
    return np.stack([part.mean(-1) for part in parts], axis=-1)


def _clipped(state: np.ndarray) -> np.ndarray:
    """Weight within .001 of its ends and deviations of at least .001, as in the release."""
    state[..., 0] = np.clip(state[..., 0], 1e-3, 1 - 1e-3)
    state[..., [2, 4]] = np.maximum(state[..., [2, 4]], 1e-3)
    return state


def _outcome(history: np.ndarray, goal: tuple) -> Outcome:
    """Gain, drop and weight at the stop, history [step, seed, factor, 5]."""
    both = [overlaps(states, goal) for states in history]
    old, new = (np.stack([pair[k] for pair in both]) for k in range(2))
    gain, drop = new - new[0], old[0] - old
    reached = gain >= STOP
    step = np.where(reached.any(0), reached.argmax(0), len(history) - 1)
    at = [np.take_along_axis(x, step[None], 0)[0] for x in (gain, drop, history[..., 0])]
    return Outcome(np.where(reached.any(0), step, 0), *at)


def _normal(y: np.ndarray, mean: np.ndarray | float, sd: np.ndarray | float) -> np.ndarray:
    return np.exp(-0.5 * np.square((y - mean) / sd)) / (np.sqrt(2 * np.pi) * sd)

"""Gradients of both objectives in (phi, m_o, m_n), and the objectives themselves.

Forward KL to data lambda p_o + (1 - lambda) p_n (lambda is the replay share; 0 is plain SFT):
  dL/dphi = beta - E[r_o],  dL/dm_o = -E[r_o (Y - m_o)],  dL/dm_n = -E[r_n (Y - m_n)].
Reverse KL to the target, h = ln(q / p*), starred responsibilities those of the target:
  dL/dphi = beta (1 - beta) (E_{q_o}[h] - E_{q_n}[h]),
  dL/dm_o = beta (m_o + E_{q_o}[r_n (m_n - m_o) - r*_n separation]),
  dL/dm_n = (1 - beta) (m_n - separation - E_{q_n}[r_o (m_n - m_o) - r*_o separation]).
Derived here. Cost: 121 nodes an expectation, two expectations a gradient.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from lethe.analysis.mixture import checks
from lethe.analysis.mixture.gaussians import FLOW, Rule, log_density, log_odds, target

LINE = np.arange(-12.0, 37.0, 0.04)  # holds both modes at any separation that is allowed


def forward_gradient(
    state: np.ndarray, separation: object, replay: object = 0.0, rule: Rule = FLOW
) -> np.ndarray:
    """Gradient of the forward KL for states [..., 3], [..., 3].

    LetheError for a separation outside [0, 25] or a replay share outside [0, 1].
    """
    lam, distance = checks.share("replay", replay), checks.separation(separation)
    new = _moments(state, np.broadcast_to(distance, state.shape[:-1]), rule)
    if not np.any(lam):
        return new
    return lam[..., None] * _moments(state, np.zeros(state.shape[:-1]), rule) + (
        new * (1 - lam[..., None])
    )


def reverse_gradient(
    state: np.ndarray, separation: object, alpha: object, rule: Rule = FLOW
) -> np.ndarray:
    """Gradient of the reverse KL for states [..., 3], [..., 3].

    LetheError for a separation outside [0, 25] or alpha outside (0, 1).
    """
    truth = np.broadcast_to(target(alpha, separation), state.shape)
    old, beta = state[..., 1], expit(state[..., 0])
    gap, distance = state[..., 2] - old, truth[..., 2]
    at_old, at_new = (_under(state, truth, mean, rule) for mean in (1, 2))
    pull_old = old + (1 - at_old[0]) * gap - (1 - at_old[1]) * distance
    pull_new = state[..., 2] - distance - at_new[0] * gap + at_new[1] * distance
    weight = beta * (1 - beta) * (at_old[2] - at_new[2])
    return np.stack([weight, beta * pull_old, (1 - beta) * pull_new], axis=-1)


def forward_kl(state: np.ndarray, separation: object, replay: object = 0.0) -> np.ndarray:
    """KL(data || q) of states [..., 3] to replayed data, [...]; errors as `forward_gradient`."""
    lam, distance = checks.share("replay", replay), checks.separation(separation)
    with np.errstate(divide="ignore"):
        weights = np.log(lam)[..., None], np.log1p(-lam)[..., None]
    old, new = -np.square(LINE) / 2, -np.square(LINE - distance[..., None]) / 2
    data = np.logaddexp(weights[0] + old, weights[1] + new) - np.log(2 * np.pi) / 2
    return _divergence(data, log_density(LINE, state))


def reverse_kl(state: np.ndarray, separation: object, alpha: object) -> np.ndarray:
    """KL(q || target) of states [..., 3], [...]; errors as `reverse_gradient`."""
    return _divergence(log_density(LINE, state), log_density(LINE, target(alpha, separation)))


def _divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """KL of two log densities on LINE; no term is negative, so small values keep their digits."""
    gap = np.maximum(first, -700) - np.maximum(second, -700)
    return (np.exp(first) * (gap + np.expm1(-gap))).sum(-1) * (LINE[1] - LINE[0])


def _moments(state: np.ndarray, mean: np.ndarray, rule: Rule) -> np.ndarray:
    """The forward gradient on data from N(mean, 1)."""
    y = mean[..., None] + rule.nodes
    r = expit(log_odds(y, state))
    mass, first = r @ rule.weights, (r * y) @ rule.weights
    old, new = state[..., 1], state[..., 2]
    parts = expit(state[..., 0]) - mass, old * mass - first, new * (1 - mass) - (mean - first)
    return np.stack(parts, axis=-1)


def _under(state: np.ndarray, truth: np.ndarray, mean: int, rule: Rule) -> tuple:
    """E[r_o], E[r*_o] and E[h] under one of the learner's components."""
    y = state[..., mean, None] + rule.nodes
    own, right = log_odds(y, state), log_odds(y, truth)
    shares = (expit(z) @ rule.weights for z in (own, right))
    # ln q = ln beta - (y - m_o)^2 / 2 - ln r_o, and so for the target: only softplus is needed
    soft = (_softplus(-own) - _softplus(-right)) @ rule.weights
    square = (y**2 - (y - state[..., 1, None]) ** 2) @ rule.weights / 2
    first = _softplus(-truth[..., 0]) - _softplus(-state[..., 0])
    return *shares, first + square + soft


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))

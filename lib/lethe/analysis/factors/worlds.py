"""Worlds with known shares, laid out like the runs of the study, to try the estimators on.

A world is a function of the draws of the four sources, one row of numbers a unit each; see
`simulate`. Cost: milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lethe.analysis.factors.design import CONTROLS, SOURCES

World = Callable[[np.ndarray], np.ndarray]  # normal draws [source, unit] -> scores [unit]
STEEP = 1e4  # by how much a chaotic world magnifies its draws


def additive(draws: np.ndarray) -> np.ndarray:
    """Every source adds its part: variances 0.4, 0.3, 0.2, 0.1, so S = T = that."""
    return np.sqrt([0.4, 0.3, 0.2, 0.1]) @ draws


def pairwise(draws: np.ndarray) -> np.ndarray:
    """Sources work in twos: S = 0 for all, T = 0.5 for each."""
    return draws[0] * draws[1] + draws[2] * draws[3]


def chaotic(draws: np.ndarray) -> np.ndarray:
    """Any change of any source redraws everything: S = 0 and T = 1 for all."""
    return np.sin(STEEP * draws.sum(axis=0))


def simulate(
    world: World, blocks: int, units: int, rng: np.random.Generator, spread: float = 2.0
) -> np.ndarray:
    """Scores [block, run, unit] of a world; units also differ by a constant of this spread.

    The controls repeat `base`.
    """
    level = spread * rng.standard_normal(units)
    first, second = rng.standard_normal((2, blocks, len(SOURCES), units))
    found = []
    for u, v in zip(first, second, strict=True):
        frozen = [np.where(_is(source), v, u) for source in SOURCES]
        runs = [u, v, *frozen, *[u] * len(CONTROLS)]
        found.append([level + world(draws) for draws in runs])
    return np.array(found)


def _is(source: str) -> np.ndarray:
    return np.array([[source == name] for name in SOURCES])

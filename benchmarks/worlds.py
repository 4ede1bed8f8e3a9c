"""Simulated experiments with known truth, behind the coverage table.

A world is a process, a number of seeds and of images, and three sources of variance of the log
decay rates. Two networks share the images and, in part, their rates. Images may come in families
that are alike. Cost: one random draw per cell of a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lethe.analysis.simulate import rates_with_variance, simulate_correct

MEDIAN = 0.05  # decay rate per epoch
ALONE = 0.7  # standard deviation of the log rates that a network has for itself


@dataclass(frozen=True)
class World:
    """One regime; the three spreads are standard deviations of the log rate."""

    process: str = "independent"
    seeds: int = 10
    samples: int = 300
    image: float = 1.0
    seed: float = 0.0
    rest: float = 0.5  # image in one run
    family: int = 1  # images to a family that shares its part of the log rate
    epochs: int = 21

    @property
    def families(self) -> np.ndarray:
        """Family of each image, [sample]."""
        return np.arange(self.samples) // self.family

    def large(self, samples: int) -> World:
        """The same regime with so many images that they add no error of their own."""
        return replace(self, samples=samples)


@dataclass(frozen=True)
class Draw:
    """One experiment: log rates and right or wrong of two networks, [seed, (epoch,) sample]."""

    world: World
    log_rates: np.ndarray
    a: np.ndarray
    b: np.ndarray


def draw(world: World, rng: np.random.Generator) -> Draw:
    """New images and new seeds of the world, in both networks."""
    groups = -(-world.samples // world.family)
    shared = rng.normal(0, world.image, groups)[world.families]
    pair = [_rates(world, shared, rng) for _ in range(2)]
    a, b = (simulate_correct(rng, rate, world.epochs, process=world.process) for rate in pair)
    return Draw(world, np.log(pair[0]), a, b)


def _rates(world: World, shared: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    form = (world.seed, world.rest, world.seeds, world.samples)
    return rates_with_variance(rng, MEDIAN, ALONE * (world.family == 1), *form) * np.exp(shared)

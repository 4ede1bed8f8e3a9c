"""The main number of each of the five findings, for one pair of stores, with null and ceiling.

1: gap between the overlap of two seeds and of two networks, in the most forgotten tenth. 2: mean
R^2 of the exponential, constant traces left out. 3: agreement of two seeds about the decay rate. 4:
agreement of two seeds about the classes. 5: loss after warm-up against decay rate. 2 to 5 are about
the first network. Definitions are those of the findings' own modules. Cost: 10 s for 6,200 samples
in ten runs with the default draws, 4 s for 3,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import curves, scores
from lethe.analysis.agreement import Interval
from lethe.analysis.findings import fit_worlds, prediction
from lethe.analysis.findings.architecture_overlap import architecture_overlap
from lethe.analysis.findings.class_order import class_order
from lethe.analysis.findings.fit_quality import compare_r2
from lethe.analysis.findings.seed_stability import rankable, seed_stability
from lethe.errors import LetheError

FRACTION = 0.1  # of the samples are the most forgotten


@dataclass(frozen=True)
class MainNumber:
    """A number with its interval, what it would be without the effect, and the most it can be."""

    words: str
    interval: Interval
    null: tuple[float, float]
    ceiling: tuple[float, float]


def main_numbers(
    pair: Sequence[xr.Dataset], rng: np.random.Generator, draws: int = 60, simulations: int = 2
) -> dict[str, MainNumber]:
    """The five numbers of the stores of two networks on the same samples, `one` to `five`.

    Raises LetheError for traces that cannot be ranked, for fewer than 2 seeds and for one class.
    """
    if len(pair) != 2:
        raise LetheError(f"the five numbers are of two stores, not of {len(pair)}")
    every = (_overlap, _curve, _seeds, _classes, _warmup)
    names = ("one", "two", "three", "four", "five")
    return {n: find(pair, rng, draws, simulations) for n, find in zip(names, every, strict=True)}


def _overlap(
    pair: Sequence[xr.Dataset], rng: np.random.Generator, draws: int, simulations: int
) -> MainNumber:
    ranked = [rankable(ds, "forgetting_events") for ds in pair]
    found = architecture_overlap(ranked[0], ranked[1], FRACTION, rng, draws)
    top = found.single["ceiling"].estimate - found.chance[0]
    return MainNumber("1: gap of two networks", found.single["gap"], (0.0, 0.0), (top, top))


def _curve(
    pair: Sequence[xr.Dataset], rng: np.random.Generator, draws: int, simulations: int
) -> MainNumber:
    right = [traces.correct(ds).transpose("seed", "epoch", "sample").values for ds in pair]
    fits = [curves.fit_exponential(curves.retention_traces(bits)[0]) for bits in right]
    found = compare_r2(fits[0], fits[1], rng, draws)["a"]["excluded"]
    ends = [_world(right[0], world, rng, simulations) for world in ("null", "ceiling")]
    return MainNumber("2: R² of the exponential", found, *ends)


def _world(
    right: np.ndarray, world: str, rng: np.random.Generator, simulations: int
) -> tuple[float, float]:
    """Lowest and highest mean R^2 of simulated copies of the traces."""
    copies = fit_worlds.world_r2(fit_worlds.world_fits(right, world, rng, simulations))["excluded"]
    return float(copies.min()), float(copies.max())


def _seeds(
    pair: Sequence[xr.Dataset], rng: np.random.Generator, draws: int, simulations: int
) -> MainNumber:
    found = seed_stability(pair[0], "decay_rate", rng, draws, simulations)
    null, ceiling = ((band.low, band.high) for band in (found.null, found.ceiling))
    return MainNumber("3: decay rates of two seeds", found.rho, null, ceiling)


def _classes(
    pair: Sequence[xr.Dataset], rng: np.random.Generator, draws: int, simulations: int
) -> MainNumber:
    found = class_order(pair[0], "forgetting_events", rng, draws, simulations)
    null, ceiling = ((band.low, band.high) for band in (found.null, found.ceiling))
    return MainNumber("4: class order of two seeds", found.rho, null, ceiling)


def _warmup(
    pair: Sequence[xr.Dataset], rng: np.random.Generator, draws: int, simulations: int
) -> MainNumber:
    early, later = (
        scores.harder(scores.score(pair[0], name)).values for name in ("warmup_loss", "decay_rate")
    )
    found = prediction.correlation_interval(early, later, rng, draws)
    null = prediction.correlation_null(early, later, rng, draws)
    right = traces.correct(pair[0]).transpose("seed", "epoch", "sample").values
    top = prediction.perfect_knowledge(right, rng, simulations)
    return MainNumber(
        "5: warm-up loss, decay rate", found, (null.low, null.high), (top.low, top.high)
    )

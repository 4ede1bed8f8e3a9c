"""Finding 4 for any network: do two seeds forget the same classes most?

Definition: the mean Spearman correlation over pairs of seeds of the class means of a score, beside
groups made by lot, single images, and a world in which forgetting belongs to the image alone.
Cost: 1 s for 10 seeds of 6,200 samples, 300 resamples and 6 simulations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import agreement
from lethe.analysis.agreement import Band, Interval
from lethe.analysis.seed_stability import (
    SHUFFLES,
    decaying_world,
    from_correct,
    harder,
    mean_spearman,
    scored,
)

EVENTS = "forgetting_events"  # the score of the ceiling where the page's cannot be simulated
GROUPINGS = 40  # random groupings of the images


@dataclass(frozen=True)
class ClassOrder:
    """Finding 4: how well two seeds agree about the order of the classes.

    `each`: the mean score of every class; `means` [seed, class]; `random_groups`: the same for
    groups of the same sizes made by lot; `single`: for images instead of classes.
    """

    means: np.ndarray
    each: list[Interval]
    rho: Interval
    null: Band
    random_groups: Band
    single: Interval
    ceiling: Band


def class_order(
    ds: xr.Dataset, score: str, rng: np.random.Generator, draws: int = 300, simulations: int = 6
) -> ClassOrder:
    """Agreement of two seeds about the class means of a score; never-learned images are left out.

    The ceiling is that of the decaying world; a score that needs more than right and wrong takes
    that of forgetting_events.
    """
    values, labels = harder(ds, score), ds["label"].values
    means = agreement.class_means(values, labels)
    each = class_levels(values, labels, rng, draws)
    rho = agreement.cross_seed(agreement.spearman_on(means), *means.shape, rng, draws)
    level = partial(_class_level, labels=labels)
    null = agreement.permutation_null(level, values, rng, SHUFFLES)
    groups = [_class_level(values, rng.permutation(labels)) for _ in range(GROUPINGS)]
    by_lot = Band(
        float(np.mean(groups)), *map(float, np.quantile(groups, [0.025, 0.975])), GROUPINGS
    )
    side = max(draws // 6, 20)
    single = agreement.cross_seed(agreement.spearman_on(values), *values.shape, rng, side)
    world = scored(decaying_world(traces.correct(ds).values), from_correct(score, EVENTS))
    ceiling = agreement.intrinsic_ceiling(world, level, rng, simulations)
    return ClassOrder(means, each, rho, null, by_lot, single, ceiling)


def _class_level(values: np.ndarray, labels: np.ndarray) -> float:
    return mean_spearman(agreement.class_means(values, labels))


def class_levels(
    values: np.ndarray, labels: np.ndarray, rng: np.random.Generator, draws: int = 300
) -> list[Interval]:
    """Mean score of every class, values [seed, sample]; intervals redraw seeds and images."""
    size = int(labels.max()) + 1

    def by_class(weights: list[np.ndarray], images: np.ndarray) -> np.ndarray:
        mean = agreement.mean_over_runs(values, weights[0])
        weighed = np.where(np.isnan(mean), 0, images)
        total = np.bincount(labels, weighed * np.nan_to_num(mean), size)
        count = np.bincount(labels, weighed, size)
        return np.divide(total, count, out=np.full(size, np.nan), where=count > 0)

    return agreement.pigeonhole_bootstrap(by_class, (len(values),), len(labels), rng, draws)


def with_class_value(
    means: np.ndarray, value: np.ndarray, rng: np.random.Generator, draws: int = 300
) -> Interval:
    """Mean over seeds of the rank correlation of class means [seed, class] with a value [class].

    The interval redraws seeds and classes, cut at -1 and 1; NaN where all classes have one value.
    """
    matrix_of = agreement.spearman_on(np.vstack([means, value]))

    def mean(weights: list[np.ndarray], drawn: np.ndarray) -> tuple[float]:
        return (float(np.average(matrix_of(drawn)[:-1, -1], weights=weights[0])),)

    found = agreement.pigeonhole_bootstrap(mean, (len(means),), len(value), rng, draws)[0]
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))


def class_value_null(
    value: np.ndarray, rng: np.random.Generator, draws: int = 400
) -> tuple[float, float]:
    """Central 95 % of the rank correlation of a value [class] with a random order of classes.

    NaN if the value is the same for all classes.
    """
    if np.isnan(value).all() or np.nanmin(value) == np.nanmax(value):
        return math.nan, math.nan
    drawn = [mean_spearman(np.vstack([value, rng.permutation(len(value))])) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)

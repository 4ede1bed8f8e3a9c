"""Finding 4 for any network: do two seeds, or two networks, forget the same classes most?

Definition: the mean Spearman correlation over pairs of seeds of the class means of a score, beside
groups made by lot, single images, and a world in which forgetting belongs to the image alone.
Cost: 1 s for 10 seeds of 6,200 samples, 300 resamples and 6 simulations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.analysis.agreement import Band, Interval
from lethe.analysis.findings.seed_stability import (
    SHUFFLES,
    decaying_world,
    from_correct,
    harder,
    mean_spearman,
    rankable,
    scored,
)
from lethe.errors import LetheError

EVENTS = "forgetting_events"  # the score of the ceiling where the page's cannot be simulated
GROUPINGS = 40  # random groupings of the images
MORE = 10  # times as many resamples for a handful of classes: cheap, and their limits jump about


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
    that of forgetting_events. Raises LetheError for one class and as `rankable` does.
    """
    values, labels = rankable(ds, score), ds["label"].values
    if np.ptp(labels) == 0:
        raise LetheError(f"{ds.attrs['dataset']}: 1 class; an order of classes takes 2 or more")
    means = agreement.class_means(values, labels)
    each = class_levels(values, labels, rng, draws)
    runs, n = values.shape
    matrix_of, classes = agreement.spearman_on(means), means.shape[1]
    rho = agreement.cross_seed(matrix_of, runs, classes, rng, MORE * draws)
    level = partial(_class_level, labels=labels)
    null = agreement.permutation_null(level, values, rng, SHUFFLES)
    by_lot = _by_lot([_class_level(values, rng.permutation(labels)) for _ in range(GROUPINGS)])
    side = max(draws // 6, 20)
    single = agreement.cross_seed(agreement.spearman_on(values), runs, n, rng, side)
    world = scored(decaying_world(traces.correct(ds).values), from_correct(score, EVENTS))
    ceiling = agreement.intrinsic_ceiling(world, level, rng, simulations)
    return ClassOrder(means, each, rho, null, by_lot, single, ceiling)


def _class_level(values: np.ndarray, labels: np.ndarray) -> float:
    return mean_spearman(agreement.class_means(values, labels))


def _by_lot(values: Sequence[float]) -> Band:
    """Mean and central 95 % of what groups made by lot give; NaN where none gives a number."""
    known = np.array(values)[np.isfinite(values)]
    if not known.size:
        return Band(math.nan, math.nan, math.nan, 0)
    low, high = np.quantile(known, [0.025, 0.975])
    return Band(float(known.mean()), float(low), float(high), known.size)


@dataclass(frozen=True)
class AcrossNetworks:
    """Agreement about the classes by the names of GAP_PARTS, and that about groups made by lot."""

    parts: dict[str, Interval]
    null: Band
    random_groups: Band


def classes_across(
    pair: Sequence[xr.Dataset], score: str, rng: np.random.Generator, draws: int = 300
) -> AcrossNetworks:
    """How well two networks agree about the class means of a score; stores of the same images.

    The null shuffles the labels in every run, the groups by lot are the same for all runs.
    """
    values, labels = [harder(ds, score) for ds in pair], pair[0]["label"].values
    both, runs = np.vstack(values), len(values[0])
    null = [_between(agreement.shuffle_samples(both, rng), labels, runs) for _ in range(SHUFFLES)]
    by_lot = [_between(both, rng.permutation(labels), runs) for _ in range(GROUPINGS)]
    return AcrossNetworks(
        class_gap(values, labels, rng, MORE * draws), _by_lot(null), _by_lot(by_lot)
    )


def class_gap(
    values: Sequence[np.ndarray], labels: np.ndarray, rng: np.random.Generator, draws: int = 50
) -> dict[str, Interval]:
    """`within_between_gap` of the class means of two networks, values [seed, sample] each."""
    means = agreement.class_means(np.vstack(values), labels)
    sizes = len(values[0]), len(values[1])
    matrix_of = agreement.spearman_on(means)
    return agreement.within_between_gap(matrix_of, sizes, means.shape[1], rng, draws)


def _between(both: np.ndarray, labels: np.ndarray, runs: int) -> float:
    matrix = agreement.spearman_matrix(agreement.class_means(both, labels))
    return float(matrix[:runs, runs:].mean())


def class_levels(
    values: np.ndarray, labels: np.ndarray, rng: np.random.Generator, draws: int = 300
) -> list[Interval]:
    """Mean score of every class, values [seed, sample]; intervals redraw seeds and images."""
    size = int(labels.max()) + 1

    def by_class(weights: Sequence[np.ndarray], images: np.ndarray) -> np.ndarray:
        mean = agreement.mean_over_runs(values, weights[0])
        weighed = np.where(np.isnan(mean), 0, images)
        total = np.bincount(labels, weighed * np.nan_to_num(mean), size)
        count = np.bincount(labels, weighed, size)
        return np.divide(total, count, out=np.full(size, np.nan), where=count > 0)

    return agreement.pigeonhole_bootstrap(by_class, (len(values),), len(labels), rng, draws)


def replacements(ds: xr.Dataset) -> np.ndarray:
    """How often each class was lost to each other one: forgetting events, int [class, answer].

    All seeds together; a block of samples at a time.
    """
    classes = len(traces.class_names(ds))
    counts = np.zeros(classes * classes, int)
    for block in traces.sample_blocks(ds):
        answer = block["prediction"].transpose(*scores.DIMS).values
        label = block["label"].values
        lost = (answer[:, :-1] == label) & (answer[:, 1:] != label)
        pair = np.broadcast_to(label.astype(int) * classes, lost.shape)[lost] + answer[:, 1:][lost]
        counts += np.bincount(pair, minlength=classes * classes)
    return counts.reshape(classes, classes)


def with_class_value(
    means: np.ndarray, value: np.ndarray, rng: np.random.Generator, draws: int = 300
) -> Interval:
    """Mean over seeds of the rank correlation of class means [seed, class] with a value [class].

    The interval redraws seeds and classes, cut at -1 and 1; NaN where all classes have one value.
    """
    matrix_of = agreement.spearman_on(np.vstack([means, value]))

    def mean(weights: Sequence[np.ndarray], drawn: np.ndarray) -> tuple[float]:
        return (float(np.average(matrix_of(drawn)[:-1, -1], weights=weights[0])),)

    found = agreement.pigeonhole_bootstrap(mean, (len(means),), len(value), rng, draws)[0]
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))


def beyond(value: np.ndarray, held: np.ndarray) -> np.ndarray:
    """What the ranks of a value [class] hold beyond those of another: residuals of a line.

    All 0 where one of the two says nothing new or is constant.
    """
    ranks, other = (rankdata(x) - (len(x) + 1) / 2 for x in (value, held))
    slope = ranks @ other / (other @ other) if other.any() else 0.0
    return np.round(ranks - slope * other, 9)


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


def class_value_p(
    means: np.ndarray, value: np.ndarray, rng: np.random.Generator, draws: int = 999
) -> float:
    """Two-sided p of the mean correlation of class means [seed, class] with a value [class].

    The classes of the value are permuted; (1 + as large) / (1 + draws), never 0; 1 for a constant.
    """
    if np.isnan(value).all() or np.nanmin(value) == np.nanmax(value):
        return 1.0
    observed = abs(_with_value(means, value))
    drawn = [abs(_with_value(means, rng.permutation(value))) for _ in range(draws)]
    return (1 + sum(x >= observed - 1e-12 for x in drawn)) / (1 + draws)


def _with_value(means: np.ndarray, value: np.ndarray) -> float:
    return float(np.mean(agreement.spearman_matrix(np.vstack([means, value]))[:-1, -1]))

"""The same seeds captured twice, with other rounding: how much agreement is left, and since when.

Definition: the rank correlation of a score between a run and its twin (same seed), beside that
between a run and the twin of another seed; and the share of images that two runs answer
differently, epoch by epoch. Cost: 1 s for 6 seeds of 6,200 samples and 300 resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from lethe.analysis import agreement, scores
from lethe.analysis.agreement import Interval
from lethe.analysis.findings.seed_stability import harder
from lethe.errors import LetheError


@dataclass(frozen=True)
class Twins:
    """Runs and their twins: `same` seed, `other` seed, `gap` = same - other, as correlations.

    `answers_part`, `losses_part` [seed]: the first epoch with a difference, NaN if there is none;
    `differ`: share of images answered differently by "same seed" and "other seed", each [epoch].
    """

    same: Interval
    other: Interval
    gap: Interval
    answers_part: np.ndarray
    losses_part: np.ndarray
    differ: dict[str, np.ndarray]


def twin_agreement(
    first: xr.Dataset, twin: xr.Dataset, score: str, rng: np.random.Generator, draws: int = 300
) -> Twins:
    """Compare the seeds that two stores of the same images share, images in the same order.

    Raises LetheError when they share no seed, images or epochs.
    """
    first, twin = _matched(first, twin)
    runs, n = first.sizes["seed"], first.sizes["sample"]
    matrix_of = agreement.spearman_on(np.vstack([harder(ds, score) for ds in (first, twin)]))

    def parts(seeds: Sequence[np.ndarray], images: np.ndarray) -> tuple[float, float, float]:
        crossed = matrix_of(images, np.tile(seeds[0] > 0, 2))[:runs, runs:]
        same = _mean(np.diag(crossed), seeds[0])
        pairs = np.outer(seeds[0], seeds[0]) * (1 - np.eye(runs))
        other = _mean(crossed, pairs)
        return same, other, same - other

    found = agreement.pigeonhole_bootstrap(parts, (runs,), n, rng, draws)
    answers = [ds["prediction"].transpose(*scores.DIMS).values for ds in (first, twin)]
    losses = [ds["loss"].transpose(*scores.DIMS).values for ds in (first, twin)]
    epochs = first["epoch"].values
    answers_part, losses_part = (_first_difference(a, b, epochs) for a, b in (answers, losses))
    same, other, gap = found
    return Twins(same, other, gap, answers_part, losses_part, _differ(*answers))


def _matched(first: xr.Dataset, twin: xr.Dataset) -> list[xr.Dataset]:
    shared = np.intersect1d(first["seed"].values, twin["seed"].values)
    alike = all(np.array_equal(first[name], twin[name]) for name in ("sample", "epoch"))
    if not len(shared) or not alike:
        raise LetheError(
            f"twins are the same seeds, images and epochs captured twice: got {len(shared)} "
            f"seeds in common, {dict(first.sizes)} and {dict(twin.sizes)}"
        )
    return [ds.sel(seed=shared) for ds in (first, twin)]


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    used = weights > 0
    return float(np.average(values[used], weights=weights[used])) if used.any() else np.nan


def _first_difference(one: np.ndarray, other: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """First epoch at which the runs differ in any image, NaN if in none; [seed]."""
    differ = (one != other).any(axis=2)
    return np.where(differ.any(axis=1), epochs[differ.argmax(axis=1)], np.nan)


def _differ(one: np.ndarray, twin: np.ndarray) -> dict[str, np.ndarray]:
    """Share of images answered differently, mean over runs of one seed and of different seeds."""
    runs = len(one)
    other = [(one[s] != twin[t]).mean(axis=1) for s in range(runs) for t in range(runs) if s != t]
    same = (one != twin).mean(axis=(0, 2))
    return {"same seed": same} | ({"other seed": np.mean(other, axis=0)} if other else {})

"""Finding 1 for any two networks: do they forget the same images more than two seeds of one do?

Definition: the Jaccard index of the most forgotten images of two runs, between the architectures
and within each, for single runs and for averages over half of the seeds (see `agreement`); also on
epochs at which the networks are equally good, or have forgotten equally often.
Cost: 6 s for 2 x 10 seeds of 6,200 samples and 300 resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import agreement, scores
from lethe.analysis.agreement import Band, Interval
from lethe.analysis.agreement.resampling import NO_LIMITS
from lethe.analysis.findings.equal_accuracy import matched_epochs
from lethe.analysis.findings.seed_stability import harder

SHUFFLES = 20  # permutations behind the null
KEPT = ("gap", "ceiling", "shared")
MIN_EPOCHS = 5  # fewer matched epochs are no traces to compare


@dataclass(frozen=True)
class Overlap:
    """Finding 1: `single` runs and `averaged` halves of the seeds, by the names of GAP_PARTS.

    `chance` is exact (mean, low, high); `shuffled` is the whole computation on shuffled images.
    """

    single: dict[str, Interval]
    shuffled: Band
    averaged: dict[str, Interval]
    chance: tuple[float, float, float]

    @property
    def corrected(self) -> dict[str, Interval]:
        """The three overlaps of single runs beyond chance: 0 = chance, 1 = the same set."""
        names = ("between", "within_a", "within_b")
        return {name: _beyond(self.single[name], self.chance[0]) for name in names}


def _beyond(overlap: Interval, chance: float) -> Interval:
    ends = ("estimate", "low", "high")
    moved: dict[str, Any]
    moved = {end: agreement.chance_corrected(getattr(overlap, end), chance) for end in ends}
    return replace(overlap, se=overlap.se / (1 - chance), **moved)


def architecture_overlap(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    fraction: float,
    rng: np.random.Generator,
    draws: int = 300,
) -> Overlap:
    """Overlap of the top `fraction` of two architectures, scores [seed, sample] of one image order.

    Raises LetheError when a top set would be empty.
    """
    both, runs, n = np.vstack([scores_a, scores_b]), len(scores_a), scores_a.shape[1]
    chance = agreement.jaccard_null(n, fraction)
    prepare = partial(agreement.jaccard_on, fraction=fraction)
    sizes, at = (runs, len(scores_b)), chance[0]
    single = agreement.within_between_gap(prepare(both), sizes, n, rng, draws, chance=at)

    def between(shuffled: np.ndarray) -> float:
        return float(agreement.overlap_matrix(shuffled[:runs], shuffled[runs:], fraction).mean())

    shuffled = agreement.permutation_null(between, both, rng, SHUFFLES)
    averaged = agreement.averaged_gap(scores_a, scores_b, prepare, rng, 60, at)
    return Overlap(single, shuffled, averaged, chance)


def gap_on(
    pair: Sequence[xr.Dataset],
    score: str,
    fraction: float,
    rng: np.random.Generator,
    draws: int = 50,
) -> dict[str, Interval]:
    """Gap, ceiling and surviving share of single runs; "mean_shared": that of half-averages.

    All NaN for a score of a single epoch and for stores of fewer than MIN_EPOCHS epochs.
    """
    (first, second), n = pair, pair[0].sizes["sample"]
    sizes = first.sizes["seed"], second.sizes["seed"]
    if scores.SCORES[score].at is not None or min(ds.sizes["epoch"] for ds in pair) < MIN_EPOCHS:
        nothing = Interval(math.nan, *NO_LIMITS, min(sizes), n, "too few epochs")
        return dict.fromkeys((*KEPT, "mean_shared"), nothing)
    a, b = harder(first, score), harder(second, score)
    prepare = partial(agreement.jaccard_on, fraction=fraction)
    chance = agreement.jaccard_null(n, fraction)[0]
    found = agreement.within_between_gap(
        prepare(np.vstack([a, b])), sizes, n, rng, draws, chance=chance
    )
    averaged = agreement.averaged_gap(a, b, prepare, rng, 60, chance)
    return {part: found[part] for part in KEPT} | {"mean_shared": averaged["shared"]}


def equally_good(pair: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Both stores cut to the epochs at which they know equally many images (`matched_epochs`)."""
    a, b = (traces.correct(ds).mean(("seed", "sample")).values for ds in pair)
    return [ds.isel(epoch=e) for ds, e in zip(pair, matched_epochs(a, b), strict=True)]


def equally_forgetful(pair: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Both stores, the one with more forgetting cut where it had as much as the other in all.

    Counted in forgetting events per image, mean over seeds; the nearest epoch is taken.
    """
    grown = [_events_so_far(ds) for ds in pair]
    enough = min(events[-1] for events in grown)
    kept = [events.size - int(np.abs(events - enough)[::-1].argmin()) for events in grown]
    return [ds.isel(epoch=slice(keep)) for ds, keep in zip(pair, kept, strict=True)]


def _events_so_far(ds: xr.Dataset) -> np.ndarray:
    """Forgetting events per image up to each epoch, mean over seeds [epoch]."""
    right = traces.correct(ds).transpose(*scores.DIMS).values
    lost = (right[:, :-1] & ~right[:, 1:]).mean(axis=(0, 2))
    return np.append(0, np.cumsum(lost))

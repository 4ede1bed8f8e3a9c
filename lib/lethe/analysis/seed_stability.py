"""Finding 3 for any network: how well do two seeds agree about a score of the images?

Definition: the mean Spearman correlation over pairs of seeds, beside its null (shuffled images) and
its ceilings: simulated worlds in which forgetting belongs to the image alone.
Cost: 7 s for 10 seeds of 6,200 samples, 300 resamples and 6 simulations of each world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import agreement, curves, scores
from lethe.analysis.agreement import Band, Interval

SHUFFLES = 20  # permutations behind each null
MISTAKES = 10  # deliberate comparisons by position


def harder(ds: xr.Dataset, score: str) -> np.ndarray:
    """A named score [seed, sample], higher = more forgotten, NaN where it is not defined."""
    return scores.harder(scores.score(ds, score)).transpose("seed", "sample").values


def mean_spearman(values: np.ndarray) -> float:
    """Mean rank correlation over pairs of runs [run, sample]."""
    return agreement.mean_pairwise(agreement.spearman_matrix(values))


def from_correct(score: str, otherwise: str) -> Callable[[np.ndarray], np.ndarray]:
    """The score, or `otherwise` if it needs more than right and wrong, as a function of `correct`.

    The values point the way of `harder`.
    """
    entry = scores.SCORES[score if scores.SCORES[score].needs == "correct" else otherwise]
    return lambda correct: entry.direction * entry.compute(correct)


def decaying_world(correct: np.ndarray) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws traces in which every image has one decay rate in all runs and the rest is dice.

    The rate is shrunken, from all seeds pooled; first learned as in `correct`
    [seed, epoch, sample].
    """
    rate = curves.shrink(*curves.pool_seeds(curves.retention_traces(correct)[0])).rate
    first, epochs = scores.first_learned(correct), correct.shape[1]
    return lambda rng: curves.resample_correct(rate, first, epochs, rng)


def lapsing_world(correct: np.ndarray) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws traces in which every image has one chance of a lapse per epoch in all runs.

    Pooled over seeds and shrunken towards the mean; all images share one chance to come back.
    """
    first, (seeds, epochs) = scores.first_learned(correct), correct.shape[:2]
    _, relearn = curves.steady_lapses(correct)
    rate = _lapse_rate(correct)
    form = (epochs, seeds, "lapse_relearn", first, relearn)
    return lambda rng: curves.simulate_correct(rng, rate, *form)


def _lapse_rate(correct: np.ndarray) -> np.ndarray:
    """Lapse rate of every image, shrunken by a beta prior that is fitted by its moments."""
    before, after = correct[:, :-1], correct[:, 1:]
    chances, lapses = before.sum((0, 1)), (before & ~after).sum((0, 1))
    seen = chances > 0
    share, mean = lapses[seen] / chances[seen], lapses.sum() / max(chances.sum(), 1)
    noise = (mean * (1 - mean) / chances[seen]).mean() if seen.any() else 0.0
    weight = mean * (1 - mean) / max(np.var(share) - noise, 1e-9)
    return -np.log1p(-(lapses + weight * mean) / np.maximum(chances + weight, 1e-9))


@dataclass(frozen=True)
class Stability:
    """Finding 3: the correlation `rho` of two seeds and what it must be judged by.

    `class_part`: images shuffled inside their class; `ceiling`: one decay rate per image;
    `ceiling_lapse`: one lapse rate per image; `misaligned`: by position, shuffled, with the range.
    """

    rho: Interval
    null: Band
    class_part: Band
    ceiling: Band
    ceiling_lapse: Band
    misaligned: Band

    @property
    def of_ceiling(self) -> Interval:
        """`rho` as a share of the ceiling."""
        parts = {name: getattr(self.rho, name) for name in ("estimate", "low", "high", "se")}
        return replace(self.rho, **{k: v / self.ceiling.mean for k, v in parts.items()})


def seed_stability(
    ds: xr.Dataset, score: str, rng: np.random.Generator, draws: int = 300, simulations: int = 6
) -> Stability:
    """How well two seeds agree about a score; a ceiling needs right and wrong, else decay_rate's.

    Raises LetheError when the score is constant, so that nothing can be ranked.
    """
    ranked, correct = harder(ds, score), traces.correct(ds).values
    compute = from_correct(score, "decay_rate")
    rho = agreement.cross_seed(agreement.spearman_on(ranked), *ranked.shape, rng, draws)
    null = agreement.permutation_null(mean_spearman, ranked, rng, SHUFFLES)
    labels = ds["label"].values
    class_part = agreement.permutation_null(mean_spearman, ranked, rng, SHUFFLES, groups=labels)
    ceilings = [
        agreement.intrinsic_ceiling(scored(draw, compute), mean_spearman, rng, simulations)
        for draw in (decaying_world(correct), lapsing_world(correct))
    ]
    mistaken = _by_position(ranked, rng)
    return Stability(rho, null, class_part, *ceilings, mistaken)


def scored(draw: Callable, compute: Callable) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws of a world as scores [seed, sample]."""
    return lambda rng: compute(draw(rng))


def _by_position(ranked: np.ndarray, rng: np.random.Generator) -> Band:
    shuffles = (agreement.shuffle_samples(ranked, rng) for _ in range(MISTAKES))
    values = [mean_spearman(shuffled) for shuffled in shuffles]
    return Band(float(np.mean(values)), min(values), max(values), MISTAKES)

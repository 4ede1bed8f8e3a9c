"""Finding 3 for any network: how well do two seeds agree about a score of the images?

Definition: the mean Spearman correlation over pairs of seeds, beside its null (shuffled images) and
its ceilings: simulated worlds in which forgetting belongs to the image alone.
Cost: 7 s for 10 seeds of 6,200 samples, 300 resamples and 6 simulations of each world.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import agreement, curves, scores
from lethe.analysis.agreement import Band, Interval
from lethe.analysis.curves.pooled import pooled_rate
from lethe.analysis.simulate import lapses
from lethe.errors import LetheError

MANY = 100_000  # samples behind side results, where there are more
SHUFFLES = 20  # permutations behind each null
MISTAKES = 10  # deliberate comparisons by position


def harder(ds: xr.Dataset, score: str) -> np.ndarray:
    """A named score [seed, sample], higher = more forgotten, NaN where it is not defined."""
    return scores.harder(scores.score(ds, score)).transpose("seed", "sample").values


def rankable(ds: xr.Dataset, score: str) -> np.ndarray:
    """As `harder`, for traces whose runs can be compared.

    Raises LetheError for fewer than 2 seeds and for a score that no sample has or that is one and
    the same for all samples.
    """
    where, title = f"{ds.attrs['dataset']}, {ds.attrs['model']}", scores.SCORES[score].title
    if ds.sizes["seed"] < 2:
        raise LetheError(f"{where}: 1 seed in the traces; to compare runs takes 2 or more")
    values = harder(ds, score)
    if np.isnan(values).all():
        raise LetheError(
            f"{where}: no sample has a value of {title}; was any learned and followed?"
        )
    known = values[~np.isnan(values)]
    if known.min() == known.max():
        raise LetheError(f"{where}: {title} is {abs(known[0]):g} for all samples: nothing to rank")
    return values


def thinned(ds: xr.Dataset) -> xr.Dataset:
    """The traces, or 100,000 of their samples if there are more: drawn at random, in their order.

    For side results: the interval of a correlation between runs is then that of the runs.
    """
    n = ds.sizes["sample"]
    if n <= MANY:
        return ds
    some = np.random.default_rng(0).choice(n, MANY, replace=False)
    return ds.isel(sample=np.sort(some))


def mean_spearman(values: np.ndarray) -> float:
    """Mean rank correlation over pairs of runs [run, sample]."""
    return agreement.mean_pairwise(agreement.spearman_matrix(values))


def simulated(score: str) -> bool:
    """Whether a simulated world has its own values of a score.

    first_learned is an input of the worlds, and they have no losses.
    """
    return scores.SCORES[score].needs == "correct" and score != "first_learned"


def from_correct(score: str, otherwise: str) -> Callable[[np.ndarray], np.ndarray]:
    """The score, or `otherwise` if it is not `simulated`, as a function of `correct`.

    The values point the way of `harder`.
    """
    entry = scores.SCORES[score if simulated(score) else otherwise]
    return lambda correct: entry.direction * entry.compute(correct)


def decaying_world(correct: np.ndarray) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws traces in which every image has one decay rate in all runs and the rest is dice.

    The rate is shrunken, from all seeds pooled; first learned as in `correct`
    [seed, epoch, sample].
    """
    rate = pooled_rate(correct)
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
    lost, chances, _, _ = lapses(correct)
    seen = chances > 0
    share, mean = lost[seen] / chances[seen], lost.sum() / max(chances.sum(), 1)
    noise = (mean * (1 - mean) / chances[seen]).mean() if seen.any() else 0.0
    weight = mean * (1 - mean) / max(np.var(share) - noise, 1e-9)
    return -np.log1p(-(lost + weight * mean) / np.maximum(chances + weight, 1e-9))


@dataclass(frozen=True)
class Stability:
    """Finding 3: the correlation `rho` of two seeds and what it must be judged by.

    `class_part`: images shuffled inside their class; `ceiling`: one decay rate per image;
    `ceiling_lapse`: one lapse rate per image; `misaligned`: by position, shuffled, with the range.
    `own`: the ceilings are those of this score and not decay_rate's.
    """

    rho: Interval
    null: Band
    class_part: Band
    ceiling: Band
    ceiling_lapse: Band
    misaligned: Band
    own: bool

    @property
    def of_ceiling(self) -> Interval:
        """`rho` as a share of the score's own ceiling; NaN where it has none."""
        parts = {name: getattr(self.rho, name) for name in ("estimate", "low", "high", "se")}
        top = self.ceiling.mean if self.own else math.nan
        return replace(self.rho, **{k: v / top for k, v in parts.items()})


def seed_stability(
    ds: xr.Dataset, score: str, rng: np.random.Generator, draws: int = 300, simulations: int = 6
) -> Stability:
    """How well two seeds agree about a score; one not `simulated` has decay_rate's ceilings.

    Raises LetheError where nothing can be ranked, see `rankable`.
    """
    ranked, correct = rankable(ds, score), traces.correct(ds).values
    compute = from_correct(score, "decay_rate")
    rho = _between_seeds(ranked, rng, draws)
    null = agreement.permutation_null(mean_spearman, ranked, rng, SHUFFLES)
    labels = ds["label"].values
    class_part = agreement.permutation_null(mean_spearman, ranked, rng, SHUFFLES, groups=labels)
    ceiling, lapse = (
        agreement.intrinsic_ceiling(scored(draw, compute), mean_spearman, rng, simulations)
        for draw in (decaying_world(correct), lapsing_world(correct))
    )
    mistaken = _by_position(ranked, rng)
    return Stability(rho, null, class_part, ceiling, lapse, mistaken, simulated(score))


def _between_seeds(values: np.ndarray, rng: np.random.Generator, draws: int) -> Interval:
    """Agreement of two seeds about values [seed, sample], with its interval."""
    runs, n = values.shape
    return agreement.cross_seed(agreement.spearman_on(values), runs, n, rng, draws)


@dataclass(frozen=True)
class ScoreStability:
    """One score's agreement of two seeds, and the ceiling: NaN where it cannot be simulated."""

    title: str
    rho: Interval
    ceiling: float

    def cells(self) -> dict[str, str]:
        """The agreement, its ceiling and the seeds for 0.8 with their range, in words."""
        rho, needed = self.rho, "{:.0f} ({:.0f} to {:.0f})".format(*seeds_for(self.rho))
        told = {"two seeds": f"{rho.estimate:.2f} [{rho.low:.2f}, {rho.high:.2f}]"}
        top = "none" if math.isnan(self.ceiling) else f"{self.ceiling:.2f}"
        return told | {"ceiling": top, "seeds for 0.8": needed}


def stability_by_score(
    ds: xr.Dataset, rng: np.random.Generator, draws: int = 50
) -> list[ScoreStability]:
    """Agreement of two seeds about every score, the best first; one simulated world for all.

    A score that is not `simulated` has no ceiling.
    """
    world = decaying_world(traces.correct(ds).transpose(*scores.DIMS).values)(rng)
    found = []
    for name, entry in scores.available(ds).items():
        values = harder(ds, name)
        rho = _between_seeds(values, rng, draws)
        own = simulated(name)
        ceiling = mean_spearman(from_correct(name, name)(world)) if own else math.nan
        found.append(ScoreStability(entry.title, rho, ceiling))
    return sorted(found, key=lambda row: -np.nan_to_num(row.rho.estimate, nan=-2))


def seeds_for(rho: Interval, target: float = 0.8) -> tuple[float, float, float]:
    """Seeds whose mean agrees at `target` with another such mean: from the estimate, and the range
    from both ends of the interval (Spearman-Brown); inf where a correlation is not positive.
    """
    ends = (rho.estimate, rho.high, rho.low)
    needed, low, high = (agreement.seeds_needed(x, target) for x in ends)
    return needed, low, high


def scored(draw: Callable, compute: Callable) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws of a world as scores [seed, sample]."""
    return lambda rng: compute(draw(rng))


def _by_position(ranked: np.ndarray, rng: np.random.Generator) -> Band:
    shuffles = (agreement.shuffle_samples(ranked, rng) for _ in range(MISTAKES))
    values = [mean_spearman(shuffled) for shuffled in shuffles]
    return Band(float(np.mean(values)), min(values), max(values), MISTAKES)

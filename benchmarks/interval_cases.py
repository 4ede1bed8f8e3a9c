"""The library's intervals, each as a function of one simulated experiment.

A case maps (experiment, rng, resamples) to named intervals; the truth of each is the mean of its
estimate over experiments with very many images and the same number of seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from worlds import Draw, World, draw

from lethe.analysis import agreement, curves, scores
from lethe.analysis.agreement import Interval
from lethe.analysis.curves.survival import first_forgetting as first_times
from lethe.analysis.curves.survival import survival_curves
from lethe.analysis.findings.fit_quality import compare_r2, two_way_mean
from lethe.analysis.findings.prediction import correlation_interval

Case = Callable[[Draw, np.random.Generator, int], dict[str, Interval]]
FRACTION = 0.1
TRUTH_SEEDS = 240  # seeds behind each true value
COSTLY = ("mean R2",)  # fits every trace of them


def _hard(correct: np.ndarray) -> np.ndarray:
    return -scores.mean_retention(correct)


def spearman(seen: Draw, rng: np.random.Generator, draws: int, score: Callable = _hard) -> dict:
    """Mean rank correlation of two seeds."""
    values = score(seen.a)
    return {"": agreement.cross_seed(agreement.spearman_on(values), *values.shape, rng, draws)}


def spearman_by_family(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """The same, redrawing whole families of images."""
    values, form = _hard(seen.a), (rng, draws, seen.world.families)
    return {"": agreement.cross_seed(agreement.spearman_on(values), *values.shape, *form)}


def spearman_images_only(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """The rival: only the images are redrawn, the seeds are taken for granted."""
    values = _hard(seen.a)
    matrix = agreement.spearman_on(values)

    def mean(_: Sequence[np.ndarray], images: np.ndarray) -> tuple[float]:
        return (agreement.mean_pairwise(matrix(images)),)

    return {"": agreement.pigeonhole_bootstrap(mean, (1,), values.shape[1], rng, draws)[0]}


def jaccard(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """Mean overlap of the most forgotten tenth of two seeds."""
    values = _hard(seen.a)
    prepared = agreement.jaccard_on(values, FRACTION)
    return {"": agreement.cross_seed(prepared, *values.shape, rng, draws)}


def gap(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """Agreement between two networks, and how much it falls short of that within them."""
    both, n = np.vstack([_hard(seen.a), _hard(seen.b)]), seen.world.samples
    runs = (seen.world.seeds,) * 2
    found = agreement.within_between_gap(agreement.spearman_on(both), runs, n, rng, draws)
    return {part: found[part] for part in ("between", "gap", "shared")}


def averaged_gap(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """The same for scores averaged over half of the seeds."""
    pair = _hard(seen.a), _hard(seen.b)
    found = agreement.averaged_gap(*pair, agreement.spearman_on, rng, max(draws // 3, 2))
    return {part: found[part] for part in ("between", "gap", "shared")}


def early_score(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """Correlation of a noisy early score with the later forgetting."""
    early = seen.log_rates + rng.normal(0, 1, seen.log_rates.shape)
    return {"": correlation_interval(early, _hard(seen.a), rng, draws)}


def mean_share(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """Mean retention over images and seeds."""
    return {"": two_way_mean(scores.mean_retention(seen.a), rng, draws)}


def r_squared(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """Mean R^2 of the exponential, and its difference between two networks."""
    fits = [curves.fit_exponential(curves.retention_traces(c)[0]) for c in (seen.a, seen.b)]
    found = compare_r2(*fits, rng, draws)
    return {"a": found["a"]["excluded"], "gap": found["gap"]["excluded"]}


def first_forgetting(seen: Draw, rng: np.random.Generator, draws: int) -> dict:
    """Kaplan-Meier: mean time to the first forgetting within the horizon."""
    (found,), _ = survival_curves([first_times(seen.a)], rng, draws)
    return {"mean time": found.restricted_mean}


CASES: dict[str, Case] = {
    "Spearman of two seeds": spearman,
    "Spearman, families redrawn": spearman_by_family,
    "Spearman, images redrawn only": spearman_images_only,
    "Spearman of forgetting events": partial(spearman, score=scores.forgetting_events),
    "Jaccard, top 10 %": jaccard,
    "between networks": gap,
    "between networks, averaged": averaged_gap,
    "early score": early_score,
    "mean retention": mean_share,
    "mean R2": r_squared,
    "time to first forgetting": first_forgetting,
}


def truth(name: str, world: World, rng: np.random.Generator) -> dict[str, float]:
    """Expected value of each estimate of a case: the mean over large experiments."""
    images, seeds = (2000, 48) if name in COSTLY else (10_000, TRUTH_SEEDS)
    times = max(2, seeds // world.seeds)
    found = [CASES[name](draw(world.large(images), rng), rng, 2) for _ in range(times)]
    return {part: float(np.mean([one[part].estimate for one in found])) for part in found[0]}

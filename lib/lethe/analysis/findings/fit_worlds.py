"""The scale of R^2: exponentials fitted to simulated copies of the traces.

Worlds. `null`: the epochs of each trace are shuffled, the first stays. `ceiling`: each trace is
redrawn from its own fitted exponential. `lapses`: each sample is lost and won back at its own
steady pace. *Structure* of a forgotten trace: its R^2 less `chance_r2`, the mean R^2 of its
shuffled copies; above 0 the order of the epochs helps the curve.
Cost: one fit of all traces for each copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lethe.analysis import agreement, curves, scores
from lethe.analysis.curves import CurveFit
from lethe.analysis.findings.fit_quality import (
    QUANTITIES,
    base_rate,
    compare_means,
    matched_gap,
    mean_r2,
)
from lethe.errors import LetheError, nearest

WORLDS = ("null", "ceiling", "lapses")


def copies_of_world(
    correct: np.ndarray, world: str, rng: np.random.Generator, copies: int = 1
) -> Iterable[np.ndarray]:
    """Simulated copies of all retention traces, [seed, sample, epoch] each, made one at a time.

    correct bool [seed, epoch, sample]. Raises LetheError for another world than WORLDS.
    """
    if world not in WORLDS:
        raise LetheError(f"unknown world {world!r}; {nearest(world, WORLDS)}")
    draw = {"null": _shuffled, "ceiling": _decaying, "lapses": _lapsing}[world](correct, rng)
    return (draw() for _ in range(copies))


def _shuffled(correct: np.ndarray, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    retention = curves.retention_traces(correct)[0]
    return lambda: curves.permute_epochs(rng, retention)


def _decaying(correct: np.ndarray, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    rate = curves.fit_exponential(curves.retention_traces(correct)[0]).rate
    first, epochs = scores.first_learned(correct), correct.shape[1]
    return lambda: curves.retention_traces(curves.resample_correct(rate, first, epochs, rng))[0]


def _lapsing(correct: np.ndarray, rng: np.random.Generator) -> Callable[[], np.ndarray]:
    rate, relearn = curves.steady_lapses(correct)
    first, shape = scores.first_learned(correct), (correct.shape[1], len(correct))
    return lambda: curves.retention_traces(
        curves.simulate_correct(rng, rate, *shape, "lapse_relearn", first, relearn)
    )[0]


def world_fits(
    correct: np.ndarray, world: str, rng: np.random.Generator, copies: int = 10
) -> list[CurveFit]:
    """Exponentials fitted to each of the `copies_of_world`."""
    return [curves.fit_exponential(c) for c in copies_of_world(correct, world, rng, copies)]


def world_r2(fits: Sequence[CurveFit]) -> dict[str, np.ndarray]:
    """`mean_r2` of every copy: one array [copy] for each of the QUANTITIES."""
    found = [mean_r2(fit) for fit in fits]
    return {name: np.array([one[name] for one in found]) for name in QUANTITIES}


def chance_r2(shuffled: Sequence[CurveFit]) -> np.ndarray:
    """R^2 of each trace when its epochs have no order: mean over fits to copies of world `null`.

    Returns [seed, sample], NaN where R^2 is undefined.
    """
    return np.mean([fit.r2 for fit in shuffled], axis=0)


def structure(
    correct_a: np.ndarray,
    correct_b: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    copies: int = 10,
) -> dict[str, agreement.Interval]:
    """Structure of the forgotten traces of two networks on the same samples, see above.

    correct bool [seed, epoch, sample]. Keys: a and b (means), gap (b - a), and matched: the gap
    among traces of equal length with equally many wrong epochs, whose shuffled copies are alike.
    """
    both = (correct_a, correct_b)
    traces = [curves.retention_traces(correct)[0] for correct in both]
    fits = [curves.fit_exponential(rows) for rows in traces]
    chance = [chance_r2(world_fits(correct, "null", rng, copies)) for correct in both]
    excess_a, excess_b = (fit.r2 - nothing for fit, nothing in zip(fits, chance, strict=True))
    found = compare_means(excess_a, excess_b, rng, draws)
    level_a, level_b = map(base_rate, traces)
    return found | {"matched": matched_gap(fits[0], fits[1], level_a, level_b, rng, draws)}

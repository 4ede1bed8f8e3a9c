"""How well the two runs of a pair agree about who is forgotten, kind of pair by kind of pair.

Definition: rank correlation, or Jaccard index of the most forgotten, of the two runs over the
samples (or class means) that a block compares; mean over blocks. Null: samples shuffled in every
run. Ceiling of independent runs: worlds in which both runs have the same forgetting curve for every
sample and nothing else in common. Cost: 2 s for 12 blocks of 2,000 samples and 100 resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from lethe.analysis import agreement
from lethe.analysis.agreement import Band, Interval
from lethe.analysis.agreement.sorting import Matrix
from lethe.analysis.factors.design import EVERYTHING, PAIRS, RUNS, Design, scored
from lethe.analysis.factors.sobol import by_class
from lethe.analysis.findings.seed_stability import decaying_world, lapsing_world
from lethe.errors import LetheError

Prepare = Callable[[np.ndarray], Matrix]  # agreement.spearman_on, or jaccard_on with its fraction
PLACES = np.array([[RUNS.index(run) for run in pair] for pair in PAIRS.values()])
INDEPENDENT = [RUNS.index(run) for run in PAIRS[EVERYTHING]]
SHUFFLES = 20


def prepare_jaccard(fraction: float) -> Prepare:
    """The Jaccard index of the most forgotten `fraction`, ties broken at random."""
    return partial(agreement.jaccard_on, fraction=fraction)


def agreements(
    values: np.ndarray, prepare: Prepare, rng: np.random.Generator, draws: int = 100
) -> dict[str, Interval]:
    """Mean agreement of every kind of pair, values [block, run, unit]; intervals redraw blocks and
    units. LetheError if a block has fewer than 2 units.
    """
    known = np.isfinite(values).all(axis=1)
    if (known.sum(axis=1) < 2).any():
        raise LetheError("a block has fewer than 2 units that all its runs know: nothing to rank")
    matrices = [prepare(rows[:, seen]) for rows, seen in zip(values, known, strict=True)]

    def mean(weights: Sequence[np.ndarray], units: np.ndarray) -> np.ndarray:
        drawn = np.flatnonzero(weights[0])
        found = [matrices[b](units[known[b]])[tuple(PLACES.T)] for b in drawn]
        return np.average(found, axis=0, weights=weights[0][drawn])

    found = agreement.pigeonhole_bootstrap(mean, (len(values),), values.shape[2], rng, draws)
    cut = [replace(x, low=max(x.low, -1.0), high=min(x.high, 1.0)) for x in found]
    return dict(zip(PAIRS, cut, strict=True))


def null(
    values: np.ndarray,
    prepare: Prepare,
    rng: np.random.Generator,
    label: np.ndarray | None = None,
) -> Band:
    """Agreement of independent runs when the samples of every run are shuffled; with `label`, that
    of class means of shuffled samples.
    """
    found = []
    for _ in range(SHUFFLES):
        mixed = np.stack([_shuffled(rows, rng) for rows in values[:, INDEPENDENT]])
        found.append(_of_two(mixed if label is None else by_class(mixed, label), prepare))
    low, high = np.quantile(found, [0.025, 0.975])
    return Band(float(np.mean(found)), low, high, SHUFFLES)


def _shuffled(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The known values of every run of a block, each in an order of its own."""
    seen, out = np.isfinite(rows).all(axis=0), rows.copy()
    out[:, seen] = rng.permuted(rows[:, seen], axis=1)
    return out


def ceilings(
    design: Design,
    score: str,
    prepare: Prepare,
    rng: np.random.Generator,
    draws: int = 6,
    label: np.ndarray | None = None,
) -> dict[str, Band]:
    """Agreement of independent runs in two worlds where a sample has the same chances in every run:
    one decay rate, or one chance of a lapse, of its own. first_learned is given to both worlds, so
    it has no ceiling: LetheError.
    """
    if score == "first_learned":
        raise LetheError("the simulated worlds are given first_learned: it has no ceiling here")
    runs = (design.correct & design.drawn[:, :, None])[:, INDEPENDENT]
    blocks, shape = len(runs), runs.shape[2:]
    worlds = {"decay": decaying_world, "lapse": lapsing_world}

    def simulated(draw: Callable, stream: np.random.Generator) -> np.ndarray:
        correct = draw(stream).reshape(blocks, 2, *shape)
        found = np.where(design.common[:, None], scored(correct, score), np.nan)
        return found if label is None else by_class(found, label)

    return {
        name: agreement.intrinsic_ceiling(
            partial(simulated, world(runs.reshape(-1, *shape))),
            partial(_of_two, prepare=prepare),
            rng,
            draws,
        )
        for name, world in worlds.items()
    }


def _of_two(pairs: Iterable[np.ndarray], prepare: Prepare) -> float:
    """Mean agreement of the two runs of every block: pairs [block, 2, unit]."""
    found = []
    for rows in pairs:
        seen = np.isfinite(rows).all(axis=0)
        found.append(prepare(rows[:, seen])(np.ones(seen.sum()))[0, 1])
    return float(np.mean(found))

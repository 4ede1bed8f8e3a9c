"""Finding 1 for any two networks: do they forget the same images more than two seeds of one do?

Definition: the Jaccard index of the most forgotten images of two runs, between the architectures
and within each, for single runs and for averages over half of the seeds (see `agreement`).
Cost: 6 s for 2 x 10 seeds of 6,200 samples and 300 resamples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from lethe.analysis import agreement
from lethe.analysis.agreement import Band, Interval

SHUFFLES = 20  # permutations behind the null


@dataclass(frozen=True)
class Overlap:
    """Finding 1: `single` runs and `averaged` halves of the seeds, by the names of GAP_PARTS.

    `chance` is exact (mean, low, high); `shuffled` is the whole computation on shuffled images.
    """

    single: dict[str, Interval]
    shuffled: Band
    averaged: dict[str, Interval]
    chance: tuple[float, float, float]


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
    sizes, at_chance = (runs, len(scores_b)), {"chance": chance[0]}
    single = agreement.within_between_gap(prepare(both), sizes, n, rng, draws, **at_chance)

    def between(shuffled: np.ndarray) -> float:
        return float(agreement.overlap_matrix(shuffled[:runs], shuffled[runs:], fraction).mean())

    shuffled = agreement.permutation_null(between, both, rng, SHUFFLES)
    averaged = agreement.averaged_gap(scores_a, scores_b, prepare, rng, 60, **at_chance)
    return Overlap(single, shuffled, averaged, chance)

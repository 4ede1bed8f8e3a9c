"""Finding 1 for every score at many cuts at once.

Definition: the gap and the surviving share of `agreement.gap_parts`, for the Jaccard index of top
sets with ties broken at random, the same resamples for all cuts of a score.
Cost: 5 s for 12 scores, 9 cuts, 2 x 10 seeds of 6,200 samples and 40 resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import t as student

from lethe.analysis import agreement, scores
from lethe.analysis.agreement import GAP_PARTS, Interval
from lethe.analysis.findings.seed_stability import harder

KEPT = ("gap", "shared")


@dataclass(frozen=True)
class OverlapGrid:
    """Gap and surviving share by score and cut, as lists [score][cut].

    `above` bool [score, cut]: gaps above 0, at a false discovery rate of 5 % over the whole grid.
    """

    scores: list[str]
    cuts: list[float]
    gap: list[list[Interval]]
    shared: list[list[Interval]]
    above: np.ndarray

    def estimates(self, part: str) -> np.ndarray:
        """The estimates of "gap" or "shared" as an array [score, cut]."""
        return np.array([[cell.estimate for cell in row] for row in getattr(self, part)])

    def table(self, part: str) -> pd.DataFrame:
        """The same with intervals, in words."""
        cells = [
            [f"{x.estimate:.2f} [{x.low:.2f}, {x.high:.2f}]" for x in row]
            for row in getattr(self, part)
        ]
        return pd.DataFrame(cells, self.titles, self.percents)

    @property
    def titles(self) -> list[str]:
        """The scores in words."""
        return [scores.SCORES[name].title for name in self.scores]

    @property
    def percents(self) -> list[str]:
        """The cuts in words."""
        return [f"{cut:.0%}" for cut in self.cuts]


def overlap_grid(
    pair: Sequence[xr.Dataset],
    names: Sequence[str],
    cuts: Sequence[float],
    rng: np.random.Generator,
    draws: int = 40,
) -> OverlapGrid:
    """Gap and surviving share of two networks for the scores `names` and every cut.

    The two stores hold the same images in one order. A score that too few images have for the
    smallest top set is left out.
    """
    values = {name: [harder(ds, name) for ds in pair] for name in names}
    values = {name: both for name, both in values.items() if _known(both) * min(cuts) >= 1}
    rows = [gap_by_cut(*both, cuts, rng, draws) for both in values.values()]
    gap, shared = ([[cell[part] for cell in row] for row in rows] for part in KEPT)
    p_values = np.array([[agreement.p_value(cell) for cell in row] for row in gap])
    differs = agreement.benjamini_hochberg(p_values.ravel())[0].reshape(p_values.shape)
    positive = np.array([[cell.estimate > 0 for cell in row] for row in gap])
    return OverlapGrid(list(values), list(cuts), gap, shared, differs & positive)


def _known(both: Sequence[np.ndarray]) -> int:
    """Images with a value, in the run that has the fewest."""
    return min(int(np.count_nonzero(~np.isnan(run))) for values in both for run in values)


def gap_by_cut(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    cuts: Sequence[float],
    rng: np.random.Generator,
    draws: int = 40,
) -> list[dict[str, Interval]]:
    """`within_between_gap` of Jaccard indices at every cut; scores [seed, sample], any NaN.

    Intervals are estimate +- t * se: a few resamples tell a standard error, not a percentile.
    """
    both, sizes = np.vstack([scores_a, scores_b]), (len(scores_a), len(scores_b))
    n = both.shape[1]
    chances = [agreement.jaccard_null(n, cut)[0] for cut in cuts]
    runs = agreement.sort_runs(both)
    matrices = [agreement.jaccard_on(runs, cut) for cut in cuts]

    def parts(seeds: Sequence[np.ndarray], images: np.ndarray) -> list[float]:
        drawn = np.concatenate(seeds) > 0
        every = zip(matrices, chances, strict=True)
        found = [agreement.gap_parts(m(images, drawn), *seeds, chance) for m, chance in every]
        return [value for values in found for value in values]

    flat = agreement.pigeonhole_bootstrap(parts, sizes, n, rng, draws)
    flat = [symmetric(interval) for interval in flat]
    k = len(GAP_PARTS)
    return [dict(zip(GAP_PARTS, flat[i : i + k], strict=True)) for i in range(0, len(flat), k)]


def symmetric(interval: Interval) -> Interval:
    """The same with the interval estimate +- t * se, t with seeds - 1 degrees of freedom."""
    if not np.isfinite(interval.se):
        return interval
    reach = float(student.ppf((1 + interval.level) / 2, max(interval.n_seeds - 1, 1))) * interval.se
    return replace(interval, low=interval.estimate - reach, high=interval.estimate + reach)

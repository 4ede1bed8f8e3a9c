"""Finding 1 for every score at many cuts at once.

Definition: the gap and the surviving share of `agreement.gap_parts`, for the Jaccard index of top
sets with ties broken at random, the same resamples for all cuts of a score.
Cost: 3 s for 12 scores, 6 cuts, 2 x 10 seeds of 6,200 samples and 60 resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    draws: int = 60,
) -> OverlapGrid:
    """Gap and surviving share of two networks for the scores `names` and every cut.

    The two stores hold the same images in one order. A score that too few images have for the
    smallest top set is left out.
    """
    values = {name: [harder(ds, name) for ds in pair] for name in names}
    values = {name: both for name, both in values.items() if _known(both) * min(cuts) >= 1}
    rows = [gap_by_cut(a, b, cuts, rng, draws) for a, b in values.values()]
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
    draws: int = 60,
) -> list[dict[str, Interval]]:
    """Agreement and gap of Jaccard indices at every cut; scores [seed, sample], any NaN.

    Intervals are estimate +- t * se of `two_way_error`: a few resamples tell a standard error, not
    a percentile.
    """
    both, sizes = np.vstack([scores_a, scores_b]), (len(scores_a), len(scores_b))
    n = both.shape[1]
    chances = [agreement.jaccard_null(n, cut)[0] for cut in cuts]
    runs = agreement.sort_runs(both)
    matrices = [agreement.jaccard_on(runs, cut) for cut in cuts]

    def parts(seeds: Sequence[np.ndarray], images: np.ndarray) -> list[float]:
        drawn, (a, b) = np.concatenate(seeds) > 0, seeds
        every = zip(matrices, chances, strict=True)
        found = [agreement.gap_parts(m(images, drawn), a, b, chance) for m, chance in every]
        return [value for values in found for value in values]

    whole = np.array(parts([np.ones(k) for k in sizes], np.ones(n)))
    se, freedom = agreement.two_way_error(parts, sizes, n, rng, draws)
    reach = se * student.ppf(0.975, freedom)
    form = (min(sizes), n, "jackknife of seeds + bootstrap of samples")
    cells = np.array([whole, whole - reach, whole + reach, se]).T.tolist()
    flat = [Interval(one, low, high, error, *form) for one, low, high, error in cells]
    k = len(GAP_PARTS)
    return [dict(zip(GAP_PARTS, flat[i : i + k], strict=True)) for i in range(0, len(flat), k)]

"""Saying "no effect" properly, and many comparisons at once.

Definitions: two one-sided tests (Schuirmann 1987) against a margin named beforehand; Benjamini and
Hochberg (1995) false discovery rate. Cost: nothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from lethe.analysis.agreement.resampling import Interval
from lethe.errors import LetheError


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of |effect| < margin; p_value is the larger of the two."""

    p_lower: float
    p_upper: float
    margin: float
    alpha: float

    @property
    def p_value(self) -> float:
        """The larger one-sided p."""
        return max(self.p_lower, self.p_upper)

    @property
    def equivalent(self) -> bool:
        """Whether the effect is shown to be smaller than the margin."""
        return self.p_value < self.alpha


def tost_equivalence(
    estimate: float, se: float, n_seeds: int, margin: float, alpha: float = 0.05
) -> Equivalence:
    """Test whether an effect is smaller than ``margin`` in size.

    Degrees of freedom n_seeds - 1. estimate and se as in `Interval`: the se must already count
    seeds, not samples, as the unit.
    LetheError unless margin and se are positive and there are 2 seeds or more.
    """
    if not (margin > 0 and se > 0 and n_seeds >= 2):
        raise LetheError(
            "an equivalence test needs margin > 0, se > 0 and 2 seeds or more: "
            f"got {margin}, {se}, {n_seeds}"
        )
    law = student(n_seeds - 1)
    lower = float(law.sf((estimate + margin) / se))
    upper = float(law.cdf((estimate - margin) / se))
    return Equivalence(lower, upper, margin, alpha)


def benjamini_hochberg(p_values: np.ndarray, alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Rejections [test] bool and adjusted p [test] at false discovery rate ``alpha``.

    LetheError when a p is not in (0, 1]: no finite experiment gives p = 0.
    """
    p_values = np.asarray(p_values, dtype=float)
    if not np.all((p_values > 0) & (p_values <= 1)):
        raise LetheError("p-values must lie above 0 and at most at 1")
    rejected, adjusted, *_ = multipletests(p_values, alpha=alpha, method="fdr_bh")
    return rejected, adjusted


def p_value(interval: Interval) -> float:
    """Two-sided p of an estimate against 0 by its se and seeds; never 0, and 1 without an se."""
    if not (np.isfinite(interval.se) and interval.se > 0 and interval.n_seeds > 1):
        return 1.0
    tail = student.sf(abs(interval.estimate) / interval.se, interval.n_seeds - 1)
    return float(np.clip(2 * tail, 1e-300, 1.0))


def equivalence_p(interval: Interval, margin: float) -> float:
    """p of `tost_equivalence` for an estimate; never 0, and 1 without an se."""
    if not (np.isfinite(interval.se) and interval.se > 0 and interval.n_seeds > 1):
        return 1.0
    test = tost_equivalence(interval.estimate, interval.se, interval.n_seeds, margin)
    return float(np.clip(test.p_value, 1e-300, 1.0))

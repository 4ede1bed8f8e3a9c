"""Overlap, rank agreement, reliability, intervals, nulls, ceilings and equivalence of scores.

Scores are plain arrays [run, sample] whose samples are already matched by id; higher = more
forgotten; NaN = never learned, left out pair by pair and never replaced by a number.
"""

from lethe.analysis.agreement.averaging import averaged_gap, icc_interval, jackknife_seeds
from lethe.analysis.agreement.equivalence import (
    Equivalence,
    benjamini_hochberg,
    equivalence_p,
    p_value,
    tost_equivalence,
)
from lethe.analysis.agreement.nulls import (
    intrinsic_ceiling,
    misalign,
    permutation_null,
    shuffle_samples,
)
from lethe.analysis.agreement.overlap import (
    chance_corrected,
    jaccard,
    jaccard_matrix,
    jaccard_null,
    jaccard_on,
    jaccard_top,
    overlap_matrix,
    tie_share,
    top_mask,
)
from lethe.analysis.agreement.ranks import (
    kendall_w,
    mean_pairwise,
    spearman_matrix,
    spearman_on,
)
from lethe.analysis.agreement.reliability import (
    icc,
    mean_over_runs,
    noise_corrected,
    seeds_needed,
    spearman_brown,
    split_half,
)
from lethe.analysis.agreement.resampling import (
    GAP_PARTS,
    MIN_SEEDS,
    Band,
    Interval,
    cross_seed,
    gap_parts,
    pigeonhole_bootstrap,
    sample_weights,
    seed_weights,
    two_way_error,
    within_between_gap,
)
from lethe.analysis.agreement.sorting import SortedRuns, sort_runs
from lethe.analysis.agreement.variance import (
    COMPONENTS,
    class_means,
    variance_components,
    variance_shares,
)

__all__ = [
    "COMPONENTS",
    "GAP_PARTS",
    "MIN_SEEDS",
    "Band",
    "Equivalence",
    "Interval",
    "SortedRuns",
    "averaged_gap",
    "benjamini_hochberg",
    "chance_corrected",
    "class_means",
    "cross_seed",
    "equivalence_p",
    "gap_parts",
    "icc",
    "icc_interval",
    "intrinsic_ceiling",
    "jaccard",
    "jaccard_matrix",
    "jaccard_null",
    "jaccard_on",
    "jaccard_top",
    "jackknife_seeds",
    "kendall_w",
    "mean_over_runs",
    "mean_pairwise",
    "misalign",
    "noise_corrected",
    "overlap_matrix",
    "p_value",
    "permutation_null",
    "pigeonhole_bootstrap",
    "sample_weights",
    "seed_weights",
    "seeds_needed",
    "shuffle_samples",
    "sort_runs",
    "spearman_brown",
    "spearman_matrix",
    "spearman_on",
    "split_half",
    "tie_share",
    "top_mask",
    "tost_equivalence",
    "two_way_error",
    "variance_components",
    "variance_shares",
    "within_between_gap",
]

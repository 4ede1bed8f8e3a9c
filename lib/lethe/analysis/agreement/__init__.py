"""Overlap, rank agreement, reliability, intervals, nulls, ceilings and equivalence of scores.

Scores are plain arrays [run, sample] whose samples are already matched by id; higher = more
forgotten; NaN = never learned, left out pair by pair and never replaced by a number.
"""

from lethe.analysis.agreement.averaging import averaged_gap, jackknife_seeds
from lethe.analysis.agreement.equivalence import Equivalence, benjamini_hochberg, tost_equivalence
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
    top_size,
)
from lethe.analysis.agreement.ranks import (
    complete,
    icc,
    kendall_w,
    mean_over_runs,
    mean_pairwise,
    noise_corrected,
    seeds_needed,
    spearman_brown,
    spearman_matrix,
    spearman_on,
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
    widening,
    within_between_gap,
)
from lethe.analysis.agreement.variance import COMPONENTS, class_means, variance_components

__all__ = [
    "COMPONENTS",
    "GAP_PARTS",
    "MIN_SEEDS",
    "Band",
    "Equivalence",
    "Interval",
    "averaged_gap",
    "benjamini_hochberg",
    "chance_corrected",
    "class_means",
    "complete",
    "cross_seed",
    "gap_parts",
    "icc",
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
    "permutation_null",
    "pigeonhole_bootstrap",
    "sample_weights",
    "seed_weights",
    "seeds_needed",
    "shuffle_samples",
    "spearman_brown",
    "spearman_matrix",
    "spearman_on",
    "split_half",
    "tie_share",
    "top_mask",
    "top_size",
    "tost_equivalence",
    "variance_components",
    "widening",
    "within_between_gap",
]

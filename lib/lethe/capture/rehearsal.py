"""Which samples of the prior task to rehearse: bins with tracked rates of collateral damage.

A reconstruction in the manner of mix-cd (Bai et al. 2024, arXiv 2402.08096), of which only the
abstract is known; the formulas here are ours. Collateral damage (CD) is a prior sample that the
prior network got right and the network in training gets wrong. A partition of the prior samples
into bins has rates alpha_k = P(CD | bin k); bin k is drawn with probability
q_k = (1 - FLOOR) alpha_k n_k / sum_j alpha_j n_j + FLOOR n_k / N, then a sample of it uniformly,
with replacement. Rates are estimated from the samples already rehearsed: no extra inference.
Against random rehearsal the share of CD grows by (1 - FLOOR)(1 + CV^2(alpha)) + FLOOR, CV over
samples. Cost: microseconds a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lethe.capture import streams
from lethe.errors import LetheError

FLOOR = 0.1  # share of the draws that is uniform, so that no bin starves
PRIOR_COUNT = 5.0  # pseudo-observations at the pooled rate
DECAY = 0.5  # of old counts at every update


def quantile_bins(values: np.ndarray, count: int) -> np.ndarray:
    """Bins int[n] of nearly equal size by rank; equal values may fall into neighbouring bins.

    LetheError for NaN values, no bins, or more bins than samples (a bin would be empty).
    """
    values = np.asarray(values, float)
    if np.isnan(values).any() or not 1 <= count <= len(values):
        raise LetheError(f"{len(values)} samples without NaN cannot fill {count} bins")
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks * count // len(values)


def joint_bins(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Bins int[n] of every combination of two partitions that occurs, numbered from 0."""
    pairs = np.stack([first, second], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def rates(bins: np.ndarray, damaged: np.ndarray) -> np.ndarray:
    """Share of damaged samples of every bin: float[bin]; NaN for an empty bin."""
    sizes = np.bincount(bins)
    with np.errstate(invalid="ignore"):
        return np.bincount(bins, damaged) / sizes


def enrichment(bins: np.ndarray, damaged: np.ndarray, floor: float = 0.0) -> float:
    """How many times more CD the method rehearses than random if its rates were exact.

    (1 - floor)(1 + CV^2(alpha)) + floor, over samples; NaN where nothing is damaged.
    """
    alpha = rates(bins, damaged)[bins]
    mean = alpha.mean()
    gain = np.square(alpha).mean() / mean**2 if mean > 0 else np.nan
    return float((1 - floor) * gain + floor)


@dataclass
class Tracker:
    """Rates of collateral damage by bin, estimated from rehearsed samples."""

    bins: np.ndarray
    floor: float = FLOOR
    hits: np.ndarray = field(init=False)
    seen: np.ndarray = field(init=False)
    alpha: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Begin with equal rates: random rehearsal. LetheError for an empty bin."""
        self.sizes = np.bincount(self.bins)
        if not self.sizes.size or (self.sizes == 0).any():
            raise LetheError("every bin from 0 on must hold a sample: number the bins without gaps")
        self.members = np.argsort(self.bins, kind="stable")
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.hits = np.zeros(len(self.sizes))
        self.seen = np.zeros(len(self.sizes))
        self.alpha = np.ones(len(self.sizes))

    def probabilities(self) -> np.ndarray:
        """Chance of every bin: float[bin], sums to 1; random where nothing is damaged."""
        uniform, wanted = self.sizes / self.sizes.sum(), self.alpha * self.sizes
        if not wanted.sum() > 0:
            return uniform
        return (1 - self.floor) * wanted / wanted.sum() + self.floor * uniform

    def draw(self, seed: int, step: int, count: int) -> np.ndarray:
        """Positions int[count] to rehearse at a step, by stream `order`, with replacement."""
        keys = np.arange(count, dtype=np.uint64)
        lots = streams.uniforms(seed, "order", step + (1 << 29), keys, 2).astype(float)
        ends = np.cumsum(self.probabilities())
        bins = np.searchsorted(ends, lots[:, 0] * ends[-1], side="right").clip(max=len(ends) - 1)
        return self.members[self.starts[bins] + (lots[:, 1] * self.sizes[bins]).astype(np.int64)]

    def observe(self, positions: np.ndarray, damaged: np.ndarray) -> None:
        """Count what the training logits of rehearsed samples show: damaged bool[n]."""
        np.add.at(self.seen, self.bins[positions], 1.0)
        np.add.at(self.hits, self.bins[positions], np.asarray(damaged, float))

    def update(self) -> None:
        """Estimate the rates again, then let the old counts fade; nothing seen changes nothing."""
        if not self.seen.sum():
            return
        pooled = self.hits.sum() / self.seen.sum()
        self.alpha = (self.hits + PRIOR_COUNT * pooled) / (self.seen + PRIOR_COUNT)
        self.hits, self.seen = self.hits * DECAY, self.seen * DECAY

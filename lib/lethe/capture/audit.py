"""Hashes of the draws of an epoch, computed again from seeds and sample ids; no torch needed.

The random-number contract makes an epoch's draws a pure function of seeds, epoch and sample ids, so
three hashes can be computed again from a run folder alone: `order` over the sample keys as visited,
`multiset` over the same keys sorted (equal when only the order differs), `augment` over the
augmentation draws of every visited sample, sorted by key. None depends on the row order of the data
set. Cost: 4 ms an epoch of 6,200 samples.
"""

from __future__ import annotations

import hashlib

import numpy as np

from lethe.capture import streams
from lethe.capture.recipes import Recipe

WARMUP_EPOCH = 1 << 31  # warm-up epochs are counted from here, so that no draw is used twice
AUGMENT_DRAWS = 5  # per sample and epoch: what `augment.affine` takes


def epoch_hashes(
    keys: np.ndarray,
    seeds: streams.Seeds,
    recipe: Recipe,
    epoch: int,
    order: np.ndarray | None = None,
) -> dict[str, str]:
    """Hashes `order`, `multiset` and `augment` of an epoch over the samples `keys` uint64[n].

    A sampler's `order` (positions int64[visits]) stands for the epoch's own; `augment` then still
    covers the first visit to every sample.

    Each is 16 hex digits. Epoch 0 is the head warm-up: all its passes in turn, without
    augmentation; a hash of nothing is the empty string.
    """
    visited = visited_keys(keys, seeds, recipe, epoch) if order is None else keys[order]
    drawn = np.empty((0, AUGMENT_DRAWS), np.float32)
    if epoch:
        drawn = streams.uniforms(seeds.augment, "augment", epoch, np.sort(keys), AUGMENT_DRAWS)
    return {
        "order": hash_of(visited.astype("<u8")),
        "multiset": hash_of(np.sort(visited).astype("<u8")),
        "augment": hash_of(drawn.astype("<f4")),
    }


def visited_keys(keys: np.ndarray, seeds: streams.Seeds, recipe: Recipe, epoch: int) -> np.ndarray:
    """The sample keys in the order in which an epoch visits them: uint64[visits]."""
    warmup = range(WARMUP_EPOCH, WARMUP_EPOCH + recipe.warmup_epochs)
    passes = [epoch] if epoch else warmup
    orders = [keys[streams.shuffled(seeds.order, "order", number, keys)] for number in passes]
    return np.concatenate([keys[:0], *orders])


def hash_of(values: np.ndarray) -> str:
    """First 16 hex digits of the sha256 over an array's bytes; empty for an empty array."""
    if not values.size:
        return ""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]

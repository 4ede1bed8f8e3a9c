"""Compiled counting over sorted runs: mid-ranks, shares of a top set, and their products.

Definition: a run is the list of its samples from the lowest score to the highest (`order`) with a
mark on the last sample of every level (`ends`); a weight is how often a sample counts. Mid-ranks
are doubled and centred, hence whole: weight below plus half the level's, less half the sum, x 2.
Cost: a pass of 1 to 2 nanoseconds a sample for each run, or two passes for each pair of runs.
"""

import numpy as np

from lethe.analysis.compiled import njit

BLOCK = 256  # samples whose values of all runs fit the first cache at once
exact = njit(cache=True, nogil=True)
summed = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


@exact
def mid_ranks(order, ends, weights, out):
    """Write the doubled centred mid-rank of each sample in `order` into out [sample], int32.

    Samples that are not in `order` must weigh 0.
    """
    mass, first, below = np.int32(0), 0, np.int32(-np.int32(weights.sum()))  # below: twice, centred
    for j in range(order.size):
        sample = order[j]
        mass = np.int32(mass + np.int32(weights[sample]))
        if ends[j]:
            rank = np.int32(below + mass)
            out[sample] = rank
            for i in range(first, j):
                out[order[i]] = rank
            below = np.int32(rank + mass)
            mass, first = np.int32(0), j + 1


@exact
def top_share(order, ends, weights, size, out):
    """Write the share of random tie breaks that put a sample among the `size` highest.

    out [sample] must be 0: samples below the cut are not visited. Returns where the cut is in
    `order`.
    """
    last, mass, room = order.size - 1, 0, size
    for j in range(order.size - 1, -1, -1):
        mass += weights[order[j]]
        if j == 0 or ends[j - 1]:
            share = min(1.0, room / mass) if mass else 0.0
            for i in range(j, last + 1):
                out[order[i]] = share
            room -= mass
            if room <= 0:
                return j
            last, mass = j - 1, 0
    return 0


@exact
def both_known(weights, known_i, known_j, out):
    """Write the weights of the samples known in both runs, else 0; return their sum."""
    total = 0
    for t in range(weights.size):
        out[t] = weights[t] * known_i[t] * known_j[t]
        total += out[t]
    return total


@summed
def correlation(weights, one, other):
    """Weighted correlation of centred values; NaN if either is constant."""
    product, spread_one, spread_other = 0.0, 0.0, 0.0
    for t in range(weights.size):
        weight, x, y = float(weights[t]), float(one[t]), float(other[t])
        product += weight * x * y
        spread_one += weight * x * x
        spread_other += weight * y * y
    spread = np.sqrt(spread_one) * np.sqrt(spread_other)
    return min(1.0, max(-1.0, product / spread)) if spread > 0 else np.nan


@summed
def gram(values, weights):
    """Sum over samples of weight x value x value for every two runs: values [run, sample]."""
    runs, n = values.shape
    out, block, root = np.zeros((runs, runs)), np.empty((runs, BLOCK)), np.empty(BLOCK)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        for t in range(size):
            root[t] = np.sqrt(float(weights[start + t]))  # of a 16-bit number it would be single
        for i in range(runs):
            for t in range(size):
                block[i, t] = root[t] * values[i, start + t]
            for j in range(i + 1):
                total = 0.0
                for t in range(size):
                    total += block[i, t] * block[j, t]
                out[i, j] += total
    for i in range(runs):
        for j in range(i):
            out[j, i] = out[i, j]
    return out


@exact
def rank_rows(order, ends, counts, runs, weights):
    """`mid_ranks` of some runs under the same weights -> int32 [run, sample], 0 where unknown."""
    out = np.zeros((runs.size, weights.size), np.int32)
    for k in range(runs.size):
        run = runs[k]
        mid_ranks(order[run, : counts[run]], ends[run], weights, out[k])
    return out


@exact
def share_rows(order, ends, counts, runs, weights, size):
    """`top_share` of some runs under the same weights -> [run, sample]."""
    out = np.zeros((runs.size, weights.size))
    for k in range(runs.size):
        run = runs[k]
        top_share(order[run, : counts[run]], ends[run], weights, size, out[k])
    return out


@exact
def draw(order, ends, counts, runs, place, size):
    """Some sorted runs without the samples that weigh 0.

    place [sample] = its new number, or `size` for all that are dropped: they share that place and
    weigh nothing. Returns order, ends and counts as given, and known [run, size + 1] (0 or 1).
    """
    new_order = np.empty((runs.size, size + 1), np.int32)
    new_ends = np.empty((runs.size, size + 1), np.bool_)
    new_counts, known = np.empty(runs.size, np.int64), np.zeros((runs.size, size + 1), np.uint16)
    for k in range(runs.size):
        m = 0
        for j in range(counts[runs[k]]):
            new = place[order[runs[k], j]]
            new_order[k, m], new_ends[k, m] = new, False  # written over if it is dropped
            known[k, new] = 1
            m += new < size
            if m:
                new_ends[k, m - 1] |= ends[runs[k], j]  # a level may lose its last sample
        new_counts[k] = m
    return new_order, new_ends, new_counts, known


@exact
def spearman_pairs(order, ends, counts, known, weights, pairs):
    """Spearman correlation of pairs [pair, 2] of runs, each ranked among the samples known in both.

    NaN where a run is constant among them.
    """
    out, both = np.empty(len(pairs)), np.empty_like(weights)
    ranks = np.zeros((2, weights.size), np.int32)
    for p in range(len(pairs)):
        i, j = pairs[p]
        both_known(weights, known[i], known[j], both)
        mid_ranks(order[i, : counts[i]], ends[i], both, ranks[0])
        mid_ranks(order[j, : counts[j]], ends[j], both, ranks[1])
        out[p] = correlation(both, ranks[0], ranks[1])
    return out


@exact
def overlap_pairs(order, ends, counts, known, weights, pairs, fraction):
    """Jaccard index of the top sets of pairs [pair, 2] of runs among the samples known in both."""
    out, both = np.empty(len(pairs)), np.empty_like(weights)
    share = np.zeros((2, weights.size))
    for p in range(len(pairs)):
        i, j = pairs[p]
        size = np.rint(fraction * both_known(weights, known[i], known[j], both))
        cut_i = top_share(order[i, : counts[i]], ends[i], both, size, share[0])
        cut_j = top_share(order[j, : counts[j]], ends[j], both, size, share[1])
        common = 0.0
        for sample in order[i, cut_i : counts[i]]:
            common += both[sample] * share[0, sample] * share[1, sample]
            share[0, sample] = 0
        for sample in order[j, cut_j : counts[j]]:
            share[1, sample] = 0
        out[p] = common / (2 * size - common) if size else np.nan
    return out

"""Runs sorted once, so that any weighting of their samples is ranked without sorting again.

Definition: `order` lists the samples of a run from its lowest score to its highest, `ends` marks
the last sample of each level (equal scores), `counts` says how many are known; NaN come last.
Cost: one sort per run, on all cores; 6 bytes a score are kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from lethe.analysis.agreement import kernels
from lethe.analysis.agreement.threads import cores, in_threads
from lethe.errors import LetheError

Matrix = Callable[..., np.ndarray]  # (sample weights, runs wanted: bool [run] = all) -> [run, run]
MOST = 65_535  # a multiplicity takes 16 bits: weights of 10^5 samples stay in the cache
MOST_IN_ALL = 2**30  # doubled ranks take 32 bits


@dataclass(frozen=True)
class SortedRuns:
    """Scores [run, sample] as order (int32), ends (bool), known (bool) and counts [run]."""

    order: np.ndarray
    ends: np.ndarray
    known: np.ndarray
    counts: np.ndarray


def sort_runs(scores: np.ndarray | SortedRuns) -> SortedRuns:
    """Sort scores [run, sample] (NaN allowed); what is sorted already is returned as it is.

    Every function here that takes scores [run, sample] and ranks them takes the result as well.
    """
    if isinstance(scores, SortedRuns):
        return scores
    scores = np.atleast_2d(np.asarray(scores))
    if scores.ndim != 2 or not scores.size:
        raise LetheError(f"scores have shape {scores.shape}: expected [run, sample], none empty")
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(float)
    known = ~np.isnan(scores)
    counts, order = known.sum(axis=1), np.zeros(scores.shape, np.int32)
    ends = np.zeros(scores.shape, bool)

    def sort(run: int) -> None:
        places, count = np.flatnonzero(known[run]), counts[run]
        values = scores[run, places]
        rising = np.argsort(values)  # without NaN: with them NumPy's sort is five times slower
        order[run, :count], values = places[rising], values[rising]
        ends[run, : max(count - 1, 0)] = values[1:] != values[:-1]
        ends[run, count - 1 : count] = True

    in_threads(sort, range(len(scores)))
    return SortedRuns(order, ends, known, counts)


def multiplicities(weights: np.ndarray, samples: int) -> np.ndarray:
    """Weights [sample] as whole numbers; LetheError for anything else."""
    weights = np.asarray(weights)
    if weights.shape != (samples,):
        raise LetheError(f"weights have shape {weights.shape}: expected one for each of {samples}")
    fits = weights.min() >= 0 and weights.max() <= MOST and weights.sum() <= MOST_IN_ALL
    whole = weights.astype(np.uint16) if fits else None  # NaN does not fit
    if whole is None or not np.array_equal(whole, weights):
        raise LetheError(
            f"a weight is how often a sample counts: expected whole numbers from 0 to {MOST}, "
            f"{MOST_IN_ALL:,} in all"
        )
    return whole


def matrix_on(scores: np.ndarray | SortedRuns, whole: Callable, pairs: Callable) -> Matrix:
    """A [run, run] matrix of any weighting of the samples, with NaN left out pair by pair.

    whole(runs, which, weights) -> matrix of the runs `which`, all known; pairs(order, ends, counts,
    known, weights, pairs [pair, 2]) -> [pair], see `kernels`. Runs that are not wanted are NaN.
    """
    runs = sort_runs(scores)
    full = runs.counts == runs.known.shape[1]

    def matrix(weights: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
        out = np.full((full.size, full.size), np.nan)
        which = np.arange(full.size) if wanted is None else np.flatnonzero(wanted)
        weights = multiplicities(weights, runs.known.shape[1])
        if full[which].all():
            out[np.ix_(which, which)] = whole(runs, which, weights)
            return out
        pair = np.array(list(combinations_with_replacement(range(which.size), 2)))
        i, j = which[pair].T
        out[i, j] = out[j, i] = _by_pair(runs, which, weights, pair, pairs)
        return out

    return matrix


def _by_pair(
    runs: SortedRuns, which: np.ndarray, weights: np.ndarray, pair: np.ndarray, kernel: Callable
) -> np.ndarray:
    drawn = np.flatnonzero(weights)
    place = np.full(weights.size, drawn.size, np.int32)
    place[drawn] = np.arange(drawn.size)
    few = kernels.draw(runs.order, runs.ends, runs.counts, which, place, drawn.size)
    mass = np.append(weights[drawn], np.uint16(0))  # the last: whatever was not drawn
    parts = np.array_split(pair, min(4 * cores(), len(pair)))
    return np.concatenate(in_threads(lambda part: kernel(*few, mass, part), parts))

"""Simulated traces with known truth: the processes that the fits and the tests are checked against.

All return `correct`, bool of shape [seed, epoch, sample], as a captured trace would hold it.
`independent`: correct with probability exp(-rate * t), each epoch on its own (t = epochs since
learned). `serial`: the same chance at every epoch, but neighbouring epochs are alike: right where
a Gaussian autoregression of order 1 lies below the quantile of that chance. `lapse_relearn`:
forgets with probability 1 - exp(-rate) per epoch, comes back with probability `relearn`.
`permanent_drop`: forgets once at that hazard and stays wrong.
Cost: one random draw per cell; a byte a cell of memory (`serial`: 16 bytes).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from lethe.errors import LetheError, nearest

PROCESSES = ("independent", "serial", "lapse_relearn", "permanent_drop")


def resample_correct(
    rate: np.ndarray, first_learned: np.ndarray, epochs: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw traces in which the decay rate belongs to the sample alone, as a ceiling for agreement.

    rate [sample] per epoch, or [seed, sample]; first_learned [seed, sample], NaN where never
    learned, kept as given; returns bool [seed, epoch, sample]: wrong before first_learned, right
    at it, and right with probability exp(-rate * t) after it, independently over epochs and seeds.
    A NaN rate counts as 0: it belongs to samples whose traces end where they start.
    Raises LetheError when the shapes do not agree. Source: parametric bootstrap of the
    exponential forgetting curve.
    """
    first = np.atleast_2d(np.asarray(first_learned, float))
    rate = _rates(rate, first)
    draws = (rng.random(first.shape[1:]) for _ in range(len(first) * epochs))
    return _decaying(rate, first, epochs, draws)


def simulate_correct(
    rng: np.random.Generator,
    rate: np.ndarray,
    epochs: int,
    seeds: int = 1,
    process: str = "independent",
    first_learned: np.ndarray | None = None,
    relearn: float = 0.6,
    correlation: float = 0.7,
) -> np.ndarray:
    """Simulate traces under a named process; all samples are learned at epoch 0 unless told.

    rate [sample] per epoch, or [seed, sample]; first_learned [seed, sample] or [sample]; relearn is
    a probability per epoch (`lapse_relearn` only); correlation that of the Gaussians of successive
    epochs (`serial` only); returns bool [seed, epoch, sample].
    Raises LetheError for an unknown process, a negative rate, a correlation outside [0, 1) or
    epochs < 1.
    """
    if process not in PROCESSES:
        raise LetheError(f"unknown process {process!r}: {nearest(process, PROCESSES)}")
    if epochs < 1 or not 0 <= correlation < 1:
        raise LetheError(
            f"{epochs} epochs, correlation {correlation}: give 1 epoch or more and a correlation "
            "from 0 to below 1"
        )
    shape = (seeds, np.size(rate)) if np.ndim(rate) < 2 else np.shape(rate)
    first = np.zeros(shape) if first_learned is None else np.asarray(first_learned, float)
    first = np.broadcast_to(first, shape)
    rate = _rates(rate, first)
    if process in ("lapse_relearn", "permanent_drop"):
        return _two_state(rng, rate, epochs, first, relearn if process == "lapse_relearn" else 0.0)
    if process == "serial":
        draws = _chained(rng, (shape[0], epochs, shape[1]), correlation)
        return _decaying(rate, first, epochs, iter(draws.reshape(-1, shape[1])))
    return resample_correct(rate, first, epochs, rng)


def rates_with_variance(
    rng: np.random.Generator,
    median: float,
    sample_sd: float,
    seed_sd: float,
    interaction_sd: float,
    seeds: int,
    samples: int,
) -> np.ndarray:
    """Log-normal decay rates [seed, sample], per epoch, whose log has three sources of variance.

    log rate = log median + sample + seed + rest, each normal with its standard deviation: sample_sd
    belongs to the image (intrinsic), seed_sd to the run, interaction_sd to the image in that run.
    Raises LetheError unless median > 0 and no standard deviation is negative.
    """
    if not (median > 0 and min(sample_sd, seed_sd, interaction_sd) >= 0):
        raise LetheError("rates need a median above 0 and standard deviations of 0 or more")
    sample, seed = rng.normal(0, 1, samples), rng.normal(0, 1, (seeds, 1))
    rest = rng.normal(0, 1, (seeds, samples))
    return median * np.exp(sample_sd * sample + seed_sd * seed + interaction_sd * rest)


def steady_lapses(correct: np.ndarray) -> tuple[np.ndarray, float]:
    """Rates of the lapse-and-relearn process that matches how often each sample is lost and found.

    correct bool [seed, epoch, sample]; returns (rate [sample] per epoch, pooled over seeds, and one
    relearn probability per epoch). To be fed to simulate_correct: a trace that loses and regains
    samples at a steady pace, with no decay in it.
    """
    lost, exposed, found, wrong = lapses(correct)
    hazard = np.minimum(lost / np.maximum(exposed, 1), 1 - np.exp(-5.0))
    return -np.log1p(-hazard), float(found / max(wrong, 1))


def lapses(correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """How often each sample was lost, and could have been: int [sample]; and how often any was
    found again, and could have been. All seeds together; correct bool [seed, epoch, sample].
    """
    right = np.asarray(correct, bool)
    shape = right.shape[2:]
    lost, exposed = np.zeros(shape, int), np.zeros(shape, int)
    found = wrong = 0
    for run in right:
        learned = np.zeros(shape, bool)
        for before, after in pairwise(run):
            learned |= before
            away = learned & ~before
            lost += before & ~after
            exposed += before
            found += int(np.count_nonzero(away & after))
            wrong += int(np.count_nonzero(away))
    return lost, exposed, found, wrong


def permute_epochs(rng: np.random.Generator, traces: np.ndarray) -> np.ndarray:
    """Shuffle the epochs within each retention trace: the null twin of every forgetting curve.

    traces [..., epoch] with NaN padding at the end, which stays there; R(0) stays where it is,
    since a retention trace starts with 1 by definition, and so does how often each sample fails.
    """
    keys = np.where(np.isnan(traces), np.inf, rng.random(traces.shape))
    keys[..., 0] = -1.0
    return np.take_along_axis(traces, np.argsort(keys, axis=-1, kind="stable"), axis=-1)


def _two_state(
    rng: np.random.Generator, rate: np.ndarray, epochs: int, first: np.ndarray, relearn: float
) -> np.ndarray:
    """Markov chain right/wrong, started right at first_learned."""
    forget = -np.expm1(-rate)
    correct = np.zeros((len(first), epochs, first.shape[1]), dtype=bool)
    state = np.zeros(first.shape, dtype=bool)
    for epoch in range(epochs):
        draw = rng.random(first.shape)
        state = np.where(state, draw >= forget, (draw < relearn) & (first < epoch))
        state = state | (first == epoch)
        correct[:, epoch] = state
    return correct


def _decaying(
    rate: np.ndarray, first: np.ndarray, epochs: int, draws: Iterator[np.ndarray]
) -> np.ndarray:
    """Right at first_learned and, after it, where a draw < exp(-rate * t).

    draws: [sample] for each epoch of the first seed, then of the next: few floats at a time.
    """
    correct = np.zeros((len(first), epochs, first.shape[1]), dtype=bool)
    for seed, epoch in np.ndindex(len(first), epochs):
        since = epoch - first[seed]
        chance = np.exp(-rate[seed] * np.maximum(np.nan_to_num(since), 0.0))
        correct[seed, epoch] = np.where(since == 0, True, next(draws) < chance) & (since >= 0)
    return correct


def _chained(
    rng: np.random.Generator, shape: tuple[int, int, int], correlation: float
) -> np.ndarray:
    """Uniform draws [seed, epoch, sample] whose normal scores follow a stationary AR(1)."""
    draw = rng.normal(size=shape)
    fresh = np.sqrt(1 - correlation**2)
    for epoch in range(1, shape[1]):
        draw[:, epoch] = correlation * draw[:, epoch - 1] + fresh * draw[:, epoch]
    return ndtr(draw)


def _rates(rate: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Rates as [seed, sample] for first_learned of that shape; NaN, of an empty trace, as 0."""
    rate = np.atleast_1d(np.asarray(rate, float))
    if first.ndim != 2 or rate.shape not in (first.shape, first.shape[1:]):
        raise LetheError(
            f"rate has shape {rate.shape}, first_learned {first.shape}: give one rate per sample "
            "and first_learned as [seed, sample]"
        )
    if np.any(rate < 0):
        raise LetheError("rate must be one non-negative number per sample, in 1/epoch")
    return np.broadcast_to(np.nan_to_num(rate), first.shape)

"""Simulated traces with known truth: the processes that the fits and the tests are checked against.

All return `correct`, bool of shape [seed, epoch, sample], as a captured trace would hold it.
`independent`: correct with probability exp(-rate * t), each epoch on its own (t = epochs since
learned). `lapse_relearn`: forgets with probability 1 - exp(-rate) per epoch, comes back with
probability `relearn`. `permanent_drop`: forgets once at that hazard and stays wrong.
Cost: one uniform draw per cell.
"""

from __future__ import annotations

import numpy as np

from lethe.errors import LetheError, nearest

PROCESSES = ("independent", "lapse_relearn", "permanent_drop")


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
    rate, first = _rates(rate), np.atleast_2d(np.asarray(first_learned, float))
    if rate.shape not in (first.shape, first.shape[1:]):
        raise LetheError(
            f"rate has shape {rate.shape}, first_learned {first.shape}: give one rate per sample "
            "and first_learned as [seed, sample]"
        )
    rate = np.broadcast_to(rate, first.shape)[:, None, :]
    since = np.arange(epochs)[:, None] - first[:, None, :]
    chance = np.exp(-np.nan_to_num(rate) * np.maximum(np.nan_to_num(since), 0.0))
    drawn = rng.random(since.shape) < chance
    return np.where(since == 0, True, drawn) & (since >= 0)


def simulate_correct(
    rng: np.random.Generator,
    rate: np.ndarray,
    epochs: int,
    seeds: int = 1,
    process: str = "independent",
    first_learned: np.ndarray | None = None,
    relearn: float = 0.6,
) -> np.ndarray:
    """Simulate traces under a named process; all samples are learned at epoch 0 unless told.

    rate [sample] per epoch; first_learned [seed, sample] or [sample]; relearn is a probability per
    epoch (process `lapse_relearn` only); returns bool [seed, epoch, sample].
    Raises LetheError for an unknown process, a negative rate or epochs < 1.
    """
    rate = _rates(rate)
    if rate.ndim != 1 or epochs < 1:
        raise LetheError(
            f"{rate.ndim}-d rate, {epochs} epochs: give rate [sample] and 1 epoch or more"
        )
    first = np.zeros(rate.size) if first_learned is None else np.asarray(first_learned, float)
    first = np.broadcast_to(first, (seeds, rate.size))
    if process not in PROCESSES:
        raise LetheError(f"unknown process {process!r}: {nearest(process, PROCESSES)}")
    if process == "independent":
        return resample_correct(rate, first, epochs, rng)
    return _two_state(rng, rate, epochs, first, relearn if process == "lapse_relearn" else 0.0)


def steady_lapses(correct: np.ndarray) -> tuple[np.ndarray, float]:
    """Rates of the lapse-and-relearn process that matches how often each sample is lost and found.

    correct bool [seed, epoch, sample]; returns (rate [sample] per epoch, pooled over seeds, and one
    relearn probability per epoch). To be fed to simulate_correct: a trace that loses and regains
    samples at a steady pace, with no decay in it.
    """
    right = np.asarray(correct, bool)
    learned = np.maximum.accumulate(right, axis=1)[:, :-1]
    before, after = right[:, :-1], right[:, 1:]
    lost, exposed = (before & ~after).sum((0, 1)), before.sum((0, 1))
    hazard = np.minimum(lost / np.maximum(exposed, 1), 1 - np.exp(-5.0))
    wrong = learned & ~before
    return -np.log1p(-hazard), float((wrong & after).sum() / max(wrong.sum(), 1))


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
    correct = np.zeros((first.shape[0], epochs, rate.size), dtype=bool)
    state = np.zeros(first.shape, dtype=bool)
    for epoch in range(epochs):
        draw = rng.random(first.shape)
        state = np.where(state, draw >= forget, (draw < relearn) & (first < epoch))
        state = state | (first == epoch)
        correct[:, epoch] = state
    return correct


def _rates(rate: np.ndarray) -> np.ndarray:
    rate = np.asarray(rate, float)
    if rate.ndim not in (1, 2) or np.any(rate < 0):
        raise LetheError("rate must be one non-negative number per sample, in 1/epoch")
    return rate

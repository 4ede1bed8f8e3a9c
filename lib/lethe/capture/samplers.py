"""Samplers that look at what was learned so far: which samples an epoch visits, and how often.

A sampler turns the history of a run (visits, clean correctness and loss after every epoch) into
counts [sample] of visits in the next epoch, whose sum is the budget, one visit a sample on average;
`plan_epoch` puts the visits in an order. Both are pure functions of history, seeds and epoch, so a
resumed run plans what the uninterrupted one planned, and `replay` needs no saved state.

Memory model of `spaced` (our reading of a spaced-repetition sampler on decay constants; the rule of
arXiv 2604.11508 is not known): a sample with decay constant c and strength g that was last visited
s epochs ago is retained with probability exp(-c s / g). It is *due* when it was wrong at the last
clean pass, was never visited, or this falls below THRESHOLD. A visit after which it is right
doubles g (the interval grows), a lapse halves it. Cost: 1 ms an epoch of 6,200 samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lethe.capture import streams
from lethe.errors import LetheError, nearest

THRESHOLD = 0.9  # of predicted retention, under which a sample is due
GROWTH, STRONGEST, WEAKEST = 2.0, 64.0, 0.25
MOST_VISITS = 3  # of a due sample in one epoch
CLASS_RATIO = 3.0  # most and least visits per sample of a class, over and under the mean


@dataclass(frozen=True)
class History:
    """What a sampler may look at; e = number of epochs so far, epoch 0 (warm-up) first.

    `labels` int[sample]; `correct` bool and `loss` float [e, sample] of the clean passes; `visits`
    int[e, sample], those of the warm-up counted as 1; `constants` float[sample] decay constants
    from elsewhere, or None: then they are estimated from this history.
    """

    labels: np.ndarray
    correct: np.ndarray
    loss: np.ndarray
    visits: np.ndarray
    constants: np.ndarray | None = None

    def first(self, epochs: int) -> History:
        """The history as it was after so many epochs."""
        cut = (self.correct[:epochs], self.loss[:epochs], self.visits[:epochs])
        return History(self.labels, *cut, self.constants)


@dataclass(frozen=True)
class Draws:
    """Uniform draws of a sampler for one epoch, from stream `order`: float32[sample, 4]."""

    values: np.ndarray

    @classmethod
    def of(cls, seed: int, epoch: int, keys: np.ndarray) -> Draws:
        """Independent of those that order the visits."""
        return cls(streams.uniforms(seed, "order", epoch + (1 << 30), keys, 4))


def decay_constants(correct: np.ndarray) -> np.ndarray:
    """Decay constants of a history so far, per epoch: float[sample].

    Lapses over epochs at risk, drawn towards the pooled rate with the weight of one epoch: the
    posterior mean of a constant hazard. Samples never right yet get the pooled rate.
    """
    right = np.asarray(correct, bool)
    lapses = (right[:-1] & ~right[1:]).sum(0)
    at_risk = right[:-1].sum(0)
    pooled = (lapses.sum() + 0.5) / (at_risk.sum() + 1)
    return (lapses + pooled) / (at_risk + 1)


def strengths(correct: np.ndarray, visits: np.ndarray) -> np.ndarray:
    """Strength of every sample: doubled by a visit that held, halved by a lapse; float[sample]."""
    strength = np.ones(correct.shape[1])
    for e in range(1, len(correct)):
        held = (visits[e] > 0) & correct[e]
        lapsed = correct[e - 1] & ~correct[e]
        strength = np.where(held, strength * GROWTH, np.where(lapsed, strength / GROWTH, strength))
        strength = strength.clip(WEAKEST, STRONGEST)
    return strength


def predicted_retention(history: History) -> np.ndarray:
    """Chance that a sample is still right by the memory model; 0 if wrong now; float[sample]."""
    correct, visits = history.correct, history.visits
    constants = decay_constants(correct) if history.constants is None else history.constants
    seen = visits > 0
    since = np.where(seen.any(0), seen[::-1].argmax(0) + 1, np.inf)
    with np.errstate(invalid="ignore"):
        exponent = constants * since / strengths(correct, visits)
    kept = np.exp(-np.nan_to_num(exponent, nan=0.0))
    return np.where(correct[-1] & seen.any(0), kept, 0.0)


def spaced(history: History, budget: int, draws: Draws) -> np.ndarray:
    """Due samples first, the most endangered before the others; then second and third visits to
    them; what is left of the budget goes to other samples by lot.
    """
    retained = predicted_retention(history)
    due = np.flatnonzero(retained < THRESHOLD)
    due = due[np.lexsort((draws.values[due, 0], retained[due]))]
    rest = np.setdiff1d(np.arange(len(retained)), due)
    rest = rest[np.argsort(draws.values[rest, 1], kind="stable")]
    return counts_of([*[due] * MOST_VISITS, *[rest] * budget], budget, len(retained))


def counts_of(rounds: list[np.ndarray], budget: int, samples: int) -> np.ndarray:
    """Visits int[sample] when the rounds are gone through until the budget is used up."""
    counts, left = np.zeros(samples, np.int64), budget
    for visited in rounds:
        taken = visited[:left]
        counts[taken] += 1
        left -= len(taken)
        if not left:
            return counts
    raise LetheError(f"a budget of {budget} visits is more than {samples} samples can take")


def hardest_first(history: History, budget: int, draws: Draws) -> np.ndarray:
    """The harder half (by the last clean loss) twice, the easier half not at all."""
    order = np.lexsort((draws.values[:, 0], -history.loss[-1]))
    half = order[: -(-budget // 2)]
    return counts_of([half, half, *[order] * budget], budget, len(order))


def class_retention(history: History) -> np.ndarray:
    """Share of epochs right since first learned, mean over a class's learned samples; [class].

    A class of which nothing was learned yet has retention 0; one without a sample has NaN.
    """
    correct, labels = history.correct, history.labels
    learned = np.logical_or.accumulate(correct, axis=0)
    right, since = (np.bincount(labels, x.sum(0)) for x in (correct & learned, learned))
    present = np.bincount(labels) > 0
    share = np.divide(right, since, out=np.zeros_like(right), where=since > 0)
    return np.where(present, share, np.nan)


def class_adaptive(history: History, budget: int, draws: Draws) -> np.ndarray:
    """Visits per sample in proportion to its class's loss of retention, within CLASS_RATIO."""
    lost = 1 - class_retention(history)[history.labels]
    weights = lost / lost.mean() if lost.any() else np.ones(len(lost))
    weights = weights.clip(1 / CLASS_RATIO, CLASS_RATIO)
    return apportion(weights, budget, draws.values[:, 0], float(draws.values[0, 1]))


def apportion(weights: np.ndarray, budget: int, lots: np.ndarray, start: float) -> np.ndarray:
    """Whole visits int[sample] that sum to the budget, each less than 1 off its share of it.

    Systematic sampling in the order of `lots` float[sample] from `start`, uniform on [0, 1): the
    expected visits are exactly proportional to the weights.
    """
    order = np.argsort(lots, kind="stable")
    ends = np.cumsum(weights[order] / weights.sum()) * budget
    ends[-1] = budget
    marks = np.floor(ends + start).astype(np.int64)
    counts = np.empty(len(weights), np.int64)
    counts[order] = np.diff(marks, prepend=0)
    return counts


Sampler = Callable[[History, int, Draws], np.ndarray]
SAMPLERS: dict[str, Sampler] = {
    "spaced": spaced,
    "shuffled": spaced,  # on constants that were permuted: the control
    "hardest": hardest_first,
    "classes": class_adaptive,
}
RANDOM = "random"


def check_sampler(name: str, has_constants: bool = False) -> str:
    """The name itself; LetheError for an unknown one, or constants that it cannot use."""
    if name not in (RANDOM, *SAMPLERS):
        raise LetheError(f"unknown sampler {name!r}: {nearest(name, (RANDOM, *SAMPLERS))}")
    if has_constants and name not in ("spaced", "shuffled"):
        raise LetheError(f"sampler {name!r} takes no decay constants: only spaced and shuffled do")
    return name


def visits_of(
    name: str, history: History, seed: int, epoch: int, keys: np.ndarray, budget: int = 0
) -> np.ndarray:
    """Visits int[sample] of an epoch (from 1); budget 0 = as many as there are samples.

    LetheError for an unknown sampler or a history of another length than the epochs before.
    """
    budget = budget or len(keys)
    if name == RANDOM and budget == len(keys):
        return np.ones(len(keys), np.int64)
    if len(history.correct) != epoch:
        raise LetheError(f"epoch {epoch} needs a history of {epoch}, not {len(history.correct)}")
    draws = Draws.of(seed, epoch, keys)
    if name == RANDOM:
        lots = np.argsort(draws.values[:, 0], kind="stable")
        return counts_of([lots] * budget, budget, len(keys))
    if name == "shuffled":
        history = with_shuffled_constants(history, seed, keys)
    return SAMPLERS[check_sampler(name)](history, budget, draws)


def with_shuffled_constants(history: History, seed: int, keys: np.ndarray) -> History:
    """The history with its constants, given or estimated, permuted over the samples."""
    own = history.constants
    constants = decay_constants(history.correct) if own is None else own
    to = streams.shuffled(seed, "order", (1 << 30) - 1, keys)
    moved = np.empty_like(constants)
    moved[to] = constants[np.roll(to, 1)]
    return History(history.labels, history.correct, history.loss, history.visits, moved)


@dataclass(frozen=True)
class Plan:
    """The visits of an epoch in order: positions int64[visits], and which visit to that sample in
    this epoch each one is, from 0: repeats int64[visits].
    """

    positions: np.ndarray
    repeats: np.ndarray


def plan_epoch(counts: np.ndarray, seed: int, epoch: int, keys: np.ndarray) -> Plan:
    """Put visits in the order of draws from stream `order`, one draw a sample and visit.

    With one visit a sample this is the order of a run without a sampler.
    """
    most = int(counts.max())
    words = streams.words(seed, "order", epoch, keys, 2 * most)
    positions = np.repeat(np.arange(len(keys)), counts)
    repeats = (
        np.concatenate([np.arange(c) for c in counts]) if most > 1 else np.zeros_like(positions)
    )
    first, second = words[positions, 2 * repeats], words[positions, 2 * repeats + 1]
    order = np.lexsort((keys[positions], second, first))
    return Plan(positions[order], repeats[order])


def replay(name: str, history: History, seed: int, keys: np.ndarray) -> np.ndarray:
    """The visits of all epochs, from the clean passes alone: int[epochs, sample].

    `history.visits` is not looked at. Row 0 is the warm-up, which visits every sample.
    """
    visits = np.ones((len(history.correct), len(keys)), np.int64)
    for epoch in range(1, len(visits)):
        past = History(history.labels, history.correct, history.loss, visits, history.constants)
        visits[epoch] = visits_of(name, past.first(epoch), seed, epoch, keys)
    return visits

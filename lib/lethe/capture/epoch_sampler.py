"""The samplers of `samplers` for any DataLoader: a torch Sampler that is told of clean passes.

    sampler = EpochSampler(sample_ids, labels, "spaced", seed=0)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler)
    for epoch in range(epochs):
        for batch in loader: ...           # positions as the sampler plans them
        sampler.end_epoch(correct, loss)   # of a clean pass over all samples, in sample order

The first epoch visits every sample once. Every epoch is a pure function of seed, sample ids and the
passes so far; `state_dict` keeps the passes, so a loaded sampler goes on exactly. Cost: that of
`samplers`, and one byte and one float32 a sample and epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from lethe.capture import samplers, streams
from lethe.capture.samplers import History, Plan
from lethe.errors import LetheError


class EpochSampler(Sampler[int]):
    """Positions of the samples that an epoch visits, in order, for a torch `DataLoader`."""

    def __init__(
        self,
        sample_ids: Sequence[str],
        labels: Sequence[int],
        sampler: str = "spaced",
        seed: int = 0,
        constants: Sequence[float] | None = None,
        budget: int = 0,
    ) -> None:
        """`budget` visits an epoch, 0 = as many as samples; `constants` float[n], 0 or above.

        LetheError for an unknown sampler, repeated ids, and lengths that differ.
        """
        self.name = samplers.check_sampler(sampler, constants is not None)
        self.keys = streams.sample_keys(sample_ids)
        self.labels = np.asarray(labels, np.int64)
        self.constants = None if constants is None else np.asarray(constants, float)
        self.seed, self.budget = seed, budget or len(self.keys)
        for what, values in (("labels", self.labels), ("constants", self.constants)):
            if values is not None and values.shape != self.keys.shape:
                raise LetheError(
                    f"{len(values)} {what} for {len(self.keys)} samples: give one each"
                )
        if len(np.unique(self.keys)) < len(self.keys):
            raise LetheError("a sample id occurs twice: make the ids unique")
        if self.constants is not None and not (self.constants >= 0).all():
            raise LetheError("decay constants must be numbers of 0 or above")
        self.forget()

    def forget(self) -> None:
        """Begin again: no pass so far, and a first epoch of one visit a sample."""
        self.correct: list[np.ndarray] = []
        self.loss: list[np.ndarray] = []
        self.visits = [np.ones(len(self.keys), np.int64)]

    def __len__(self) -> int:
        return self.budget if self.correct else len(self.keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self.plan().positions.tolist())

    def plan(self) -> Plan:
        """The visits of the epoch that comes next."""
        epoch = len(self.correct)
        while len(self.visits) <= epoch:  # one epoch, or all of them after a load
            past = len(self.visits)
            passes = (self.correct, self.loss, self.visits)
            correct, loss, visits = (np.stack(rows[:past]) for rows in passes)
            history = History(self.labels, correct, loss, visits, self.constants)
            self.visits.append(
                samplers.visits_of(self.name, history, self.seed, past, self.keys, self.budget)
            )
        return samplers.plan_epoch(self.visits[epoch], self.seed, epoch, self.keys)

    def end_epoch(self, correct: Sequence[bool], loss: Sequence[float]) -> None:
        """Tell of a clean pass after an epoch: correct bool[n] and loss float[n] in sample order.

        LetheError for another length, or a loss that is not a number.
        """
        right, losses = np.asarray(correct, bool), np.asarray(loss, np.float32)
        if right.shape != self.keys.shape or losses.shape != self.keys.shape:
            raise LetheError(
                f"a pass has {len(self.keys)} samples, not {len(right)}, {len(losses)}"
            )
        if np.isnan(losses).any():
            raise LetheError("a loss is NaN: the pass did not see every sample, or diverged")
        self.correct.append(right)
        self.loss.append(losses)

    def state_dict(self) -> dict[str, Any]:
        """The passes so far, and what they belong to."""
        passes = {"correct": np.array(self.correct), "loss": np.array(self.loss)}
        return {"sampler": self.name, "seed": self.seed, "budget": self.budget, **passes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; LetheError if it is that of another sampler, seed or size."""
        for name, own in (("sampler", self.name), ("seed", self.seed), ("budget", self.budget)):
            if state[name] != own:
                raise LetheError(f"the state has {name} {state[name]}, this sampler {own}")
        self.forget()
        for correct, loss in zip(state["correct"], state["loss"], strict=True):
            self.end_epoch(correct, loss)

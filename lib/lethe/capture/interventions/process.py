"""What interventions act on: a training process with a clock, and a stream of batches by number.

The clock counts the steps taken and drives the learning rate. What is trained on at a step is named
by a *batch number*: the same number is the same images under the same augmentation, whenever it is
taken. So two arms see the same future, and an order swap moves images together with their draws.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lethe.capture import streams, training
from lethe.capture.augment import augment, normalise
from lethe.capture.recipes import Recipe
from lethe.errors import LetheError


class Taken(NamedTuple):
    """What a step consumed: sample keys [batch] in order, and the augmentation draws if any."""

    keys: np.ndarray
    draws: np.ndarray | None = None


class Stateful(Protocol):
    """A part of the training state: scheduler, teacher, queue, loader."""

    def state_dict(self) -> dict[str, Any]:
        """All of the part's state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Back to that state, exactly."""
        ...


class Training(Protocol):
    """A training process of anybody's, in five names.

    `others` holds every part of the state beside model, optimizer and clock, by name; interventions
    look for `teacher` (a module, an average of the weights) and `queue` (a module whose buffers are
    stored rows) there. `len` is the number of batches in the stream.
    """

    model: nn.Module
    optimizer: Optimizer
    others: dict[str, Stateful]
    step: int

    def __len__(self) -> int: ...

    def take_step(self, batch: int) -> Taken:
        """Train on batch number `batch` of the stream, at the clock's learning rate; the clock
        moves on by one. A pure function of the state and the number.
        """
        ...


class Stream:
    """The batches of one data set, epoch after epoch, by number from 0."""

    def __init__(
        self, data: training.Resident, recipe: Recipe, seeds: streams.Seeds, epochs: int
    ) -> None:
        """Nothing is drawn before it is asked for."""
        self.data, self.recipe, self.seeds, self.epochs = data, recipe, seeds, epochs
        self.each = len(list(training.batches(torch.arange(len(data)), recipe.batch_size)))
        self._epoch = lru_cache(maxsize=4)(self._read_epoch)

    def __len__(self) -> int:
        return self.epochs * self.each

    def _read_epoch(self, epoch: int) -> list[tuple[Tensor, Tensor]]:
        """Positions and draws of every batch of an epoch, which count from 1."""
        plan = training.every_sample_once(self.data, self.seeds, epoch)
        parts = list(training.batches(torch.from_numpy(plan.positions), self.recipe.batch_size))
        drawn = training.augmentation_draws(self.data, self.seeds, epoch, plan)
        return list(zip(parts, torch.from_numpy(drawn).split([len(p) for p in parts]), strict=True))

    def batch(self, number: int) -> tuple[Tensor, Tensor, Taken]:
        """Augmented images, labels, and what they were made from."""
        positions, draws = self._epoch(1 + number // self.each)[number % self.each]
        taken = Taken(self.data.keys[positions.numpy()], draws.numpy())
        device = self.data.labels.device
        at, moved = positions.to(device), draws.to(device)
        images = augment(normalise(self.data.images[at], self.recipe), moved, self.recipe)
        return images.contiguous(memory_format=torch.channels_last), self.data.labels[at], taken


class FineTuning:
    """Fine-tuning as in a capture, on one stream or several in turn, with an average of the weights
    kept beside it (`teacher`, decay `decay`; nothing learns from it).
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        parts: list[Stream],
        schedule: LambdaLR,
        decay: float = 0.99,
    ) -> None:
        """The average starts at the weights as they are."""
        self.model, self.optimizer, self.parts, self.step = model, optimizer, parts, 0
        self.decay = decay
        teacher = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        teacher.update_parameters(model)
        self.others: dict[str, Stateful] = {"scheduler": schedule, "teacher": teacher}

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def batch(self, number: int) -> tuple[Tensor, Tensor, Taken]:
        """A batch by its number over all streams; LetheError past the end."""
        left = number
        for part in self.parts:
            if 0 <= left < len(part):
                return part.batch(left)
            left -= len(part)
        raise LetheError(f"there is no batch {number}: the stream has {len(self)}, from 0")

    def take_step(self, batch: int) -> Taken:
        """One step on a batch; see `Training`."""
        images, labels, taken = self.batch(batch)
        self.model.train()
        with torch.random.fork_rng(devices=[labels.device] if labels.is_cuda else []):
            torch.manual_seed(streams.integer(self.parts[0].seeds.dropout, "dropout", batch))
            with training.precision(labels.device):
                logits = self.model(images)
            loss = F.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        others: dict[str, Any] = self.others
        others["scheduler"].step()
        others["teacher"].update_parameters(self.model)
        self.step += 1
        return taken


def rising(optimizer: Optimizer, steps: int) -> LambdaLR:
    """The optimizer's rate after a linear rise over `steps`; constant from there."""
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / max(1, steps)))


def one_cycle(optimizer: Optimizer, recipe: Recipe, steps: int) -> LambdaLR:
    """The one cycle of a capture over `steps`."""
    peak = recipe.learning_rate
    return LambdaLR(
        optimizer, lambda step: training.learning_rate(recipe, min(step, steps - 1), steps) / peak
    )

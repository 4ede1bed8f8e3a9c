"""What the studies of FLOW and of rehearsal share: data, a network with its prior head, one epoch.

The *prior* task is what the network knew before. Its accuracy afterwards, on unseen images of the
prior task with the prior head, is what was *retained*: with the prior BatchNorm layers put back
(`restored`, as in FLOW's code) and without. Cost: see the studies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lethe.capture import models, streams, training
from lethe.capture.audit import AUGMENT_DRAWS
from lethe.capture.augment import augment, normalise
from lethe.capture.recipes import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]  # of positions and augmented images of a batch
SGD_MOMENTUM, SGD_DECAY = 0.9, 5e-4


@dataclass(frozen=True)
class Task:
    """Images to train on, to choose by, and to judge by."""

    train: training.Resident
    validation: training.Resident
    test: training.Resident


def part(data: training.Resident, rows: np.ndarray) -> training.Resident:
    """Some rows of a data set."""
    at = torch.from_numpy(np.asarray(rows)).to(data.labels.device)
    return training.Resident(data.images[at], data.labels[at], data.keys[rows], data.classes)


def turned(data: training.Resident) -> training.Resident:
    """The same images turned by 90 degrees."""
    images = torch.rot90(data.images, 1, (2, 3))
    return training.Resident(channels_last(images), data.labels, data.keys, data.classes)


def by_class(labels: np.ndarray, each: int, skip: int = 0) -> np.ndarray:
    """Rows of `each` samples of every class after the first `skip`, in row order."""
    kept = [np.flatnonzero(labels == label)[skip : skip + each] for label in np.unique(labels)]
    return np.sort(np.concatenate(kept))


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """SGD with momentum for networks with BatchNorm (FLOW's choice), else AdamW.

    AdamW is blind to a constant factor of the loss, SGD is not: the two show what of FLOW is speed.
    """
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules()):
        settings: dict[str, Any] = {"momentum": SGD_MOMENTUM, "weight_decay": SGD_DECAY}
        return torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, **settings)
    return training.make_optimizer(model, recipe)


def steps(
    data: training.Resident, recipe: Recipe, seeds: streams.Seeds, epoch: int
) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """(step, number of steps, positions, augmented images) of every batch of an epoch from 1 on."""
    plan = training.every_sample_once(data, seeds, epoch)
    parts = list(training.batches(torch.from_numpy(plan.positions), recipe.batch_size))
    drawn = torch.from_numpy(training.augmentation_draws(data, seeds, epoch, plan))
    for number, (positions, draws) in enumerate(
        zip(parts, drawn.split([len(p) for p in parts]), strict=True)
    ):
        where = positions.to(data.labels.device)
        images = augment(normalise(data.images[where], recipe), draws.to(where.device), recipe)
        total = recipe.epochs * len(parts)
        yield (epoch - 1) * len(parts) + number, total, where, channels_last(images)


def augmented(
    data: training.Resident, at: Tensor, recipe: Recipe, seeds: streams.Seeds, step: int
) -> Tensor:
    """Samples drawn with replacement at a step, augmented by draws of that step and place."""
    places = np.arange(len(at), dtype=np.uint64)
    draws = streams.uniforms(seeds.augment, "augment", step + (1 << 29), places, AUGMENT_DRAWS)
    images = normalise(data.images[at], recipe)
    return augment(images, torch.from_numpy(draws).to(images.device), recipe)


def channels_last(images: Tensor) -> Tensor:
    """Images in the memory layout that the networks are kept in."""
    return images.contiguous(memory_format=torch.channels_last)


def descend(optimizer: Optimizer, recipe: Recipe, step: int, total: int, loss: Tensor) -> None:
    """One step of the optimizer at the recipe's rate."""
    training.set_rate(optimizer, training.learning_rate(recipe, step, total))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def scored(model: nn.Module, data: training.Resident, recipe: Recipe) -> tuple[np.ndarray, ...]:
    """Correct bool[n] and loss float[n] of a clean pass."""
    arrays = training.record_epoch(model, data, recipe)
    return arrays["prediction"] == data.labels.cpu().numpy(), arrays["loss"]


def with_prior_head(model: nn.Module, prior: nn.Module, restored: bool) -> nn.Module:
    """A copy of the network with the prior head, and with `restored` its BatchNorm layers too."""
    tensors, known = model.state_dict(), prior.state_dict()
    kept = {name: tensors[name] for name in tensors if name not in models.head_names(model)}
    if restored:
        kept |= {name: known[name] for name in norm_names(prior)}
    mixed = copy.deepcopy(prior)
    mixed.load_state_dict({**known, **kept})
    return mixed


def norm_names(model: nn.Module) -> list[str]:
    """The names of all tensors of BatchNorm layers: weights, biases and running statistics."""
    norms = nn.modules.batchnorm._BatchNorm
    layers = [name for name, module in model.named_modules() if isinstance(module, norms)]
    return [n for n in model.state_dict() if n.rpartition(".")[0] in layers]


def averaged(first: nn.Module, second: nn.Module, share: float) -> nn.Module:
    """A network whose weights are (1 - share) of the first's and `share` of the second's."""
    one, two, mixed = first.state_dict(), second.state_dict(), copy.deepcopy(first)
    tensors = {
        n: torch.lerp(one[n], two[n], share) if one[n].is_floating_point() else two[n] for n in one
    }
    mixed.load_state_dict(tensors)
    return mixed

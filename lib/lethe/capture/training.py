"""Training on images that live on the device: warm-up of the head, epochs of fine-tuning, clean
passes.

The whole data set is one uint8 tensor on the device; batches are index selections, augmentation and
normalisation happen in batches there, so there is no loader and no worker. Every draw comes from
`streams`, by epoch. In a group of processes each takes a share of every batch, and its turns of the
clean batches, which stay whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from lethe.capture import global_batch_norm, processes, streams
from lethe.capture.audit import AUGMENT_DRAWS, WARMUP_EPOCH
from lethe.capture.augment import augment, normalise
from lethe.capture.models import classifier, features
from lethe.capture.recipes import Recipe
from lethe.capture.recorder import Recorder
from lethe.capture.samplers import Plan
from lethe.datasets.images import Images
from lethe.errors import LetheError

REPEAT = 1 << 20  # draws of the second visit to a sample in an epoch are those of epoch + REPEAT
CLEAN_BATCH = 512  # at most; one size for a data set: kernels may round otherwise in another


@dataclass(frozen=True)
class Resident:
    """A data set on its device: images uint8[n, c, h, w], labels int64[n], sample keys uint64[n]
    (host).
    """

    images: Tensor
    labels: Tensor
    keys: np.ndarray
    classes: int

    @classmethod
    def of(cls, images: Images, device: torch.device) -> Resident:
        """Move a data set to the device, once; its pixels stay in channels-last order."""
        pixels = torch.from_numpy(np.array(images.pixels)).permute(0, 3, 1, 2)
        labels = torch.from_numpy(images.labels.astype(np.int64))
        keys = streams.sample_keys(images.sample_ids)
        return cls(pixels.to(device), labels.to(device), keys, len(images.classes))

    def __len__(self) -> int:
        return len(self.labels)


def precision(device: torch.device) -> torch.autocast:
    """bfloat16 autocast on CUDA; float32 on the CPU, where small models gain nothing from it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def batches(order: Tensor, size: int) -> Iterator[Tensor]:
    """An order cut into batches; a last batch of one joins its neighbour (BatchNorm needs two)."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    yield from parts


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """One cycle: linear rise over `recipe.rise` of the steps, then half a cosine down to 0."""
    done = (step + 0.5) / steps
    if done < recipe.rise:
        return recipe.learning_rate * done / recipe.rise
    return (
        recipe.learning_rate
        * 0.5
        * (1 + math.cos(math.pi * (done - recipe.rise) / (1 - recipe.rise)))
    )


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """AdamW with decay on matrices and kernels only, as is usual for both families."""
    tensors = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [t for t in tensors if t.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [t for t in tensors if t.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def order_of(data: Resident, seeds: streams.Seeds, epoch: int) -> np.ndarray:
    """The order in which an epoch visits the samples: positions int64[n]."""
    return streams.shuffled(seeds.order, "order", epoch, data.keys)


def train_epoch(
    model: nn.Module,
    optimizer: Optimizer,
    data: Resident,
    recipe: Recipe,
    seeds: streams.Seeds,
    epoch: int,
    recorder: Recorder | None = None,
    plan: Plan | None = None,
) -> float:
    """One epoch of fine-tuning (epochs count from 1); returns the mean training loss.

    A `recorder` is given the training logits (the train view). A sampler's `plan` says which
    samples are visited; without one every sample is visited once. Raises LetheError when the loss
    is no longer finite.
    """
    device = data.labels.device
    plan = plan or every_sample_once(data, seeds, epoch)
    parts = list(batches(torch.from_numpy(plan.positions).to(device), recipe.batch_size))
    drawn = torch.from_numpy(augmentation_draws(data, seeds, epoch, plan)).to(device)
    draws = drawn.split([len(part) for part in parts])
    total = torch.zeros((), device=device)
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # dropout layers draw from the global generator
        shares = epoch + processes.rank() * REPEAT  # every process drops others
        torch.manual_seed(streams.integer(seeds.dropout, "dropout", shares))
        for number, part in enumerate(parts):
            step = (epoch - 1) * len(parts) + number
            set_rate(optimizer, learning_rate(recipe, step, recipe.epochs * len(parts)))
            loss, logits = train_step(model, optimizer, data, recipe, draws[number], part)
            total += loss * len(part)
            if recorder:
                own = part[processes.own_rows(len(part))]
                recorder.record(own, logits, data.labels[own])
    if recorder and processes.size() > 1:
        recorder.merge()
    return check_finite(float(processes.total(total)) / len(plan.positions), recipe, epoch)


def every_sample_once(data: Resident, seeds: streams.Seeds, epoch: int) -> Plan:
    """The plan of an epoch without a sampler."""
    order = order_of(data, seeds, epoch)
    return Plan(order, np.zeros_like(order))


def augmentation_draws(data: Resident, seeds: streams.Seeds, epoch: int, plan: Plan) -> np.ndarray:
    """Draws float32[visits, 5] in the order of the visits; a second visit has draws of its own."""
    rounds = [
        streams.uniforms(seeds.augment, "augment", epoch + r * REPEAT, data.keys, AUGMENT_DRAWS)
        for r in range(int(plan.repeats.max()) + 1)
    ]
    return np.stack(rounds)[plan.repeats, plan.positions]


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def check_finite(loss: float, recipe: Recipe, epoch: int) -> float:
    """The loss itself; LetheError if it is NaN or infinite."""
    if not math.isfinite(loss):
        raise LetheError(
            f"training diverged: the loss became {loss} in epoch {epoch}; committed epochs are "
            f"kept; lower learning_rate (now {recipe.learning_rate})"
        )
    return loss


def train_step(
    model: nn.Module,
    optimizer: Optimizer,
    data: Resident,
    recipe: Recipe,
    draws: Tensor,
    part: Tensor,
) -> tuple[Tensor, Tensor]:
    """One step on the samples at positions `part` under `draws` [part, 5]; returns mean loss and
    logits, detached: in a group this process's share of the mean, and its own rows of logits.
    """
    own = processes.own_rows(len(part))
    logits = training_logits(model, data, recipe, draws[own], part[own])
    loss = share_of_loss(logits.float(), data.labels[part[own]], recipe, len(part))
    optimizer.zero_grad(set_to_none=True)
    if loss.requires_grad:
        loss.backward()
    processes.sum_gradients(model)
    optimizer.step()
    return loss.detach(), logits.detach()


def training_logits(
    model: nn.Module, data: Resident, recipe: Recipe, draws: Tensor, part: Tensor
) -> Tensor:
    """Logits of augmented samples; an empty share goes through a network only where a layer waits
    for it, since attention cannot take it.
    """
    images = normalise(data.images[part], recipe)
    if len(part):
        images = augment(images, draws, recipe)
    elif not global_batch_norm.is_global(model):
        return images.new_zeros(0, data.classes)
    with precision(part.device):
        return model(images.contiguous(memory_format=torch.channels_last))


def share_of_loss(logits: Tensor, labels: Tensor, recipe: Recipe, count: int) -> Tensor:
    """What these rows add to the mean loss over a batch of `count`."""
    smoothing = recipe.label_smoothing
    if len(labels) == count:
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum") / count


def clean_batches(
    data: Resident, recipe: Recipe, turns: slice = slice(None)
) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions and normalised images in sample order, in equal batches of at most CLEAN_BATCH: the
    last one reaches back, and its positions are those of its last images. `turns` chooses batches.
    """
    size = -(-len(data) // -(-len(data) // CLEAN_BATCH))
    for start in range(0, len(data), size)[turns]:
        first = min(start, len(data) - size)
        images = normalise(data.images[first : first + size], recipe)
        positions = torch.arange(start, first + size, device=data.labels.device)
        yield positions, images.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def record_epoch(model: nn.Module, data: Resident, recipe: Recipe) -> dict[str, np.ndarray]:
    """The eval view: a clean pass in eval mode over every sample; arrays [n] by name."""
    recorder = Recorder(len(data), data.labels.device)
    model.eval()
    for positions, images in clean_batches(data, recipe, processes.own_turns()):
        with precision(images.device):
            logits = model(images)
        recorder.record(positions, logits[-len(positions) :], data.labels[positions])
    if processes.size() > 1:
        recorder.merge()
    return recorder.end_epoch()


def accuracy(arrays: dict[str, np.ndarray], data: Resident) -> float:
    """Share of samples whose prediction is their label."""
    return float((arrays["prediction"] == data.labels.cpu().numpy()).mean())


@torch.no_grad()
def clean_features(model: nn.Module, data: Resident, recipe: Recipe) -> Tensor:
    """The frozen backbone's features of every sample: float32[n, width]."""
    model.eval()
    rows = []
    for positions, images in clean_batches(data, recipe):
        with precision(images.device):
            rows.append(features(model, images).float()[-len(positions) :])
    return torch.cat(rows)


def warm_up_head(model: nn.Module, data: Resident, recipe: Recipe, seeds: streams.Seeds) -> None:
    """Train the head alone on the frozen backbone's clean features (BatchNorm statistics stay as
    they are). In a group every process does all of it, alike.
    """
    rows, head = clean_features(model, data, recipe), classifier(model)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=recipe.warmup_learning_rate, weight_decay=0.0, fused=True
    )
    for epoch in range(recipe.warmup_epochs):
        order = torch.from_numpy(order_of(data, seeds, WARMUP_EPOCH + epoch)).to(rows.device)
        for part in batches(order, recipe.batch_size):
            loss = F.cross_entropy(
                head(rows[part]), data.labels[part], label_smoothing=recipe.label_smoothing
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

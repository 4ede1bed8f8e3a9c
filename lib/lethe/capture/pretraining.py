"""Pretraining: the backbone that every fine-tuning run starts from.

Ordinary supervised training on the data set's pretraining task (for `glyphs`: letters of other
scripts in other typefaces), with the same loop, streams and augmentation as fine-tuning. The head
is thrown away.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from lethe import datasets
from lethe.capture import environment, models, state, streams, training
from lethe.capture.recipes import Recipe, find_recipe

SEED = 20_000  # outside the range anybody would use for runs
LENGTHS = {"test_resnet": 20, "test_vit": 40, "resnet18": 6}


@dataclass(frozen=True)
class Pretrained:
    """What came of it: the file and the accuracy on unseen images of the pretraining task."""

    file: Path
    accuracy: float


def pretraining_recipe(model: str, preset: str, epochs: int) -> Recipe:
    """The preset's recipe, lengthened, without warm-up; no model sees the fine-tuning task."""
    recipe = find_recipe(preset, model)
    return replace(recipe, epochs=epochs or LENGTHS.get(model, 30), warmup_epochs=0)


def pretrain(
    model: str,
    out: Path,
    *,
    dataset: str = "glyphs",
    preset: str = "quick",
    epochs: int = 0,
    device: str = "auto",
    threads: int = 1,
    report: Callable[[int, float], None] | None = None,
) -> Pretrained:
    """Train a model on a data set's pretraining task and write its backbone to `out`.

    `report(epoch, loss)` is called after every epoch. Raises LetheError as `build_model` and
    `train_epoch` do.
    """
    recipe, where = pretraining_recipe(model, preset, epochs), models.pick_device(device)
    torch.set_num_threads(threads)
    images = datasets.load(dataset, "pretrain", recipe.pixels)
    data = training.Resident.of(images, where)
    test = training.Resident.of(datasets.load(dataset, "pretrain_test", recipe.pixels), where)
    seeds = streams.Seeds.of_run(SEED)
    net = models.build_model(model, data.classes, data.images.shape[1], recipe, seeds.init, "none")
    net = net.to(where, memory_format=torch.channels_last)
    optimizer = training.make_optimizer(net, recipe)
    for epoch in range(1, recipe.epochs + 1):
        loss = training.train_epoch(net, optimizer, data, recipe, seeds, epoch)
        if report:
            report(epoch, loss)
    accuracy = training.accuracy(training.record_epoch(net, test, recipe), test)
    card = {
        "model": model,
        "recipe": json.dumps(recipe.as_dict()),
        "task": f"{dataset}: {len(data)} images of {data.classes} classes",
        "fingerprint": images.fingerprint,
        "test_accuracy": f"{accuracy:.4f}",
        "environment": json.dumps(environment.describe(where, threads)),
    }
    state.write_tensors(backbone(net), out, card)
    return Pretrained(out, accuracy)


def backbone(model: nn.Module) -> dict[str, Tensor]:
    """Every tensor of a model but those of its head."""
    head = models.head_names(model)
    return {name: tensor for name, tensor in model.state_dict().items() if name not in head}

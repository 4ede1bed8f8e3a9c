"""Pretraining: the backbone that every fine-tuning run starts from.

Ordinary supervised training on a data set's pretraining task (for `glyphs`: letters of other
scripts in other typefaces), with the same loop, streams and augmentation as fine-tuning. The head
is thrown away. A checkpoint lies in `NAME.pretraining` beside the weights to come; the same command
goes on from it and ends with the same bytes as an uninterrupted one. Cost: one checkpoint of three
times the weights' size an epoch.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lethe import datasets
from lethe.capture import environment, model_card, models, state, streams, training
from lethe.capture.recipes import Recipe, find_recipe
from lethe.errors import LetheError, nearest
from lethe.traces import files

SEED = 20_000  # outside the range anybody would use for runs
LENGTHS = {  # epochs, by pretraining task and model
    "glyphs": {"test_resnet": 20, "test_vit": 40, "resnet18": 6, "deit_small_patch16_224": 20},
    "tiny-imagenet-200": {
        "test_resnet": 30,
        "test_vit": 40,
        "resnet18": 12,
        "deit_small_patch16_224": 25,  # by epoch 40 of 60 its loss was near 0: learned by heart
    },
}
OTHER_LENGTH = 30  # of a model that has no entry


@dataclass(frozen=True)
class Pretrained:
    """The file, the accuracy on unseen images of the pretraining task, and whether it was made
    now.
    """

    file: Path
    accuracy: float
    made: bool = True


def pretraining_recipe(model: str, preset: str, epochs: int = 0, dataset: str = "glyphs") -> Recipe:
    """The preset's recipe, lengthened, without warm-up; no model sees the fine-tuning task."""
    if dataset not in LENGTHS:
        raise LetheError(f"no pretraining task {dataset!r}: {nearest(dataset, LENGTHS)}")
    recipe = find_recipe(preset, model, datasets.kind(dataset))
    length = epochs or LENGTHS[dataset].get(model, OTHER_LENGTH)
    return replace(recipe, epochs=length, warmup_epochs=0)


def pretrain(
    model: str,
    out: Path,
    *,
    dataset: str = "glyphs",
    preset: str = "quick",
    epochs: int = 0,
    device: str = "auto",
    threads: int = 1,
    root: Path | None = None,
    every: float = 0.0,
    report: Callable[[int, float], None] | None = None,
) -> Pretrained:
    """Train a model on a data set's pretraining task; its backbone goes to `out`, a card beside it.

    Goes on from the last checkpoint, and does nothing if `out` is finished. `every` is the least
    number of seconds between checkpoints; `report(epoch, loss)` is called after every epoch. Raises
    LetheError if `out` or its checkpoint was made with another configuration, and as `build_model`
    and `train_epoch` do.
    """
    recipe, where = pretraining_recipe(model, preset, epochs, dataset), models.pick_device(device)
    torch.set_num_threads(threads)
    images = datasets.load(dataset, "pretrain", recipe.pixels, root)
    config: dict[str, Any] = {
        "dataset": dataset,
        "model": model,
        "recipe": recipe.as_dict(),
        "seed": SEED,
    }
    config["fingerprint"] = images.fingerprint
    if out.is_file():
        return finished(out, config)
    folder = checkpoints(out)
    files.make_folder(folder)
    with files.lock(folder / "lock"):
        begun = begin(folder, config, environment.describe(where, threads))
        data = training.Resident.of(images, where)
        net = train(folder, data, recipe, model, every, report)
        test_images = datasets.load(dataset, "pretrain_test", recipe.pixels, root)
        test = training.Resident.of(test_images, where)
        accuracy = training.accuracy(training.record_epoch(net, test, recipe), test)
        card = model_card.facts(begun, images, len(test), accuracy)
        files.write_atomically(out.with_suffix(".md"), model_card.text(out.stem, card).encode())
        state.write_tensors(backbone(net), out, {"card": json.dumps(card, sort_keys=True)})
    shutil.rmtree(folder)
    return Pretrained(out, accuracy)


def checkpoints(out: Path) -> Path:
    """The folder of an unfinished pretraining, beside the weights to come."""
    return out.with_name(out.stem + ".pretraining")


def finished(out: Path, config: dict[str, Any]) -> Pretrained:
    """The weights that are already there; LetheError if they were made with other settings."""
    card = model_card.read(out)
    check_same(out, card, {name: config[name] for name in config if name in card})
    shutil.rmtree(checkpoints(out), ignore_errors=True)  # left by a kill in the last moment
    return Pretrained(out, float(card["test_accuracy"]), made=False)


def begin(folder: Path, config: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Configuration and environment with which the pretraining in a folder was begun."""
    file = folder / "begun.json"
    if not file.is_file():
        files.write_json(file, {"config": config, "environment": now})
    begun = files.read_json(file)
    check_same(folder, begun["config"], config)
    environment.check_same(begun["environment"], now, folder)
    return begun


def check_same(where: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """LetheError naming the first setting in which two configurations differ."""
    old, new = flat(old), flat(json.loads(json.dumps(new)))
    for name, value in new.items():
        if old.get(name) != value:
            raise LetheError(
                f"{where} was made with {name} {old.get(name)}, this is {value}: choose another "
                "--out, or remove it to start over"
            )


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the recipe's settings beside the others."""
    recipe = config.get("recipe", {})
    return {name: value for name, value in config.items() if name != "recipe"} | dict(recipe)


def train(
    folder: Path,
    data: training.Resident,
    recipe: Recipe,
    model: str,
    every: float,
    report: Callable[[int, float], None] | None,
) -> nn.Module:
    """The network after its last epoch, from the folder's last checkpoint if there is one."""
    seeds = streams.Seeds.of_run(SEED)
    net = models.build_model(model, data.classes, data.images.shape[1], recipe, seeds.init, "none")
    net = models.placed(net, data.labels.device)
    optimizer = training.make_optimizer(net, recipe)
    done, saved = resume(folder, net, optimizer), time.monotonic()
    for epoch in range(done + 1, recipe.epochs + 1):
        loss = training.train_epoch(net, optimizer, data, recipe, seeds, epoch)
        if time.monotonic() - saved >= every:
            state.save_checkpoint(folder, epoch, net, optimizer)
            state.drop_checkpoints(folder, keep=epoch)
            saved = time.monotonic()
        if report:
            report(epoch, loss)
    return net


def resume(folder: Path, net: nn.Module, optimizer: Optimizer) -> int:
    """Put the network where the newest checkpoint left it; returns that epoch, 0 without one."""
    epochs = [int(file.stem.split("-")[1]) for file in folder.glob("checkpoint-*.safetensors")]
    if epochs:
        state.load_checkpoint(folder, max(epochs), net, optimizer)
    return max(epochs, default=0)


def backbone(model: nn.Module) -> dict[str, Tensor]:
    """Every tensor of a model but those of its head."""
    head = models.head_names(model)
    return {name: tensor for name, tensor in model.state_dict().items() if name not in head}

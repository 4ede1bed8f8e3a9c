"""The network before fine-tuning, with a head for its prior task; made once, then read.

`letters`: the shipped backbone with a head fitted to its pretraining task (letters of other
scripts) on frozen features, since the shipped weights have none. `latin`: the same backbone
fine-tuned on Latin letters of some typefaces, stopped before it has learned them by heart. Cost:
20 s each, once a folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.torch import load_file
from torch import nn

from lethe.capture import models, state, streams, training
from lethe.capture.finetune import load_split
from lethe.capture.recipes import Recipe, find_recipe
from lethe.experiments import adapt

PRIOR_SEED = 30_000  # outside the range of the runs
LATIN_EPOCHS = 4
SHARED = streams.Seeds.of_run(PRIOR_SEED)


@cache
def resident(split: str, pixels: int = 32) -> training.Resident:
    """A split of the glyphs on the device, once a process."""
    return training.Resident.of(load_split("glyphs", split, pixels, ""), models.pick_device("auto"))


def build(name: str, classes: int, recipe: Recipe, weights: str, seed: int = 0) -> nn.Module:
    """A network for glyphs on the device."""
    model = models.build_model(name, classes, 1, recipe, seed, weights)
    return models.placed(model, models.pick_device("auto"))


def kept(file: Path, model: nn.Module, make: Callable[[nn.Module], object]) -> nn.Module:
    """The model with the tensors of a file, which `make` fills in the first time."""
    if not file.is_file():
        make(model)
        own = file.with_suffix(f".{os.getpid()}")  # another worker may write the same bytes now
        state.write_tensors(model.state_dict(), own)
        own.replace(file)
    model.load_state_dict(load_file(file))
    return model.eval()


def letters(name: str, place: Path, preset: str = "quick") -> nn.Module:
    """The pretrained network with a head for its pretraining task."""
    recipe = find_recipe(preset, name)
    data = resident("pretrain", recipe.pixels)
    weights = str(models.weights_file(name, recipe.pixels, "glyphs"))
    model = build(name, data.classes, recipe, weights, PRIOR_SEED)
    longer = replace(recipe, warmup_epochs=20)
    return kept(
        place / f"letters-{name}-{preset}.safetensors",
        model,
        lambda net: training.warm_up_head(net, data, longer, SHARED),
    )


def latin(name: str, place: Path, rows: np.ndarray, preset: str = "quick") -> nn.Module:
    """The pretrained network fine-tuned on these rows of the Latin training letters."""
    recipe = find_recipe(preset, name, epochs=LATIN_EPOCHS)
    data = resident("train", recipe.pixels)
    weights = str(models.weights_file(name, recipe.pixels, "glyphs"))
    model = build(name, data.classes, recipe, weights, PRIOR_SEED)
    chosen = adapt.part(data, rows)

    def fine_tune(net: nn.Module) -> None:
        training.warm_up_head(net, chosen, recipe, SHARED)
        optimizer = training.make_optimizer(net, recipe)
        for epoch in range(1, recipe.epochs + 1):
            training.train_epoch(net, optimizer, chosen, recipe, SHARED, epoch)

    return kept(place / f"latin-{name}-{preset}.safetensors", model, fine_tune)

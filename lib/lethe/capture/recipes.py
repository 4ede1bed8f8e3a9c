"""Recipes: what a run trains with, by preset and model.

A recipe is everything but data set, model, weights and seeds. A preset names sizes and rates; what
suits the images (mirroring, colour statistics) comes from their kind, letters or photographs.
`quick` was chosen on pilot seeds outside the published ones, by test accuracy alone (the book's
page on capture has the grid).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lethe.errors import LetheError, nearest

Channels = float | tuple[float, float, float]  # one number for all channels, or one each
Setting = int | float | bool | tuple[float, float, float]


@dataclass(frozen=True)
class Recipe:
    """Settings of head warm-up and fine-tuning; lengths in epochs, `shift` as a share of the
    side.
    """

    pixels: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.05
    rise: float = 0.1  # share of the steps in which the learning rate rises to its peak
    warmup_epochs: int = 10
    warmup_learning_rate: float = 1e-2
    label_smoothing: float = 0.0
    shift: float = 0.0625
    scale: float = 0.1
    rotate: float = 0.0  # degrees
    flip: bool = False
    patch_size: int = 0  # 0 = the model's own
    mean: Channels = 0.5
    std: Channels = 0.5

    def as_dict(self) -> dict[str, Setting]:
        """The recipe as it stands in a manifest."""
        return asdict(self)


QUICK = Recipe(pixels=32, epochs=30, batch_size=64, learning_rate=4e-3)
BOOK = Recipe(pixels=64, epochs=30, batch_size=128, learning_rate=5e-4)
# the paper gives no recipe: this is the replication's own choice
PAPER = replace(BOOK, pixels=224, batch_size=64, learning_rate=2e-4)

# letters must not be mirrored; photographs take ImageNet's colour statistics, as timm's weights do
KINDS: dict[str, dict[str, Any]] = {
    "letters": {},
    "photos": {
        "flip": True,
        "scale": 0.2,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
}

PRESETS: dict[str, dict[str, Recipe]] = {
    "quick": {
        "test_resnet": QUICK,
        "test_vit": replace(QUICK, batch_size=48, learning_rate=0.75e-3, patch_size=8),
        "resnet18": replace(QUICK, learning_rate=1e-3),
    },
    "book": {
        "resnet18": BOOK,
        "deit_small_patch16_224": replace(BOOK, patch_size=8),
    },
    "paper": {
        "resnet18": PAPER,
        "deit_small_patch16_224": PAPER,
    },
}


def find_recipe(preset: str, model: str, kind: str = "letters", **changes: Setting) -> Recipe:
    """The recipe of a preset and model for a kind of images, with single settings changed.

    Raises LetheError for an unknown preset, model or setting, naming the nearest.
    """
    if preset not in PRESETS:
        raise LetheError(f"unknown preset {preset!r}: {nearest(preset, PRESETS)}")
    if model not in PRESETS[preset]:
        known = nearest(model, PRESETS[preset])
        raise LetheError(f"preset {preset!r} has no recipe for model {model!r}: {known}")
    recipe = replace(PRESETS[preset][model], **KINDS[kind])
    for name in changes:
        if name not in recipe.as_dict():
            raise LetheError(f"unknown setting {name!r}: {nearest(name, recipe.as_dict())}")
    given: dict[str, Any] = changes
    return check(replace(recipe, **given))


def check(recipe: Recipe) -> Recipe:
    """The recipe itself, if its numbers make sense; LetheError names the first that does not."""
    for name in ("pixels", "epochs", "batch_size", "learning_rate", "warmup_learning_rate", "std"):
        value = getattr(recipe, name)
        if not np.min(value) > 0:
            raise LetheError(f"{name} must be above 0, not {value}")
    if recipe.batch_size < 2:
        raise LetheError("batch_size must be at least 2: batch normalisation needs two samples")
    return recipe

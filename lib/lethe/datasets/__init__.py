"""Data sets by name: images, labels, stable sample ids and splits, from one root folder each.

Any other name with a root is a folder of images of the user's own, or a CSV of path and label.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lethe.datasets.cifar import load_cifar7, load_cifar10
from lethe.datasets.class_folders import load_class_folders
from lethe.datasets.cub200 import load_cub200
from lethe.datasets.glyphs import load_glyphs
from lethe.datasets.images import Images
from lethe.datasets.octdl import load_octdl
from lethe.datasets.tables import load_table
from lethe.datasets.tiny_imagenet import load_tiny_imagenet
from lethe.errors import LetheError, nearest
from lethe.paths import datasets_folder

LOADERS: dict[str, Callable[..., Images]] = {
    "glyphs": load_glyphs,
    "cifar10": load_cifar10,
    "cifar7": load_cifar7,
    "tiny-imagenet-200": load_tiny_imagenet,
    "octdl": load_octdl,
    "cub200": load_cub200,
}


def check_name(name: str, root: str = "") -> None:
    """LetheError for an unknown data set; with a root, any plain name is one of the user's.

    A folder of that name among the data sets is a root, too.
    """
    if name in LOADERS:
        return
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise LetheError(f"data set name {name!r}: use letters, digits, dots and hyphens only")
    if not root and not (datasets_folder() / name).is_dir():
        raise LetheError(
            f"unknown data set {name!r}: {nearest(name, LOADERS)}; for images of your own give "
            "--root, a folder with one folder a class or a CSV of path and label"
        )


def kind(name: str) -> str:
    """`letters` or `photos`: what decides augmentation and normalisation."""
    return "letters" if name == "glyphs" else "photos"


def pretraining_task(name: str) -> str:
    """The data set on which the backbone for this one is pretrained."""
    return "glyphs" if kind(name) == "letters" else "tiny-imagenet-200"


def load(name: str, split: str, pixels: int, root: Path | None = None) -> Images:
    """A split of a data set at `pixels` a side; errors as the data set's own loader."""
    check_name(name, str(root or ""))
    if name in LOADERS:
        return LOADERS[name](root=root, split=split, pixels=pixels)
    place = Path(root or datasets_folder() / name)
    read = load_table if place.is_file() or place.suffix == ".csv" else load_class_folders
    return read(place, split, pixels, name)

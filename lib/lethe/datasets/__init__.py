"""Data sets by name: images, labels, stable sample ids and splits, from one root folder each.

Any other name with a root is a folder of images of the user's own, or a CSV of path and label.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lethe.datasets.cifar import load_cifar7, load_cifar10
from lethe.datasets.class_folders import load_class_folders
from lethe.datasets.glyphs import load_glyphs
from lethe.datasets.images import Images
from lethe.datasets.tiny_imagenet import load_tiny_imagenet
from lethe.errors import LetheError, nearest

LOADERS: dict[str, Callable[..., Images]] = {
    "glyphs": load_glyphs,
    "cifar10": load_cifar10,
    "cifar7": load_cifar7,
    "tiny-imagenet-200": load_tiny_imagenet,
}


def check_name(name: str, root: str = "") -> None:
    """LetheError with the nearest name for an unknown data set; with a root any name is one."""
    if name not in LOADERS and not root:
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
    assert root is not None
    return load_class_folders(Path(root), split, pixels, name)

"""A folder of images, one folder a class, with or without `train` and `test` above the classes.

Definition: the classes are the folder names in sorted order, a sample's id is its path below the
root. Without `train` and `test` folders a fifth of every class is held out by the hash of its ids.
Cost: one decode per image, once (`cache`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lethe.datasets.cache import decoded
from lethe.datasets.images import Images, image_hashes
from lethe.datasets.splits import held_out
from lethe.errors import LetheError, nearest

SPLITS = ("train", "test")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def load_class_folders(root: Path, split: str, pixels: int, name: str = "") -> Images:
    """One split of a folder of images: pixels uint8 [n, pixels, pixels, 3].

    Raises LetheError when the folder is missing, holds fewer than two class folders, or a class
    has no image in the split.
    """
    check_split(name or root.name, split)
    names, classes = class_files(root, split)
    labels = [path.split("/")[-2] for path in names]
    return from_files(name or root.name, root, names, labels, classes, pixels)


def check_split(name: str, split: str, splits: Sequence[str] = SPLITS) -> None:
    """LetheError with the nearest split if a data set has no such one."""
    if split not in splits:
        raise LetheError(f"no split {split!r} in {name}; {nearest(split, splits)}")


def class_files(root: Path, split: str) -> tuple[list[str], list[str]]:
    """The images of a split as paths below `root`, sorted, and the sorted class names of all."""
    if not root.is_dir():
        raise LetheError(f"there is no folder {root}; expected one folder of images a class in it")
    parted = all((root / part).is_dir() for part in SPLITS)
    classes = sorted(path.name for path in folders(root / "train" if parted else root))
    if len(classes) < 2:
        raise LetheError(
            f"{root} holds {len(classes)} class folders; expected at least two, each with images"
        )
    files = list_images(root, [f"{split}/{label}" if parted else label for label in classes])
    if not parted:
        out = held_out(files, [path.split("/")[0] for path in files])
        files = [path for path, test in zip(files, out) if test == (split == "test")]
    return files, classes


def folders(root: Path) -> list[Path]:
    """The visible folders in a folder."""
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def list_images(root: Path, places: Sequence[str]) -> list[str]:
    """The image files of some folders as paths below `root`; LetheError if one has none."""
    files: list[str] = []
    for place in places:
        inside = (root / place).glob("*")
        found = [path.name for path in inside if path.suffix.lower() in SUFFIXES]
        if not found:
            raise LetheError(f"{root / place} holds no image; put some there or remove the class")
        files += [f"{place}/{name}" for name in sorted(found)]
    return files


def from_files(
    name: str,
    root: Path,
    names: Sequence[str],
    labels: Sequence[str],
    classes: Sequence[str],
    pixels: int,
    *,
    ids: Sequence[str] | None = None,
    columns: pd.DataFrame | None = None,
) -> Images:
    """Images of files: `names` are paths below `root`, and the ids unless `ids` are given.

    `columns` (n rows) are kept beside a hash of every decoded image.
    """
    array = decoded(root, names, pixels)
    index = {label: position for position, label in enumerate(classes)}
    extra = pd.DataFrame(index=range(len(names))) if columns is None else columns
    extra = extra.reset_index(drop=True).assign(image_hash=image_hashes(array))
    numbers = np.array([index[label] for label in labels], np.int64)
    return Images(name, array, numbers, list(classes), np.array(ids or names, str), extra)

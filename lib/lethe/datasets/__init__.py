"""Data sets by name: images, labels, stable sample ids and splits, from one root folder each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lethe.datasets.glyphs import load_glyphs
from lethe.datasets.images import Images
from lethe.errors import LetheError, nearest

LOADERS: dict[str, Callable[..., Images]] = {"glyphs": load_glyphs}


def check_name(name: str) -> None:
    """LetheError with the nearest name if there is no such data set."""
    if name not in LOADERS:
        raise LetheError(f"unknown data set {name!r}: {nearest(name, LOADERS)}")


def load(name: str, split: str, pixels: int, root: Path | None = None) -> Images:
    """A split of a data set at `pixels` a side; errors as the data set's own loader."""
    check_name(name)
    return LOADERS[name](root=root, split=split, pixels=pixels)

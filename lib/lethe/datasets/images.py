"""A set of labelled images with stable names: what every data set of this package returns.

Definition: image n has the pixels `pixels[n]`, the class `classes[labels[n]]` and the name
`sample_ids[n]`, which never depends on its position. Cost: the pixels are held in memory.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lethe.errors import LetheError


@dataclass(frozen=True, eq=False)
class Images:
    """Images, labels, stable ids and any other columns, all in one row order.

    Shapes: `pixels` uint8 [n, height, width, channels], `labels` integer [n] (index into
    `classes`), `sample_ids` str [n] (unique), `columns` n rows. Raises LetheError where these
    disagree, where a class has no image (unless this is a `part` of a set), or with fewer than
    two classes.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray
    classes: list[str]
    sample_ids: np.ndarray
    columns: pd.DataFrame
    part: bool = False

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_labels(self)
        _check_ids(self)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 over ids, the labels' class names and pixels, in row order."""
        digest = hashlib.sha256()
        for parts in (self.sample_ids, [self.classes[label] for label in self.labels]):
            digest.update("\n".join(parts).encode() + b"\0")
        digest.update(repr(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()

    def take(self, indices: np.ndarray) -> "Images":
        """Return the rows at these positions (or of a boolean mask [n]), in that order.

        The classes stay the same, so a class may have no image left. Raises LetheError for no
        rows at all, a row twice, or a position outside the set.
        """
        rows = np.asarray(indices)
        if rows.dtype == bool and rows.shape == self.labels.shape:
            rows = np.flatnonzero(rows)
        if rows.ndim != 1 or not rows.size:
            raise LetheError(f"{self.name}: no images taken; give at least one position")
        if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= len(self):
            raise LetheError(
                f"{self.name}: give positions 0..{len(self) - 1}, or {len(self)} booleans"
            )
        columns = self.columns.iloc[rows].reset_index(drop=True)
        arrays = (self.labels[rows], self.classes, self.sample_ids[rows], columns)
        return Images(self.name, self.pixels[rows], *arrays, part=True)


def image_hashes(pixels: np.ndarray) -> list[str]:
    """First 16 hex digits of the sha256 of every image, by which duplicates are found."""
    return [hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()[:16] for image in pixels]


def _check_shapes(images: Images) -> None:
    name, pixels, n = images.name, images.pixels, len(images.labels)
    if pixels.dtype != np.uint8 or pixels.ndim != 4:
        shape = f"{pixels.dtype} {list(pixels.shape)}"
        raise LetheError(f"{name}: pixels are {shape}; give uint8 [n, height, width, channels]")
    if n == 0:
        raise LetheError(f"{name}: no images; give at least one")
    for what, length in (
        ("pixels", len(pixels)),
        ("sample_ids", len(images.sample_ids)),
        ("columns", len(images.columns)),
    ):
        if length != n:
            raise LetheError(f"{name}: {length} rows of {what} for {n} labels; give one per image")


def _check_labels(images: Images) -> None:
    name, labels, k = images.name, images.labels, len(images.classes)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise LetheError(
            f"{name}: labels are {labels.dtype} {list(labels.shape)}; give integers [n]"
        )
    if k < 2:
        raise LetheError(f"{name}: {k} classes; give at least two")
    if len(set(images.classes)) < k:
        raise LetheError(f"{name}: a class name occurs twice; rename one")
    if labels.min() < 0 or labels.max() >= k:
        wrong = labels[(labels < 0) | (labels >= k)][0]
        raise LetheError(
            f"{name}: label {wrong} is outside 0..{k - 1}; correct it or add its class"
        )
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    if len(empty) and not images.part:
        raise LetheError(f"{name}: class {images.classes[empty[0]]!r} has no image; leave it out")


def _check_ids(images: Images) -> None:
    ids = pd.Series(images.sample_ids)
    again = ids[ids.duplicated()]
    if len(again):
        raise LetheError(
            f"{images.name}: sample id {again.iloc[0]!r} occurs twice; make ids unique"
        )

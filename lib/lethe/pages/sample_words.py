"""What a page calls the samples of a record: images, texts, or samples where neither is known.

A record of texts has a column `text`; one of images has their hashes, or ids that are the names of
picture files, or is of a data set that this library reads. Cost: milliseconds.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import xarray as xr

from lethe.datasets import LOADERS

TEXT = "text"  # the column that holds what was read
SHOWN = 240  # characters of a text on a page
MARK = "…"
PICTURE = re.compile(r"\.(png|jpe?g|bmp|gif|tiff?|webp)$", re.I)  # how a picture's file is called


def noun(ds: xr.Dataset) -> str:
    """`text`, `image` or `sample`: what one sample of these traces is."""
    if TEXT in ds.coords:
        return TEXT
    ids, hashes = (
        ds[name].values if name in ds.coords else np.empty(0, str)
        for name in ("sample", "image_hash")
    )
    known = ds.attrs.get("dataset") in LOADERS or any(hashes)
    return "image" if known or PICTURE.search(str(ids[0] if len(ids) else "")) else "sample"


def called(words: str, unit: str) -> str:
    """Words about images, said of another unit: `an image` becomes `a text`."""
    if unit == "image":
        return words
    words = re.sub(r"\b([Aa])n image(?=s?\b)", rf"\1 {unit}", words)
    return re.sub(
        r"\b([iI])mage(?=s?\b)", lambda m: unit if m[1] == "i" else unit.capitalize(), words
    )


def texts(ds: xr.Dataset, rows: Sequence[int] | np.ndarray, most: int = SHOWN) -> list[str]:
    """The texts of the samples in these rows, each as one line; empty where there is none."""
    if TEXT not in ds.coords:
        return [""] * len(rows)
    return [one_line(text, most) for text in ds[TEXT].values[list(rows)]]


def one_line(text: object, most: int = SHOWN) -> str:
    """A text without line breaks and control characters, cut after `most` characters.

    Characters that turn the direction of writing go too: they would reach into what follows.
    """
    given = str(text)[: 8 * most]  # no need to read more of a book
    spaced = "".join(" " if letter.isspace() else letter for letter in given)
    seen = "".join(letter for letter in spaced if _shows(letter))
    words = " ".join(seen.split())
    cut = len(words) > most or len(str(text)) > len(given)
    return words[: most - 1].rstrip() + MARK if cut else words


def _shows(letter: str) -> bool:
    """Whether a character may stand on a page; the two joiners shape emoji and Persian words."""
    return letter in "\u200c\u200d" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")

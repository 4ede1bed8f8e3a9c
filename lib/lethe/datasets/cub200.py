"""CUB-200-2011: 11,788 photographs of 200 bird species (Wah et al. 2011).

Definition (official layout, in `CUB_200_2011`): lines of text, an image's number first:
`images.txt` (path below `images`), `image_class_labels.txt` (class number), `train_test_split.txt`
(1 = train), `bounding_boxes.txt` (x, y, width, height in pixels of the original photograph), and
`classes.txt` (class number, name). The split is the official one, 5,994 and 5,794 images. Boxes are
kept as columns; nothing is cut to them. Cost: one decode, once (`cache`).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lethe.datasets.cache import decoded
from lethe.datasets.class_folders import check_split
from lethe.datasets.images import Images, image_hashes
from lethe.errors import LetheError
from lethe.paths import datasets_folder

NAME = "cub200"
FOLDER = "CUB_200_2011"
BOX = ["box_x", "box_y", "box_width", "box_height"]


def load_cub200(root: Path | None = None, split: str = "train", pixels: int = 224) -> Images:
    """One split of CUB-200-2011: pixels uint8 [n, pixels, pixels, 3], boxes as columns.

    A sample's id is `CLASS/NAME`, its path without suffix. Raises LetheError for an unknown split,
    a missing folder or file, and lists that do not name the same images and classes.
    """
    check_split(NAME, split)
    folder = datasets_folder() / NAME if root is None else Path(root)
    folder = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    table, classes = read_tables(folder)
    rows = table[table.is_train == int(split == "train")].reset_index(drop=True)
    if rows.empty:
        raise LetheError(f"{folder / 'train_test_split.txt'} has no {split} image; fetch it again")
    array = decoded(folder / "images", list(rows.path), pixels)
    labels = rows.label.map({number: n for n, number in enumerate(classes.index)})
    ids = rows.path.str.rsplit(".", n=1).str[0]
    columns = rows[["image", *BOX]].assign(image_hash=image_hashes(array))
    ids, labels = ids.to_numpy(str), labels.to_numpy(np.int64)
    return Images(NAME, array, labels, list(classes.species), ids, columns)


def read_tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All images (image, path, label, is_train, box), and the species by class number."""
    table = _lines(folder / "images.txt", ["path"])
    for name, columns in (
        ("image_class_labels.txt", ["label"]),
        ("train_test_split.txt", ["is_train"]),
        ("bounding_boxes.txt", BOX),
    ):
        other = _lines(folder / name, columns)
        odd = table.index.symmetric_difference(other.index)
        if len(odd):
            raise LetheError(f"image {odd[0]} is not in both images.txt and {name} of {folder}")
        table = table.join(_numbers(other, folder / name))
    classes = _lines(folder / "classes.txt", ["species"])
    _check(table, classes, folder)
    return table.rename_axis("image").reset_index(), classes.rename(int)


def _lines(path: Path, columns: list[str]) -> pd.DataFrame:
    """The lines of an official list as text, by their number; spaces only divide columns."""
    names = ["number", *columns]
    try:
        table = pd.read_csv(
            path, sep=r"\s+", header=None, names=names, dtype=str, index_col=False, quoting=3
        )
    except FileNotFoundError:
        raise LetheError(f"no {path}; get it with `lethe fetch {NAME}` or give --root") from None
    except (OSError, ValueError) as error:
        raise LetheError(f"{path} cannot be read ({str(error).splitlines()[0]})") from None
    if table.isna().to_numpy().any():
        line = int(np.flatnonzero(table.isna().any(axis=1))[0]) + 1
        raise LetheError(f"{path}, line {line}: expected {' '.join(names)}")
    again = table.number[table.number.duplicated()]
    if len(again):
        raise LetheError(f"{path}: number {again.iloc[0]} has two lines; fetch {NAME} again")
    return table.set_index("number")


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    try:
        return table.astype({name: float if name in BOX else int for name in table})
    except ValueError as error:
        raise LetheError(f"{path}: {error}; fetch {NAME} again") from None


def _check(table: pd.DataFrame, classes: pd.DataFrame, folder: Path) -> None:
    unknown = table.path[~table.label.astype(str).isin(classes.index)]
    if len(unknown):
        raise LetheError(f"{unknown.iloc[0]} has a class that is not in {folder / 'classes.txt'}")
    odd = table.path[~table.is_train.isin([0, 1])]
    if len(odd):
        raise LetheError(f"{odd.iloc[0]} is neither 1 nor 0 in {folder / 'train_test_split.txt'}")
    again = table.path[table.path.duplicated()]
    if len(again):
        raise LetheError(f"{again.iloc[0]} has two lines in {folder / 'images.txt'}")

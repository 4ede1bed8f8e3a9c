"""Tiny-ImageNet: photographs of 200 ImageNet classes at 64 pixels, here the pretraining task.

Definition (official layout): `train/WNID/images/*.JPEG`, and `val/images` with the class of every
image in `val/val_annotations.txt`; the official test images have no labels and are not used, so
`test` is `val`. The pretraining splits are the same images. Cost: 100,000 images take a minute to
decode, once.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lethe.datasets.class_folders import check_split, folders, from_files, list_images
from lethe.datasets.images import Images
from lethe.errors import LetheError
from lethe.paths import datasets_folder

NAME = "tiny-imagenet-200"
TRAIN, VALIDATION = ("train", "pretrain"), ("test", "pretrain_test")


def load_tiny_imagenet(root: Path | None = None, split: str = "train", pixels: int = 64) -> Images:
    """One split of Tiny-ImageNet: pixels uint8 [n, pixels, pixels, 3], classes = WordNet ids.

    `root` is the folder that holds `train` and `val`. Raises LetheError for an unknown split and a
    folder that is missing or not in the official layout.
    """
    check_split(NAME, split, TRAIN + VALIDATION)
    folder = datasets_folder() / NAME if root is None else Path(root)
    if not (folder / "train").is_dir():
        raise LetheError(f"no {folder / 'train'}; get it with `lethe fetch {NAME}` or give --root")
    classes = sorted(path.name for path in folders(folder / "train"))
    if split in TRAIN:
        names = list_images(folder, [f"train/{label}/images" for label in classes])
        labels = [name.split("/")[1] for name in names]
    else:
        names, labels = validation(folder, classes)
    return from_files(NAME, folder, names, labels, classes, pixels)


def validation(folder: Path, classes: list[str]) -> tuple[list[str], list[str]]:
    """The validation images and their classes, in the order of their names."""
    file = folder / "val" / "val_annotations.txt"
    if not file.is_file():
        raise LetheError(f"no {file}; get it again with `lethe fetch {NAME}`")
    table = pd.read_csv(file, sep="\t", header=None, usecols=[0, 1], names=["file", "label"])
    unknown = table.label[~table.label.isin(classes)]
    if len(unknown):
        raise LetheError(f"{file} names class {unknown.iloc[0]}, which has no folder in train")
    table = table.sort_values("file")
    return [f"val/images/{name}" for name in table.file], list(table.label)

"""CIFAR-10, and `cifar7`: photographs with the class sizes of OCTDL.

Definitions: `cifar10` is read from the official binary files (`data_batch_1.bin` ...) or from class
folders (`train/airplane/0000.jpg` ...); the n-th image of a class is `train/CLASS/NNNN` in both.
`cifar7` keeps the first seven classes, each cut to the size of OCTDL's class of that place, and 200
test images of each; which ones, is decided by the hash of their ids, the same for everybody.
Cost: seconds, once.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lethe.datasets.class_folders import check_split, class_files, from_files
from lethe.datasets.images import Images, image_hashes
from lethe.errors import LetheError
from lethe.paths import datasets_folder

CLASSES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]
# OCTDL's classes AMD, DME, ERM, NO, RAO, RVO, VID and their sizes (Kulyabin et al. 2024)
OCTDL_COUNTS = (1231, 147, 155, 332, 22, 101, 76)
TEST_IMAGES = 200  # of each class
BATCHES = {"train": [f"data_batch_{n}.bin" for n in range(1, 6)], "test": ["test_batch.bin"]}
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE


def load_cifar10(root: Path | None = None, split: str = "train", pixels: int = 32) -> Images:
    """One split of CIFAR-10: pixels uint8 [n, pixels, pixels, 3], classes in the official order.

    Raises LetheError for an unknown split and a folder in neither layout.
    """
    check_split("cifar10", split)
    folder = datasets_folder() / "cifar10" if root is None else Path(root)
    for place in (folder, folder / "cifar-10-batches-bin"):
        if (place / BATCHES["train"][0]).is_file():
            return from_batches(place, split, pixels)
    if (folder / "train").is_dir():
        return from_class_folders(folder, split, pixels)
    raise LetheError(
        f"no CIFAR-10 in {folder}; get it with `lethe fetch cifar10` or give --root, a folder with "
        "data_batch_1.bin or train/airplane"
    )


def from_class_folders(folder: Path, split: str, pixels: int) -> Images:
    """CIFAR-10 as `SPLIT/CLASS/NNNN.jpg`."""
    names, found = class_files(folder, split)
    if found != CLASSES:
        odd = sorted(set(found) ^ set(CLASSES))[0]
        raise LetheError(f"{folder} is not CIFAR-10: see the class {odd!r}")
    labels, ids = [name.split("/")[1] for name in names], [name.split(".")[0] for name in names]
    return from_files("cifar10", folder, names, labels, CLASSES, pixels, ids=ids)


def from_batches(folder: Path, split: str, pixels: int) -> Images:
    """CIFAR-10 as the official binary files: a label byte, then 32 x 32 of red, green, blue."""
    records = np.concatenate([read_batch(folder / name) for name in BATCHES[split]])
    labels = records[:, 0].astype(np.int64)
    turn = pd.Series(labels).groupby(labels).cumcount()
    ids = np.array([f"{split}/{CLASSES[label]}/{n:04d}" for label, n in zip(labels, turn)])
    array = records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    if pixels != SIDE:
        array = np.stack([resized(image, pixels) for image in array])
    columns = pd.DataFrame({"image_hash": image_hashes(array)})
    return Images("cifar10", np.ascontiguousarray(array), labels, CLASSES, ids, columns)


def read_batch(file: Path) -> np.ndarray:
    """One binary file as records uint8 [n, 3073]."""
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise LetheError(f"{file} cannot be read ({error.strerror}); fetch cifar10 again") from None
    if not data.size or data.size % RECORD or data[::RECORD].max() >= len(CLASSES):
        raise LetheError(f"{file} is not a whole CIFAR-10 file; fetch cifar10 again")
    return data.reshape(-1, RECORD)


def resized(image: np.ndarray, pixels: int) -> np.ndarray:
    """An image at another side length, bicubic."""
    return np.asarray(Image.fromarray(image).resize((pixels, pixels), Image.Resampling.BICUBIC))


def load_cifar7(root: Path | None = None, split: str = "train", pixels: int = 32) -> Images:
    """One split of cifar7; `root` is the folder of CIFAR-10. Errors as `load_cifar10`."""
    whole = load_cifar10(root, split, pixels)
    counts = OCTDL_COUNTS if split == "train" else (TEST_IMAGES,) * len(OCTDL_COUNTS)
    drawn = np.array(
        [hashlib.blake2b(f"cifar7 {name}".encode()).hexdigest() for name in whole.sample_ids]
    )
    rows = []
    for label, count in enumerate(counts):
        of_class = np.flatnonzero(whole.labels == label)
        if len(of_class) < count:
            raise LetheError(
                f"cifar7 needs {count} images of {CLASSES[label]}, {len(of_class)} are in {split}"
            )
        rows.append(of_class[np.argsort(drawn[of_class])[:count]])
    part = whole.take(np.sort(np.concatenate(rows)))
    classes = CLASSES[: len(OCTDL_COUNTS)]
    return Images("cifar7", part.pixels, part.labels, classes, part.sample_ids, part.columns)

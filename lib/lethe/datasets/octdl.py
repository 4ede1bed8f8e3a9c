"""OCTDL: 2,064 optical coherence tomography scans of the retina, 7 classes (Kulyabin et al. 2024).

Definition (official layout): `OCTDL/CLASS/NAME.jpg`, and `OCTDL_labels.csv` with a row per image:
file_name (without suffix), disease, subcategory, condition, patient_id, eye, sex, year,
image_width, image_hight; 0 stands for an unknown eye, sex or year. There is no official split:
patients are held out as a whole (`splits.held_out`, a fifth of every class), by the hash of their
number, the same for everybody. A scan is about 2.7 times as wide as high; the whole of it is
squeezed to the square, as in its authors' own training code, since the central square would lose
two thirds. Cost: one decode, once (`cache`).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lethe.datasets.cache import decoded
from lethe.datasets.class_folders import check_split
from lethe.datasets.images import Images, image_hashes
from lethe.datasets.splits import held_out
from lethe.errors import LetheError, nearest
from lethe.paths import datasets_folder

NAME = "octdl"
CLASSES = ["AMD", "DME", "ERM", "NO", "RAO", "RVO", "VID"]
LABELS = "OCTDL_labels.csv"
NEEDED = ("file_name", "disease", "patient_id")


def load_octdl(root: Path | None = None, split: str = "train", pixels: int = 224) -> Images:
    """One split of OCTDL: pixels uint8 [n, pixels, pixels, 3], columns of `OCTDL_labels.csv`.

    A sample's id is `CLASS/NAME`. Raises LetheError for an unknown split, a missing folder or
    table, a row without file, a file without row, an unknown class, a row twice and a row without
    patient number.
    """
    check_split(NAME, split)
    folder = datasets_folder() / NAME if root is None else Path(root)
    table, images = read_labels(folder), images_folder(folder)
    _compare(table, images)
    test = held_out(table.sample_id, table.disease, groups=table.patient_id)
    rows = table[test == (split == "test")].reset_index(drop=True)
    array = decoded(images, [f"{name}.jpg" for name in rows.sample_id], pixels, squeeze=True)
    labels = np.array([CLASSES.index(disease) for disease in rows.disease], np.int64)
    columns = rows.drop(columns="sample_id").assign(image_hash=image_hashes(array))
    return Images(NAME, array, labels, CLASSES, rows.sample_id.to_numpy(str), columns)


def images_folder(folder: Path) -> Path:
    """Where the class folders lie: `OCTDL` in the data set's folder, or that folder itself."""
    for place in (folder / "OCTDL", folder):
        if (place / CLASSES[0]).is_dir():
            return place
    raise LetheError(
        f"no {folder / 'OCTDL' / CLASSES[0]}; get it with `lethe fetch octdl` or give --root"
    )


def read_labels(folder: Path) -> pd.DataFrame:
    """The table of labels with a column `sample_id`, sorted by it; every column is text."""
    path = folder / LABELS
    if not path.exists():
        path = folder / "OCTDL" / LABELS
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise LetheError(f"no {folder / LABELS}; get it with `lethe fetch octdl`") from None
    except (OSError, ValueError) as error:
        raise LetheError(f"{path} cannot be read ({str(error).splitlines()[0]})") from None
    for column in NEEDED:
        if column not in table:
            raise LetheError(f"{path} has no column {column!r}: {nearest(column, table.columns)}")
    table = table.assign(file_name=table.file_name.str.removesuffix(".jpg"))
    _check_rows(table, path)
    table = table.assign(sample_id=table.disease + "/" + table.file_name)
    return table.sort_values("sample_id").reset_index(drop=True)


def _check_rows(table: pd.DataFrame, path: Path) -> None:
    unknown = table[~table.disease.isin(CLASSES)]
    if len(unknown):
        row = unknown.iloc[0]
        known = nearest(row.disease, CLASSES)
        raise LetheError(f"{path}: {row.file_name} has the class {row.disease!r}; {known}")
    again = table.file_name[table.file_name.duplicated()]
    if len(again):
        raise LetheError(f"{path}: {again.iloc[0]!r} has two rows; remove one")
    # an unknown patient may be one of the others, so nobody can say on which side the image belongs
    lost = table.file_name[table.patient_id.str.strip().isin(["", "0"])]
    if len(lost):
        raise LetheError(f"{path}: {lost.iloc[0]!r} has no patient_id; give one or remove the row")


def _compare(table: pd.DataFrame, images: Path) -> None:
    """LetheError unless rows and image files are the same set."""
    files = {f"{path.parent.name}/{path.stem}" for path in images.glob("*/[!.]*.jpg")}
    listed = set(table.sample_id)
    if listed - files:
        lost = sorted(listed - files)[0]
        raise LetheError(f"{images / lost}.jpg is in {LABELS} but not there; fetch octdl again")
    if files - listed:
        extra = sorted(files - listed)[0]
        raise LetheError(f"{images / extra}.jpg has no row in {LABELS}; remove it or add its row")

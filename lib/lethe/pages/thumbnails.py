"""Thumbnails: the few images of a data set that its page shows, where the set cannot be shipped.

Definition: up to 48 images with the most forgetting events and 48 that no run ever forgot, over
all runs of all stores of the data set; one PNG sheet, 12 tiles a row, and a CSV with one
`sample_id,label` a tile, in `data/thumbnails`. Cost: 96 tiles of 32 pixels are about 250 kB.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from lethe import traces
from lethe.analysis import scores
from lethe.datasets import load
from lethe.datasets.images import Images
from lethe.errors import LetheError, nearest
from lethe.paths import data_folder

COUNT = 48  # of each kind
PER_ROW = 12
SIDE = 32  # pixels of a tile


def lives(stores: Sequence[xr.Dataset]) -> pd.DataFrame:
    """Sum up every run of some stores: one row a sample id, `events` and `never_forgotten`.

    `events`: mean number of forgetting events over the runs in which the image was learned, NaN if
    in none. `never_forgotten`: learned in every run, and without an event in all of them.
    Raises LetheError when the stores hold different images.
    """
    ids = stores[0]["sample"].values
    matched = [traces.match_samples(ds, ids) for ds in stores]
    events = np.concatenate([scores.forgetting_events(traces.correct(ds).values) for ds in matched])
    known = ~np.isnan(events)
    mean = np.nansum(events, axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    steady = known.all(axis=0) & (np.nansum(events, axis=0) == 0)
    return pd.DataFrame({"events": mean, "never_forgotten": steady}, index=ids)


def choose(table: pd.DataFrame, count: int = COUNT, random_seed: int = 0) -> list[str]:
    """The ids of the `count` most forgotten images, then of up to `count` never forgotten ones.

    `table` as from `lives`; ties, and the choice among the never forgotten, are drawn at random.
    """
    mixed = table.sample(frac=1, random_state=random_seed)
    most = mixed[mixed["events"] > 0].nlargest(count, "events", keep="first")
    return [*most.index, *mixed[mixed["never_forgotten"]].index[:count]]


def write_thumbnails(
    images: Images,
    stores: Sequence[xr.Dataset],
    folder: Path | None = None,
    count: int = COUNT,
) -> Path:
    """Write the sheet and the table of the images that the stores choose; returns the sheet.

    `images`: the training split, at the size of the tiles. Raises LetheError when an image of the
    stores is not among them, or the folder cannot be written.
    """
    ids = choose(lives(stores), count)
    place = pd.Series(np.arange(len(images)), index=images.sample_ids)
    for name in ids:
        if name not in place:
            raise LetheError(f"{images.name} has no image {name!r}; {nearest(name, place.index)}")
    rows = place[ids].to_numpy()
    path = _path(images.name, folder)
    labels = [images.classes[label] for label in images.labels[rows]]
    table = pd.DataFrame({"sample_id": ids, "label": labels})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sheet(images.pixels[rows]).save(path, "PNG", optimize=True)
        table.to_csv(path.with_suffix(".csv"), index=False, lineterminator="\n")
    except OSError as error:
        raise LetheError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def keep_thumbnails(dataset: str, root: Path | None = None) -> Path:
    """`write_thumbnails` for a data set by name, from its stores in the traces folder.

    `root`: where its images are, if not in the usual place. Raises LetheError when it has no
    stores, and as its loader does.
    """
    names = [name for name in traces.list_traces() if name.rsplit("-", 2)[0] == dataset]
    if not names:
        known = {name.rsplit("-", 2)[0] for name in traces.list_traces()}
        raise LetheError(f"no traces of {dataset!r}; {nearest(dataset, known)}")
    images = load(dataset, "train", SIDE, root)
    stores = [traces.open_traces(name) for name in names]
    plain = [ds for ds in stores if ds.attrs["view"] == "eval" and "label_noise" not in ds.coords]
    return write_thumbnails(images, plain or stores)


def read_thumbnails(dataset: str, folder: Path | None = None) -> dict[str, np.ndarray]:
    """The thumbnails of a data set by sample id, uint8 [h, w, channels]; empty if there are none.

    Raises LetheError when the sheet and its table do not fit together.
    """
    path = _path(dataset, folder)
    if not path.is_file() or not path.with_suffix(".csv").is_file():
        return {}
    ids = pd.read_csv(path.with_suffix(".csv"), dtype=str, keep_default_na=False)["sample_id"]
    sheet = np.asarray(Image.open(path))
    sheet = sheet if sheet.ndim == 3 else sheet[..., None]
    side, rows = sheet.shape[1] // PER_ROW, -(-len(ids) // PER_ROW)
    if sheet.shape[:2] != (rows * side, PER_ROW * side):
        size = " x ".join(map(str, sheet.shape[1::-1]))
        raise LetheError(f"{path} of {size} pixels does not hold {len(ids)} tiles; write it again")
    places = (divmod(number, PER_ROW) for number in range(len(ids)))
    cut = (sheet[side * r : side * (r + 1), side * c : side * (c + 1)] for r, c in places)
    return dict(zip(ids, cut, strict=True))


def _path(dataset: str, folder: Path | None) -> Path:
    return (folder or data_folder() / "thumbnails") / f"{dataset}.png"


def _sheet(tiles: np.ndarray) -> Image.Image:
    """Tiles [n, side, side, channels] in rows of PER_ROW, black after the last."""
    n, side, _, channels = tiles.shape
    rows = -(-n // PER_ROW)
    padded = np.zeros((rows * PER_ROW, side, side, channels), np.uint8)
    padded[:n] = tiles
    grid = padded.reshape(rows, PER_ROW, side, side, channels).swapaxes(1, 2)
    return Image.fromarray(grid.reshape(rows * side, PER_ROW * side, channels).squeeze())

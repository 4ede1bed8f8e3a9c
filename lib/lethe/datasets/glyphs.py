"""Read the `glyphs` data set: letters and digits drawn in free typefaces.

Definition: splits `train` and `test` are the 62 characters A-Z a-z 0-9 (the Latin task), one style
per family, no family in both; `pretrain` and `pretrain_test` are letters of other scripts from
families that the Latin task does not use. White ink on black, 16 greys, stored at 64 x 64; 32 x 32
is the mean of each 2 x 2 block, rounded half up: (a + b + c + d + 2) // 4. Every image is compared
with its hash. Cost: half a second and 25 MB for `train` at 64 pixels.
"""

import hashlib
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lethe.datasets.images import Images
from lethe.errors import LetheError, nearest
from lethe.paths import data_folder, why_missing

SPLITS = ("train", "test", "pretrain", "pretrain_test")
SIZES = (32, 64)
_LATIN, _OTHER = SPLITS[:2], SPLITS[2:]
_TASKS = dict.fromkeys(_LATIN, _LATIN) | dict.fromkeys(_OTHER, _OTHER)
_SIDE = 64
_RESTORE = "restore it with `git checkout data/glyphs` or `lethe data build-glyphs`"


def load_glyphs(root: Path | None = None, split: str = "train", pixels: int = 32) -> Images:
    """Load one split of the glyphs.

    Returns Images with pixels uint8 [n, pixels, pixels, 1], labels int64 [n], classes = the
    characters in code point order, and the table's other columns. `root` is the folder that holds
    `samples.csv.gz`; by default `glyphs` in the folder LETHE_DATA or in the repository's `data`.
    Raises LetheError for an unknown split or size, and for a table or sheet that is missing or
    damaged.
    """
    if split not in SPLITS:
        raise LetheError(f"no split {split!r} in glyphs; {nearest(str(split), SPLITS)}")
    if pixels not in SIZES:
        sizes = map(str, SIZES)
        raise LetheError(f"no glyphs of {pixels} pixels; {nearest(str(pixels), sizes)}")
    folder = default_root() if root is None else Path(root)
    table = _read_table(folder)
    rows = table[table.split == split].reset_index(drop=True)
    if rows.empty:
        raise LetheError(f"split {split!r} is empty in {folder / 'samples.csv.gz'}; {_RESTORE}")
    stored = _read_tiles(folder, rows)
    classes = sorted(set(table.label[table.split.isin(_TASKS[split])]))
    labels = rows.label.map({label: n for n, label in enumerate(classes)}).to_numpy(np.int64)
    images = stored if pixels == _SIDE else halve(stored)
    ids = rows.sample_id.to_numpy(str)
    return Images("glyphs", images[..., None], labels, classes, ids, rows.drop(columns="sample_id"))


def default_root() -> Path:
    """The folder of the data set: LETHE_DATA/glyphs, or data/glyphs of a source checkout."""
    return data_folder() / "glyphs"


def halve(images: np.ndarray) -> np.ndarray:
    """Mean of each 2 x 2 block of uint8 [n, h, w], rounded half up: (a + b + c + d + 2) // 4."""
    wide = images.astype(np.uint16)
    total = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def _read_table(folder: Path) -> pd.DataFrame:
    path = folder / "samples.csv.gz"
    kinds = defaultdict(lambda: str, tile=np.int64, is_symbol_font=bool)
    try:
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False)
    except FileNotFoundError:
        how = why_missing() or f"; {_RESTORE}, or set LETHE_DATA"
        raise LetheError(f"no {path}{how}") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise LetheError(f"{path} cannot be read ({reason}); {_RESTORE}") from None
    lacking = {"sample_id", "label", "split", "sheet", "tile", "image_hash"} - set(table.columns)
    if lacking:
        raise LetheError(f"{path} has no column {sorted(lacking)[0]!r}; {_RESTORE}")
    return table


def _read_tiles(folder: Path, rows: pd.DataFrame) -> np.ndarray:
    """Cut the tiles of these rows from their sheets: uint8 [n, 64, 64]."""
    images = np.empty((len(rows), _SIDE, _SIDE), np.uint8)
    for name, used in rows.groupby("sheet"):
        tiles = _read_sheet(folder / str(name))
        if used.tile.min() < 0 or used.tile.max() >= len(tiles):
            raise LetheError(f"sheet {folder / str(name)} has too few tiles; {_RESTORE}")
        images[used.index.to_numpy()] = tiles[used.tile.to_numpy()]
    found = [hashlib.sha256(image.data).hexdigest()[:16] for image in images]
    wrong = np.flatnonzero(rows.image_hash != found)
    if len(wrong):
        sheet, sample = rows.sheet[wrong[0]], rows.sample_id[wrong[0]]
        raise LetheError(f"sheet {folder / sheet}: {sample} is not the listed image; {_RESTORE}")
    return images


def _read_sheet(path: Path) -> np.ndarray:
    """Read one PNG sheet as its tiles, row by row: uint8 [tiles, 64, 64]."""
    try:
        with Image.open(path) as picture:
            sheet = np.asarray(picture.convert("L"))
    except FileNotFoundError:
        raise LetheError(f"no sheet {path}; {_RESTORE}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LetheError(f"sheet {path} is not a whole PNG ({error}); {_RESTORE}") from None
    down, across = sheet.shape[0] // _SIDE, sheet.shape[1] // _SIDE
    if (down * _SIDE, across * _SIDE) != sheet.shape:
        raise LetheError(f"sheet {path} is not made of 64-pixel tiles; {_RESTORE}")
    return sheet.reshape(down, _SIDE, across, _SIDE).swapaxes(1, 2).reshape(-1, _SIDE, _SIDE)

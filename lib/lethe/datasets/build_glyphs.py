"""Build the folder `data/glyphs` from the fonts of Debian packages.

Definition: the fonts and styles are those of `fonts.csv`. Latin: families ordered by sha256 of
"lethe-glyphs-split-1/" + family; the first 100 are `train`, the rest `test`. Other scripts: for
each character, families ordered by sha256 of "lethe-glyphs-pretrain-1/" + character + "/" +
family; the first tenth (rounded, at least one) is `pretrain_test`, the rest `pretrain`. The same
fonts and library versions give the same bytes. Cost: half a minute on one core, with the fonts at
hand.
"""

import gzip
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from lethe.datasets.glyph_fonts import LISTS, fetch_fonts, read_recipe
from lethe.datasets.glyph_render import GREYS, LATIN, SCRIPTS, SIDE, draw_typeface
from lethe.datasets.glyphs import default_root
from lethe.errors import LetheError

TRAIN_FAMILIES = 100
TILES_PER_ROW = 16
COLUMNS = [
    *("sample_id", "label", "split", "family", "style", "script", "package", "package_version"),
    *("licence", "sheet", "tile", "image_hash", "identical_to", "is_symbol_font"),
]
_LICENCES = """# Licences of the typefaces

The sheets hold pictures of letters drawn from the typefaces below, each from the named version of a
Debian 12 package of the main archive (free by Debian's guidelines). Licence and copyright are as
declared in the package's `debian/copyright` for the font files, shortened; the full text is in the
package. No font file is in this repository. The pictures of a typeface are passed on under that
typeface's licence; where it asks for attribution or share-alike (CC-BY, CC-BY-SA), this list is the
attribution, and the pictures stay under it. Written by `lethe data build-glyphs`.

| package | version | families | licence | copyright |
|---|---|---|---|---|
"""


def build_glyphs(out: Path, fonts: Path) -> pd.DataFrame:
    """Draw every sheet and write the table and the licence list of the folder `out`.

    The lists are those in `out`, or else the shipped ones; `fonts` is a scratch folder, into which
    missing packages are fetched. Returns the table. Raises LetheError, before anything is
    written, where a list or font is missing, or a Latin font lacks a character.
    """
    home = out if (out / LISTS[0]).is_file() else default_root()
    recipe, packages = read_recipe(home)
    fetch_fonts(packages, fonts)
    sheets = draw_sheets(recipe, fonts)
    rows = [t | {"sheet": s, "tile": n} for s, tiles in sheets.items() for n, t in enumerate(tiles)]
    table = finish_table(pd.DataFrame(rows).drop(columns="image"), packages)
    _write(out, home, sheets, table, packages)
    return table


def draw_sheets(recipe: pd.DataFrame, fonts: Path) -> dict[str, list[dict]]:
    """Draw all font files: for each sheet's name its tiles, dicts of an image and its columns."""
    splits = split_families(recipe.loc[recipe.task == "latin", "family"])
    sheets: dict[str, list[dict]] = {}
    for (task, family), faces in recipe.groupby(["task", "family"], sort=True):
        known = splits if task == "latin" else {}
        tiles = [tile for face in faces.itertuples() for tile in _tiles(face, fonts, known)]
        name = f"sheets/{task}-{_slug(family)}.png"
        if name in sheets:
            raise LetheError(f"two families share the sheet {name}; rename one in fonts.csv")
        sheets[name] = _without_repeats(tiles) if task == "pretrain" else tiles
    return sheets


def split_families(families: pd.Series) -> dict[str, str]:
    """Order the families by a salted hash; the first TRAIN_FAMILIES train, the others test."""
    order = sorted(set(families), key=lambda family: _digest("lethe-glyphs-split-1", family))
    return {f: "train" if n < TRAIN_FAMILIES else "test" for n, f in enumerate(order)}


def hold_out(pairs: pd.DataFrame) -> pd.Series:
    """Mark, for each label, a tenth of its families (at least one) by a salted hash of both.

    `pairs` has the columns label and family. Returns booleans, one per row; every style of a marked
    family is marked.
    """
    names = pairs.label + "/" + pairs.family
    order = names.map(lambda name: _digest("lethe-glyphs-pretrain-1", name))
    rank = order.groupby(pairs.label).rank(method="dense")
    count = pairs.groupby("label").family.transform("nunique")
    return rank <= (count / 10).round().clip(lower=1)


def identical_labels(table: pd.DataFrame) -> pd.Series:
    """For each row, the other labels that have a bit-identical image in the same split."""
    labels = table.groupby(["split", "image_hash"]).label.agg(lambda group: sorted(set(group)))
    shared = labels[labels.map(len) > 1].to_dict()
    keys = zip(table.split, table.image_hash, table.label, strict=True)
    others = [" ".join(x for x in shared.get((s, h), []) if x != label) for s, h, label in keys]
    return pd.Series(others, index=table.index, dtype=str)


def finish_table(table: pd.DataFrame, packages: pd.DataFrame) -> pd.DataFrame:
    """Add what needs all rows or the packages: pretraining split, licences, identical images."""
    others = table[table.split == "pretrain"]
    table.loc[others.index[hold_out(others)], "split"] = "pretrain_test"
    table["package_version"] = table.package.map(packages.package_version)
    table["licence"] = table.package.map(packages.licence)
    table["identical_to"] = identical_labels(table)
    repeated = table.sample_id[table.sample_id.duplicated()]
    if len(repeated):
        raise LetheError(f"sample id {repeated.iloc[0]} occurs twice; fix its line in fonts.csv")
    return table[COLUMNS].sort_values("sample_id", kind="stable").reset_index(drop=True)


def write_sheet(path: Path, images: list[np.ndarray]) -> None:
    """Write images as the tiles of one 16-grey PNG, 16 to a row, row by row."""
    rows = -(-len(images) // TILES_PER_ROW)
    sheet = np.zeros((rows * SIDE, TILES_PER_ROW * SIDE), np.uint8)
    for n, image in enumerate(images):
        top, left = n // TILES_PER_ROW * SIDE, n % TILES_PER_ROW * SIDE
        sheet[top : top + SIDE, left : left + SIDE] = image // 17
    picture = Image.frombytes("P", sheet.shape[::-1], sheet.tobytes())
    picture.putpalette([grey * 17 for grey in range(GREYS) for _ in range(3)])
    picture.save(path, bits=4, optimize=True)


def licence_list(packages: pd.DataFrame, table: pd.DataFrame) -> str:
    """The licence list as Markdown: package, version, families, licence, copyright holders."""
    lines = []
    for package, used in table.groupby("package"):
        entry = packages.loc[package]
        families = ", ".join(sorted(set(used.family)))
        cells = [package, entry.package_version, families, entry.licence, entry.copyright]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return _LICENCES + "\n".join(lines) + "\n"


def _write(
    out: Path, home: Path, sheets: dict, table: pd.DataFrame, packages: pd.DataFrame
) -> None:
    shutil.rmtree(out / "sheets", ignore_errors=True)
    (out / "sheets").mkdir(parents=True)
    for name, tiles in sheets.items():
        write_sheet(out / name, [tile["image"] for tile in tiles])
    with gzip.GzipFile(out / "samples.csv.gz", "wb", compresslevel=9, mtime=0) as stream:
        stream.write(table.to_csv(index=False, lineterminator="\n").encode())
    (out / "LICENCES.md").write_text(licence_list(packages, table), encoding="utf-8")
    if home != out:
        for name in LISTS:
            shutil.copyfile(home / name, out / name)


def _tiles(face: Any, fonts: Path, splits: dict[str, str]) -> list[dict]:
    """Draw one font file: a dict per character with its image and columns."""
    path = fonts / face.package / face.path
    if not path.is_file():
        raise LetheError(f"no font {path}; delete {fonts / face.package} to fetch it again")
    tiles = []
    for script in face.scripts.split():
        wanted = LATIN if script == "Latin" else SCRIPTS[script]
        drawn = draw_typeface(path, wanted)
        if script == "Latin" and len(drawn) < len(wanted):
            lacking = "".join(c for c in wanted if c not in drawn)
            raise LetheError(f"family {face.family} lacks {lacking}; take it out of fonts.csv")
        tiles += [_tile(face, script, c, image, splits) for c, image in drawn.items()]
    return tiles


def _tile(
    face: Any, script: str, character: str, image: np.ndarray, splits: dict[str, str]
) -> dict:
    letters = face.symbols == "letters" and character.isalpha()
    return {
        "sample_id": f"{face.family}/{face.style}/U+{ord(character):04X}",
        "label": character,
        "split": splits.get(face.family, "pretrain"),
        "family": face.family,
        "style": face.style,
        "script": script,
        "package": face.package,
        "image_hash": hashlib.sha256(image.tobytes()).hexdigest()[:16],
        "is_symbol_font": face.symbols == "all" or letters,
        "image": image,
    }


def _without_repeats(tiles: list[dict]) -> list[dict]:
    """Drop a family's second, bit-identical drawing of a character (a Bold that is not bold)."""
    first = {(tile["label"], tile["image_hash"]): n for n, tile in reversed(list(enumerate(tiles)))}
    return [tiles[n] for n in sorted(first.values())]


def _slug(family: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in family.lower())
    return "-".join(part for part in kept.split("-") if part) or _digest("slug", family)[:8]


def _digest(salt: str, name: str) -> str:
    return hashlib.sha256(f"{salt}/{name}".encode()).hexdigest()

"""A data set of the user's own as a CSV: one row per image, with `path` and `label`.

Definition: a path is relative to the CSV's folder (or absolute) and is the sample's id; classes are
the labels in sorted order; a column `split` says `train` or `test`. Without it a fifth of every
class is held out by the hash of the ids (`splits.held_out`); with a column `group` (a patient, a
photo series) groups stay together. All further columns are kept. Cost: one decode, once (`cache`).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lethe.datasets.class_folders import check_split, from_files
from lethe.datasets.images import Images
from lethe.datasets.splits import held_out
from lethe.errors import LetheError, nearest

SPLITS = ("train", "test")


def load_table(csv: Path, split: str, pixels: int, name: str = "") -> Images:
    """One split of the images listed in a CSV: pixels uint8 [n, pixels, pixels, 3].

    Raises LetheError for a CSV that cannot be read, a missing column or file, an empty path or
    label, a path twice, an unknown split, and fewer than two classes.
    """
    name = name or csv.stem
    check_split(name, split)
    table = read_table(csv)
    rows = table[table.split == split].reset_index(drop=True)
    if rows.empty:
        raise LetheError(f"{csv}: no row of the split {split!r}; name some, or drop the column")
    classes = sorted(set(table.label))
    columns = rows.drop(columns=["path", "label", "split"])
    return from_files(
        name, csv.parent, list(rows.path), list(rows.label), classes, pixels, columns=columns
    )


def read_table(csv: Path) -> pd.DataFrame:
    """The rows as text, with `split` filled in, sorted by path."""
    try:
        table = pd.read_csv(csv, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError:
        raise LetheError(f"no file {csv}; give a CSV with the columns path and label") from None
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LetheError(f"{csv} cannot be read ({reason}); expected path,label") from None
    _check_columns(table, csv)
    _check_rows(table, csv)
    table = table.sort_values("path").reset_index(drop=True)
    if "split" not in table:
        test = held_out(table.path, table.label, table.get("group"))
        table = table.assign(split=np.where(test, "test", "train"))
    return table


def _check_columns(table: pd.DataFrame, csv: Path) -> None:
    for column in ("path", "label"):
        if column not in table:
            raise LetheError(f"{csv} has no column {column!r}: {nearest(column, table.columns)}")
    if table.empty:
        raise LetheError(f"{csv} has no rows; give one per image")


def _check_rows(table: pd.DataFrame, csv: Path) -> None:
    """LetheError with the line of the first row that cannot be used."""
    for column in ("path", "label"):
        empty = np.flatnonzero(table[column].str.strip() == "")
        if len(empty):
            raise LetheError(f"{csv}, line {empty[0] + 2}: the {column} is empty; fill it in")
    again = np.flatnonzero(table.path.duplicated())
    if len(again):
        raise LetheError(f"{csv}, line {again[0] + 2}: {table.path[again[0]]!r} is there twice")
    lost = [n for n, path in enumerate(table.path) if not (csv.parent / path).is_file()]
    if lost:
        raise LetheError(f"{csv}, line {lost[0] + 2}: no file {csv.parent / table.path[lost[0]]}")
    known = table.split.isin(SPLITS) if "split" in table else np.ones(len(table), bool)
    odd = np.flatnonzero(~known)
    if len(odd):
        value = table.split[odd[0]]
        raise LetheError(f"{csv}, line {odd[0] + 2}: split {value!r}; {nearest(value, SPLITS)}")

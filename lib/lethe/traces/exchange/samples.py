"""The table of samples beside a log: labels that the log lacks, and columns to keep.

CSV or Parquet with `sample_id`, and `label` and any others as wanted. Cost: it is read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lethe.errors import LetheError
from lethe.traces.checks import check_column_name
from lethe.traces.epoch_files import check_ids


def read_samples(path: Path) -> pd.DataFrame:
    """Read the table, ids and labels as text; LetheError if it cannot be read or ids repeat."""
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, dtype={"sample_id": str, "label": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise LetheError(f"the table of samples {path} cannot be read ({reason})") from None
    if "sample_id" not in table:
        raise LetheError(f"{path} has no column 'sample_id'; it has {list(table.columns)}")
    try:
        check_ids(table["sample_id"])
    except LetheError as error:
        raise LetheError(f"{path}: {error}") from None
    return table


def match(table: pd.DataFrame, samples: Sequence[str]) -> pd.DataFrame:
    """The rows of the samples of a log, in the order of the table, with their ids as index.

    Raises LetheError if a sample has no row. Rows of other samples are left out.
    """
    for name in table.columns.drop(["sample_id", "label", "image_hash"], errors="ignore"):
        check_column_name(str(name))
    indexed = table.set_index(table["sample_id"].astype(str)).drop(columns="sample_id")
    lacking = pd.Index(samples).difference(indexed.index)
    if len(lacking):
        raise LetheError(
            f"{len(lacking)} samples of the log are not in the table of samples, "
            f"e.g. {lacking[0]!r}; the table has ids such as {indexed.index[0]!r}"
        )
    matched = indexed[indexed.index.isin(list(samples))]
    return matched.assign(label=matched["label"].astype(str)) if "label" in matched else matched


def in_order(samples: Sequence[str]) -> list[str]:
    """The ids of a log without a table in an order of their own: numbers by size, others as text.

    The order of the rows is that of one shuffled epoch, so it would mean nothing.
    """
    if all(name.isdecimal() for name in samples):
        return sorted(samples, key=lambda name: (int(name), name))
    return sorted(samples)

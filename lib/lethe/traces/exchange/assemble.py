"""Gathered rows as a Dataset of traces: every cell filled once, what has no row stays missing.

Train-view epochs count from 1 and eval-view epochs from 0, whatever the files call the first.
Cost: 8 bytes a cell for the check that no cell is filled twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lethe.errors import LetheError, nearest
from lethe.traces.checks import FLOATS, MISSING
from lethe.traces.exchange.rows import NOT_RIGHT, RIGHT, UNKNOWN, WRONG, Rows
from lethe.traces.exchange.samples import in_order
from lethe.traces.schema import from_arrays

NUMBER = re.compile(r"([0-9]+)(\.0)?")  # a class index; pandas writes 3.0 where a column has gaps


def assemble(
    rows: Rows,
    view: str,
    first_epoch: int | None = None,
    classes: Sequence[str] | None = None,
    samples: pd.DataFrame | None = None,
    **names: Any,
) -> xr.Dataset:
    """The Dataset (seed, epoch, sample) of all rows; `samples` has their labels and other columns.

    Samples come in the order of that table, else in that of their ids. Raises LetheError for a gap
    in the epochs, a cell with two rows, a sample with two labels, and a class not in `classes`.
    """
    if not rows.count:
        raise LetheError("the files hold no rows, so there is no trace to import")
    seeds, seed = np.unique(rows.column("seed"), return_inverse=True)
    epochs, epoch = _epochs(rows, seeds, seed)
    ids = in_order(rows.samples.texts()) if samples is None else list(samples.index)
    shape = (len(seeds), len(epochs), len(ids))
    sample = np.argsort([rows.samples.of[name] for name in ids])[rows.column("sample")]
    cell = np.ravel_multi_index((seed, epoch, sample), shape)
    _check_once(rows, cell, int(np.prod(shape)))
    label, prediction, class_list = _answers(rows, sample, ids, classes, samples)
    floats: dict[str, Any] = {
        name: _placed(rows.column(name), cell, shape, np.nan)
        for name in FLOATS
        if name in rows.pieces
    }
    extra = {} if samples is None else {"columns": samples.drop(columns="label", errors="ignore")}
    return from_arrays(
        _placed(prediction, cell, shape, MISSING),
        label,
        **floats,
        sample=ids,
        seeds=seeds.tolist(),
        epochs=(epochs - _shift(view, first_epoch, int(epochs[0]))).tolist(),
        classes=class_list,
        metrics=rows.metrics(seeds, len(epochs)),
        view=view,
        **extra,
        **names,
    )


def _epochs(rows: Rows, seeds: np.ndarray, seed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The epochs as the files count them, and each row's position among them."""
    epochs, epoch = np.unique(rows.column("epoch"), return_inverse=True)
    if (np.diff(epochs) != 1).any():
        gap = int(epochs[np.flatnonzero(np.diff(epochs) != 1)[0]])
        raise LetheError(
            f"epoch {gap + 1} is missing between {gap} and {epochs[-1]}; a trace has every epoch"
        )
    for position, name in enumerate(seeds):
        lacking = set(range(len(epochs))) - set(epoch[seed == position].tolist())
        if lacking:
            lost = int(epochs[min(lacking)])
            raise LetheError(f"seed {name} has no epoch {lost}, and another seed has it")
    return epochs, epoch


def _shift(view: str, first_epoch: int | None, found: int) -> int:
    """What to take off the files' epochs. A clean pass after epoch 1 is not the one before it."""
    first = 1 if view == "train" else 0
    if first_epoch is None:
        if found not in (0, first):
            raise LetheError(
                f"the files count epochs from {found}, and view {view!r} counts from {first}; "
                f"first_epoch={found} says that this is the first one there is"
            )
        return found - first
    if found != first_epoch:
        raise LetheError(f"first_epoch is {first_epoch}, but the files count from {found}")
    return first_epoch - first


def _check_once(rows: Rows, cell: np.ndarray, cells: int) -> None:
    last, numbers = np.full(cells, -1, dtype=np.int64), np.arange(len(cell))
    last[cell] = numbers
    again = last[cell] != numbers
    if again.any():
        row = int(again.argmax())
        twin = row + 1 + int((cell[row + 1 :] == cell[row]).argmax())
        raise LetheError(
            f"{rows.where(twin)} is a second row of sample {rows.sample(row)!r}, seed "
            f"{rows.column('seed')[row]}, epoch {rows.column('epoch')[row]}; the first is "
            f"{rows.where(row)}"
        )


def _placed(
    values: np.ndarray, cell: np.ndarray, shape: tuple[int, ...], missing: float
) -> np.ndarray:
    result = np.full(int(np.prod(shape)), missing, dtype=values.dtype)
    result[cell] = values
    return result.reshape(shape)


def _answers(
    rows: Rows,
    sample: np.ndarray,
    ids: Sequence[str],
    classes: Sequence[str] | None,
    samples: pd.DataFrame | None,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels [sample], predictions [row] and the class names that both are indices of."""
    codes = _labels(rows, sample, ids, samples)
    index, names = _class_indices(rows.classes.texts(), classes)
    label = index[codes]
    if "prediction" in rows.pieces:
        return label, index[rows.column("prediction")], names
    right = rows.column("right")
    prediction = np.select([right == RIGHT, right == WRONG], [label[sample], len(names)], MISSING)
    return label, prediction.astype(np.int32), [*names, NOT_RIGHT]


def _labels(
    rows: Rows, sample: np.ndarray, ids: Sequence[str], samples: pd.DataFrame | None
) -> np.ndarray:
    """The class code of each sample, from its rows, else from the table of samples."""
    table = samples["label"] if samples is not None and "label" in samples else None
    if "label" not in rows.pieces:
        given = np.full(len(ids), UNKNOWN) if table is None else table
        return rows.classes.encode(np.asarray(given, dtype=object))
    label = rows.column("label")
    first = np.full(len(ids), MISSING, dtype=np.int32)
    first[sample[::-1]] = label[::-1]
    _check_labels(rows, label, first[sample])
    if table is not None:
        _check_table(rows, ids, first, rows.classes.encode(np.asarray(table, dtype=object)))
    return first


def _check_labels(rows: Rows, label: np.ndarray, first: np.ndarray) -> None:
    if (label != first).any():
        row, names = int((label != first).argmax()), rows.classes.texts()
        raise LetheError(
            f"{rows.where(row)} labels sample {rows.sample(row)!r} as {names[label[row]]!r}, and "
            f"before it was {names[first[row]]!r}"
        )


def _check_table(rows: Rows, ids: Sequence[str], label: np.ndarray, table: np.ndarray) -> None:
    if (label != table).any():
        at, names = int((label != table).argmax()), rows.classes.texts()
        raise LetheError(
            f"sample {ids[at]!r} has the label {names[table[at]]!r} in the table of samples and "
            f"{names[label[at]]!r} in the log"
        )


def _class_indices(
    texts: Sequence[str], classes: Sequence[str] | None
) -> tuple[np.ndarray, list[str]]:
    """Class index of each code, -1 last for what is missing, and the class names.

    Whole numbers are indices; other texts are names, in alphabetical order unless `classes` says.
    """
    numbers = [NUMBER.fullmatch(text) for text in texts]
    names = list(classes) if classes else None
    if names is not None and len(set(names)) < len(names):
        raise LetheError(f"a class is named twice in {names}")
    if all(numbers):
        index = [int(match[1]) for match in numbers if match]
        names = names or [str(number) for number in range(max(index, default=0) + 1)]
        if max(index, default=0) >= len(names):
            raise LetheError(f"class {max(index)} is beyond the {len(names)} names in classes")
    else:
        names = names or sorted(texts)
        for text in texts:
            if text not in names:
                raise LetheError(f"class {text!r} is not among classes; {nearest(text, names)}")
        index = [names.index(text) for text in texts]
    return np.array([*index, MISSING], dtype=np.int32), names

"""The seeds of a store one by one, and how a class is written, for writers of other formats.

Cost: one seed is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.checks import MISSING, class_names
from lethe.traces.exchange.assemble import NUMBER
from lethe.traces.known import known_floats


def whole_runs(ds: xr.Dataset, needs: Sequence[str], what: str) -> Iterator[xr.Dataset]:
    """Each seed, loaded; LetheError if cells or a variable that the format needs are missing."""
    for name in needs:
        if name not in known_floats(ds):
            raise LetheError(f"these traces have no {name}, and {what} needs it")
    for seed in range(ds.sizes["seed"]):
        run = ds.isel(seed=seed).load()
        missing = int((run["prediction"] == MISSING).sum())
        if missing:
            raise LetheError(
                f"{missing} cells of seed {int(run['seed'])} are missing, and {what} has no place "
                "for a gap; drop those samples with lethe.traces.complete(ds), or write csv"
            )
        yield run


def class_texts(ds: xr.Dataset) -> np.ndarray:
    """How each class is written, object [class]: by its name, or by its index.

    Whole numbers are read as indices, so names that are all whole numbers are not written.
    """
    names = class_names(ds)
    used = {*np.unique(ds["label"].values), *np.unique(ds["prediction"].values)} - {MISSING}
    texts = [names[index] for index in sorted(used)]
    by_name = "" not in names and not all(NUMBER.fullmatch(text) for text in texts)
    return np.array(names if by_name else [str(n) for n in range(len(names))], dtype=object)

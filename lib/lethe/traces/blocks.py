"""Walking through traces that do not fit in memory: consecutive samples, as many as fit a limit.

A store is cut along the samples, so a block reads only its own chunks, each of them once.
Cost: about 100 million cells a second of one variable on two cores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import xarray as xr

from lethe.errors import LetheError, nearest

LIMIT = 256 * 2**20  # bytes


def sample_blocks(
    ds: xr.Dataset, variables: Sequence[str] = ("prediction",), limit: int = LIMIT
) -> Iterator[xr.Dataset]:
    """Yield the samples of `ds` in order, block by block, with `variables` and label in memory.

    Each block is a Dataset of all seeds and epochs; its variables take at most `limit` bytes, or
    one chunk of the store where that is more. Other coordinates stay on the disk until used.
    Raises LetheError for a variable that the traces do not have or a limit below 1.
    """
    for name in variables:
        if name not in ds.data_vars:
            raise LetheError(
                f"the traces have no variable {name!r}; {nearest(name, map(str, ds.data_vars))}"
            )
    if limit < 1:
        raise LetheError(f"a block of {limit} bytes holds nothing; give a limit of 1 or more")
    for part in block_slices(ds, variables, limit):
        block = ds[list(variables)].isel(sample=part)
        for name in (*variables, "label"):
            block.variables[name].load()
        yield block


def block_slices(
    ds: xr.Dataset, variables: Sequence[str], limit: int | None = None
) -> Iterator[slice]:
    """The blocks as slices of the samples: whole chunks, at least one, in `limit` bytes."""
    chunk = _chunk(ds)
    cost = sum(ds[name].dtype.itemsize * _cells(ds, name) for name in variables)
    size = max((limit or LIMIT) // (chunk * max(cost, 1)), 1) * chunk
    for start in range(0, ds.sizes["sample"], size):
        yield slice(start, start + size)


def _chunk(ds: xr.Dataset) -> int:
    """Samples in a chunk of the store behind `ds`; 1 for traces in memory."""
    chunks = ds["prediction"].encoding.get("chunks") if "prediction" in ds else None
    return int(chunks[-1]) if chunks else 1


def _cells(ds: xr.Dataset, name: str) -> int:
    """Cells of a variable that one sample has."""
    return math.prod(size for dim, size in ds[name].sizes.items() if dim != "sample")

"""What a trace knows: logs from elsewhere may lack loss or margin, or the class of an answer.

Cost: the first block of samples where the variable is known; a whole pass where it is not.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.blocks import sample_blocks
from lethe.traces.checks import FLOATS

RIGHT_OR_WRONG = "right or wrong only"  # as `prediction` in a store's configuration
LIMIT = 2**24  # bytes at a time: the first few samples tell


def is_known(ds: xr.Dataset, name: str) -> bool:
    """Whether a float variable has any value."""
    return any(np.isfinite(block[name].values).any() for block in sample_blocks(ds, (name,), LIMIT))


def known_floats(ds: xr.Dataset) -> list[str]:
    """Those of loss, margin and error_l2 that have any value."""
    return [name for name in FLOATS if is_known(ds, name)]


def right_or_wrong_only(ds: xr.Dataset) -> bool:
    """Whether the predictions only say right or wrong, so that nothing is known of confusions."""
    return json.loads(ds.attrs.get("config", "{}")).get("prediction") == RIGHT_OR_WRONG


def with_named_answers(ds: xr.Dataset) -> xr.Dataset:
    """The traces, if their predictions are classes; LetheError if they only say right or wrong."""
    if right_or_wrong_only(ds):
        raise LetheError(
            f"the traces of {ds.attrs['dataset']}, {ds.attrs['model']} only say right or wrong, "
            "and this asks which wrong class was given"
        )
    return ds

"""Is it the network or its learning rate? The share of one flipped bit at other learning rates.

Cost: 0.2 s for 6 blocks of 3,100 samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lethe.analysis import agreement, arms
from lethe.analysis.agreement import Interval
from lethe.analysis.factors.design import Design, unpacked, values, whole_blocks

FEW = ("base", "other", "bit")  # the runs of a block at another learning rate


def read_rate(
    table: pd.DataFrame, model: str, rate: float, root: Path | str | None = None
) -> Design:
    """The runs FEW of a network at another learning rate; LetheError as `read_design`."""
    rows = arms.only(table, model=model, learning_rate=rate)
    return unpacked(whole_blocks(rows, FEW), root)


def bit_share(design: Design, score: str, rng: np.random.Generator, draws: int = 200) -> Interval:
    """Total share of the flipped bit: half its mean square over that of two independent runs.

    For runs in the order FEW; intervals redraw blocks and samples.
    """
    base, other, bit = np.moveaxis(values(design, score), 1, 0)
    moved, whole = (np.nan_to_num(np.square(base - run)) for run in (bit, other))

    def ratio(weights: Sequence[np.ndarray], units: np.ndarray) -> tuple[float]:
        return ((moved @ units @ weights[0]) / (whole @ units @ weights[0]),)

    shape = moved.shape
    return agreement.pigeonhole_bootstrap(ratio, shape[:1], shape[1], rng, draws)[0]

"""What becomes of a kind of image over training: learned when, lost how often, answered how.

Everything is a mean over runs. Cost: one pass over the predictions.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from lethe import traces
from lethe.analysis import scores


def fate(ds: xr.Dataset, mask: np.ndarray) -> dict[str, float]:
    """Learning and forgetting of the samples bool [sample]; NaN where none was ever learned.

    `never`: share never learned; `first`: epoch at which the others are first right; `events`: how
    often they are forgotten; `raw_events`: the same with 0 for the never learned; `right`: share of
    right answers.
    """
    right = traces.correct(ds).transpose("seed", "epoch", "sample").values[..., mask]
    first = scores.score(ds, "first_learned").values[:, mask]
    events = scores.forgetting_events(right)
    learned = ~np.isnan(events)
    return {
        "never": float(1 - learned.mean()),
        "first": float(first[learned].mean()) if learned.any() else np.nan,
        "events": float(events[learned].mean()) if learned.any() else np.nan,
        "raw_events": float(np.nan_to_num(events).mean()),
        "right": float(right.mean()),
    }


def answers(ds: xr.Dataset, mask: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of the samples bool [sample] that are answered with their entry of `labels`; [epoch].

    labels [sample]: those trained on, the true ones, or any others.
    """
    said = ds["prediction"].transpose("seed", "epoch", "sample").values[..., mask]
    return (said == np.asarray(labels)[mask]).mean(axis=(0, 2))

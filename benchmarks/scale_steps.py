"""One step of the analysis of a store, in a process of its own: seconds and the most memory held.

    python benchmarks/scale_steps.py STEP STORE
    python benchmarks/scale_steps.py compaction LOGS STORE

prints one line of JSON. The seconds are those of the work alone: a first pass over a few samples
loads and compiles whatever is loaded and compiled once. The memory is all that the process held.
Steps called `usual ...` do the same in the way that is commonly seen: one table of all cells, a
loop of scipy's, pandas' correlations; their loops are timed on a part and multiplied.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import curve_fit

from lethe import traces
from lethe.analysis import agreement, curves, scores
from lethe.analysis.curves import batch
from lethe.analysis.findings.seed_stability import harder, seed_stability
from lethe.pages.provenance import peak_memory

Work = Callable[[xr.Dataset], float]  # returns by how much its seconds are to be multiplied
SOME = ("forgetting_events", "mean_retention", "aum", "confidence")
FEW = 300  # traces that scipy fits


def of_opening(ds: xr.Dataset) -> float:
    """Opening the store once more."""
    traces.open_traces(ds.encoding["source"])
    return 1.0


def of_scores(ds: xr.Dataset) -> float:
    """All twelve scores."""
    for name in scores.SCORES:
        scores.score(ds, name)
    return 1.0


def of_four_scores(ds: xr.Dataset) -> float:
    """Forgetting events, mean retention, AUM and confidence."""
    for name in SOME:
        scores.score(ds, name)
    return 1.0


def of_curves(ds: xr.Dataset) -> float:
    """Curves of three parameters, one for each trace."""
    for _ in batch.fit_blocks(batch.correct_blocks(ds), "extended"):
        pass
    return 1.0


def of_agreement(ds: xr.Dataset) -> float:
    """Spearman, Jaccard, Kendall's W, ICC and a two-way interval of 20 draws, of one score."""
    values = harder(ds, "mean_retention")
    runs = agreement.sort_runs(values)
    agreement.kendall_w(runs)
    agreement.jaccard_matrix(runs, 0.1)
    agreement.icc(values)
    agreement.cross_seed(
        agreement.spearman_on(runs), *values.shape, np.random.default_rng(0), draws=20
    )
    return 1.0


def of_finding(ds: xr.Dataset) -> float:
    """The numbers of finding 3: 20 draws, one simulation of each world."""
    seed_stability(ds, "decay_rate", np.random.default_rng(0), 20, 1)
    return 1.0


def usual_scores(ds: xr.Dataset) -> float:
    """The same four scores from one table with a row a cell."""
    table = ds[["prediction", "loss", "margin"]].to_dataframe().reset_index()
    table["right"] = table["prediction"] == table["label"]
    table["confidence"] = np.exp(-table["loss"])
    by_trace = table.groupby(["seed", "sample"])
    before = by_trace["right"].shift(1, fill_value=False)
    table["lost"] = before & ~table["right"]
    table["learned"] = by_trace["right"].cummax()
    for column in ("lost", "confidence", "margin"):
        table.groupby(["seed", "sample"])[column].mean()
    table[table["learned"]].groupby(["seed", "sample"])["right"].mean()
    return 1.0


def usual_curves(ds: xr.Dataset) -> float:
    """scipy's `curve_fit` within the same box, some traces one after another."""
    some = traces.correct(ds.isel(seed=[0], sample=slice(FEW))).values
    rows = curves.retention_traces(some)[0].reshape(-1, ds.sizes["epoch"])
    for row in rows:
        row = row[~np.isnan(row)]
        if len(row) > 3:
            box = ([0, 1e-3, 0], [1, 5, 1])
            curve_fit(_height, np.arange(len(row)), row, (0.6, 0.2, 0.3), bounds=box)
    return ds.sizes["seed"] * ds.sizes["sample"] / len(rows)


def _height(t: np.ndarray, amplitude: float, rate: float, floor: float) -> np.ndarray:
    return amplitude * np.exp(-rate * t) + floor


def usual_agreement(ds: xr.Dataset) -> float:
    """The interval alone: draws of rows and runs, and pandas' `corr` on the repeated data."""
    values = harder(ds, "mean_retention")
    draws = 3
    rng, (seeds, samples) = np.random.default_rng(0), values.shape
    for _ in range(draws):
        runs = rng.integers(0, seeds, seeds)
        drawn = values[np.ix_(runs, rng.integers(0, samples, samples))]
        pd.DataFrame(drawn.T).corr("spearman")
    return (20 + 60 + seeds) / draws  # as many times as ours computes the correlations


STEPS: dict[str, Work] = {
    "opening": of_opening,
    "scores": of_scores,
    "four scores": of_four_scores,
    "curves": of_curves,
    "agreement": of_agreement,
    "finding 3": of_finding,
    "usual scores": usual_scores,
    "usual curves": usual_curves,
    "usual agreement": usual_agreement,
}


def measured(step: str, store: Path) -> dict[str, float]:
    """Wall and processor seconds of a step, and the most memory of this process in MB.

    `before`: the memory after the first pass over a few samples, before the work.
    """
    ds = traces.open_traces(store)
    STEPS[step](ds.isel(sample=slice(60)))
    before, wall, processor = peak_memory() or 0, time.perf_counter(), time.process_time()
    factor = STEPS[step](ds)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    seconds = {"seconds": factor * wall, "processor": factor * processor}
    return seconds | {"memory": peak_memory() or 0, "before": before}


def compacted(logs: Path, store: Path) -> dict[str, float]:
    """As `measured`, of the compaction of all runs in a folder."""
    before, wall, processor = peak_memory() or 0, time.perf_counter(), time.process_time()
    traces.compact(sorted(logs.glob("seed-*")), store)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    held = {"memory": peak_memory() or 0, "before": before}
    return {"seconds": wall, "processor": processor} | held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["compaction", *STEPS])
    parser.add_argument("paths", type=Path, nargs="+", help="a store, or run logs and a new store")
    given = parser.parse_args()
    call = partial(measured, given.step) if given.step in STEPS else compacted
    print(json.dumps(call(*given.paths)))


if __name__ == "__main__":
    main()

"""The records of the `aum` package: `full_aum_records.csv`, one row a sample and measurement.

Columns: sample_id, num_measurements, target_logit, target_val, other_logit, other_val, margin, aum.
One released version writes class indices under *_logit and logits under *_val, another the other
way round; the margin tells which. Right means a margin above 0. There is no loss. Cost: as a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.exchange.rows import Chunk
from lethe.traces.exchange.runs import whole_runs
from lethe.traces.exchange.tables import Batch, batches, header

COLUMNS = (
    *("sample_id", "num_measurements", "target_logit", "target_val"),
    *("other_logit", "other_val", "margin"),
)
MISFIT = "no class index, or a margin that is not target less other"
LAYOUTS = (("logit", "val"), ("val", "logit"))  # where the class index and the logit stand


def read(path: Path, seed: int, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The rows of a run; measurement n of a sample is epoch n. LetheError naming the line."""
    there = header(path)
    if there == ["sample_id", "aum"]:
        raise LetheError(
            f"{path} holds one number a sample and no trace; AUMCalculator(compressed=False) "
            "writes full_aum_records.csv"
        )
    if lacking := [name for name in COLUMNS if name not in there]:
        raise LetheError(f"{path}:1 has no column {lacking[0]!r}; expected {', '.join(COLUMNS)}")
    layout = None
    for batch in batches(path, list(COLUMNS)):
        layout = layout or _layout(batch)
        yield _chunk(batch, seed, *layout)


def _layout(batch: Batch) -> tuple[str, str]:
    """Which of the two layouts the margins and the way of writing of a batch fit."""
    fitting = [each for each in LAYOUTS if not _misfit(batch, *each).any()]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        row = max(int(_misfit(batch, *each).argmax()) for each in LAYOUTS)
        raise LetheError(f"{batch.where(row)} has {MISFIT}")
    raise LetheError(f"{batch.where(0)}: class indices and logits cannot be told apart here")


def _misfit(batch: Batch, index: str, logit: str) -> np.ndarray:
    """Rows where the logits do not differ by the margin, or an index is not written as one."""
    margin, target, other = (
        batch.number(name) for name in ("margin", f"target_{logit}", f"other_{logit}")
    )
    slack = 0.01 * np.maximum(1, np.abs(target))  # half precision on the way
    differs = ~(np.abs(target - other - margin) <= slack)
    unwritten = [_is_no_index(batch, f"{name}_{index}", margin) for name in ("target", "other")]
    return differs | unwritten[0] | unwritten[1]


def _is_no_index(batch: Batch, name: str, margin: np.ndarray) -> np.ndarray:
    """Rows that have no class index; the other class may be unknown where the answer is right."""
    texts = batch.text(name)
    absent = np.array([text is None for text in texts], dtype=bool)
    whole = np.array([text is not None and text.isdecimal() for text in texts], dtype=bool)
    return ~(whole | (absent & (margin >= 0))) if name.startswith("other") else ~whole


def _chunk(batch: Batch, seed: int, index: str, logit: str) -> Chunk:
    misfit, sample = _misfit(batch, index, logit), batch.text("sample_id")
    if misfit.any():
        raise LetheError(f"{batch.where(int(misfit.argmax()))} has {MISFIT}")
    if len(sample) and str(sample[0]).startswith("tensor("):
        raise LetheError(
            f"{batch.where(0)}: sample_id is {sample[0]!r}, the name of a tensor, and the same "
            "sample has another one each time; call update with sample_ids.tolist()"
        )
    target, other = (batch.text(f"{name}_{index}") for name in ("target", "other"))
    margin = batch.number("margin")
    right = (margin > 0) | np.array([text is None for text in other], dtype=bool)
    return Chunk(
        where=batch.where,
        seed=np.full(len(sample), seed),
        epoch=batch.whole("num_measurements"),
        sample=sample,
        label=target,
        prediction=np.where(right, target, other),
        floats={"margin": margin},
    )


def write(ds: xr.Dataset, folder: Path) -> None:
    """full_aum_records.csv and aum_values.csv of each seed, in `folder`/seed_N.

    The logits are those of the trace less the other logit, which is not in it.
    """
    for run in whole_runs(ds, ("margin",), "an AUM record"):
        made = folder / f"seed_{int(run['seed'])}"
        made.mkdir()
        records = _records(run)
        records.to_csv(made / "full_aum_records.csv", index=False)
        last = records.groupby("sample_id", sort=False)["aum"].last()
        values = last.sort_values(ascending=False, kind="stable").reset_index()
        values.to_csv(made / "aum_values.csv", index=False)


def _records(run: xr.Dataset) -> pd.DataFrame:
    """One row a sample and epoch, sorted by sample."""
    margin = run["margin"].transpose("sample", "epoch").values
    prediction = run["prediction"].transpose("sample", "epoch").values
    samples, epochs = margin.shape
    label = np.repeat(run["label"].values, epochs)
    wrong = prediction.ravel() != label
    counted = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "sample_id": np.repeat(run["sample"].values, epochs),
            "num_measurements": np.tile(counted, samples),
            "target_logit": label,
            "target_val": margin.ravel(),
            "other_logit": pd.array(prediction.ravel(), dtype="Int64"),
            "other_val": 0.0,
            "margin": margin.ravel(),
            "aum": (margin.cumsum(1) / counted).ravel(),
        }
    ).assign(other_logit=lambda table: table["other_logit"].where(wrong))

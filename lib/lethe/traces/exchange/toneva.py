"""Toneva et al.'s logs: `*__stats_dict.pkl`, one pickle a run.

{example index: [losses, right or wrong, margins]}, each a list over the presentations of the
training pass, and under "train" and "test" the accuracies in percent. There are no labels and no
predictions. Cost: 2 microseconds a presentation, most of it for reading the pickle safely.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.exchange.rows import Chunk
from lethe.traces.exchange.runs import class_texts, whole_runs
from lethe.traces.exchange.safe_pickle import read_pickle

EXPECTED = "{example: [losses, right or wrong, margins]}"


def read(path: Path, seed: int, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The rows of a run, epoch by epoch; LetheError naming the example that is not as expected."""
    stats = read_pickle(path)
    if not isinstance(stats, dict):
        raise LetheError(f"{path} holds a {type(stats).__name__}, expected {EXPECTED}")
    if "forgetting counts" in stats:
        raise LetheError(
            f"{path} holds one forgetting count an example and no trace; give the *__stats_dict.pkl"
            " files that it was made of"
        )
    examples = {key: value for key, value in stats.items() if not isinstance(key, str)}
    if not examples:
        raise LetheError(f"{path} holds no example; expected {EXPECTED}")
    lists = [_lists(path, key, value) for key, value in examples.items()]
    _check_lengths(path, list(examples), [len(loss) for loss, _, _ in lists])
    arrays = [np.array([each[n] for each in lists], dtype=np.float32).T for n in range(3)]
    keys, metrics = list(examples), _accuracy(stats, len(arrays[0]))
    del stats, examples, lists  # Python's numbers take four times the memory
    for presentation, (loss, right, margin) in enumerate(zip(*arrays, strict=True)):
        yield _chunk(path, seed, keys, presentation, (loss, right, margin), metrics)


def _check_lengths(path: Path, keys: list[int], lengths: list[int]) -> None:
    for key, length in zip(keys, lengths, strict=True):
        if length != lengths[0]:
            raise LetheError(
                f"{path}: example {key} was presented {length} times and the first one "
                f"{lengths[0]} times, so presentations are not epochs"
            )


def _lists(path: Path, key: Any, value: Any) -> tuple[list, list, list]:
    if type(key) is not int:
        raise LetheError(f"{path}: key {key!r} is no example index, expected a whole number")
    whole = isinstance(value, list | tuple) and len(value) == 3
    if not whole or not all(isinstance(each, list | tuple) for each in value):
        raise LetheError(f"{path}: example {key} holds {str(value)[:60]}; expected three lists")
    loss, right, margin = value
    if not len(loss) == len(right) == len(margin):
        lengths = [len(each) for each in value]
        raise LetheError(f"{path}: the lists of example {key} are of lengths {lengths}")
    for each in (*loss, *right, *margin):
        if type(each) not in (int, float, bool) or abs(each) >= 2**63:
            raise LetheError(f"{path}: example {key} holds {each!r:.60}, expected a number")
    if not set(right) <= {0, 1}:
        raise LetheError(f"{path}: example {key} has an accuracy that is neither 0 nor 1")
    return loss, right, margin


def _chunk(
    path: Path,
    seed: int,
    keys: list[int],
    presentation: int,
    values: tuple[np.ndarray, np.ndarray, np.ndarray],
    metrics: Mapping[str, np.ndarray],
) -> Chunk:
    loss, right, margin = values
    return Chunk(
        where=lambda row: f"{path}: presentation {presentation + 1} of {keys[row]}",
        seed=np.full(len(keys), seed),
        epoch=np.full(len(keys), presentation + 1),
        sample=np.array(keys).astype(str).astype(object),
        right=right.astype(np.int32),
        floats={"loss": loss, "margin": margin},
        metrics=metrics,
    )


def _accuracy(stats: Mapping[Any, Any], epochs: int) -> dict[str, np.ndarray]:
    """The test accuracy of each epoch as a share, if the run has it."""
    try:
        percent = np.array(stats["test"][1], dtype=float)
    except (KeyError, IndexError, TypeError, ValueError):
        return {}
    return {"test_accuracy": percent / 100} if percent.shape == (epochs,) else {}


def write(ds: xr.Dataset, folder: Path) -> None:
    """`seed_N__stats_dict.pkl` of each seed, and `samples.csv` with what a pickle cannot hold.

    Example indices are the sample ids where all are whole numbers, else positions.
    """
    ids = [str(name) for name in ds["sample"].values]
    numbered = all(name.isdecimal() and str(int(name)) == name for name in ids)
    keys = [int(name) for name in ids] if numbered else list(range(len(ids)))
    for run in whole_runs(ds, ("loss", "margin"), "a log of Toneva et al."):
        stats = _stats(run.transpose("sample", "epoch"), keys)
        data = pickle.dumps(stats, protocol=4)
        (folder / f"seed_{int(run['seed'])}__stats_dict.pkl").write_bytes(data)
    table = {"sample_id": keys, "label": class_texts(ds)[ds["label"].values], "name": ids}
    pd.DataFrame(table).to_csv(folder / "samples.csv", index=False)


def _stats(run: xr.Dataset, keys: list[int]) -> dict[int | str, list]:
    right = (run["prediction"] == run["label"]).values.astype(int).tolist()
    lists = zip(run["loss"].values.tolist(), right, run["margin"].values.tolist(), strict=True)
    stats: dict[int | str, list] = {key: list(each) for key, each in zip(keys, lists, strict=True)}
    accuracy = run["test_accuracy"].values
    return stats if np.isnan(accuracy).any() else stats | {"test": [[], (100 * accuracy).tolist()]}

"""Dataset Cartography's logs: `dynamics_epoch_N.jsonl`, one line a sample.

A line is {"guid": ID, "logits_epoch_N": [K numbers], "gold": CLASS INDEX}; N counts from 0. All
four variables follow from the logits. Cost: 8 microseconds a line of 10 logits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lethe.errors import LetheError
from lethe.traces.checks import MISSING, class_names
from lethe.traces.exchange.rows import Chunk
from lethe.traces.known import known_floats, right_or_wrong_only

PATTERN = "dynamics_epoch_*.json*"
LOGITS = re.compile(r"logits_epoch_(\d+)")
TINY = 40.0  # below the larger logit: e^-40 is nothing beside it
TIE = 1e-6
EXPECTED = '{"guid": id, "logits_epoch_N": [numbers], "gold": class index}'


def read(path: Path, seed: int, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The rows of one epoch's file; LetheError naming file and line of what is no such record."""
    guids, golds, epoch = [], [], _epoch_in_name(path)
    logits: list[list[float]] = []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{path}:{number}"
            guid, gold, values, found = _record(line, where)
            epoch = found if epoch is None else epoch
            if found != epoch:
                raise LetheError(f"{where} is of epoch {found}, expected epoch {epoch}")
            if logits and len(values) != len(logits[0]):
                raise LetheError(f"{where} has {len(values)} logits, expected {len(logits[0])}")
            guids.append(guid)
            golds.append(gold)
            logits.append(values)
    if guids:
        yield _chunk(path, seed, int(epoch or 0), guids, np.array(golds), np.array(logits))


def _epoch_in_name(path: Path) -> int | None:
    match = re.fullmatch(r"dynamics_epoch_(\d+)", path.stem)
    return int(match[1]) if match else None


def _record(line: str, where: str) -> tuple[str, int, list[float], int]:
    """Id, label, logits and epoch of a line."""
    try:
        record = json.loads(line)
    except ValueError as error:
        raise LetheError(f"{where} is no JSON ({error}); expected {EXPECTED}") from None
    names = list(record) if isinstance(record, dict) else []
    keys = [match for name in names if (match := LOGITS.fullmatch(name))]
    if not {"guid", "gold"} <= set(names) or len(keys) != 1:
        raise LetheError(f"{where} is {line.strip()[:60]!r}; expected {EXPECTED}")
    guid, gold, logits = record["guid"], record["gold"], record[keys[0][0]]
    if isinstance(guid, bool) or not isinstance(guid, int | str):
        raise LetheError(f"{where}: guid is {guid!r}, expected text or a whole number")
    _check_logits(logits, where)
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < len(logits):
        raise LetheError(f"{where}: gold is {gold!r}, expected a class index below {len(logits)}")
    return str(guid), gold, logits, int(keys[0][1])


def _check_logits(logits: Any, where: str) -> None:
    whole = isinstance(logits, list) and all(type(value) in (int, float) for value in logits)
    if not whole or len(logits) < 2 or not np.isfinite(logits).all():
        raise LetheError(f"{where}: logits are {str(logits)[:60]}, expected two numbers or more")


def _chunk(
    path: Path, seed: int, epoch: int, guids: list[str], gold: np.ndarray, logits: np.ndarray
) -> Chunk:
    rows = len(guids)
    return Chunk(
        where=lambda row: f"{path}:{row + 1}",
        seed=np.full(rows, seed),
        epoch=np.full(rows, epoch),
        sample=np.array(guids, dtype=object),
        label=gold.astype(str).astype(object),
        prediction=logits.argmax(1).astype(str).astype(object),
        floats=from_logits(logits, gold),
    )


def from_logits(logits: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """loss, margin and error_l2 [row] of logits [row, class] and labels [row]."""
    logits = logits.astype(np.float64)
    rows = np.arange(len(label))
    shifted = logits - logits.max(1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    error = np.exp(log_softmax)
    error[rows, label] -= 1
    others = logits.copy()
    others[rows, label] = -np.inf
    return {
        "loss": -log_softmax[rows, label],
        "margin": logits[rows, label] - others.max(1),
        "error_l2": np.sqrt((error**2).sum(1)),
    }


def write(ds: xr.Dataset, folder: Path) -> None:
    """`seed_N/training_dynamics/dynamics_epoch_N.jsonl`; a cell that is missing has no line.

    A store has no logits. Those written have its predictions, losses and margins, so that all
    metrics of the original come out; what they say of the other classes is made up.
    """
    if right_or_wrong_only(ds):
        raise LetheError("these traces only know right or wrong, and logits need the class")
    for name in ("loss", "margin"):
        if name not in known_floats(ds):
            raise LetheError(f"these traces have no {name}, and logits need it")
    for position in range(ds.sizes["seed"]):
        run = ds.isel(seed=position).load().transpose("epoch", "sample")
        made = folder / f"seed_{int(run['seed'])}" / "training_dynamics"
        made.mkdir(parents=True)
        for number in range(run.sizes["epoch"]):
            lines = _lines(run.isel(epoch=number), number, len(class_names(ds)))
            (made / f"dynamics_epoch_{number}.jsonl").write_text("".join(lines), "utf-8")


def _lines(epoch: xr.Dataset, number: int, classes: int) -> Iterator[str]:
    there = np.flatnonzero(epoch["prediction"].values != MISSING)
    cells = epoch.isel(sample=there)
    label = cells["label"].values
    loss, margin, prediction = (cells[name].values for name in ("loss", "margin", "prediction"))
    logits = to_logits(loss, margin, prediction, label, classes)
    for guid, gold, values in zip(cells["sample"].values, label, logits.tolist(), strict=True):
        name = str(guid)
        key = int(name) if name.isdecimal() and str(int(name)) == name else name
        record = {"guid": key, f"logits_epoch_{number}": values, "gold": int(gold)}
        yield json.dumps(record, ensure_ascii=False) + "\n"


def to_logits(
    loss: np.ndarray, margin: np.ndarray, prediction: np.ndarray, label: np.ndarray, classes: int
) -> np.ndarray:
    """Logits [row, class] of a given loss, margin and prediction, with 0 at the label.

    The strongest other class is the prediction, else the class after the label. What is left of
    the probability is shared by the rest; with two classes nothing is left, and the margin rules.
    """
    rows, others = np.arange(len(label)), classes - 2
    rival = np.where(prediction != label, prediction, (label + 1) % classes)
    away = np.where(prediction != label, -1, 1)  # a tie goes to the prediction
    margin = away * np.maximum(away * margin, TIE)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rest = loss + np.log1p(-np.exp(-loss) - np.exp(-margin - loss)) - np.log(others)
    floor = -np.abs(margin) - TINY
    rest = np.clip(np.nan_to_num(rest, nan=-np.inf), floor, np.nextafter(-margin, -np.inf))
    logits = np.repeat(rest[:, None], classes, axis=1)
    logits[rows, rival] = -margin
    logits[rows, label] = 0.0
    return logits

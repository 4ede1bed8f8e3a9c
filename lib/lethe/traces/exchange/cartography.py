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

from lethe.errors import LetheError
from lethe.traces.exchange.rows import Chunk

PATTERN = "dynamics_epoch_*.json*"
LOGITS = re.compile(r"logits_epoch_(\d+)")
EXPECTED = '{"guid": id, "logits_epoch_N": [numbers], "gold": class index}'


def read(path: Path, seed: int, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """The rows of one epoch's file; LetheError naming file and line of what is no such record."""
    guids, golds, logits, epoch = [], [], [], _epoch_in_name(path)
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

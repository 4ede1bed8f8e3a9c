"""The audit record of a fork: question, state, draws, checksums and invariants, as JSON.

`begin` writes the question and the state before the first step, `finish` adds what happened. The
schema is `audit_schema.json` beside this module (JSON Schema, 2020-12), described field by field in
the book's checklist of training memory. `read` and `check` refuse a record that does not follow it,
and one whose arms do not fit together. Cost: milliseconds.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jsonschema import Draft202012Validator
from torch import Tensor

from lethe.capture import environment
from lethe.capture.interventions import snapshot
from lethe.capture.interventions.fork import Arm, Fork
from lethe.capture.interventions.process import Training
from lethe.errors import LetheError
from lethe.traces.files import write_json

SCHEMA = "lethe-training-memory-audit/1"
CONTRACT = (
    "one stream for each of head initialisation, order, augmentation and dropout, a function of "
    "seed, epoch and sample; an intervention draws nothing; a look draws nothing"
)
Record = dict[str, Any]


def begin(
    question: dict[str, Any], training: Training, probe: Tensor, contract: str = CONTRACT
) -> Record:
    """A record with the question, the state at the fork and the probe; nothing has happened yet.

    question: estimand, primary distance, unit, number of seeds, horizons, margins and whatever else
    was decided; contract: how the training's random numbers are kept apart, in words.
    """
    device = next(training.model.parameters()).device
    return {
        "schema": SCHEMA,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "question": question,
        "environment": environment.describe(device, torch.get_num_threads()),
        "random_numbers": contract,
        "fork_step": training.step,
        "state": snapshot.checksums(training),
        "probe": {"images": len(probe), "checksum": snapshot.checksum({"probe": probe})},
    }


def finish(record: Record, forked: Fork) -> Record:
    """Add horizons, arms and the rerun floor; LetheError if the record is not complete then."""
    record["horizons"] = list(forked.horizons)
    record["rerun_floor"] = floor(forked)
    record["arms"] = {
        name: {
            "touches": sorted(arm.intervention.touches),
            "reorders": arm.intervention.reorder is not None,
            "destructive": arm.intervention.destructive,
            "checksums": arm.checksums,
            "order": arm.orders,
            "multiset": arm.multisets,
            "augmentation": arm.draws,
            "invariants": arm.held,
            "not_finite": not_finite(arm),
        }
        for name, arm in forked.arms.items()
    }
    record["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
    return check(record)


def not_finite(arm: Arm) -> int:
    """How many probabilities of an arm are NaN or infinite."""
    return sum(int((~np.isfinite(said)).sum()) for rows in arm.said.values() for said in rows)


def floor(forked: Fork) -> float:
    """The largest difference of a probability between the untouched arm and its rerun."""
    once, again = forked.arms["carry"], forked.arms["rerun"]
    return max(float(abs(once.probabilities(r) - again.probabilities(r)).max()) for r in again.said)


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return json.loads((Path(__file__).with_name("audit_schema.json")).read_text("utf-8"))


def check(record: Record) -> Record:
    """The record itself; LetheError names the first field that does not follow the schema, or the
    arm whose lists do not have one entry a horizon, or whose untouched start differs from `state`.
    """
    errors = sorted(Draft202012Validator(schema()).iter_errors(record), key=lambda e: list(e.path))
    if errors:
        where = "/".join(map(str, errors[0].path)) or "the record"
        raise LetheError(f"audit record: {where}: {errors[0].message[:200]}")
    for name, arm in record["arms"].items():
        for entry in ("checksums", "order", "multiset"):
            if len(arm[entry]) != len(record["horizons"]):
                raise LetheError(f"audit record: {name}/{entry} has not one entry a horizon")
        broken = [i["invariant"] for i in arm["invariants"] if not i["holds"]]
        if broken:
            raise LetheError(f"audit record: {name}: {broken[0]} does not hold")
    if record["horizons"][0] == 0 and record["arms"]["carry"]["checksums"][0] != record["state"]:
        raise LetheError("audit record: the untouched arm does not begin at the recorded state")
    return record


def write(record: Record, file: Path) -> Path:
    """Write a checked record, whole or not at all."""
    write_json(file, check(record))
    return file


def read(file: Path) -> Record:
    """A checked record from a file; LetheError if it is none."""
    try:
        return check(json.loads(Path(file).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise LetheError(f"{file} is not an audit record: {error}") from None

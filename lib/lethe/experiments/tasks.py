"""A study: a list of tasks, each a small JSON file when it is done, collected into one table.

A task is its settings; its id is their hash. `run_study` skips what is done and runs the rest, one
task a process; a task killed on the way is run again from its start. Every task is a pure function
of its settings on one machine, so the collected table does not depend on interruptions. Cost of the
bookkeeping: milliseconds a task.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lethe.capture.many import end_with_parent
from lethe.errors import LetheError, nearest
from lethe.paths import data_folder
from lethe.traces import files

NAMES = ("sampling", "weighting", "rehearsal", "factorial", "memory", "back_flow", "bridge")
STUDIES = {name: f"lethe.experiments.{name}" for name in NAMES}
Settings = dict[str, Any]
Outcome = tuple[list[dict[str, Any]], dict[str, np.ndarray]]  # rows; arrays by sample


@dataclass(frozen=True)
class Study:
    """A named list of tasks and the function that carries one out."""

    name: str
    tasks: Callable[..., list[Settings]]  # quick: a few small ones; large: ResNet-18, DeiT-Small
    carry_out: Callable[[Settings, Path], Outcome]


def find_study(name: str) -> Study:
    """The study of that name; LetheError names the nearest."""
    if name not in STUDIES:
        raise LetheError(f"unknown study {name!r}: {nearest(name, STUDIES)}")
    return import_module(STUDIES[name]).STUDY


def task_id(settings: Settings) -> str:
    """First 12 hex digits of the sha256 of the settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def chosen(tasks: Sequence[Settings], wanted: dict[str, str]) -> list[Settings]:
    """The tasks whose settings are as wanted (given as text); LetheError if there is none."""
    for name in wanted:
        known = {key for task in tasks for key in task}
        if name not in known:
            raise LetheError(f"no task has a setting {name!r}: {nearest(name, known)}")
    kept = [t for t in tasks if all(str(t.get(k)) == v for k, v in wanted.items())]
    if not kept:
        raise LetheError(f"no task has {describe(wanted)}")
    return kept


def run_study(
    study: Study,
    tasks: Sequence[Settings],
    out: Path,
    jobs: int = 1,
    report: Callable[[str], None] = print,
) -> None:
    """Carry out the tasks that are not done yet; a failing one does not stop the others.

    LetheError at the end if any failed, with the first reason.
    """
    place = out / study.name
    files.make_folder(place)
    left = [task for task in tasks if not (place / f"{task_id(task)}.json").is_file()]
    report(f"{study.name}: {len(tasks) - len(left)} of {len(tasks)} tasks are done")
    failed: list[str] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=end_with_parent) as pool:
        futures = {pool.submit(carry_out, study.name, task, place): task for task in left}
        for count, future in enumerate(as_completed(futures), start=1):
            task, error = futures[future], future.exception()
            if error:
                failed.append(f"{describe(task)}: {type(error).__name__}: {error}")
            report(f"{count}/{len(left)} {describe(task)}{': failed' if error else ''}")
    if failed:
        raise LetheError(f"{len(failed)} of {len(tasks)} tasks failed, the first: {failed[0]}")


def describe(task: Settings) -> str:
    """A task in one line."""
    return " ".join(f"{name}={value}" for name, value in task.items())


def carry_out(study: str, task: Settings, place: Path) -> None:
    """Carry out one task in this process and write its result, whole or not at all."""
    import torch

    from lethe.capture import environment, models

    torch.set_num_threads(1)
    device = models.pick_device("auto")
    begun = time.perf_counter()
    rows, arrays = find_study(study).carry_out(task, place)
    files.write_atomically(place / f"{task_id(task)}.npz", zipped(arrays))
    about = environment.describe(device, 1)
    seconds = time.perf_counter() - begun
    result = {"settings": task, "rows": rows, "seconds": seconds, "environment": about}
    files.write_json(place / f"{task_id(task)}.json", result)


def collect(study: Study, tasks: Iterable[Settings], out: Path) -> Path:
    """One table of all tasks, in their order, into the data folder's `results`: STUDY.csv, the
    arrays by sample in STUDY.npz, and how they were made in STUDY.json. Returns the table's file.

    LetheError if a task is not done.
    """
    tasks, place, results = list(tasks), out / study.name, data_folder() / "results"
    done = read_done(study, tasks, out)
    files.make_folder(results)
    table = rows_of(tasks, done)
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    files.write_atomically(results / f"{study.name}.csv", text.encode())
    files.write_atomically(results / f"{study.name}.npz", stacked(tasks, place))
    files.write_json(results / f"{study.name}.json", manifest(study, done, text))
    return results / f"{study.name}.csv"


def read_done(study: Study, tasks: Sequence[Settings], out: Path) -> list[dict[str, Any]]:
    """What every task left; LetheError if one is not done."""
    place = out / study.name
    missing = [task for task in tasks if not (place / f"{task_id(task)}.json").is_file()]
    if missing:
        raise LetheError(f"{len(missing)} tasks are not done, such as {describe(missing[0])}")
    return [files.read_json(place / f"{task_id(task)}.json") for task in tasks]


def rows_of(tasks: Sequence[Settings], done: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows of tasks, from what `read_done` returned for them, with their settings."""
    return pd.DataFrame(
        [
            {"task": task_id(task), **task, **row}
            for task, result in zip(tasks, done, strict=True)
            for row in result["rows"]
        ]
    )


def stacked(tasks: Sequence[Settings], place: Path) -> bytes:
    """The arrays of all tasks as NAME/TASK in one compressed file."""
    arrays: dict[str, np.ndarray] = {}
    for task in tasks:
        name = task_id(task)
        with np.load(place / f"{name}.npz") as stored:
            arrays |= {f"{key}/{name}": stored[key] for key in stored.files}
    return zipped(arrays)


def zipped(arrays: dict[str, Any]) -> bytes:
    """Arrays as the bytes of a compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def manifest(study: Study, done: Sequence[dict[str, Any]], text: str) -> dict[str, Any]:
    """What the table was made from: number of tasks, time, and every environment that occurs."""
    environments = {json.dumps(d["environment"], sort_keys=True) for d in done}
    return {
        "study": study.name,
        "tasks": len(done),
        "core_hours": round(sum(d["seconds"] for d in done) / 3600, 2),
        "environments": [json.loads(text) for text in sorted(environments)],
        "table_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }

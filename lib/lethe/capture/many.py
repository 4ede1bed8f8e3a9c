"""Several runs on one machine: worker processes side by side on a CPU, one after another on a GPU.

Small networks gain little from a second thread, so on a CPU every worker takes one thread and one
run. Progress is read from the runs' own commit records, so it needs no channel between the
processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lethe.capture.finetune import capture_run
from lethe.capture.plan import Run
from lethe.capture.samplers import RANDOM
from lethe.capture.sweep.slots import end_with_parent
from lethe.errors import LetheError
from lethe.traces import compact, file_sha256, traces_folder


def capture_many(
    runs: Sequence[Run], out: Path, device: str = "auto", jobs: int = 0, threads: int = 1
) -> list[Path]:
    """Capture every run, `jobs` at a time (0 = one a core on a CPU, one on a GPU) with `threads`
    CPU threads each; returns their folders.

    A run that fails does not stop the others: the first error is raised when all have ended.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs or default_jobs(device), len(runs)),
        mp_context=context,
        initializer=end_with_parent,
    ) as pool:
        futures = [pool.submit(capture_run, run, out, device, threads) for run in runs]
        watch(runs, out, futures)
    return [future.result() for future in futures]


def pack_runs(runs: Sequence[Run], out: Path, name: str = "") -> list[Path]:
    """Pack finished runs into DATASET-MODEL-PRESET.zarr.zip of the traces folder, one a model.

    With a `name`, all go into one store of that name. The train view goes to a store of its own,
    DATASET-MODEL-PRESET+train. LetheError if a store of that name holds other traces.
    """
    stores = []
    for store in [name] if name else dict.fromkeys(store_name(run) for run in runs):
        folders = [out / run.name for run in runs if name or store_name(run) == store]
        for view in runs[0].views:
            file = f"{store}{'' if view == 'eval' else '+' + view}.zarr.zip"
            stores.append(replace_if_equal(folders, traces_folder() / file, view))
    return stores


def store_name(run: Run) -> str:
    """The name under which the pages find the traces of a run; `+noise` marks planted labels, and
    a sampler's traces carry its name.
    """
    sampler = "" if run.sampler == RANDOM else f"+{run.sampler}{'+given' * bool(run.constants)}"
    noise = "+noise" if run.label_noise else ""
    return f"{run.dataset}-{run.model}-{run.preset}{noise}{sampler}"


def replace_if_equal(folders: Sequence[Path], store: Path, view: str) -> Path:
    """Compact runs into a store that is new or already holds just these traces."""
    fresh = Path(compact(folders, store.with_name(f"packing-{store.name}"), view))
    if store.exists() and file_sha256(store) != file_sha256(fresh):
        fresh.unlink()
        raise LetheError(
            f"{store} holds other traces: move it away, or pack elsewhere with `lethe traces "
            "compact`"
        )
    return fresh.replace(store)


def default_jobs(device: str) -> int:
    """One worker a core on a CPU; on a GPU one, which fills it."""
    import torch

    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    return 1 if on_gpu else os.cpu_count() or 1


def watch(runs: Sequence[Run], out: Path, futures: Sequence[Future[Path]]) -> None:
    """Show one bar a run until all have ended."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        bars = [progress.add_task(run.name, total=run.recipe.epochs + 1) for run in runs]
        pending = set(futures)
        while pending:
            _, pending = wait(pending, timeout=1)
            for run, bar, future in zip(runs, bars, futures):
                failed = future.done() and future.exception()
                note = f"[red]{run.name}: failed" if failed else run.name
                progress.update(bar, completed=epochs_done(out / run.name), description=note)


def epochs_done(folder: Path) -> int:
    """How many epochs of a run are committed."""
    return sum(1 for _ in folder.glob("epochs/*.commit.json"))

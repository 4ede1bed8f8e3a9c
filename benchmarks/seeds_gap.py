"""How long the device waits between two seeds of one process.

The gap runs from the end of the last training step of a seed to the start of the next seed's first.
It holds work of the device (the last clean passes, head warm-up) and waiting: checkpoint, hashes,
final weights, building the next model. `waiting` is the gap without the clean passes and the
warm-up. Cost: two short runs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from roof import synchronise

from lethe.capture import capture_run, plan_run, training


def measure_gap(
    model: str, preset: str, device: torch.device, seeds: int = 3, **choices: Any
) -> dict[str, float]:
    """Median gap and its waiting share, in seconds, over the seeds of a short glyphs run."""
    spans: dict[str, list[tuple[float, float]]] = {"step": [], "work": []}
    originals = {name: getattr(training, name) for name in ("train_step", *WORK)}
    training.train_step = clocked(originals["train_step"], spans["step"], device)
    for name in WORK:
        setattr(training, name, clocked(originals[name], spans["work"], device))
    ends = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(seeds):
                run = plan_run("glyphs", model, preset=preset, seed=seed, epochs=1, **choices)
                capture_run(run, Path(folder), device=str(device))
                ends.append(len(spans["step"]))
    finally:
        for name, original in originals.items():
            setattr(training, name, original)
    return summary(spans["step"], spans["work"], ends[:-1])


WORK = ("record_epoch", "warm_up_head")


def clocked(function: Callable, spans: list, device: torch.device) -> Callable:
    """The function, its beginning and end noted once the device has finished."""

    def wrapped(*args: Any) -> Any:
        synchronise(device)
        begun = time.perf_counter()
        result = function(*args)
        synchronise(device)
        spans.append((begun, time.perf_counter()))
        return result

    return wrapped


def summary(steps: list, work: list, ends: list[int]) -> dict[str, float]:
    """Median over the gaps: the whole, and what is left without the device's own work."""
    gaps, waits = [], []
    for end in ends:
        start, stop = steps[end - 1][1], steps[end][0]
        busy = sum(last - first for first, last in work if start <= first and last <= stop)
        gaps.append(stop - start)
        waits.append(stop - start - busy)
    return {"gap_seconds": median(gaps), "waiting_seconds": median(waits)}

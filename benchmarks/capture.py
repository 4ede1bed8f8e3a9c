"""How fast Lethe captures, beside a named rival and the device's roof, all in one run.

Every cell is a model, a size, a batch and compiled or not. Its arms take turns, and ratios are
medians over the turns, because other work on the machine slows all arms of a turn alike. On a CPU
the arms without worker processes are timed in seconds of the processor, for the same reason:

- `train`: `training.train_epoch`, images on the device, augmentation in batches;
- `train view`: the same with its logits recorded; `recorder share` is the part of that time spent
  in the recorder itself;
- `inference`: the model alone on normalised batches; `eval view`: `training.record_epoch`;
- `timm`: the same model and step fed by timm's loader from a folder of JPEG files; its ratio is
  that of the wall clock.

Usage: python benchmarks/capture.py --out FOLDER [--quick] [--seconds N] writes capture.json after
every cell (the same command goes on from it) and capture.md. Cost: three minutes with --quick.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import table
import timm_pipeline
import torch
from cells import FULL, QUICK, REHEARSAL, Cell
from roof import Span, ceiling, measure, measure_roof, work_of
from seeds_gap import measure_gap

from lethe.capture import environment, models, streams, training
from lethe.capture.recipes import find_recipe
from lethe.capture.recorder import Recorder

CLASSES = 62
UNFINISHED = 3  # exit code
SEEDS = streams.Seeds.of_run(0)


class Bench:
    """What the arms of a cell share: model, optimizer, random images, timm's loader."""

    def __init__(self, cell: Cell, device: torch.device, folder: Path) -> None:
        """Build it all; the loader's images are kept in `folder` for later cells."""
        recipe = find_recipe(cell.preset, cell.model, "photos", pixels=cell.pixels)
        self.recipe = replace(recipe, batch_size=cell.batch, epochs=10_000)
        self.device, self.epochs = device, itertools.count(1)
        self.data = random_images(cell, device)
        model = models.build_model(cell.model, CLASSES, 3, self.recipe, 0, "none")
        self.work = work_of(model, cell.pixels)
        model = model.to(device, memory_format=torch.channels_last)
        self.optimizer = training.make_optimizer(model, self.recipe)
        self.model = torch.compile(model, dynamic=False) if cell.compiled else model
        self.batches = [images for _, images in training.clean_batches(self.data, self.recipe)]
        place = folder / f"{cell.images}-images-{cell.pixels}px"
        if not place.is_dir():
            timm_pipeline.write_folder(place, cell.images, cell.pixels)
        self.loader = timm_pipeline.make_loader(place, cell.pixels, cell.batch, device)
        self.recorder = Recorder(len(self.data), device)

    def train(self, recorder: Recorder | None = None) -> None:
        """One epoch, as a run trains it."""
        training.train_epoch(
            self.model, self.optimizer, self.data, self.recipe, SEEDS, next(self.epochs), recorder
        )

    def train_view(self) -> None:
        """One epoch with its logits recorded."""
        self.train(self.recorder)
        self.recorder.end_epoch()

    @torch.inference_mode()
    def inference(self) -> None:
        """The clean pass's batches through the model, nothing else."""
        self.model.eval()
        for images in self.batches:
            with training.precision(self.device):
                self.model(images)

    def eval_view(self) -> None:
        """The clean pass, as a run records it."""
        training.record_epoch(self.model, self.data, self.recipe)

    def timm(self) -> None:
        """One epoch from timm's loader."""
        timm_pipeline.train(self.model, self.optimizer, self.loader, self.device)

    def arms(self) -> dict[str, Callable[[], None]]:
        """The arms by name, in the order in which they take turns."""
        return {
            "train": self.train,
            "train view": self.train_view,
            "inference": self.inference,
            "eval view": self.eval_view,
            "timm": self.timm,
        }


def random_images(cell: Cell, device: torch.device) -> training.Resident:
    """Random pictures and labels, resident on the device."""
    draw = torch.Generator().manual_seed(0)
    shape = (cell.images, 3, cell.pixels, cell.pixels)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=draw)
    labels = torch.randint(CLASSES, (cell.images,), generator=draw)
    keys = streams.sample_keys(map(str, range(cell.images)))
    return training.Resident(images.to(device), labels.to(device), keys, CLASSES)


def measure_cell(cell: Cell, device: torch.device, roof: Any, folder: Path) -> dict[str, Any]:
    """Every arm's images a second, and the ratios that the bars are about."""
    bench = Bench(cell, device, folder)
    arms = bench.arms()
    first = {name: measure(arm, device).wall for name, arm in arms.items()}  # compiles
    turns = [one_turn(arms, turn, device) for turn in range(cell.turns)]
    share = recorder_share(bench)
    rate = {name: cell.images / median(turn[name].own for turn in turns) for name in arms}
    rate["timm"] = cell.images / median(turn["timm"].wall for turn in turns)
    rate["train on the wall"] = cell.images / median(turn["train"].wall for turn in turns)
    return {
        **asdict(cell),
        "images_per_second": rate,
        "first_seconds": first,
        "train_view_over_train": ratio(turns, "train view", "train"),
        "recorder_share": share,
        "eval_view_over_inference": ratio(turns, "eval view", "inference"),
        "lethe_over_timm": median(turn["timm"].wall / turn["train"].wall for turn in turns),
        "work": asdict(bench.work),
        "training_roof": ceiling(bench.work, roof, cell.batch, True),
        "inference_roof": ceiling(bench.work, roof, cell.batch, False),
    }


def one_turn(arms: dict[str, Callable[[], None]], turn: int, device: torch.device) -> dict:
    """Time every arm once, each turn beginning with another: an arm warms the next one's caches."""
    names = list(arms)
    begin = turn % len(names)
    return {name: measure(arms[name], device) for name in names[begin:] + names[:begin]}


def ratio(turns: list[dict[str, Span]], one: str, other: str) -> float:
    """Median over the turns of one arm's own seconds over another's."""
    return median(turn[one].own / turn[other].own for turn in turns)


def recorder_share(bench: Bench) -> float:
    """Time in the recorder over an epoch's without it (median of three epochs)."""
    original, spent, shares = Recorder.record, [], []

    clock = time.process_time if bench.device.type == "cpu" else time.perf_counter

    def clocked(*args: Any) -> None:
        begun = clock()
        original(*args)
        spent.append(clock() - begun)

    Recorder.record = clocked
    try:
        for _ in range(3):
            spent.clear()
            whole = measure(lambda: bench.train(bench.recorder), bench.device).own
            inside = sum(spent)
            end = measure(bench.recorder.end_epoch, bench.device).own
            shares.append((inside + end) / (whole - inside))
    finally:
        Recorder.record = original
    return median(shares)


def remaining(cells: tuple[Cell, ...], done: dict[str, Any], until: float) -> Iterator[Cell]:
    """The cells that are not measured yet, as long as there is time."""
    for cell in cells:
        if cell.name in done:
            continue
        if time.monotonic() > until:
            print(f"out of time before {cell.name}: the same command goes on from here")
            raise SystemExit(UNFINISHED)
        print(cell.name, flush=True)
        yield cell


def main() -> None:
    """Measure the cells, write JSON after each and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="small models, for a CPU")
    parser.add_argument("--rehearse", action="store_true", help="one tiny cell")
    parser.add_argument("--seconds", type=float, default=1e9, help="start no cell after this")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    choices = parser.parse_args()
    until, device = time.monotonic() + choices.seconds, models.pick_device(choices.device)
    torch.set_num_threads(choices.threads)
    choices.out.mkdir(parents=True, exist_ok=True)
    file = choices.out / "capture.json"
    result = json.loads(file.read_text()) if file.is_file() else {"cells": {}}
    roof = measure_roof(device)
    result |= {"environment": environment.describe(device, choices.threads), "roof": asdict(roof)}
    result["environment"] |= {"loader_workers": timm_pipeline.workers(), "cores": os.cpu_count()}
    cells = REHEARSAL if choices.rehearse else QUICK if choices.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        for cell in remaining(cells, result["cells"], until):
            result["cells"][cell.name] = measure_cell(cell, device, roof, Path(folder))
            write(result, choices.out)
    if "gap" not in result:
        small = choices.quick or choices.rehearse
        model, preset = ("test_resnet", "quick") if small else ("resnet18", "book")
        limit = 300 if small else 0
        gap = measure_gap(model, preset, device, weights="none", limit=limit)
        result["gap"] = {"model": model, **gap}
    write(result, choices.out)
    print(table.markdown(result))


def write(result: dict[str, Any], out: Path) -> None:
    """Numbers as JSON, table as Markdown."""
    (out / "capture.json").write_text(json.dumps(result, indent=1))
    (out / "capture.md").write_text(table.markdown(result))


if __name__ == "__main__":
    np.random.seed(0)  # timm's augmentation draws from the global generators
    torch.manual_seed(0)
    main()

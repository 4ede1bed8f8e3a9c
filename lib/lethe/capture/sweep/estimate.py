"""What a sweep will cost before it is run: hours of a processor or a card, and space on the disk.

Hours come from measured rates (`rates`), bytes from the format itself: an epoch is encoded in
memory with random numbers, which do not compress, so the disk needed is at most that. Cost: reads
every data set once, to count it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lethe.capture.sweep.progress import duration
from lethe.capture.sweep.rates import Rate, find_rate
from lethe.capture.sweep.worker import is_done
from lethe.errors import LetheError
from lethe.traces import epoch_files

if TYPE_CHECKING:
    from lethe.capture.plan import Run

SAMPLES = 20_000  # of the epoch that is encoded to see its size


@dataclass(frozen=True)
class Cost:
    """Seconds (None = no rate is known) and bytes that one run takes."""

    seconds: float | None
    size: int


def report(runs: Sequence[Run], out: Path, device: str) -> list[str]:
    """The estimate in lines: runs, hours by network with the source of the rate, disk, problems."""
    on_card = uses_card(device)
    left = [run for run in runs if not finished(run, out)]
    lines = [f"{len(runs)} runs, {len(runs) - len(left)} of them done"]
    problems: Counter[str] = Counter()
    rates = rates_of(left, on_card, out)
    costs: dict[tuple[str, int], list[Cost]] = {}
    for run in left:
        try:
            key = run.model, run.recipe.pixels
            costs.setdefault(key, []).append(cost(run, rates[key]))
        except LetheError as error:
            problems[str(error)] += 1
    lines += [text for key, found in costs.items() for text in told(*key, found, rates[key])]
    every = [each for found in costs.values() for each in found]
    lines.append(total(every, "GPU" if on_card else "CPU"))
    lines += [f"would fail, {count} runs: {text}" for text, count in problems.items()]
    return lines


def uses_card(device: str) -> bool:
    """Whether runs on this device are on a graphics card."""
    import torch

    return device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())


def finished(run: Run, out: Path) -> bool:
    """Whether a run is done; a damaged one is not."""
    try:
        return is_done(out, run.name)
    except LetheError:
        return False


def rates_of(runs: Sequence[Run], on_card: bool, out: Path) -> dict[tuple[str, int], Rate | None]:
    """The rate for every network and size."""
    keys = {(run.model, run.recipe.pixels): run.dataset for run in reversed(runs)}
    return {key: find_rate(*key, on_card, out, dataset) for key, dataset in keys.items()}


def cost(run: Run, rate: Rate | None) -> Cost:
    """What one run takes; LetheError if its data set or its weights are not there."""
    _ = run.backbone  # asks for the file
    train = size_of(run.dataset, "train", run.recipe.pixels, run.root)
    test = size_of(run.dataset, "test", run.recipe.pixels, run.root)
    images = min(run.limit or train, train)
    epochs = run.recipe.epochs
    tests = -(-epochs // run.test_every) + 1
    seconds = time_of(rate, images, test, epochs, tests, run) if rate else None
    trace = bytes_a_sample() * images * sum(epochs + (view == "eval") for view in run.views)
    return Cost(seconds, round(trace) + weight_bytes(run.model, run.recipe.pixels))


def time_of(rate: Rate, images: int, test: int, epochs: int, tests: int, run: Run) -> float:
    """Seconds: epochs of training, clean passes over both splits, warm-up."""
    clean = images * (epochs + 1) * ("eval" in run.views) + test * tests
    return images * (epochs * rate.train + rate.warm) + clean * rate.clean


@cache
def size_of(dataset: str, split: str, pixels: int, root: str) -> int:
    """How many images a split has."""
    from lethe import datasets

    return len(datasets.load(dataset, split, pixels, Path(root) if root else None))


@cache
def bytes_a_sample() -> float:
    """Bytes of a sample in an epoch's file, with numbers that do not compress."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.random(SAMPLES, np.float32) for name in ("loss", "margin", "error_l2")}
    arrays["prediction"] = rng.integers(0, 1000, SAMPLES, np.int16)
    table = epoch_files.epoch_table(0, arrays, SAMPLES, 1000)
    return len(epoch_files.to_parquet(table)) / SAMPLES


@cache
def weight_bytes(model: str, pixels: int) -> int:
    """Bytes of a network's weights, built without memory, with timm's own head."""
    import timm
    import torch

    if not timm.is_model(model):
        raise LetheError(f"timm has no model {model!r}")
    with torch.device("meta"):
        net = timm.create_model(model)
    return sum(value.numel() * value.element_size() for value in net.state_dict().values())


def told(model: str, pixels: int, costs: Sequence[Cost], rate: Rate | None) -> list[str]:
    """One network at one size, then where its rate comes from."""
    begin = f"{model} at {pixels} pixels: {len(costs)} runs"
    if rate is None:
        return [f"{begin}, time unknown", "    nobody measured it: finish one run, and it is known"]
    seconds = sum(each.seconds or 0 for each in costs)
    each = f"{duration(seconds / len(costs))} each"
    return [f"{begin}, {each}", f"    measured on {rate.device}: {rate.source}"]


def total(costs: Sequence[Cost], device: str) -> str:
    """All of it: hours of one worker, and the disk."""
    seconds = sum(each.seconds or 0 for each in costs)
    least = "at least " if any(each.seconds is None for each in costs) else ""
    size = sum(each.size for each in costs) / 1e6
    hours = f"{least}{seconds / 3600:.3g} {device}-hours"
    return f"together {hours} ({duration(seconds)} on one worker), at most {size:,.0f} MB of disk"

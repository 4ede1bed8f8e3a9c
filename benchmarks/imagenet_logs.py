"""Run logs of ImageNet's size, simulated: what capturing 1.28 million images would leave on a disk.

The world is known. Each image has a decay rate per epoch (kept as the column `true_rate`), the
same in every run but for a factor of the run's own; it is learned late if it is hard, forgets at
that rate and comes back with one probability (`lapse_relearn` of `lethe.analysis.simulate`). Loss,
margin and error_l2 are those of one softmax that gives the prediction. Written with `open_run` and
`write_epoch`; equal arguments give equal files.
Cost: 0.7 s and 18 MB an epoch of 1.28 million images on one core, 0.8 GB of memory a process.

    python benchmarks/imagenet_logs.py FOLDER --samples 1281167 --epochs 90 --seeds 10 --jobs 2
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from lethe.analysis.simulate import simulate_correct
from lethe.traces import is_finished, open_run


@dataclass(frozen=True)
class World:
    """Sizes, and what the traces are made of; rates are per epoch."""

    samples: int = 1_281_167
    classes: int = 1000
    epochs: int = 90
    median_rate: float = 0.02
    sample_sd: float = 1.2  # of the log rate: belongs to the image
    run_sd: float = 0.5  # of the log rate: belongs to the image in one run
    relearn: float = 0.5  # probability per epoch
    never: float = 0.01  # share of images that a run does not learn

    @property
    def label(self) -> np.ndarray:
        """Class of each image, [sample]: the folders one after another."""
        return (np.arange(self.samples) * self.classes // self.samples).astype(np.int16)

    def log_difficulty(self) -> np.ndarray:
        """Log rate of each image over the median, [sample]."""
        return self.sample_sd * np.random.default_rng(0).standard_normal(self.samples)


def class_names(world: World) -> list[str]:
    """Names like those of ImageNet's folders."""
    return [f"n{1440764 + 10007 * k:08d}" for k in range(world.classes)]


def images(world: World) -> pd.DataFrame:
    """The samples of every run: id, label, image_hash and the true rate."""
    folders, label = class_names(world), world.label
    ids = [f"{folders[k]}/{folders[k]}_{n}.JPEG" for n, k in enumerate(label.tolist())]
    codes = np.random.default_rng(1).integers(0, 2**63, world.samples).tolist()
    frame = pd.DataFrame({"sample_id": ids, "label": label})
    frame["image_hash"] = [f"{code:016x}" for code in codes]
    rate = world.median_rate * np.exp(world.log_difficulty())
    return frame.assign(true_rate=rate.astype(np.float32))


def right_or_wrong(world: World, seed: int) -> np.ndarray:
    """Whether each image is right, bool [epoch, sample]."""
    rng, hard = np.random.default_rng([seed, 2]), world.log_difficulty()
    own = world.run_sd * rng.standard_normal(world.samples)
    first = np.floor(rng.exponential(np.exp(0.5 * hard)))
    first[rng.random(world.samples) < world.never] = np.nan
    rate = np.minimum(world.median_rate * np.exp(hard + own), 5.0)
    right = simulate_correct(
        rng, rate, world.epochs, process="lapse_relearn", first_learned=first, relearn=world.relearn
    )
    return right[0]


def epochs_of(world: World, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """The arrays [sample] of one epoch after another."""
    hard = world.log_difficulty().astype(np.float32)
    rng = np.random.default_rng([seed, 3])
    others = np.exp(0.7 * rng.standard_normal(world.samples, np.float32))
    others = np.minimum(others, world.classes - 2)  # mass beside the two largest classes
    mistaken = rng.integers(1, world.classes, world.samples)
    for epoch, right in enumerate(right_or_wrong(world, seed)):
        noise = rng.standard_normal(world.samples, np.float32)
        sure = np.maximum(2 + 3 * epoch / world.epochs - hard, 0.5)
        size = 0.01 + np.abs(np.where(right, sure + noise, 0.8 * noise))
        arrays = softmax_scores(np.where(right, size, -size), others, world.classes)
        yield arrays | {"prediction": predicted(world, rng, right, mistaken)}


def predicted(
    world: World, rng: np.random.Generator, right: np.ndarray, mistaken: np.ndarray
) -> np.ndarray:
    """Class [sample]: the label where right, else mostly the image's own wrong class."""
    other = rng.integers(1, world.classes, world.samples)
    shift = np.where(rng.random(world.samples, np.float32) < 0.8, mistaken, other)
    wrong = (world.label + shift) % world.classes
    return np.where(right, world.label, wrong).astype(np.int16)


def softmax_scores(margin: np.ndarray, others: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Loss, margin and error_l2 of a softmax whose other classes weigh `others` runners-up."""
    runner_up = np.exp(-margin)  # over the label's own weight
    loss = np.log1p(runner_up * (1 + others))
    label = np.exp(-loss)
    squares = (label * runner_up) ** 2 * (1 + others**2 / max(classes - 2, 1))
    error = np.sqrt((1 - label) ** 2 + squares)
    arrays = {"loss": loss, "margin": margin, "error_l2": error}
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def write_run(folder: Path, world: World, seed: int) -> Path:
    """Write or resume the log of one seed, FOLDER/seed-NNN; a finished one is left as it is."""
    run = folder / f"seed-{seed:03d}"
    if is_finished(run):
        return run
    config = {"dataset": "imagenet", "model": "simulated", "preset": "simulated", "seed": seed}
    manifest = {"config": config | asdict(world), "dataset": {"classes": class_names(world)}}
    with open_run(run, manifest | {"environment": {}}, images(world)) as log:
        for epoch, arrays in enumerate(epochs_of(world, seed)):
            accuracy = float((arrays["prediction"] == world.label).mean())
            metrics = {"test_accuracy": accuracy - 0.1, "train_loss": float(arrays["loss"].mean())}
            weights = hashlib.sha256(f"{seed} {epoch}".encode()).hexdigest()
            log.write_epoch(epoch, arrays, metrics | {"seconds": 60.0}, {"weights": weights})
        log.finish({})
    return run


def write_runs(folder: Path, world: World, seeds: int, jobs: int = 1) -> list[Path]:
    """Write the logs of several seeds, `jobs` at a time; returns their folders."""
    write = partial(write_run, folder, world)
    if jobs == 1:
        return [write(seed) for seed in range(seeds)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(write, range(seeds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    for name in ("samples", "classes", "epochs"):
        parser.add_argument(f"--{name}", type=int, default=getattr(World, name))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    world = World(chosen.samples, chosen.classes, chosen.epochs)
    for run in write_runs(chosen.folder, world, chosen.seeds, chosen.jobs):
        print(run)


if __name__ == "__main__":
    main()

"""The traces that the book reads: `make capture` makes them all again, and skips what is done.

On each data set two small networks with the shipped weights and ten seeds, and ResNet-18 with
weights pretrained here (45 MB, so not shipped). Six seeds more of the small networks with wrong
labels planted (`+noise`), and six of one network with two CPU threads instead of one
(`+threads2`): sums in another order, so the same seeds with other rounding. `cifar7` needs
CIFAR-10, and its ResNet-18 needs Tiny-ImageNet (`lethe fetch`). Cost: about four hours on two
cores.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from lethe.capture import capture_many, plan_run
from lethe.capture.models import PRETRAINED
from lethe.capture.pretraining import pretrain
from lethe.datasets import pretraining_task
from lethe.paths import data_folder
from lethe.traces import compact


@dataclass(frozen=True)
class Shipped:
    """One store: a data set, a model, its seeds, and what is unusual about its runs."""

    dataset: str
    model: str
    seeds: int
    label_noise: str = ""
    threads: int = 1

    @property
    def name(self) -> str:
        """The store's name."""
        noise = "+noise" if self.label_noise else ""
        threads = f"+threads{self.threads}" if self.threads > 1 else ""
        return f"{self.dataset}-{self.model}-quick{noise}{threads}"


DATASETS = ("glyphs", "cifar7")
PLANTED = "symmetric:0.05,pair:0.05"
STORES = (
    *(
        Shipped(dataset, model, seeds)
        for dataset in DATASETS
        for model, seeds in (("test_resnet", 10), ("test_vit", 10), ("resnet18", 3))
    ),
    *(
        Shipped(dataset, model, 6, label_noise=PLANTED)
        for dataset in DATASETS
        for model in ("test_resnet", "test_vit")
    ),
    Shipped("glyphs", "test_resnet", 6, threads=2),
)


def capture_store(shipped: Shipped, runs: Path, jobs: int) -> Path:
    """Capture every seed of a store that is not finished, then pack them."""
    if shipped.model == "resnet18":
        task = pretraining_task(shipped.dataset)
        pretrain("resnet18", PRETRAINED / f"resnet18-32px-{task}.safetensors", dataset=task)
    plans = [
        plan_run(shipped.dataset, shipped.model, seed=seed, label_noise=shipped.label_noise)
        for seed in range(shipped.seeds)
    ]
    if shipped.threads > 1:  # the number of threads is no part of a run's id
        runs = runs / f"threads{shipped.threads}"
    folders = capture_many(plans, runs, jobs=jobs, threads=shipped.threads)
    return Path(compact(folders, data_folder() / "traces" / f"{shipped.name}.zarr.zip"))


def main() -> None:
    """Capture the named stores, or all of them."""
    parser = argparse.ArgumentParser(description="Capture the traces that the book reads.")
    parser.add_argument("stores", nargs="*", default=[shipped.name for shipped in STORES])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jobs", type=int, default=0)
    choices = parser.parse_args()
    for shipped in STORES:
        if shipped.name in choices.stores:
            print(capture_store(shipped, choices.runs, choices.jobs))


if __name__ == "__main__":
    main()

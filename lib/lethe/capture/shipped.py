"""The traces that the book reads: `make capture` makes them all again, and skips what is done.

On each data set two small networks with the shipped weights and ten seeds, and ResNet-18 with
weights pretrained here (45 MB, so not shipped). `cifar7` needs CIFAR-10, and its ResNet-18 needs
Tiny-ImageNet (`lethe fetch`). Cost: about three hours on two cores.
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
    """One store: a data set, a model and its seeds."""

    dataset: str
    model: str
    seeds: int

    @property
    def name(self) -> str:
        """The store's name."""
        return f"{self.dataset}-{self.model}-quick"


STORES = tuple(
    Shipped(dataset, model, seeds)
    for dataset in ("glyphs", "cifar7")
    for model, seeds in (("test_resnet", 10), ("test_vit", 10), ("resnet18", 3))
)


def capture_store(shipped: Shipped, runs: Path, jobs: int) -> Path:
    """Capture every seed of a store that is not finished, then pack them."""
    if shipped.model == "resnet18":
        task = pretraining_task(shipped.dataset)
        pretrain("resnet18", PRETRAINED / f"resnet18-32px-{task}.safetensors", dataset=task)
    plans = [plan_run(shipped.dataset, shipped.model, seed=seed) for seed in range(shipped.seeds)]
    folders = capture_many(plans, runs, jobs=jobs)
    return compact(folders, data_folder() / "traces" / f"{shipped.name}.zarr.zip")


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

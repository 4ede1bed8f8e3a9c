"""The traces that the book reads: `make capture` makes them all again, and skips what is done.

Two small networks with the shipped weights and ten seeds, and ResNet-18 with weights pretrained
here (45 MB, so not shipped). Cost: about an hour and a half on two cores.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from lethe.capture import capture_many, plan_run
from lethe.capture.pretraining import pretrain
from lethe.paths import data_folder
from lethe.traces import compact


@dataclass(frozen=True)
class Shipped:
    """One store: a model, its seeds, and where its backbone comes from."""

    model: str
    seeds: int
    weights: str = "lethe"


RESNET18_WEIGHTS = Path("runs/weights/resnet18-32px.safetensors")
STORES = (
    Shipped("test_resnet", 10),
    Shipped("test_vit", 10),
    Shipped("resnet18", 3, str(RESNET18_WEIGHTS)),
)


def capture_store(shipped: Shipped, runs: Path, jobs: int) -> Path:
    """Capture every seed of a store that is not finished, then pack them."""
    if shipped.model == "resnet18" and not RESNET18_WEIGHTS.is_file():
        RESNET18_WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
        pretrain("resnet18", RESNET18_WEIGHTS)
    plans = [
        plan_run("glyphs", shipped.model, seed=seed, weights=shipped.weights)
        for seed in range(shipped.seeds)
    ]
    folders = capture_many(plans, runs, jobs=jobs)
    return compact(folders, data_folder() / "traces" / f"glyphs-{shipped.model}-quick.zarr.zip")


def main() -> None:
    """Capture the named models, or all of them."""
    parser = argparse.ArgumentParser(description="Capture the traces that the book reads.")
    parser.add_argument("models", nargs="*", default=[shipped.model for shipped in STORES])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--jobs", type=int, default=0)
    choices = parser.parse_args()
    for shipped in STORES:
        if shipped.model in choices.models:
            print(capture_store(shipped, choices.runs, choices.jobs))


if __name__ == "__main__":
    main()

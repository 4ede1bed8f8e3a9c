"""Simulated stores of two networks on one data set, for tests of whole pages.

Each image has a decay rate of its own, larger in small classes; its loss after the warm-up follows
the rate. The second network has the same rates with noise, so that the two agree in part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lethe import traces
from lethe.analysis import curves


def write_stores(
    folder: Path,
    dataset: str = "mine",
    models: tuple[str, ...] = ("test_resnet", "test_vit"),
    sizes: tuple[int, ...] = (60, 40, 30, 20),
    seeds: int = 6,
    epochs: int = 13,
    ids: Sequence[str] | None = None,
) -> list[Path]:
    """Write one store a model, DATASET-MODEL-quick, of sum(sizes) images in len(sizes) classes."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(len(sizes)), sizes)
    rate = np.exp(rng.normal(-3.5, 1, label.size)) * (1 + label)
    names = [f"{k}/{n:04d}.png" for n, k in enumerate(label)] if ids is None else list(ids)
    images = pd.DataFrame({"sample_id": names})
    images["label"], images["image_hash"] = label.astype(np.int16), ""
    made = []
    for model in models:
        rates = np.minimum(rate * np.exp(rng.normal(0, 0.5, label.size)), 3.0)
        right = simulate(rng, rates, seeds, epochs)
        name = f"{dataset}-{model}-quick"
        runs = [folder / "runs" / f"{name}-{seed}" for seed in range(seeds)]
        for seed, run in enumerate(runs):
            config = {"dataset": dataset, "model": model, "preset": "quick", "seed": seed}
            write_run(run, config, images, right[seed], rates, rng)
        made.append(traces.compact(runs, folder / "traces" / f"{name}.zarr.zip"))
    return made


def simulate(rng: np.random.Generator, rates: np.ndarray, seeds: int, epochs: int) -> np.ndarray:
    """Right or wrong [seed, epoch, sample]: lost and won back; some images are learned late."""
    first = rng.choice([0, 0, 1, 2, 40], (seeds, rates.size), p=[0.6, 0.1, 0.15, 0.13, 0.02])
    first = np.where(first >= epochs, np.nan, first).astype(float)
    return curves.simulate_correct(rng, rates, epochs, seeds, "lapse_relearn", first)


def write_run(folder, config, images, right, rates, rng):
    """Log one run of `right` [epoch, sample]."""
    label = images["label"].to_numpy()
    classes = [f"class {k}" for k in range(label.max() + 1)]
    manifest = {"config": config, "dataset": {"classes": classes}, "environment": {}}
    with traces.open_run(folder, manifest, images) as log:
        for epoch, answers in enumerate(right):
            noise = rng.random(label.size)
            wrong = (label + 1 + (noise * (len(classes) - 1)).astype(int)) % len(classes)
            loss = (np.where(answers, 0.3, 1.5) + 2 * np.sqrt(rates) + noise).astype(np.float32)
            arrays = {"prediction": np.where(answers, label, wrong).astype(np.int16), "loss": loss}
            arrays |= {"margin": 1 - loss, "error_l2": np.minimum(loss / 4, 1)}
            metrics = {"test_accuracy": answers.mean() - 0.05, "train_loss": loss.mean()}
            log.write_epoch(epoch, arrays, metrics | {"seconds": 1.0}, {"weights": f"{epoch}"})
        log.finish({"weights": "f"})

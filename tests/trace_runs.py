"""Small runs for the tests of the traces: three classes, a few samples, distinct values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lethe.traces import RunLog, compact, open_run, packing

CLASSES = ["cat", "dog", "owl"]


def manifest(seed: int = 0, **config) -> dict:
    settings = {"dataset": "zoo", "model": "tiny", "preset": "quick", "seed": seed}
    settings |= {"seeds": {"init": seed, "order": seed}, "recipe": {"lr": 0.1, "epochs": 3}}
    return {"config": settings | config, "dataset": {"classes": CLASSES}, "environment": {}}


def samples(n: int = 6) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"é {i}/{chr(97 + i)}.png" for i in range(n)],
            "label": (np.arange(n) % 3).astype(np.int16),
            "image_hash": [f"{i:04x}" for i in range(n)],
            "identical_to": [None, *("é 0/a.png" for _ in range(n - 1))],
            "is_symbol_font": np.arange(n) % 2 == 0,
        }
    )


def epoch_arrays(epoch: int, seed: int = 0, n: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, epoch])
    return {
        "prediction": rng.integers(0, 3, n).astype(np.int16),
        "loss": rng.exponential(size=n).astype(np.float32),
        "margin": rng.normal(size=n).astype(np.float32),
        "error_l2": rng.random(n).astype(np.float32),
    }


def write(log: RunLog, epoch: int, seed: int = 0, view: str = "eval") -> None:
    metrics = {"test_accuracy": 0.5 + epoch / 100, "train_loss": np.nan, "seconds": 1.5}
    hashes = {"weights": f"{seed}w{epoch}"}
    log.write_epoch(epoch, epoch_arrays(epoch, seed, len(log.samples)), metrics, hashes, view)


def capture(folder: Path, seed: int = 0, epochs: int = 3, n: int = 6, **config) -> Path:
    with open_run(folder, manifest(seed, **config), samples(n)) as log:
        for epoch in range(epochs):
            write(log, epoch, seed)
        log.finish({"weights": "f00"})
    return folder


def seeds_of_23(folder: Path) -> list[Path]:
    """Finished runs of three seeds, with 23 samples."""
    return [capture(folder / f"run{seed}", seed, n=23) for seed in range(3)]


def in_chunks_of_6(runs: list[Path], folder: Path) -> Path:
    """Their store, in chunks of 6 samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "SMALL", packing.Packing(6, 9))
        return compact(runs, folder / "zoo-tiny-quick.zarr.zip")

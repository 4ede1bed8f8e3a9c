"""A run from plan to trace: head warm-up, fine-tuning, a clean recording pass after every epoch.

Run id = hash of the full configuration, so the same command finds its folder again: finished runs
are skipped, unfinished ones go on from their last committed epoch, bit for bit as if never
interrupted (same machine and versions).
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer

from lethe import datasets
from lethe.capture import environment, models, state, streams, training
from lethe.capture.recipes import Recipe, find_recipe
from lethe.datasets.images import Images
from lethe.errors import LetheError
from lethe.traces import RunLog, is_finished, open_run

# columns that say where an image is stored or came from; the data set itself keeps them
LEFT_OUT = ["label", "split", "sheet", "tile", "package", "package_version", "licence"]


@dataclass(frozen=True)
class Run:
    """Data set x model x recipe x seeds, nothing loaded yet."""

    dataset: str
    model: str
    preset: str
    recipe: Recipe
    seed: int
    seeds: streams.Seeds
    weights: str = "lethe"
    limit: int = 0  # training samples, drawn from stream `split`; 0 = all
    root: str = ""  # folder of the data set; empty = its usual place

    def config(self) -> dict[str, object]:
        """Everything that defines the run, as it stands in the manifest."""
        return {
            "dataset": self.dataset,
            "model": self.model,
            "preset": self.preset,
            "recipe": self.recipe.as_dict(),
            "seed": self.seed,
            "seeds": self.seeds.as_dict(),
            "weights": self.weights,
            "limit": self.limit,
        }

    @property
    def run_id(self) -> str:
        """First 12 hex digits of the sha256 of the configuration."""
        text = json.dumps(self.config(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The run's folder name."""
        return f"{self.dataset}-{self.model}-{self.preset}-seed{self.seed}-{self.run_id}"


def plan_run(
    dataset: str,
    model: str,
    *,
    preset: str = "quick",
    seed: int = 0,
    weights: str = "lethe",
    limit: int = 0,
    root: str = "",
    held: dict[str, int] | None = None,
    **settings: int | float | bool,
) -> Run:
    """A run by name; `held` fixes single streams, `settings` change single recipe entries.

    Raises LetheError for unknown names, with the nearest known one.
    """
    datasets.check_name(dataset)
    recipe = find_recipe(preset, model, **settings)
    if limit < 0:
        raise LetheError(f"limit must be 0 (all samples) or above, not {limit}")
    seeds = streams.Seeds.of_run(seed, **(held or {}))
    return Run(dataset, model, preset, recipe, seed, seeds, weights, limit, root)


@cache
def load_split(dataset: str, split: str, pixels: int, root: str) -> Images:
    """A split of a data set, decoded once a process."""
    return datasets.load(dataset, split, pixels, Path(root) if root else None)


def training_images(run: Run) -> Images:
    """The run's training samples: all, or `limit` of them spread evenly over the classes."""
    images = load_split(run.dataset, "train", run.recipe.pixels, run.root)
    if not run.limit or run.limit >= len(images):
        return images
    keys = streams.sample_keys(images.sample_ids)
    ranks = np.empty(len(images), np.int64)
    ranks[streams.shuffled(run.seeds.split, "split", 0, keys)] = np.arange(len(images))
    frame = pd.DataFrame({"label": images.labels, "rank": ranks})
    frame["turn"] = frame.groupby("label")[
        "rank"
    ].rank()  # every class's first, then its second, ...
    chosen = frame.sort_values(["turn", "rank"]).index[: run.limit]
    return images.take(np.sort(chosen.to_numpy()))


def capture_run(run: Run, out: Path | str, device: str = "auto", threads: int = 1) -> Path:
    """Carry a run through to its last epoch; returns its folder.

    Epoch 0 is recorded after head warm-up, before any fine-tuning. Raises LetheError if the loss
    diverges, the folder cannot be written, or an unfinished run was begun under other versions.
    """
    folder = Path(out) / run.name
    if is_finished(folder):
        return folder
    where = models.pick_device(device)
    torch.set_num_threads(threads)
    images = training_images(run)
    test = load_split(run.dataset, "test", run.recipe.pixels, run.root)
    manifest = {
        "config": run.config(),
        "run_id": run.run_id,
        "dataset": {
            "fingerprint": images.fingerprint,
            "classes": images.classes,
            "test_samples": len(test),
        },
        "weights_sha256": environment.weights_sha256(run),
        "environment": environment.describe(where, threads),
    }
    with open_run(folder, manifest, sample_table(images)) as log:
        environment.check_same(log.manifest["environment"], manifest["environment"], folder)
        fine_tune(run, log, training.Resident.of(images, where), training.Resident.of(test, where))
    return folder


def sample_table(images: Images) -> pd.DataFrame:
    """The samples as the trace keeps them: id, label, then the data set's own columns."""
    named = pd.DataFrame({"sample_id": images.sample_ids, "label": images.labels.astype(np.int16)})
    others = images.columns.drop(columns=LEFT_OUT, errors="ignore")
    return pd.concat([named, others.reset_index(drop=True)], axis=1)


@dataclass(frozen=True)
class Session:
    """What a run works with: its log, its network and optimizer, and both splits on the device."""

    run: Run
    log: RunLog
    model: nn.Module
    optimizer: Optimizer
    data: training.Resident
    test: training.Resident

    def commit(self, epoch: int, train_loss: float, begun: float) -> None:
        """Record the epoch, save the state, then commit; older checkpoints go after the commit."""
        trained = time.perf_counter()
        arrays = training.record_epoch(self.model, self.data, self.run.recipe)
        recorded = time.perf_counter()
        test_arrays = training.record_epoch(self.model, self.test, self.run.recipe)
        state.save_checkpoint(self.log.folder, epoch, self.model, self.optimizer)
        metrics = {
            "train_loss": train_loss,
            "train_accuracy": training.accuracy(arrays, self.data),
            "test_accuracy": training.accuracy(test_arrays, self.test),
            "seconds": trained - begun,
            "record_seconds": recorded - trained,
        }
        self.log.write_epoch(epoch, arrays, metrics, self.hashes(epoch))
        state.drop_checkpoints(self.log.folder, keep=epoch)

    def hashes(self, epoch: int) -> dict[str, str]:
        """What two equal epochs must agree in: visiting order, weights, buffers, moments."""
        moments = state.optimizer_tensors(self.optimizer)
        return {
            "order": training.order_hash(self.data, self.run.seeds, epoch) if epoch else "",
            "weights": state.digest(self.model.named_parameters()),
            "batch_norm": state.digest(models.batch_norms(self.model)),
            "optimizer": state.digest(moments.items()),
        }


def fine_tune(run: Run, log: RunLog, data: training.Resident, test: training.Resident) -> None:
    """From the last committed epoch, or from head warm-up, to the last epoch."""
    model = models.build_model(
        run.model, data.classes, data.images.shape[1], run.recipe, run.seeds.init, run.weights
    ).to(data.labels.device, memory_format=torch.channels_last)
    optimizer = training.make_optimizer(model, run.recipe)
    session = Session(run, log, model, optimizer, data, test)
    done = max(log.committed(), default=None)
    begun = time.perf_counter()
    if done is None:
        training.warm_up_head(model, data, run.recipe, run.seeds)
        session.commit(0, float("nan"), begun)
    else:
        state.load_checkpoint(log.folder, done, model, optimizer)
    for epoch in range(1 + (done or 0), run.recipe.epochs + 1):
        begun = time.perf_counter()
        loss = training.train_epoch(model, optimizer, data, run.recipe, run.seeds, epoch)
        session.commit(epoch, loss, begun)
    state.write_tensors(model.state_dict(), log.folder / "weights.safetensors")
    log.finish({"weights": state.digest(model.state_dict().items())})
    state.drop_checkpoints(log.folder, keep=None)

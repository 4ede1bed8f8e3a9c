"""A run from plan to trace: head warm-up, then epochs of fine-tuning, each recorded in its views.

Run id = hash of the full configuration, so the same command finds its folder again: finished runs
are skipped, unfinished ones go on from their last committed epoch, bit for bit as if never
interrupted (same machine and versions).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer

from lethe import datasets
from lethe.capture import audit, environment, models, state, streams, training
from lethe.capture.recipes import Recipe, Setting, find_recipe
from lethe.capture.recorder import Recorder
from lethe.datasets.images import Images
from lethe.errors import LetheError
from lethe.traces import VIEWS, RunLog, check_view, is_finished, open_run

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
    views: tuple[str, ...] = ("eval",)
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
            "views": list(self.views),
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

    @property
    def backbone(self) -> str:
        """Where the backbone comes from: `timm`, `none` or a file."""
        if self.weights != "lethe":
            return self.weights
        task = datasets.pretraining_task(self.dataset)
        return str(models.weights_file(self.model, self.recipe.pixels, task))


def plan_run(
    dataset: str,
    model: str,
    *,
    preset: str = "quick",
    seed: int = 0,
    weights: str = "lethe",
    limit: int = 0,
    views: Sequence[str] = ("eval",),
    root: str = "",
    held: dict[str, int] | None = None,
    **settings: Setting,
) -> Run:
    """A run by name; `held` fixes single streams, `settings` change single recipe entries.

    Raises LetheError for unknown names, with the nearest known one.
    """
    datasets.check_name(dataset, root)
    recipe = find_recipe(preset, model, datasets.kind(dataset), **settings)
    if limit < 0:
        raise LetheError(f"limit must be 0 (all samples) or above, not {limit}")
    for view in views:
        check_view(view)
    if not views:
        raise LetheError("a run without a view records nothing: give eval, train or both")
    seeds = streams.Seeds.of_run(seed, **(held or {}))
    chosen = tuple(view for view in VIEWS if view in views)
    return Run(dataset, model, preset, recipe, seed, seeds, weights, limit, chosen, root)


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
        "weights_sha256": environment.weights_sha256(run.backbone),
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

    def train(self, epoch: int) -> None:
        """One epoch of fine-tuning, its training logits recorded on the way if asked for."""
        run, begun = self.run, time.perf_counter()
        recorder = (
            Recorder(len(self.data), self.data.labels.device) if self.wants("train") else None
        )
        loss = training.train_epoch(
            self.model, self.optimizer, self.data, run.recipe, run.seeds, epoch, recorder
        )
        free = {"train": recorder.end_epoch()} if recorder else {}
        self.commit(epoch, free, {"train_loss": loss, "seconds": time.perf_counter() - begun})

    def wants(self, view: str) -> bool:
        """Whether the run records this view."""
        return view in self.run.views

    def commit(
        self, epoch: int, arrays: dict[str, dict[str, np.ndarray]], metrics: dict[str, float]
    ) -> None:
        """Record the clean pass, save the state, then commit; `eval` last, since a resume goes on
        from the epochs of the last view.
        """
        begun = time.perf_counter()
        if self.wants("eval"):
            arrays["eval"] = training.record_epoch(self.model, self.data, self.run.recipe)
            metrics["train_accuracy"] = training.accuracy(arrays["eval"], self.data)
            metrics["record_seconds"] = time.perf_counter() - begun
        on_test = training.record_epoch(self.model, self.test, self.run.recipe)
        metrics["test_accuracy"] = training.accuracy(on_test, self.test)
        state.save_checkpoint(self.log.folder, epoch, self.model, self.optimizer)
        hashes = self.hashes(epoch)
        for view, values in arrays.items():
            self.log.write_epoch(epoch, values, metrics, hashes, view)
        state.drop_checkpoints(self.log.folder, keep=epoch)

    def hashes(self, epoch: int) -> dict[str, str]:
        """What two equal epochs must agree in: draws, weights, buffers, moments."""
        moments = state.optimizer_tensors(self.optimizer)
        return {
            **audit.epoch_hashes(self.data.keys, self.run.seeds, self.run.recipe, epoch),
            "weights": state.digest(self.model.named_parameters()),
            "batch_norm": state.digest(models.batch_norms(self.model)),
            "optimizer": state.digest(moments.items()),
        }


def fine_tune(run: Run, log: RunLog, data: training.Resident, test: training.Resident) -> None:
    """From the last committed epoch, or from head warm-up, to the last epoch."""
    model = models.build_model(
        run.model, data.classes, data.images.shape[1], run.recipe, run.seeds.init, run.backbone
    ).to(data.labels.device, memory_format=torch.channels_last)
    optimizer = training.make_optimizer(model, run.recipe)
    session = Session(run, log, model, optimizer, data, test)
    done = max(log.committed(run.views[0]), default=None)
    if done is None:
        begun = time.perf_counter()
        training.warm_up_head(model, data, run.recipe, run.seeds)
        session.commit(0, {}, {"seconds": time.perf_counter() - begun})
    else:
        state.load_checkpoint(log.folder, done, model, optimizer)
    for epoch in range(1 + (done or 0), run.recipe.epochs + 1):
        session.train(epoch)
    state.write_tensors(model.state_dict(), log.folder / "weights.safetensors")
    log.finish({"weights": state.digest(model.state_dict().items())})
    state.drop_checkpoints(log.folder, keep=None)

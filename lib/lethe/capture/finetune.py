"""A run from plan to trace: head warm-up, then epochs of fine-tuning, each recorded in its views.

Finished runs are skipped, unfinished ones go on from their last committed epoch, bit for bit as if
never interrupted (same machine and versions). Under torchrun the processes carry one run together;
the first alone writes its folder, which all must see.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer

from lethe import datasets
from lethe.capture import (
    audit,
    environment,
    global_batch_norm,
    models,
    processes,
    samplers,
    state,
    streams,
    training,
)
from lethe.capture.plan import Run
from lethe.capture.recorder import Recorder
from lethe.capture.replay import committed_plan
from lethe.datasets.images import Images
from lethe.datasets.noise import plant_noise
from lethe.errors import LetheError
from lethe.traces import RunLog, file_sha256, is_finished, open_run
from lethe.traces.commits import committed_epochs, first_difference, read_commit
from lethe.traces.files import read_json

# columns that say where an image is stored or came from; the data set itself keeps them
LEFT_OUT = ["label", "split", "sheet", "tile", "package", "package_version", "licence"]

CHECKPOINT_EVERY = 20.0  # seconds; a kill costs at most these and an epoch


@cache
def load_split(dataset: str, split: str, pixels: int, root: str) -> Images:
    """A split of a data set, decoded once a process."""
    return datasets.load(dataset, split, pixels, Path(root) if root else None)


def training_images(run: Run) -> Images:
    """The run's training samples: all, or `limit` of them spread evenly over the classes."""
    images = load_split(run.dataset, "train", run.recipe.pixels, run.root)
    images = plant_noise(images, run.label_noise)
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
    with processes.joined(device):
        if processes.share(is_finished(folder)):
            processes.first(lambda: check_finished(folder, run))
        else:
            carry_on(run, folder, device, threads)
    return folder


def check_finished(folder: Path, run: Run) -> None:
    """What is left to do for a finished run."""
    check_weights(folder, run)
    state.drop_checkpoints(folder, keep=None)  # left if a kill came right after done.json


def carry_on(run: Run, folder: Path, device: str, threads: int) -> None:
    """Begin or resume a run in its folder and bring it to its end."""
    where = models.pick_device(processes.own_device(device))
    torch.set_num_threads(threads)
    # the first process decodes the images, the others read what it kept
    processes.first(lambda: load_split(run.dataset, "train", run.recipe.pixels, run.root))
    processes.first(lambda: load_split(run.dataset, "test", run.recipe.pixels, run.root))
    images = training_images(run)
    test = load_split(run.dataset, "test", run.recipe.pixels, run.root)
    constants = read_constants(run.constants, images.sample_ids) if run.constants else None
    manifest: dict[str, Any] = {
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
    processes.check_equal(manifest, "manifest")
    table = sample_table(images, constants)
    with processes.first(lambda: open_run(folder, manifest, table)) or nullcontext() as log:
        if processes.share(is_finished(folder)):  # by another command, since the look above
            return
        processes.first(lambda: check_begun(folder, run, manifest["environment"]))
        data, unseen = (training.Resident.of(part, where) for part in (images, test))
        fine_tune(run, folder, log, data, unseen)


def check_begun(folder: Path, run: Run, now: dict[str, Any]) -> None:
    """LetheError if a run was begun with other weights, or in another environment."""
    check_weights(folder, run)
    environment.check_same(read_json(folder / "manifest.json")["environment"], now, folder)


def check_weights(folder: Path, run: Run) -> None:
    """LetheError if a run was begun with other pretrained weights than its command finds now."""
    begun = read_json(folder / "manifest.json")["weights_sha256"]
    try:
        now = environment.weights_sha256(run.backbone)
    except LetheError:
        return  # the file is gone: what is done can be used, and the rest will ask for it
    if now != begun:
        raise LetheError(
            f"{folder} was begun with other weights than {run.backbone} holds now: "
            "put those back, choose another --out, or remove the folder to capture it again"
        )


def read_constants(file: str, sample_ids: np.ndarray) -> np.ndarray:
    """The decay constants of these samples from a CSV of sample_id,decay_constant: float64[n].

    LetheError for a column, a sample or a number that is missing, or a negative one.
    """
    table = pd.read_csv(file)
    for column in ("sample_id", "decay_constant"):
        if column not in table:
            raise LetheError(f"{file} has no column {column}: expected sample_id,decay_constant")
    known = table.drop_duplicates("sample_id").set_index("sample_id")["decay_constant"]
    constants = known.reindex(sample_ids)
    if not (constants >= 0).all():
        first = constants.index[~(constants >= 0)][0]
        raise LetheError(f"{file} has no decay constant of 0 or more for sample {first!r}")
    return constants.to_numpy(float)


def sample_table(images: Images, constants: np.ndarray | None = None) -> pd.DataFrame:
    """The samples as the trace keeps them: id, label, decay constants if the sampler was given
    some, then the data set's own columns.
    """
    named = pd.DataFrame({"sample_id": images.sample_ids, "label": images.labels.astype(np.int16)})
    if constants is not None:
        named["decay_constant"] = constants
    others = images.columns.drop(columns=LEFT_OUT, errors="ignore")
    return pd.concat([named, others.reset_index(drop=True)], axis=1)


@dataclass(frozen=True)
class Session:
    """What a run works with: its folder and log, its network and optimizer, and both splits on the
    device. The first process of a group has the log, the others None.
    """

    run: Run
    folder: Path
    log: RunLog | None
    model: nn.Module
    optimizer: Optimizer
    data: training.Resident
    test: training.Resident

    def train(self, epoch: int, save: bool) -> None:
        """One epoch of fine-tuning, its training logits recorded on the way if asked for."""
        run, begun, plan = self.run, time.perf_counter(), self.plan(epoch)
        recorder = (
            Recorder(len(self.data), self.data.labels.device) if self.wants("train") else None
        )
        loss = training.train_epoch(
            self.model,
            self.optimizer,
            self.data,
            run.recipe,
            run.seeds,
            epoch,
            recorder,
            plan,
        )
        free = {"train": recorder.end_epoch()} if recorder else {}
        seconds = time.perf_counter() - begun
        self.commit(epoch, free, {"train_loss": loss, "seconds": seconds}, save, plan)

    def plan(self, epoch: int) -> samplers.Plan | None:
        """The sampler's plan of an epoch from what is committed before; None without a sampler."""
        name, seed = self.run.sampler, self.run.seeds.order
        if name == samplers.RANDOM or not epoch:
            return None
        made = processes.first(lambda: committed_plan(self.folder, name, seed, epoch))
        return processes.share(made)

    def wants(self, view: str) -> bool:
        """Whether the run records this view."""
        return view in self.run.views

    def commit(
        self,
        epoch: int,
        arrays: dict[str, dict[str, np.ndarray]],
        metrics: dict[str, float],
        save: bool,
        plan: samplers.Plan | None = None,
    ) -> None:
        """Record the clean pass, then write it and the state if it is time."""
        begun = time.perf_counter()
        if self.wants("eval"):
            arrays["eval"] = training.record_epoch(self.model, self.data, self.run.recipe)
            metrics["train_accuracy"] = training.accuracy(arrays["eval"], self.data)
            metrics["record_seconds"] = time.perf_counter() - begun
        if epoch % self.run.test_every == 0 or epoch == self.run.recipe.epochs:
            on_test = training.record_epoch(self.model, self.test, self.run.recipe)
            metrics["test_accuracy"] = training.accuracy(on_test, self.test)
        hashes = self.hashes(epoch, plan)
        processes.check_equal(hashes, f"epoch {epoch}")
        processes.first(lambda: self.write(epoch, arrays, metrics, hashes, save))

    def write(
        self,
        epoch: int,
        arrays: dict[str, dict[str, np.ndarray]],
        metrics: dict[str, float],
        hashes: dict[str, str],
        save: bool,
    ) -> None:
        """Save the state if it is time, then commit the views; `eval` last, since a resume goes on
        from the epochs of the last view.
        """
        assert self.log
        if save:
            state.save_checkpoint(self.folder, epoch, self.model, self.optimizer)
        for view, values in arrays.items():
            self.log.write_epoch(epoch, values, metrics, hashes, view)
        if save:
            state.drop_checkpoints(self.folder, keep=epoch)

    def hashes(self, epoch: int, plan: samplers.Plan | None) -> dict[str, str]:
        """What two equal epochs must agree in: draws, weights, buffers, moments."""
        moments = state.optimizer_tensors(self.optimizer)
        order = plan.positions if plan else None
        return {
            **audit.epoch_hashes(self.data.keys, self.run.seeds, self.run.recipe, epoch, order),
            "weights": state.digest(self.model.named_parameters()),
            "batch_norm": state.digest(models.batch_norms(self.model)),
            "optimizer": state.digest(moments.items()),
        }

    def check_resumed(self, epoch: int) -> None:
        """LetheError unless the loaded state is the one that the epoch was committed with."""
        record = read_commit(self.folder, self.run.views[0], epoch)
        difference = first_difference(
            record["hashes"], self.hashes(epoch, self.plan(epoch)), "hashes"
        )
        if difference:
            file = state.checkpoint_file(self.folder, epoch)
            raise LetheError(
                f"{file} is not the state of committed epoch {epoch} ({difference}): copy it "
                f"again, or remove {self.folder} to start over"
            )


def fine_tune(
    run: Run,
    folder: Path,
    log: RunLog | None,
    data: training.Resident,
    test: training.Resident,
) -> None:
    """From the last checkpoint, or from head warm-up, to the last epoch; epochs that were committed
    since are repeated, and must come out with the same values.
    """
    model = models.build_model(
        run.model, data.classes, data.images.shape[1], run.recipe, run.seeds.init, run.backbone
    )
    model = global_batch_norm.over_all_processes(models.placed(model, data.labels.device))
    optimizer = training.make_optimizer(model, run.recipe)
    session = Session(run, folder, log, model, optimizer, data, test)
    done = processes.share(processes.first(lambda: resumable(folder, run)))
    if done is None:
        begun = time.perf_counter()
        training.warm_up_head(model, data, run.recipe, run.seeds)
        session.commit(0, {}, {"seconds": time.perf_counter() - begun}, save=not CHECKPOINT_EVERY)
    else:
        state.load_checkpoint(folder, done, model, optimizer)
        session.check_resumed(done)
    saved = time.monotonic()
    for epoch in range(1 + (done or 0), run.recipe.epochs + 1):
        save = time.monotonic() - saved >= CHECKPOINT_EVERY
        session.train(epoch, save)
        saved = time.monotonic() if save else saved
    processes.first(lambda: finish(folder, log, model))


def resumable(folder: Path, run: Run) -> int | None:
    """The newest committed epoch that has a checkpoint; None if none has."""
    committed = committed_epochs(folder, run.views[0])
    return state.newest_checkpoint(folder, max(committed, default=-1))


def finish(folder: Path, log: RunLog | None, model: nn.Module) -> None:
    """Write the final weights with their hashes, mark the run as done, then drop the checkpoint."""
    assert log
    file = folder / "weights.safetensors"
    state.write_tensors(model.state_dict(), file)
    weights = state.digest(sorted(model.state_dict().items()))
    log.finish({"weights": weights, "sha256": {file.name: file_sha256(file)}})
    state.drop_checkpoints(folder, keep=None)

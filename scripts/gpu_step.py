"""One step of the GPU captures: environment, exact, unit MODEL DATASET, or bench."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gpu_results
import numpy as np
import torch
from safetensors.torch import load_file

from lethe import datasets
from lethe.capture import (
    capture_many,
    capture_run,
    environment,
    model_card,
    models,
    plan_run,
    state,
    training,
)
from lethe.capture.pretraining import pretrain, pretraining_recipe
from lethe.traces import compact, read_run

WORK, OUT = Path(os.environ["WORK"]), Path(os.environ["OUT"])
BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "capture.py"
SPARSE = 20.0  # seconds between checkpoints of pretraining
TOGETHER = 5  # seeds of a unit at a time


class Settings:
    """What a rehearsal does differently: a CPU, small models, few images, one epoch, two seeds."""

    def __init__(self, rehearse: bool) -> None:
        """The settings of the book, or those of a rehearsal."""
        self.preset = "quick" if rehearse else "book"
        self.device = "cpu" if rehearse else "cuda"
        self.models = gpu_results.SMALL if rehearse else gpu_results.BOOK
        self.exact_models = self.models[:1] if rehearse else self.models
        self.seeds = range(2 if rehearse else 10)
        self.capture: dict[str, Any] = {}
        self.pretraining_epochs = 1 if rehearse else 0
        self.exact = {"limit": 62 if rehearse else 2000, "epochs": 3, "warmup_epochs": 1}
        self.kills = 1 if rehearse else 2
        if rehearse:
            self.capture = {"limit": 62, "epochs": 1, "warmup_epochs": 1, "held": {"split": 0}}
            thin_out()


def thin_out() -> None:
    """Let every loader return a fiftieth of what is not fine-tuned on."""
    load = datasets.load

    def few(name: str, split: str, pixels: int, root: Path | None = None) -> datasets.Images:
        images = load(name, split, pixels, root)
        return images if split == "train" else images.take(np.arange(0, len(images), 50))

    datasets.load = few


def describe(settings: Settings) -> None:
    """Check and write what this machine is."""
    about: dict[str, Any] = environment.describe(models.pick_device("auto"), 1)
    about["free_gib"] = round(shutil.disk_usage(WORK).free / 2**30, 1)
    about["cores"] = os.cpu_count()
    if torch.cuda.is_available():
        about["gpu_gib"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
        about["cuda"], about["cudnn"] = torch.version.cuda, torch.backends.cudnn.version()
    if about["free_gib"] < 5:
        raise SystemExit(f"{about['free_gib']} GiB free in {WORK}, expected 5")
    (WORK / "environment.json").write_text(json.dumps(about, indent=1))
    print(f"{about['device']}, torch {about['torch']}, {about['free_gib']} GiB free")


def weights_for(model: str, task: str, settings: Settings) -> Path:
    """Pretrain, then keep the weights with their matrices in half precision (they must travel)."""
    recipe = pretraining_recipe(model, settings.preset, settings.pretraining_epochs, task)
    name = f"{model}-{recipe.pixels}px-{task}.safetensors"
    kept = WORK / "runs" / "weights" / name
    if kept.is_file():
        return kept
    begun, full = time.perf_counter(), WORK / "pretrained" / name
    done = pretrain(
        model,
        full,
        dataset=task,
        preset=settings.preset,
        epochs=settings.pretraining_epochs,
        device=settings.device,
        every=SPARSE,
        report=lambda epoch, loss: print(f"{name} epoch {epoch}: loss {loss:.3f}", flush=True),
    )
    card = {**model_card.read(full), "stored": "matrices and kernels as float16"}
    tensors = {n: t.half() if t.ndim > 1 else t for n, t in load_file(full).items()}
    kept.parent.mkdir(parents=True, exist_ok=True)
    state.write_tensors(tensors, kept, {"card": json.dumps(card, sort_keys=True)})
    shutil.copy(full.with_suffix(".md"), kept.with_suffix(".md"))
    note(f"pretraining {kept.stem}", recipe.epochs, done.accuracy, begun)
    return kept


def note(name: str, epochs: int, accuracy: float, begun: float) -> None:
    """One row of the table; the seconds of a seed are those of all seeds so far, side by side."""
    about = {"name": name, "epochs": epochs, "accuracy": accuracy}
    about["seconds"] = time.perf_counter() - begun
    (WORK / "done" / f"{name.replace(' ', '-')}.json").write_text(json.dumps(about))


def unit(model: str, dataset: str, settings: Settings) -> None:
    """Pretrain a model and capture all its seeds on one data set, then pack them."""
    store = WORK / "stores" / f"{dataset}-{model}-{settings.preset}.zarr.zip"
    if store.is_file():
        return
    weights = weights_for(model, datasets.pretraining_task(dataset), settings)
    runs = [
        plan_run(dataset, model, preset=settings.preset, seed=seed, **settings.capture)
        for seed in settings.seeds
    ]
    for run in runs:
        drop_if_stale(run, weights)
    begun = time.perf_counter()
    folders = capture_many(runs, WORK / "runs", settings.device, jobs=TOGETHER)
    for run, folder in zip(runs, folders):
        accuracy = float(read_run(folder).test_accuracy[-1])
        note(f"{run.dataset} {run.model} seed {run.seed}", run.recipe.epochs, accuracy, begun)
        (folder / "weights.safetensors").unlink(missing_ok=True)
    compact(folders, store)
    for folder in folders:
        shutil.rmtree(folder)


def drop_if_stale(run: Any, weights: Path) -> None:
    """Remove a carried run that began from other weights."""
    folder = WORK / "runs" / run.name
    if (folder / "manifest.json").is_file():
        used = json.loads((folder / "manifest.json").read_text())["weights_sha256"]
        if used != environment.weights_sha256(run.backbone):
            print(f"{run.name} began from other weights than {weights.name}: again")
            shutil.rmtree(folder)


def sha256(file: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def exact(settings: Settings) -> None:
    """Same seed twice, recorder on and off, killed and resumed: the final weights are equal."""
    (WORK / "exact").mkdir(exist_ok=True)
    for model in settings.exact_models:
        choices = {"preset": settings.preset, "weights": "none", **settings.exact}
        run = plan_run("glyphs", model, **choices)
        place, result = WORK / "runs" / "exact", {}
        shutil.rmtree(place, ignore_errors=True)
        first, again = (capture_run(run, place / n, settings.device) for n in ("one", "two"))
        wanted = sha256(first / "weights.safetensors")
        result[f"{model}: same seed twice"] = wanted == sha256(again / "weights.safetensors")
        both = plan_run("glyphs", model, views=("eval", "train"), **choices)
        hashes = [read_run(capture_run(run, place / n, settings.device)).weights_hash.values
                  for n, run in (("one", run), ("both", both))]  # fmt: skip
        result[f"{model}: train view on and off"] = list(hashes[0]) == list(hashes[1])
        result[f"{model}: no recorder at all"] = unrecorded(run, settings) == hashes[0][-1]
        kills, killed = kill_and_resume(model, settings, place / "killed", run.name)
        result[f"{model}: killed {kills} times"] = wanted == sha256(killed / "weights.safetensors")
        shutil.rmtree(place)
        (WORK / "exact" / f"{model}.json").write_text(json.dumps(result, indent=1))
        print(json.dumps(result), flush=True)


def unrecorded(run: Any, settings: Settings) -> str:
    """The hash of the final weights of a run trained without any recorder."""
    from lethe.capture import finetune

    where = models.pick_device(settings.device)
    data = training.Resident.of(finetune.training_images(run), where)
    channels = data.images.shape[1]
    model = models.build_model(
        run.model, data.classes, channels, run.recipe, run.seeds.init, "none"
    )
    model = model.to(where, memory_format=torch.channels_last)
    optimizer = training.make_optimizer(model, run.recipe)
    training.warm_up_head(model, data, run.recipe, run.seeds)
    for epoch in range(1, run.recipe.epochs + 1):
        training.train_epoch(model, optimizer, data, run.recipe, run.seeds, epoch)
    return state.digest(model.named_parameters())


def kill_and_resume(model: str, settings: Settings, out: Path, name: str) -> tuple[int, Path]:
    """The run in processes of its own, killed after each of its first commits."""
    command = [sys.executable, __file__, "one", model, str(out)]
    command += ["--rehearse"] * (settings.device == "cpu")
    folder, kills = out / name, 0
    for epochs in [*range(1, settings.kills + 1), 99]:
        process = subprocess.Popen(command)
        while process.poll() is None:
            if len(list(folder.glob("epochs/*.commit.json"))) >= epochs:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                process.wait()
            time.sleep(0.005)
        if process.returncode == 0:
            break
    return kills, folder


def main() -> None:
    """Do the named step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["environment", "exact", "unit", "bench", "one"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--rehearse", action="store_true")
    choices = parser.parse_args()
    if choices.step == "bench":
        bench(choices)
        return
    settings = Settings(choices.rehearse)
    if choices.step == "one":
        model, out = choices.names
        chosen = {"preset": settings.preset, "weights": "none", **settings.exact}
        capture_run(plan_run("glyphs", model, **chosen), Path(out), settings.device)
    elif choices.step == "unit":
        unit(*choices.names, settings)
    else:
        {"environment": describe, "exact": exact}[choices.step](settings)


def bench(choices: argparse.Namespace) -> None:
    """The benchmark, cell by cell; exit code 3 while cells are left."""
    command = [sys.executable, str(BENCHMARK), "--out", str(WORK / "bench")]
    command += ["--seconds", str(max(choices.seconds - 60, 1))]
    command += ["--rehearse", "--device", "cpu"] if choices.rehearse else []
    raise SystemExit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()

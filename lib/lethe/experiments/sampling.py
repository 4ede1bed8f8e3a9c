"""Study `sampling`: samplers against random order, paired by seed, with equal gradient samples.

Every run is a capture with its trace, so that test accuracy, forgetting and retention come from one
place. Arms: `random`; `spaced` on decay constants estimated in the run; `oracle`, `spaced` on
constants averaged over the other seeds of the shipped traces; `shuffled`, the oracle's constants
given to the wrong samples; `hardest`; `classes`. Cost: 240 runs of 10 to 20 s on one core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.torch import load_file

from lethe import traces
from lethe.analysis import scores
from lethe.capture import capture_run, models, plan_run, training
from lethe.capture.finetune import load_split
from lethe.capture.plan import Run
from lethe.experiments.tasks import Outcome, Settings, Study

ARMS = ("random", "spaced", "oracle", "shuffled", "hardest", "classes")
SEEDS = 10
EPOCHS = 15
LIMITS = {"glyphs": 1240, "cifar7": 0}  # training samples: 20 of every letter; all photographs
MODELS = ("test_resnet", "test_vit")
LARGE = {"preset": "book", "epochs": 30, "limit": 0}  # whole data sets, on a GPU
LARGE_MODELS = ("resnet18", "deit_small_patch16_224")


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """The runs of the study; quick: two seeds of one network on few glyphs; large: the same arms
    with the networks of the preset `book`.
    """
    if large:
        return [
            {"dataset": dataset, "model": model, "arm": arm, "seed": seed, **LARGE}
            for seed in range(SEEDS)
            for dataset in LIMITS
            for model in LARGE_MODELS
            for arm in ARMS
        ]
    if quick:
        few = {"dataset": "glyphs", "model": "test_resnet", "epochs": 5, "limit": 620}
        return [{**few, "arm": arm, "seed": seed} for seed in range(2) for arm in ARMS]
    return [
        {
            "dataset": dataset,
            "model": model,
            "epochs": EPOCHS,
            "limit": limit,
            "arm": arm,
            "seed": seed,
        }
        for seed in range(SEEDS)
        for dataset, limit in LIMITS.items()
        for model in MODELS
        for arm in ARMS
    ]


def carry_out(task: Settings, place: Path) -> Outcome:
    """One run: its accuracies, its forgetting, and events by sample."""
    run = plan(task, place)
    folder = capture_run(run, place / "runs")
    trace = traces.read_run(folder)
    correct = (trace["prediction"] == trace["label"]).transpose("epoch", "sample").values
    by_class = class_accuracies(run, folder)
    events = scores.forgetting_events(correct)
    learned = ~scores.never_learned(correct)
    row = {
        "test_accuracy": float(trace["test_accuracy"][-1]),
        "class_accuracy": float(by_class.mean()),
        "worst_class_accuracy": float(by_class.min()),
        "forgetting_events": float(np.nanmean(events)),
        "final_retention": float(correct[-1, learned].mean()),
        "mean_retention": float(np.nanmean(scores.mean_retention(correct))),
        "never_learned": float(1 - learned.mean()),
        "train_accuracy": float(correct[-1].mean()),
    }
    return [row], {"events": np.nan_to_num(events, nan=-1).astype(np.int8)}


def plan(task: Settings, place: Path) -> Run:
    """The capture behind a task."""
    arm, given = task["arm"], task["arm"] in ("oracle", "shuffled")
    return plan_run(
        task["dataset"],
        task["model"],
        preset=task.get("preset", "quick"),
        seed=task["seed"],
        sampler="spaced" if arm == "oracle" else arm,
        constants=str(constants_file(task, place)) if given else "",
        limit=task["limit"],
        epochs=task["epochs"],
        held={"split": 0},  # all seeds and arms train on the same samples
        test_every=task["epochs"],
    )


def constants_file(task: Settings, place: Path) -> Path:
    """A CSV of decay constants for a seed: means over the other seeds of the shipped traces.

    Rates are those of the least-squares curve; a sample that some seed never learned counts there
    with that seed's largest rate.
    """
    dataset, model, seed = task["dataset"], task["model"], task["seed"]
    preset = task.get("preset", "quick")
    file = place / f"constants-{dataset}-{model}-{preset}-{seed}.csv"
    if file.is_file():
        return file
    with traces.open_traces(f"{dataset}-{model}-{preset}") as ds:
        others = ds.sel(seed=[s for s in ds["seed"].values if s != seed])
        rates = scores.score(others, "decay_rate")
        filled = rates.fillna(rates.max("sample")).mean("seed")
        table = pd.DataFrame({"sample_id": ds["sample"], "decay_constant": filled.values})
    part = file.with_suffix(f".{task['arm']}.tmp")
    table.to_csv(part, index=False)
    return part.replace(file)


def class_accuracies(run: Run, folder: Path) -> np.ndarray:
    """Test accuracy of every class under the final weights: float[class]."""
    device = models.pick_device("auto")
    images = load_split(run.dataset, "test", run.recipe.pixels, run.root)
    data = training.Resident.of(images, device)
    build = (run.model, data.classes, data.images.shape[1], run.recipe, 0, "none")
    model = models.build_model(*build).to(device)
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    right = training.record_epoch(model, data, run.recipe)["prediction"] == images.labels
    return np.bincount(images.labels, right) / np.bincount(images.labels)


STUDY = Study("sampling", tasks, carry_out)

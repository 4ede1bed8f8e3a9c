"""Study `factorial`: one source of randomness at a time, in a pick-freeze design.

A block has two seeds, u and v. Run `base` draws all four sources from u, `other` all from v; a run
named after a source draws that source from v and the rest from u. So `base` and this run differ in
one source, while `other` and this run share nothing else (Sobol 1993; Saltelli et al. 2010).
Controls, all with the draws of `base`: `rerun` in a fresh process; `rounding` with the samples of
every batch listed backwards, so that the same sums are rounded differently; `bit` with the last bit
of one weight flipped before fine-tuning. Blocks share no seed. Stream `dropout` feeds nothing:
neither network has an active dropout layer.
Cost: 216 runs of 13 s (ResNet) or 23 s (ViT) on one core of its own.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lethe.analysis import scores
from lethe.analysis.factors.design import RUNS, SOURCES
from lethe.analysis.factors.steady import FEW
from lethe.capture import models, state, streams, training
from lethe.capture.recipes import Recipe, find_recipe
from lethe.capture.samplers import Plan
from lethe.experiments import adapt, prior
from lethe.experiments.tasks import Outcome, Settings, Study

BLOCKS, EPOCHS = 10, 15
POOL, DRAWN = 50, 40  # typefaces a letter: in the pool, and of these drawn to train on
MODELS = ("test_resnet", "test_vit")
SWAPPED = {"test_resnet": 0.75e-3, "test_vit": 4e-3}  # each has the other's learning rate
FEW_BLOCKS = 6
LARGE_MODELS = ("resnet18", "deit_small_patch16_224")


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """The runs of the study, block by block, then those with the learning rates swapped; quick: two
    blocks of one network, 3 epochs; large: the blocks alone, with the networks of the preset
    `book`.
    """
    networks = ("test_resnet",) if quick else LARGE_MODELS if large else MODELS
    more = {"preset": "book"} if large else {}
    blocks = [
        {"model": model, "run": run, "block": block, "epochs": 3 if quick else EPOCHS, **more}
        for block in range(2 if quick else BLOCKS)
        for model in networks
        for run in RUNS
    ]
    return blocks if quick or large else [*blocks, *swapped()]


def swapped() -> list[Settings]:
    """Runs of every network at the other one's learning rate: does the rate make it steady?"""
    return [
        {"model": model, "run": run, "block": block, "epochs": EPOCHS, "learning_rate": rate}
        for block in range(FEW_BLOCKS)
        for model, rate in SWAPPED.items()
        for run in FEW
    ]


def carry_out(task: Settings, place: Path) -> Outcome:
    """One run; `rerun` in a process of its own."""
    if task["run"] != "rerun":
        return train(task)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(train, task).result()


def train(task: Settings) -> Outcome:
    """A run's row, and its trace: `correct`, packed bits of [epoch, pool]; `drawn`, packed bits of
    [pool]; `label` [pool] and `position` [pool] in the train split.
    """
    torch.set_num_threads(1)
    changes = {name: task[name] for name in ("epochs", "learning_rate") if name in task}
    recipe = find_recipe(task.get("preset", "quick"), task["model"], **changes)
    everything = prior.resident("train", recipe.pixels)
    position = adapt.by_class(everything.labels.cpu().numpy(), POOL)
    pool, seeds = adapt.part(everything, position), seeds_of(task)
    rows = draw(pool, seeds.split)
    model, correct = fine_tune(task, adapt.part(pool, rows), recipe, seeds)
    test = adapt.scored(model, prior.resident("test", recipe.pixels), recipe)[0]
    row = summary(correct, test) | {"weights": state.digest(sorted(model.state_dict().items()))}
    places: dict[str, np.ndarray] = {
        "label": pool.labels.cpu().numpy().astype(np.int16),
        "position": position.astype(np.int32),
    }
    return [row], packed(correct, rows, len(pool)) | places


def fine_tune(
    task: Settings, data: training.Resident, recipe: Recipe, seeds: streams.Seeds
) -> tuple[nn.Module, np.ndarray]:
    """The network after head warm-up and all epochs, and which samples it had right after each:
    bool [epoch, sample].
    """
    backbone = str(models.weights_file(task["model"], recipe.pixels, "glyphs"))
    model = prior.build(task["model"], data.classes, recipe, backbone, seeds.init)
    training.warm_up_head(model, data, recipe, seeds)
    if task["run"] == "bit":
        flip_last_bit(model)
    optimizer = training.make_optimizer(model, recipe)
    right = [adapt.scored(model, data, recipe)[0]]
    for epoch in range(1, recipe.epochs + 1):
        plan = training.every_sample_once(data, seeds, epoch)
        if task["run"] == "rounding":
            plan = backwards(plan, recipe.batch_size)
        training.train_epoch(model, optimizer, data, recipe, seeds, epoch, plan=plan)
        right.append(adapt.scored(model, data, recipe)[0])
    return model, np.stack(right)


def backwards(plan: Plan, size: int) -> Plan:
    """The same batches, each with its samples in reverse."""
    parts = training.batches(torch.from_numpy(plan.positions), size)
    return Plan(torch.cat([part.flip(0) for part in parts]).numpy(), plan.repeats)


def seeds_of(task: Settings) -> streams.Seeds:
    """The streams of a run: block b has the seeds u = 2 b and v = 2 b + 1."""
    first, second = 2 * task["block"], 2 * task["block"] + 1
    if task["run"] == "other":
        return streams.Seeds.of_run(second)
    changed = {task["run"]: second} if task["run"] in SOURCES else {}
    return streams.Seeds.of_run(first, **changed)


def draw(pool: training.Resident, seed: int) -> np.ndarray:
    """Rows of the pool to train on, DRAWN of every class by stream `split`, in row order."""
    order = streams.shuffled(seed, "split", 0, pool.keys)
    return np.sort(order[adapt.by_class(pool.labels.cpu().numpy()[order], DRAWN)])


@torch.no_grad()
def flip_last_bit(model: nn.Module) -> None:
    """Flip the last bit of the first weight of the first convolution: the smallest change there is.

    Both networks begin with a convolution (the transformer's cuts the image into patches).
    """
    weight = next(m for m in model.modules() if isinstance(m, nn.Conv2d)).weight
    first = weight[(0,) * weight.ndim]
    first.copy_((first.view(torch.int32) ^ 1).view(torch.float32))


def packed(correct: np.ndarray, rows: np.ndarray, pool: int) -> dict[str, np.ndarray]:
    """The trace over the whole pool, wrong where a sample was not drawn, as bits."""
    spread = np.zeros((len(correct), pool), bool)
    spread[:, rows] = correct
    drawn = np.isin(np.arange(pool), rows)
    return {"correct": np.packbits(spread, axis=1), "drawn": np.packbits(drawn)}


def summary(correct: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """What the run reached and forgot, in means over the samples that it was trained on."""
    return {
        "test_accuracy": float(test.mean()),
        "train_accuracy": float(correct[-1].mean()),
        "forgetting_events": float(np.nanmean(scores.forgetting_events(correct))),
        "never_learned": float(scores.never_learned(correct).mean()),
    }


STUDY = Study("factorial", tasks, carry_out)

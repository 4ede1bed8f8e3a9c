"""Study `memory`: what one change of the training state does to the network afterwards, by seed.

Processes are named by network, optimizer and what happens: fine-tuning of the shipped backbones
on 1,240 letters at a constant rate (after a rise), forked after 6 epochs; and, `turned`, the same
forked at the moment when the letters are turned by 90 degrees, where the untouched arm carries the
optimizer's state over to the new task. From each state all arms take the same 200 batches, but for
those that are about order. Probe: unseen letters, and training letters for forgetting; at the turn
also of the old task. `seed change` is another run altogether, every stream drawn anew: the scale
that effects are held against. `one cycle` is one process again under a falling rate. The question
is written into every audit record before the first step. Cost: 46 tasks of about 1 minute on a
core.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from lethe.analysis.divergence import DIVERGENCES
from lethe.capture import interventions as iv
from lethe.capture import models, streams, training
from lethe.capture.augment import normalise
from lethe.capture.interventions import audit_record, primitives, readout
from lethe.capture.recipes import Recipe, find_recipe
from lethe.experiments import adapt, prior
from lethe.experiments.tasks import Outcome, Settings, Study

# network, optimizer, peak rate; chosen on seed 1000 by test accuracy and a calm course
PROCESSES = {
    "resnet sgd": ("test_resnet", "sgd", 0.01),
    "vit adamw": ("test_vit", "adamw", 0.75e-3),
    "resnet sgd, turned": ("test_resnet", "sgd", 0.01),
    "vit adamw, turned": ("test_vit", "adamw", 0.75e-3),
    "resnet sgd, one cycle": ("test_resnet", "sgd", 0.01),
}
FEW = 6  # seeds of the process that is only there to vary the rate
SEEDS, OTHER = 10, 500  # the partner of a seed in `seed change` is that much further on
EACH, BATCH = 20, 32  # letters a class, images a step
BEFORE, AFTER = 6, 6  # epochs before the fork, and up to the longest horizon
WIDTH, DECAY = 10, 0.99  # order windows in batches; average of the weights
QUESTION = {
    "estimand": "mean over seeds of the distance between an arm and the untouched one on the probe",
    "primary": "total variation",
    "unit": "seed",
    "seeds": SEEDS,
    "horizons": list(iv.HORIZONS),
    "margin": {"tv": 0.01, "loss": 0.01, "accuracy": 0.01, "forgotten": 0.01},
    "named_horizon": 50,
    "intervals": "BCa bootstrap over seeds, Student's beside it; sign flips; Benjamini-Hochberg",
}


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """One task a process and seed; quick: two seeds of two processes up to 20 steps; large: the
    same processes with the networks of the preset `book`.
    """
    if quick:
        few = ("resnet sgd", "vit adamw")
        return [{"process": p, "seed": s, "last": 20} for s in range(2) for p in few]
    more = {"preset": "book"} if large else {}
    return [
        {"process": p, "seed": s, "last": iv.HORIZONS[-1], **more}
        for s in range(SEEDS)
        for p in PROCESSES
        if s < FEW or not p.endswith("one cycle")
    ]


@dataclass(frozen=True)
class Data:
    """What a process trains on, in turn, and what it is asked about, by name."""

    parts: list[training.Resident]
    probe: dict[str, training.Resident]


def data_of(process: str, pixels: int) -> Data:
    """Letters to train on; unseen ones and a part of the training ones to ask about."""
    train, test = prior.resident("train", pixels), prior.resident("test", pixels)
    own = adapt.part(train, adapt.by_class(train.labels.cpu().numpy(), EACH))
    unseen = adapt.part(test, adapt.by_class(test.labels.cpu().numpy(), EACH // 2))
    known = adapt.part(own, adapt.by_class(own.labels.cpu().numpy(), EACH // 2))
    if not process.endswith("turned"):
        return Data([own], {"test": unseen, "train": known})
    turned = adapt.turned(unseen)
    return Data([own, adapt.turned(own)], {"test": turned, "old test": unseen, "old train": known})


def build(task: Settings, data: Data, seed: int) -> iv.FineTuning:
    """A process before its first step: the shipped backbone, a warmed-up head."""
    name, recipe = PROCESSES[task["process"]][0], recipe_of(task)
    seeds = streams.Seeds.of_run(seed, split=0)
    weights = str(models.weights_file(name, recipe.pixels, "glyphs"))
    model = prior.build(name, data.parts[0].classes, recipe, weights, seed)
    training.warm_up_head(model, data.parts[0], recipe, seeds)
    optimizer = make_optimizer(task, model, recipe)
    lengths = [BEFORE, 2 * AFTER] if len(data.parts) > 1 else [BEFORE + 2 * AFTER]
    each = [
        iv.Stream(part, recipe, seeds, epochs)
        for part, epochs in zip(data.parts, lengths, strict=True)
    ]
    return iv.FineTuning(model, optimizer, each, schedule(task, optimizer, each[0].each), DECAY)


def recipe_of(task: Settings) -> Recipe:
    """The preset's recipe at the study's rate and batch size."""
    name, _, rate = PROCESSES[task["process"]]
    preset = task.get("preset", "quick")
    return find_recipe(preset, name, learning_rate=rate, batch_size=BATCH)


def make_optimizer(task: Settings, model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with momentum, or the recipe's AdamW."""
    if PROCESSES[task["process"]][1] == "adamw":
        return training.make_optimizer(model, recipe)
    settings: dict[str, Any] = {"momentum": adapt.SGD_MOMENTUM, "weight_decay": adapt.SGD_DECAY}
    return torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, **settings)


def schedule(task: Settings, optimizer: torch.optim.Optimizer, each: int) -> LambdaLR:
    """A constant rate after one epoch's rise, or one cycle up to the longest horizon."""
    if task["process"].endswith("one cycle"):
        return iv.one_cycle(optimizer, recipe_of(task), (BEFORE + AFTER) * each)
    return iv.rising(optimizer, each)


def arms(process: str, shift: int, images: list[Tensor]) -> list[iv.Intervention]:
    """The interventions of a process; `shift`, batches to another future; `images` to recalibrate
    with. What is about the tools themselves is in the plain processes only.
    """
    momentum, swap, plain = iv.reset_momentum(), iv.swap_windows(WIDTH), "," not in process
    chosen = [swap, iv.other_future(shift)]
    if "sgd" in process:
        chosen += [momentum, iv.together(momentum, swap)][: 2 if plain else 1]
    else:
        chosen += [iv.reset_adam(part) for part in ("full", "m", "v")[: 3 if plain else 2]]
    if "resnet" in process:
        chosen += [iv.reset_batch_norm(), iv.recalibrate_batch_norm(images)]
    return [*chosen, iv.reset_teacher(DECAY)] if plain else chosen


def carry_out(task: Settings, place: Path) -> Outcome:
    """One seed of one process: a row an arm, horizon, readout and part of the probe; the audit."""
    data = data_of(task["process"], recipe_of(task).pixels)
    process, other = (build(task, data, task["seed"] + more) for more in (0, OTHER))
    each = process.parts[0].each
    for batch in range(BEFORE * each):
        process.take_step(batch)
        other.take_step(batch)
    recipe, horizons = recipe_of(task), [h for h in iv.HORIZONS if h <= task["last"]]
    probe = torch.cat([normalise(part.images, recipe) for part in data.probe.values()])
    calm = calm_batches(data.parts[-1], recipe)
    planned = arms(task["process"], AFTER * each, calm)
    asked = readouts(task["process"], calm)
    record = audit_record.begin(QUESTION | {"task": task}, process, probe)
    forked = iv.fork(process, planned, probe, horizons, asked)
    partner = iv.run_arm(other, primitives.carry(), probe, horizons, asked)
    partner.intervention = replace(partner.intervention, name="seed change")
    audit_record.finish(record, forked)
    told = np.frombuffer(json.dumps(record).encode(), np.uint8)
    rows = [row for arm in (*forked.arms.values(), partner) for row in compare(arm, forked, data)]
    return rows, {"audit": told, **gap_arrays(forked)}


def calm_batches(data: training.Resident, recipe: Recipe) -> list[Tensor]:
    """The training images as they are, in four batches over all classes."""
    return [
        normalise(data.images[k::4], recipe).contiguous(memory_format=torch.channels_last)
        for k in range(4)
    ]


def readouts(process: str, images: list[Tensor]) -> dict[str, readout.Readout]:
    """What is asked: the network, its average, and where it has BatchNorm a recalibrated copy."""
    asked: dict[str, readout.Readout] = {"model": readout.model, "teacher": readout.teacher}
    if "resnet" in process:
        asked["recalibrated"] = readout.recalibrated(images)
    return asked


def compare(arm: iv.Arm, forked: iv.Fork, data: Data) -> list[dict[str, Any]]:
    """The rows of an arm: distances to the untouched one, and differences of loss, accuracy and
    forgetting, the arm's less the untouched one's.
    """
    rows = []
    for reading in arm.said:
        mine, base = (a.probabilities(reading) for a in (arm, forked.arms["carry"]))
        start = 0
        for name, part in data.probe.items():
            at = slice(start, start + len(part))
            start += len(part)
            labels = part.labels.cpu().numpy()
            head = {"arm": arm.intervention.name, "readout": reading, "probe": name}
            rows += [
                head | {"horizon": horizon} | numbers(mine[k, at], base[k, at], base[0, at], labels)
                for k, horizon in enumerate(forked.horizons)
            ]
    return rows


def numbers(
    mine: np.ndarray, base: np.ndarray, before: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Distances and differences at one horizon; `before` is the untouched arm at the fork.

    `forgotten`: share of images right at the fork and wrong now; with `base_` that of the untouched
    arm, as its loss and accuracy.
    """
    if not np.isfinite(mine).all():
        return dict.fromkeys((*DIVERGENCES, "loss", "accuracy", "forgotten"), np.nan)
    known = before.argmax(1) == labels
    told = {name: float(distance(mine, base)) for name, distance in DIVERGENCES.items()}
    for prefix, said in (("", mine), ("base_", base)):
        right = said.argmax(1) == labels
        chance = np.maximum(said[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
        told[f"{prefix}loss"] = float(-np.log(chance).mean())
        told[f"{prefix}accuracy"] = float(right.mean())
        told[f"{prefix}forgotten"] = float((known & ~right).mean())
    return told


def gap_arrays(forked: iv.Fork) -> dict[str, np.ndarray]:
    """What the closed forms are drawn from: gaps by horizon, `GAP of ARM`."""
    return {
        f"{gap} of {name}": np.array(values, np.float32)
        for name, arm in forked.arms.items()
        for gap, values in arm.gaps.items()
        if arm.intervention.closed_form in ("batch norm", "teacher", "first step")
    }


STUDY = Study("memory", tasks, carry_out)

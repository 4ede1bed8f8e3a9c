"""Study `rehearsal`: which prior samples to rehearse, at equal numbers of samples per step.

Prior task: Latin letters of 50 typefaces, upright. Target: the letters of 20 other typefaces turned
by 90 degrees, same labels, same head. Arms: `none`; `random`; `known`, random among those that the
prior network had right; `static`, loss bins with rates from one look after the first epoch; the
method on loss bins, on classes, on both; `shuffled`, loss bins with the labels of other samples;
`oracle`, drawn from the true collateral damage, whose cost (the whole pool scored every few steps)
is not charged; `charged`, which pays for looking at candidates with half of its rehearsal. Cost:
174 runs of 5 to 15 s on one core.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lethe.analysis import scores
from lethe.capture import streams, training
from lethe.capture.recipes import find_recipe
from lethe.capture.rehearsal import Tracker, enrichment, joint_bins, quantile_bins, rates
from lethe.experiments import adapt, prior
from lethe.experiments.tasks import Outcome, Settings, Study

ARMS = (
    *("none", "random", "known", "static", "loss bins", "class bins", "both", "shuffled"),
    *("oracle", "charged"),
)
TRACKED = ("loss bins", "class bins", "both", "shuffled")  # arms whose rates follow the damage
# rehearsed samples per target sample; also the weight of their loss
RATIOS = {"test_resnet": (0.125, 0.5), "test_vit": (0.5,)}
LARGE_RATIOS = {"resnet18": (0.125, 0.5), "deit_small_patch16_224": (0.125, 0.5)}
LEARNING_RATES = {"test_resnet": 0.03, "test_vit": 0.75e-3}
LEARNING_RATES |= {"resnet18": 0.01, "deit_small_patch16_224": 5e-4}
SEEDS, EPOCHS = 6, 6
EACH, PRIOR_EACH, JUDGE = 20, 50, 16  # typefaces: target, prior, unseen
LOSS_BINS, FEW_BINS = 10, 3  # alone, and in combination with the class
UPDATE = 5  # steps between updates of the rates, and between looks of the oracle
LOOK_COST = 1 / 3  # of a sample looked at, in samples trained on


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """The runs of the study; quick: one network, one ratio, two seeds; large: the same arms with
    the networks of the preset `book`.
    """
    ratios = {"test_resnet": (0.5,)} if quick else LARGE_RATIOS if large else RATIOS
    more = {"preset": "book"} if large else {}
    return [
        {"model": model, "arm": arm, "ratio": ratio, "seed": seed, "epochs": EPOCHS, **more}
        for place in range(max(map(len, ratios.values())))  # largest ratio first
        for seed in range(2 if quick else SEEDS)
        for model in ratios
        for arm in ARMS
        for ratio in (ratios[model][::-1] if arm != "none" else (0.0,))[place : place + 1]
    ]


class Prior:
    """The prior samples, what the prior network made of them, and the two test sets."""

    def __init__(self, model: str, place: Path, preset: str = "quick") -> None:
        """Train the prior network once; score its pool."""
        self.recipe = find_recipe(preset, model, learning_rate=LEARNING_RATES[model])
        pixels = self.recipe.pixels
        train, test = prior.resident("train", pixels), prior.resident("test", pixels)
        labels = train.labels.cpu().numpy()
        rows = adapt.by_class(labels, PRIOR_EACH, skip=EACH)
        self.network = prior.latin(model, place, rows, preset)
        self.pool = adapt.part(train, rows)
        self.target = adapt.turned(adapt.part(train, adapt.by_class(labels, EACH)))
        self.test = adapt.part(test, adapt.by_class(test.labels.cpu().numpy(), JUDGE))
        self.known, self.loss = adapt.scored(self.network, self.pool, self.recipe)


def carry_out(task: Settings, place: Path) -> Outcome:
    """One run: a row an epoch, and by sample of both tasks its forgetting events."""
    before = Prior(task["model"], place, task.get("preset", "quick"))
    run = Run(task, before)
    rows, right, kept = [run.row(0)], [run.correct()], [before.known]
    rows[0]["damage_rehearsed"] = run.apparent_damage()
    for epoch in range(1, task["epochs"] + 1):
        run.train(epoch)
        kept.append(adapt.scored(run.model, before.pool, run.recipe)[0])
        right.append(run.correct())
        rows.append(run.row(epoch, kept[-1]))
    events = {"target_events": np.stack(right), "prior_events": np.stack(kept)}
    counted = {name: scores.forgetting_events(trace) for name, trace in events.items()}
    return rows, {n: np.nan_to_num(x, nan=-1).astype(np.int8) for n, x in counted.items()}


class Run:
    """A network on its way from the upright to the turned letters."""

    def __init__(self, task: Settings, before: Prior) -> None:
        """Copy the prior network, head included; cut its pool into the arm's bins."""
        self.arm, self.before, self.target = task["arm"], before, before.target
        self.recipe = replace(before.recipe, epochs=task["epochs"])
        self.seeds = streams.Seeds.of_run(task["seed"], split=0)
        self.model = copy.deepcopy(before.network)
        self.optimizer = adapt.make_optimizer(self.model, self.recipe)
        self.ratio, self.tracker = task["ratio"], Tracker(self.bins())
        if self.arm == "known":  # bin 1 holds what the prior network had wrong
            self.tracker.alpha, self.tracker.floor = 1.0 - np.arange(len(self.tracker.sizes)), 0.0
        self.found = np.empty(0, np.int64)  # rows that the oracle saw damaged when it looked last
        self.shares: list[float] = []  # of damage in what was rehearsed

    def bins(self) -> np.ndarray:
        """The partition of the pool that the arm draws from: int[pool]."""
        labels, loss = self.before.pool.labels.cpu().numpy(), self.before.loss
        by_loss = quantile_bins(loss, LOSS_BINS)
        if self.arm == "known":
            return (~self.before.known).astype(np.int64)
        if self.arm == "class bins":
            return labels
        if self.arm == "both":
            return joint_bins(labels, quantile_bins(loss, FEW_BINS))
        if self.arm == "shuffled":
            keys = self.before.pool.keys
            return by_loss[streams.shuffled(self.seeds.order, "order", 1 << 28, keys)]
        if self.arm in ("static", "loss bins"):
            return by_loss
        return np.zeros(len(labels), np.int64)

    def train(self, epoch: int) -> None:
        """One epoch of the target, with rehearsal in every step."""
        self.shares = []
        for step, total, positions, images in adapt.steps(
            self.target, self.recipe, self.seeds, epoch
        ):
            rehearsed = self.choose(step, round(self.ratio * len(positions)))
            self.model.train()
            loss = self.loss(images, self.target.labels[positions], rehearsed, step)
            adapt.descend(self.optimizer, self.recipe, step, total, loss)
            if self.arm in TRACKED and (step + 1) % UPDATE == 0:
                self.tracker.update()
        if self.arm == "static" and epoch == 1:
            self.tracker.alpha = rates(self.tracker.bins, self.damaged())

    def choose(self, step: int, count: int) -> np.ndarray:
        """Positions in the pool to rehearse at a step."""
        if not count:
            return np.empty(0, np.int64)
        if self.arm == "oracle":
            return self.of_the_damaged(step, count)
        if self.arm == "charged":
            return self.after_a_look(step, count)
        return self.tracker.draw(self.seeds.order, step, count)

    def of_the_damaged(self, step: int, count: int) -> np.ndarray:
        """Draws from the samples that the whole pool showed to be damaged; random without any."""
        if step % UPDATE == 0:
            self.found = np.flatnonzero(self.damaged())
        if not len(self.found):
            return self.tracker.draw(self.seeds.order, step, count)
        uniform = Tracker(np.zeros(len(self.found), np.int64))
        return self.found[uniform.draw(self.seeds.order, step, count)]

    def after_a_look(self, step: int, count: int) -> np.ndarray:
        """Half of the budget pays for a look at candidates; the damaged ones among them first."""
        kept = max(count // 2, 1)
        looked = max(round((count - kept) / LOOK_COST), kept)
        drawn = self.tracker.draw(self.seeds.order, step, looked)
        right = adapt.scored(self.model, adapt.part(self.before.pool, drawn), self.recipe)[0]
        return drawn[np.argsort(right | ~self.before.known[drawn], kind="stable")][:kept]

    @torch.no_grad()
    def apparent_damage(self) -> float:
        """Share of damage that augmented views in training mode show before any step: the error
        of the free estimate.
        """
        trial, seen = copy.deepcopy(self.model).train(), []
        for _, _, at, images in adapt.steps(self.before.pool, self.recipe, self.seeds, 1):
            wrong = trial(images).argmax(1) != self.before.pool.labels[at]
            seen.append(wrong.cpu().numpy() & self.before.known[at.cpu().numpy()])
        return float(np.concatenate(seen).mean())

    def damaged(self) -> np.ndarray:
        """Collateral damage in the whole pool, by a clean pass: bool[pool]."""
        return self.before.known & ~adapt.scored(self.model, self.before.pool, self.recipe)[0]

    def loss(self, images: Tensor, labels: Tensor, rehearsed: np.ndarray, step: int) -> Tensor:
        """Mean loss of the target batch, and of the rehearsed samples times the ratio, in one pass;
        what the logits of the rehearsed ones show is counted.
        """
        count = len(images)
        if len(rehearsed):
            pool = self.before.pool
            at = torch.from_numpy(rehearsed).to(labels.device)
            images = torch.cat([images, adapt.augmented(pool, at, self.recipe, self.seeds, step)])
        with training.precision(images.device):
            logits = self.model(adapt.channels_last(images)).float()
        loss = F.cross_entropy(logits[:count], labels)
        if not len(rehearsed):
            return loss
        wanted = self.before.pool.labels[at]
        wrong = (logits[count:].argmax(1) != wanted).cpu().numpy()
        damage = self.before.known[rehearsed] & wrong
        self.tracker.observe(rehearsed, damage)
        self.shares.append(float(damage.mean()))
        return loss + self.ratio * F.cross_entropy(logits[count:], wanted)

    def correct(self) -> np.ndarray:
        """Which target samples the network has right: bool[n]."""
        return adapt.scored(self.model, self.target, self.recipe)[0]

    def row(self, epoch: int, kept: np.ndarray | None = None) -> dict[str, float]:
        """Accuracies on unseen letters of both tasks, damage in the pool, what bins could do."""
        kept = self.before.known if kept is None else kept
        damaged = self.before.known & ~kept
        loss, labels = self.before.loss, self.before.pool.labels.cpu().numpy()
        by_loss = quantile_bins(loss, LOSS_BINS)
        both = joint_bins(labels, quantile_bins(loss, FEW_BINS))
        turned = adapt.scored(self.model, adapt.turned(self.before.test), self.recipe)[0]
        upright = adapt.scored(self.model, self.before.test, self.recipe)[0]
        return {
            "epoch": epoch,
            "target": float(turned.mean()),
            "retained": float(upright.mean()),
            "known": float(self.before.known.mean()),
            "damage": float(damaged.mean()),
            "damage_rehearsed": float(np.mean(self.shares)) if self.shares else np.nan,
            "gain_loss_bins": enrichment(by_loss, damaged),
            "gain_class_bins": enrichment(labels, damaged),
            "gain_both": enrichment(both, damaged),
            "rate_error": rate_error(self.tracker, damaged) if self.arm in TRACKED else np.nan,
        }


def rate_error(tracker: Tracker, damaged: np.ndarray) -> float:
    """Mean distance between tracked and true rates, over samples."""
    true = rates(tracker.bins, damaged)
    return float(np.abs(tracker.alpha - true)[tracker.bins].mean())


STUDY = Study("rehearsal", tasks, carry_out)

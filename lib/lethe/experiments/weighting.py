"""Study `weighting`: FLOW, its controls and its rivals, on the same grid of learning rates.

Prior task: letters of other scripts. Target: Latin letters, 20 typefaces to train on, 10 to choose
the rate by, 16 unseen ones to judge by. Every row is a network: an epoch of a run, or an average of
its first and its last network (`alpha`, WiSE-FT). Epoch 0 of the runs that begin with a fitted head
is the linear probe. Cost: 240 runs of 5 to 10 s on one core.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lethe.analysis import scores
from lethe.capture import models, streams, training, weighting
from lethe.capture.recipes import Recipe, find_recipe
from lethe.experiments import adapt, prior
from lethe.experiments.tasks import Outcome, Settings, Study

ARMS = {  # name: (weights, strength of the pull towards the prior weights)
    "fine-tuning": ("ones", 0.0),
    "probe first": ("ones", 0.0),
    "constant": ("constant", 0.0),
    "permuted": ("permuted", 0.0),
    "flow": ("flow", 0.0),
    "flow per view": ("per view", 0.0),
    "normalised": ("normalised", 0.0),
    "reversed": ("reversed", 0.0),
    "l2sp weak": ("ones", 0.1),
    "l2sp strong": ("ones", 1.0),
}
RATES = {"test_resnet": (0.003, 0.01), "test_vit": (7e-4, 2e-3)}
LARGE_RATES = {"resnet18": (0.003, 0.01, 0.03), "deit_small_patch16_224": (2e-4, 5e-4)}
SEEDS, EPOCHS = 6, 6
EACH, CHOOSE, JUDGE = 20, 10, 16  # typefaces for training, choosing the rate, judging
ALPHAS = (0.2, 0.4, 0.6, 0.8)
PRIOR_EVERY = 2  # of the unseen prior images, every second one judges
HARD = 0.1  # share of the test samples, those with the largest loss after the probe


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """The runs of the study; quick: one rate and two seeds of one network; large: the same arms
    with the networks of the preset `book`.
    """
    grid = {"test_resnet": (0.01,)} if quick else LARGE_RATES if large else RATES
    more = {"preset": "book"} if large else {}
    return [
        {"model": model, "arm": arm, "rate": rate, "seed": seed, "epochs": EPOCHS, **more}
        for seed in range(2 if quick else SEEDS)
        for model in grid
        for rate in grid[model]
        for arm in ARMS
    ]


def target(pixels: int = 32) -> adapt.Task:
    """The Latin letters: training, validation and test typefaces, all different."""
    train, test = prior.resident("train", pixels), prior.resident("test", pixels)
    labels = train.labels.cpu().numpy()
    return adapt.Task(
        adapt.part(train, adapt.by_class(labels, EACH)),
        adapt.part(train, adapt.by_class(labels, CHOOSE, skip=EACH)),
        adapt.part(test, adapt.by_class(test.labels.cpu().numpy(), JUDGE)),
    )


def carry_out(task: Settings, place: Path) -> Outcome:
    """One run: a row a network, and by sample its loss after the probe and its events."""
    preset, model = task.get("preset", "quick"), task["model"]
    recipe = find_recipe(preset, model, learning_rate=task["rate"], epochs=task["epochs"])
    run = Run(task, recipe, target(recipe.pixels), prior.letters(model, place, preset))
    rows = [run.row(0)] if run.probed else []
    right = [run.correct()] if run.probed else []
    for epoch in range(1, recipe.epochs + 1):
        run.train(epoch)
        rows.append(run.row(epoch))
        right.append(run.correct())
    if task["arm"] in ("probe first", "flow"):
        rows += [run.row(recipe.epochs, alpha) for alpha in ALPHAS]
    events = np.nan_to_num(scores.forgetting_events(np.stack(right)), nan=-1).astype(np.int8)
    return rows, {"events": events, "probe_loss": run.losses.astype(np.float16)}


class Run:
    """A network on its way from the prior task to the target."""

    def __init__(self, task: Settings, recipe: Recipe, data: adapt.Task, known: nn.Module) -> None:
        """Copy the prior body, draw a head, fit it unless the arm is plain fine-tuning."""
        self.arm, self.recipe, self.data, self.known = task["arm"], recipe, data, known
        unseen = prior.resident("pretrain_test", recipe.pixels)
        self.unseen = adapt.part(unseen, np.arange(0, len(unseen), PRIOR_EVERY))
        self.seeds = streams.Seeds.of_run(task["seed"], split=0)
        self.model = prior.build(task["model"], data.train.classes, recipe, "none")
        body = {n: t for n, t in known.state_dict().items() if n not in models.head_names(known)}
        self.model.load_state_dict(body, strict=False)
        models.draw_head(self.model, task["seed"])
        plain = copy.deepcopy(self.model)
        training.warm_up_head(self.model, data.train, recipe, self.seeds)
        self.probe = copy.deepcopy(self.model).eval()
        self.losses = adapt.scored(self.probe, data.train, recipe)[1]
        self.hard = hardest(adapt.scored(self.probe, data.test, recipe)[1])
        self.probed = self.arm != "fine-tuning"
        self.model = self.model if self.probed else plain
        self.kind, self.pull = ARMS[self.arm]
        self.weights = self.sample_weights()
        self.optimizer = adapt.make_optimizer(self.model, recipe)

    def sample_weights(self) -> Tensor:
        """The static weights of the training samples; ones where they are made view by view."""
        kind = "ones" if self.kind == "per view" else self.kind
        keys = self.data.train.keys
        found = weighting.weights_of(kind, self.losses, self.seeds.order, keys)
        return torch.from_numpy(found.astype(np.float32)).to(self.data.train.labels.device)

    def train(self, epoch: int) -> None:
        """One epoch."""
        batches = adapt.steps(self.data.train, self.recipe, self.seeds, epoch)
        self.model.train()
        for step, total, positions, images in batches:
            loss = self.loss(positions, images)
            adapt.descend(self.optimizer, self.recipe, step, total, loss)

    def loss(self, positions: Tensor, images: Tensor) -> Tensor:
        """Weighted cross-entropy of a batch, and the pull towards the probe's body."""
        labels, weights = self.data.train.labels[positions], self.weights[positions]
        if self.kind == "per view":
            weights = self.view_weights(images, labels)
        with training.precision(images.device):
            logits = self.model(images)
        loss = weighting.weighted_loss(logits, labels, weights)
        if not self.pull:
            return loss
        head = models.head_names(self.model)
        pairs = zip(self.model.named_parameters(), self.probe.parameters(), strict=True)
        return loss + self.pull / 2 * sum(
            (p - q).square().sum() for (n, p), q in pairs if n not in head
        )

    @torch.no_grad()
    def view_weights(self, images: Tensor, labels: Tensor) -> Tensor:
        """FLOW weights of this very view, by the probe in eval mode, as in the released code."""
        with training.precision(images.device):
            logits = self.probe(images)
        losses = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
        return torch.exp(-losses / weighting.temperature(self.losses))

    def correct(self) -> np.ndarray:
        """Which training samples the network has right: bool[n]."""
        return adapt.scored(self.model, self.data.train, self.recipe)[0]

    def row(self, epoch: int, alpha: float = 1.0) -> dict[str, float]:
        """What a network can do: the run's own, or one between probe and own."""
        net = self.model if alpha == 1 else adapt.averaged(self.probe, self.model, alpha)
        validation = adapt.scored(net, self.data.validation, self.recipe)[0]
        right = adapt.scored(net, self.data.test, self.recipe)[0]
        unseen, row = self.unseen, {"epoch": epoch, "alpha": alpha}
        row |= {"validation": float(validation.mean()), "target": float(right.mean())}
        row |= {"hard": float(right[self.hard].mean()), "other": float(right[~self.hard].mean())}
        as_is = adapt.with_prior_head(net, self.known, restored=False)
        row["retained_as_is"] = float(adapt.scored(as_is, unseen, self.recipe)[0].mean())
        row["retained"] = row["retained_as_is"]
        if adapt.norm_names(net):
            restored = adapt.with_prior_head(net, self.known, restored=True)
            row["retained"] = float(adapt.scored(restored, unseen, self.recipe)[0].mean())
        return row


def hardest(losses: np.ndarray) -> np.ndarray:
    """The share HARD of samples with the largest losses: bool[n]."""
    ranks = np.argsort(np.argsort(-losses, kind="stable"), kind="stable")
    return ranks < round(HARD * len(losses))


STUDY = Study("weighting", tasks, carry_out)

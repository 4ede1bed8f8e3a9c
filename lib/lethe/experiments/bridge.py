"""Study `bridge`: is what fine-tuning takes from the old classes mass, or order among them?

Old classes: letters of other scripts, which the network was pretrained on, with a head for them.
The head gets 62 rows more, drawn from stream `init`, for Latin letters and digits; these are fitted
on as many old as new images while all else stays, so that the start knows both tasks. Then the
network is fine-tuned on the Latin letters by cross-entropy over all rows. Arms: `none`; `replay` of
old images with their labels; `distilled`, with the old network's probabilities instead; `shuffled`,
with the labels of other images; `head only`, the body stays; `new rows only`, the old rows stay
too. Judged on unseen images of both tasks, at every quarter of the first epoch and at every epoch.
Cost: 96 runs of 5 to 15 s on one core.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lethe.analysis import mass_and_drift as md
from lethe.analysis.class_distances import class_distances
from lethe.capture import models, streams, training
from lethe.capture.recipes import Recipe, find_recipe
from lethe.capture.rehearsal import Tracker
from lethe.experiments import adapt, prior
from lethe.experiments.tasks import Outcome, Settings, Study

ARMS = {  # name: old images per new one; also the weight of their loss
    "none": (0.0,),
    "replay": (0.125, 0.5),
    "distilled": (0.5,),
    "shuffled": (0.5,),
    "head only": (0.0,),
    "new rows only": (0.0,),
}
FROZEN = {"head only": ("body",), "new rows only": ("old", "body")}
RATES = {"test_resnet": (0.003, 0.01), "test_vit": (7.5e-4, 2.5e-4)}  # the second: `none` only
LARGE_RATES = {"resnet18": (0.003, 0.01), "deit_small_patch16_224": (5e-4, 2e-4)}
SEEDS, EPOCHS = 6, 6
EACH, CHOOSE, JUDGE = 20, 1, 16  # typefaces: training, fitting the shift, judging
SHIFT_EVERY = 32  # of the unseen old images, every 32nd fits the shift, the others judge
START_EACH = 3  # old training images of a class to fit the new rows with: as many as new ones
REFIT_EACH = 10  # old training images of a class to refit the old rows with
QUARTERS = 4  # looks in the first epoch


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """The runs of the study; quick: one network, two seeds; large: the same arms with the networks
    of the preset `book`.
    """
    rates = LARGE_RATES if large else RATES
    more = {"epochs": EPOCHS} | ({"preset": "book"} if large else {})
    return [
        {"model": model, "arm": arm, "ratio": ratio, "rate": rate, "seed": seed, **more}
        for seed in range(2 if quick else SEEDS)
        for model in (("test_resnet",) if quick else rates)
        for arm, ratios in ARMS.items()
        for ratio in ratios
        for rate in rates[model][: 2 if arm == "none" and not quick else 1]
    ]


class JointHead(nn.Module):
    """Old and new rows side by side: logits [n, old + new]."""

    def __init__(self, old: nn.Linear, new: nn.Linear) -> None:
        """Put two layers side by side."""
        super().__init__()
        self.old, self.new = old, new

    def forward(self, features: Tensor) -> Tensor:
        """Logits of the old classes, then of the new ones."""
        return torch.cat([self.old(features), self.new(features)], dim=1)


def with_new_rows(known: nn.Module, classes: int, seed: int) -> nn.Module:
    """A copy of a network with rows for new classes: normal with deviation 0.02, biases 0."""
    model, rows = copy.deepcopy(known), models.classifier(known)
    new = nn.Linear(rows.in_features, classes).to(rows.weight)
    models.replace_classifier(model, JointHead(models.classifier(model), new))
    generator = torch.Generator().manual_seed(streams.integer(seed, "init", epoch=1))
    with torch.no_grad():
        new.weight.copy_(torch.empty(new.weight.shape).normal_(0, 0.02, generator=generator))
        new.bias.zero_()
    return model


def joined(one: training.Resident, two: training.Resident) -> training.Resident:
    """The images of both."""
    images = adapt.channels_last(torch.cat([one.images, two.images]))
    keys = np.concatenate([one.keys, two.keys])
    return training.Resident(images, torch.cat([one.labels, two.labels]), keys, one.classes)


class Data:
    """Old images to rehearse, to refit with, to shift by, to judge by; new ones likewise."""

    def __init__(self, pixels: int) -> None:
        """Cut them from the splits of the glyphs."""
        train, test = prior.resident("train", pixels), prior.resident("test", pixels)
        unseen = prior.resident("pretrain_test", pixels)
        labels, rows = train.labels.cpu().numpy(), np.arange(len(unseen))
        self.new = adapt.part(train, adapt.by_class(labels, EACH))
        self.new_shift = adapt.part(train, adapt.by_class(labels, CHOOSE, skip=EACH))
        self.new_judge = adapt.part(test, adapt.by_class(test.labels.cpu().numpy(), JUDGE))
        self.pool = prior.resident("pretrain", pixels)
        known = self.pool.labels.cpu().numpy()
        self.refit = adapt.part(self.pool, adapt.by_class(known, REFIT_EACH))
        self.start = adapt.part(self.pool, adapt.by_class(known, START_EACH))
        self.old_shift = adapt.part(unseen, rows[rows % SHIFT_EVERY == 0])
        self.old_judge = adapt.part(unseen, rows[rows % SHIFT_EVERY != 0])


def carry_out(task: Settings, place: Path) -> Outcome:
    """One run: a row a look, and by old class what it lost in the end."""
    preset, model = task.get("preset", "quick"), task["model"]
    recipe = find_recipe(preset, model, learning_rate=task["rate"], epochs=task["epochs"])
    run = Run(task, recipe, Data(recipe.pixels), prior.letters(model, place, preset))
    rows = [run.row(0.0)]
    if run.arm == "none":  # the body before: the same for all runs
        rows[0]["refit"] = run.refit()
    for epoch in range(1, task["epochs"] + 1):
        rows += run.train(epoch)
    rows[-1]["refit"] = run.refit()
    return rows, run.by_class()


class Run:
    """A network on its way to new classes, with its old rows."""

    def __init__(self, task: Settings, recipe: Recipe, data: Data, known: nn.Module) -> None:
        """Add the new rows, freeze what the arm keeps, look at everything once."""
        self.arm, self.ratio, self.recipe, self.data = task["arm"], task["ratio"], recipe, data
        self.seeds = streams.Seeds.of_run(task["seed"], split=0)
        self.known, self.old = known, data.pool.classes
        self.model = with_new_rows(known, data.new.classes, task["seed"])
        self.fit_new_rows()
        self.freeze()
        self.optimizer = adapt.make_optimizer(self.model, recipe)
        self.tracker = Tracker(np.zeros(len(data.pool), np.int64))
        self.labels = data.pool.labels
        if self.arm == "shuffled":
            dealt = streams.shuffled(self.seeds.order, "order", 1 << 28, data.pool.keys)
            self.labels = self.labels[torch.from_numpy(dealt).to(self.labels.device)]
        self.judged = data.old_judge.labels.cpu().numpy()
        self.before = self.split(self.features(data.old_judge))

    def fit_new_rows(self) -> None:
        """A start that is right for both tasks: new rows fitted on as many old as new images."""
        head, new = models.classifier(self.model), self.data.new
        head.old.requires_grad_(False)
        both = joined(self.data.start, replace(new, labels=new.labels + self.old))
        training.warm_up_head(self.model, both, replace(self.recipe, warmup_epochs=20), self.seeds)
        head.old.requires_grad_(True)

    def freeze(self) -> None:
        """No gradients for the parts that stay."""
        head = models.classifier(self.model)
        parts, rows = {"old": list(head.old.parameters())}, {id(p) for p in head.parameters()}
        parts["body"] = [p for p in self.model.parameters() if id(p) not in rows]
        for part in FROZEN.get(self.arm, ()):
            for parameter in parts[part]:
                parameter.requires_grad_(False)

    def features(self, data: training.Resident) -> Tensor:
        """What the head sees of every image in a clean pass: float[n, width]."""
        return training.clean_features(self.model, data, self.recipe)

    @torch.no_grad()
    def split(self, features: Tensor) -> md.Parts:
        """Old and new side of the probabilities."""
        logits = models.classifier(self.model)(features).double()
        return md.parts(logits.cpu().numpy(), self.old)

    def train(self, epoch: int) -> list[dict[str, float]]:
        """One epoch; a row at its end, in the first one at every quarter."""
        rows = []
        for step, total, positions, images in adapt.steps(
            self.data.new, self.recipe, self.seeds, epoch
        ):
            per_epoch = total // self.recipe.epochs
            self.model.train("body" not in FROZEN.get(self.arm, ()))
            loss = self.loss(step, self.data.new.labels[positions], images)
            adapt.descend(self.optimizer, self.recipe, step, total, loss)
            if step + 1 in looks(per_epoch, epoch):
                rows.append(self.row((step + 1) / per_epoch))
        return rows

    def loss(self, step: int, labels: Tensor, images: Tensor) -> Tensor:
        """Mean loss of the new batch, and of the old images times the ratio, in one pass."""
        count, at = len(images), self.drawn(step, round(self.ratio * len(images)))
        if len(at):
            old = adapt.augmented(self.data.pool, at, self.recipe, self.seeds, step)
            images = torch.cat([images, old])
        with training.precision(images.device):
            logits = self.model(adapt.channels_last(images)).float()
        loss = F.cross_entropy(logits[:count], labels + self.old)
        if not len(at):
            return loss
        wanted = self.taught(images[count:]) if self.arm == "distilled" else self.labels[at]
        return loss + self.ratio * F.cross_entropy(logits[count:], wanted)

    def drawn(self, step: int, count: int) -> Tensor:
        """Positions in the pool, with replacement."""
        found = self.tracker.draw(self.seeds.order, step, count)
        return torch.from_numpy(found).to(self.labels.device)

    @torch.no_grad()
    def taught(self, images: Tensor) -> Tensor:
        """The old network's probabilities for these views, 0 for new classes."""
        old = self.known(adapt.channels_last(images)).float().softmax(1)
        return F.pad(old, (0, self.data.new.classes))

    def row(self, epoch: float) -> dict[str, float]:
        """Mass, drift and accuracies on unseen images of both tasks, with and without a shift."""
        seen = self.features(self.data.old_judge)
        of_old, of_new = self.split(seen), self.split(self.features(self.data.new_judge))
        divergence, variation = (f(self.before, of_old) for f in (md.divergences, md.variations))
        row = {"epoch": epoch, "mass": of_old.mass.mean(), "mass_new": of_new.mass.mean()}
        row |= {"odds": of_old.log_odds.mean(), "odds_new": of_new.log_odds.mean()}
        row |= {"odds_spread": of_old.log_odds.std()}
        row |= {f"kl_{name}": values.mean() for name, values in divergence.items()}
        row |= {f"tv_{name}": values.mean() for name, values in variation.items()}
        row |= md.shares(md.outcomes(of_old, self.judged))
        row |= {"target": self.on_target(of_new), "target_masked": self.masked(of_new)}
        row |= {"separation": md.separation(of_old.log_odds, of_new.log_odds)}
        row |= self.with_shift(of_old, of_new) | {"old_rows": self.under_old_rows(seen)}
        return {name: float(value) for name, value in row.items()}

    def on_target(self, of_new: md.Parts) -> float:
        """Accuracy on new images among all classes."""
        on_top = of_new.new + of_new.among_new.max(1) > of_new.old + of_new.among_old.max(1)
        return float((on_top & self.new_right(of_new)).mean())

    def masked(self, of_new: md.Parts) -> float:
        """Accuracy on new images among new classes."""
        return float(self.new_right(of_new).mean())

    def new_right(self, of_new: md.Parts) -> np.ndarray:
        """Which new images have the right one of the new classes on top: bool[n]."""
        return of_new.among_new.argmax(1) == self.data.new_judge.labels.cpu().numpy()

    def with_shift(self, of_old: md.Parts, of_new: md.Parts) -> dict[str, float]:
        """The shift that other images of both tasks ask for, and the accuracies with it."""
        fits = [self.split(self.features(d)) for d in (self.data.old_shift, self.data.new_shift)]
        shift = md.best_shift(*(fit.log_odds for fit in fits))
        found = md.outcomes(md.shifted(of_old, shift), self.judged)
        row = {"shift": shift, "shifted": md.shares(found)["right"]}
        return row | {"shifted_target": self.on_target(md.shifted(of_new, shift))}

    @torch.no_grad()
    def under_old_rows(self, features: Tensor) -> float:
        """Accuracy among old classes with the head as it was before."""
        top = models.classifier(self.known)(features).argmax(1).cpu().numpy()
        return float((top == self.judged).mean())

    def refit(self) -> float:
        """Accuracy among old classes with rows fitted anew on the body as it is now."""
        trial = copy.deepcopy(self.model)
        rows = copy.deepcopy(models.classifier(self.known)).requires_grad_(True)
        models.replace_classifier(trial, rows)
        for parameter in rows.parameters():
            nn.init.zeros_(parameter)
        longer = replace(self.recipe, warmup_epochs=20)
        training.warm_up_head(trial, self.data.refit, longer, prior.SHARED)
        return float(adapt.scored(trial, self.data.old_judge, self.recipe)[0].mean())

    def by_class(self) -> dict[str, np.ndarray]:
        """By old class, means over its judged images: NaN for a class without any."""
        now, start = self.split(self.features(self.data.old_judge)), self.before
        right = [p.among_old.argmax(1) == self.judged for p in (start, now)]
        means = {"mass_lost": start.mass - now.mass, "drift": md.variations(start, now)["old"]}
        means |= {"order_lost": right[0].astype(float) - right[1]}
        if self.arm == "none":  # of the network before: the same for all runs
            own = np.exp(start.among_old[np.arange(len(self.judged)), self.judged])
            means |= {"sure": own}
        arrays = {name: self.means(values) for name, values in means.items()}
        return arrays | (self.distances() if self.arm == "none" else {})

    def means(self, values: np.ndarray) -> np.ndarray:
        """Mean by old class: float16[old]."""
        sums, sizes = (np.bincount(self.judged, w, self.old) for w in (values, None))
        with np.errstate(invalid="ignore"):
            return (sums / sizes).astype(np.float16)

    def distances(self) -> dict[str, np.ndarray]:
        """By old class, the distance to the nearest new one for the network before, and which."""
        seen = []
        for data in (self.data.pool, self.data.new):
            features = training.clean_features(self.known, data, self.recipe)
            seen += [features.cpu().numpy(), data.labels.cpu().numpy()]
        there, found = np.unique(seen[1]), class_distances(*seen)
        distance, nearest = np.full(self.old, np.nan, np.float16), np.full(self.old, -1, np.int8)
        distance[there], nearest[there] = found
        return {"distance": distance, "nearest": nearest}


def looks(per_epoch: int, epoch: int) -> set[int]:
    """Steps after which to look: at the end of an epoch, and at every quarter of the first."""
    quarters = {round(per_epoch * q / QUARTERS) for q in range(1, QUARTERS)} if epoch == 1 else ()
    return {*quarters, epoch * per_epoch}


STUDY = Study("bridge", tasks, carry_out)

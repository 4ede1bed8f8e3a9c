"""Study `back_flow`: does what an optimizer remembers of one batch return after the next?

From one state (weights and optimizer, part-way through fine-tuning) two first instruments, A and
A': the same samples under different augmentations, some micro-steps on each. Then one second
instrument B in both. D1 and D2 are the distances of predictions on unseen images before and after
B; back-flow is D2 - D1. Arms for B: `carry`, each branch with its own optimizer state; `break`,
the state re-initialised before B; `same memory`, both branches with the mean of the two states.
Protocol and regimes after Sevetlidis and Pavlidis (2601.16563), at 32 pixels, batches of 32; the
transforms are ours, for letters. A control that does not come out
exactly fails the run. Cost: 40 tasks of 15 to 85 s on one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torchvision.transforms.v2.functional import gaussian_blur

from lethe.analysis.divergence import DIVERGENCES
from lethe.capture import models, streams, training
from lethe.capture.audit import AUGMENT_DRAWS
from lethe.capture.augment import augment, normalise
from lethe.capture.interventions import Taken, snapshot
from lethe.capture.interventions.invariants import InvariantError, flat
from lethe.capture.interventions.readout import probabilities
from lethe.capture.recipes import Recipe, find_recipe
from lethe.experiments import adapt, prior
from lethe.experiments.tasks import Outcome, Settings, Study

NETWORKS = (("test_resnet", "sgd"), ("test_vit", "sgd"), ("test_vit", "adamw"))
ARMS = ("carry", "break", "same memory")
SEEDS, SWEEP_REPEATS = 10, 1
REPEATS = {"test_vit/sgd": 4, "test_vit/adamw": 2}  # other networks: MOST
MOST = 8
EACH, PROBE = 20, 5  # typefaces: of the training images, of the unseen ones
EPOCHS, STOPPED = 6, 3  # of fine-tuning: planned, and done when the branches part
BATCH = 32
RATES = {"test_resnet": 0.01, "test_vit": 0.01}  # of fine-tuning by SGD, momentum as below
MOMENTUM, DECAY, MICRO_DECAY, CLIP = 0.9, 5e-4, 1e-4, 1.0
ADAM_SHARE = 1 / 40  # AdamW's rate in a micro-step, as a share of SGD's
DISTANCES = ("tv", "js", "hellinger")
INSTRUMENTS = ("weak", "contrast", "blur")
FIRST_DRAW = 1 << 28  # numbers of draws, clear of those of epochs


@dataclass(frozen=True)
class Regime:
    """Micro-steps per instrument, their rate and momentum, A, A' and B, and the share of B's
    samples that A has too.
    """

    steps: int
    rate: float
    momentum: float
    first: str
    other: str
    second: str
    overlap: float
    start: str = "carried"  # optimizer state at the fork: that of the fine-tuning, or `fresh`


STRONG = Regime(6, 0.03, 0.99, "contrast", "blur", "weak", 1.0)
REGIMES = {
    "standard": Regime(3, 0.02, 0.9, "weak", "contrast", "weak", 0.5),
    "resonant-strong": STRONG,
    "resonant-mid": replace(STRONG, momentum=0.95, overlap=0.75),
    "orthogonal": replace(STRONG, second="blur", overlap=0.0),
    "negative": Regime(1, 0.005, 0.0, "weak", "contrast", "weak", 0.0),
    # ours: each differs from resonant-strong in one thing
    "strong, apart": replace(STRONG, overlap=0.0),
    "strong, fresh": replace(STRONG, start="fresh"),
}
CONTROL = replace(STRONG, steps=2)
SWEEP = {
    f"momentum {momentum:g}, {steps} steps": replace(STRONG, momentum=momentum, steps=steps)
    for momentum in (0.0, 0.5, 0.9, 0.99)
    for steps in (1, 3, 6)
}


def tasks(quick: bool = False, large: bool = False) -> list[Settings]:
    """The runs of the study, all regimes in one; quick: two seeds of one network, two repeats;
    large: the same runs with the networks of the preset `book`.
    """
    networks = (("resnet18", "sgd"), ("deit_small_patch16_224", "sgd")) if large else NETWORKS
    more = {"preset": "book"} if large else {}
    runs = [(m, o, "regimes", 2 if quick else REPEATS.get(f"{m}/{o}", MOST)) for m, o in networks]
    runs = runs[:1] if quick else [*runs, (*networks[0], "sweep", SWEEP_REPEATS)]
    return [
        {"model": m, "optimizer": o, "part": part, "seed": seed, "repeats": repeats, **more}
        for seed in range(2 if quick else SEEDS)
        for m, o, part, repeats in runs
    ]


def carry_out(task: Settings, place: Path) -> Outcome:
    """Fine-tune to the fork, check the controls, then every regime and repeat: a row an arm."""
    run = Run(task)
    rows = run.controls()
    for name, regime in (REGIMES if task["part"] == "regimes" else SWEEP).items():
        run.enter(regime)
        for repeat in range(task["repeats"]):
            rows += run.rows(name, regime, repeat)
    return [{**row, "accuracy": run.accuracy} for row in rows], {}


@dataclass(frozen=True)
class Branch:
    """Where a branch is: its state, and its probabilities on the probe float32[n, class]."""

    state: snapshot.Snapshot
    said: np.ndarray


class Run:
    """A training process at its fork, in the form that snapshots ask for."""

    def __init__(self, task: Settings) -> None:
        """Fine-tune part of the way; the optimizer's state stays."""
        self.recipe = recipe_of(task)
        self.kind, self.seeds = task["optimizer"], streams.Seeds.of_run(task["seed"])
        everything = prior.resident("train", self.recipe.pixels)
        rows = adapt.by_class(everything.labels.cpu().numpy(), EACH)
        self.data = adapt.part(everything, rows)
        unseen = prior.resident("test", self.recipe.pixels)
        probe = adapt.part(unseen, adapt.by_class(unseen.labels.cpu().numpy(), PROBE))
        self.probe = normalise(probe.images, self.recipe)
        self.model, self.memory = fine_tuned(task, self.data, self.recipe, self.seeds)
        self.accuracy = float(adapt.scored(self.model, probe, self.recipe)[0].mean())
        self.weights = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        self.others: dict[str, Any] = {}
        self.batches: list[tuple[Tensor, Tensor]] = []

    def enter(self, regime: Regime) -> None:
        """Back to the weights of the fork, under the optimizer of a regime."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.weights[name])
        self.model.eval()  # BatchNorm statistics stay frozen in micro-steps
        rate = regime.rate * (ADAM_SHARE if self.kind == "adamw" else 1)
        self.optimizer = make_optimizer(self.model, self.kind, rate, regime.momentum, MICRO_DECAY)
        memory = self.memory if regime.start == "carried" else {}
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": memory})
        self.step = 0
        self.origin = snapshot.take(self)

    def __len__(self) -> int:
        return len(self.batches)

    def take_step(self, batch: int) -> Taken:
        """One micro-step on a batch as it is: fixed statistics, clipped gradient."""
        images, labels = self.batches[batch]
        with training.precision(images.device):
            logits = self.model(images)
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), labels).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.step += 1
        return Taken(np.empty(0, np.uint64))

    def after(self, state: snapshot.Snapshot, batch: int, steps: int) -> Branch:
        """The state after some micro-steps on one batch from a state, and what it says."""
        snapshot.restore(self, state)
        for _ in range(steps):
            self.take_step(batch)
        return Branch(snapshot.take(self), probabilities(self.model, self.probe))

    def draw(self, regime: Regime, repeat: int) -> None:
        """The batches of A, A' and B."""
        order = streams.shuffled(self.seeds.order, "order", FIRST_DRAW + repeat, self.data.keys)
        first, others = order[:BATCH], order[BATCH : 2 * BATCH]
        shared = round(regime.overlap * BATCH)
        second = np.concatenate([first[:shared], others[shared:]])
        wanted = [(first, regime.first, 0), (first, regime.other, 0), (second, regime.second, 1)]
        self.batches = [self.batch(at, name, 2 * repeat + place) for at, name, place in wanted]

    def batch(self, positions: np.ndarray, instrument: str, visit: int) -> tuple[Tensor, Tensor]:
        """Some samples under an instrument; its draws belong to sample, instrument and visit."""
        number = FIRST_DRAW + len(INSTRUMENTS) * visit + INSTRUMENTS.index(instrument)
        keys = self.data.keys[positions]
        draws = streams.uniforms(self.seeds.augment, "augment", number, keys, AUGMENT_DRAWS)
        at = torch.from_numpy(positions).to(self.data.labels.device)
        images = normalise(self.data.images[at], self.recipe)
        changed = transform(images, torch.from_numpy(draws).to(at.device), instrument, self.recipe)
        return adapt.channels_last(changed), self.data.labels[at]

    def rows(self, name: str, regime: Regime, repeat: int) -> list[dict[str, Any]]:
        """One repeat: a row an arm."""
        self.draw(regime, repeat)
        one = [self.after(self.origin, batch, regime.steps) for batch in (0, 1)]
        about = {"regime": name, "repeat": repeat} | asdict(regime)
        rows = []
        for arm, begun in arms_of([branch.state for branch in one]).items():
            two = [self.after(state, 2, regime.steps) for state in begun]
            moved = np.mean([apart(*pair) for pair in zip(one, two, strict=True)])
            row = about | {"arm": arm} | distances("1", one) | distances("2", two)
            rows.append(row | {"moved_2": float(moved)})
        return rows

    def controls(self) -> list[dict[str, Any]]:
        """One repeat each of what must come out exactly; raises InvariantError where it does not.

        `placebo`, A' = A: D1 = D2 = 0. `no momentum` (SGD): all arms alike, bit for bit. `no
        rate in B`: D2 = D1. `rerun`: the same numbers again.
        """
        still = replace(CONTROL, momentum=0.0)
        made = {"placebo": replace(CONTROL, other=CONTROL.first)}
        made |= {"no momentum": still} if self.kind == "sgd" else {}
        rows = {name: self.control(name, regime) for name, regime in made.items()}
        rows["no rate in B"] = self.without_rate()
        again = [self.control("rerun", CONTROL) for _ in range(2)]
        require("rerun", again[0] == again[1])
        placebo = [row[f"{d}_{k}"] for row in rows["placebo"] for d in DISTANCES for k in (1, 2)]
        require("placebo", not any(placebo))
        for row in rows.get("no momentum", []):
            require("no momentum", row | {"arm": ""} == rows["no momentum"][0] | {"arm": ""})
        require("no rate in B", all(r["tv_1"] == r["tv_2"] for r in rows["no rate in B"]))
        return [row for part in (*rows.values(), again[0]) for row in part]

    def control(self, name: str, regime: Regime) -> list[dict[str, Any]]:
        """The rows of a control's only repeat."""
        self.enter(regime)
        return self.rows(name, regime, 0)

    def without_rate(self) -> list[dict[str, Any]]:
        """The rate 0 in B: the learning rate is state, so it is set there."""
        self.enter(CONTROL)
        step = self.take_step

        def still(batch: int) -> Taken:
            if batch == 2:
                training.set_rate(self.optimizer, 0.0)
            return step(batch)

        self.take_step = still  # type: ignore[method-assign]  # for these rows only
        try:
            return self.rows("no rate in B", CONTROL, 0)
        finally:
            self.take_step = step  # type: ignore[method-assign]


def require(name: str, holds: bool) -> None:
    """InvariantError unless a control came out."""
    if not holds:
        raise InvariantError(f"the control {name!r} failed: the numbers of this run mean nothing")


def recipe_of(task: Settings) -> Recipe:
    """The recipe of the fine-tuning before the fork."""
    rate: dict[str, Any] = {}
    if task["optimizer"] == "sgd":
        rate["learning_rate"] = RATES.get(task["model"], 0.01)
    return find_recipe(task.get("preset", "quick"), task["model"], epochs=EPOCHS, **rate)


def fine_tuned(
    task: Settings, data: training.Resident, recipe: Recipe, seeds: streams.Seeds
) -> tuple[nn.Module, dict[int, Any]]:
    """The network after head warm-up and some epochs, and its optimizer's state."""
    backbone = str(models.weights_file(task["model"], recipe.pixels, "glyphs"))
    model = prior.build(task["model"], data.classes, recipe, backbone, seeds.init)
    training.warm_up_head(model, data, recipe, seeds)
    settings = (task["optimizer"], recipe.learning_rate, MOMENTUM, DECAY)
    optimizer = make_optimizer(model, *settings)
    for epoch in range(1, STOPPED + 1):
        training.train_epoch(model, optimizer, data, recipe, seeds, epoch)
    return model, optimizer.state_dict()["state"]


def make_optimizer(
    model: nn.Module, kind: str, rate: float, momentum: float, decay: float
) -> Optimizer:
    """SGD, or AdamW with the momentum as its first beta."""
    if kind == "sgd":
        return torch.optim.SGD(model.parameters(), rate, momentum, weight_decay=decay)
    return torch.optim.AdamW(model.parameters(), rate, (momentum, 0.999), weight_decay=decay)


def transform(images: Tensor, draws: Tensor, instrument: str, recipe: Recipe) -> Tensor:
    """Normalised images [n, 1, h, w] under an instrument, by their draws in [0, 1) [n, 5].

    `weak`: the recipe's shift and scale; `contrast`: times 0.5 to 1.5, plus -0.4 to 0.4, cut to
    the range; `blur`: Gaussian of 0.5 to 1.5 pixels.
    """
    if instrument == "weak":
        return augment(images, draws, recipe)
    if instrument == "contrast":
        factor, shift = (draws[:, k, None, None, None] for k in (0, 1))
        return (images * (0.5 + factor) + 0.8 * shift - 0.4).clamp(-1, 1)
    pairs = zip(images, draws[:, 0].tolist(), strict=True)
    return torch.stack([gaussian_blur(image, [7, 7], [0.5 + draw] * 2) for image, draw in pairs])


def arms_of(one: list[snapshot.Snapshot]) -> dict[str, list[snapshot.Snapshot]]:
    """How both branches enter B in each arm: the weights are the same in all."""
    states = [state["optimizer"] for state in one]
    shared = states[0] | {"state": dict(averaged(*(state["state"] for state in states)))}
    return {
        "carry": one,
        "break": [s | {"optimizer": s["optimizer"] | {"state": {}}} for s in one],
        "same memory": [s | {"optimizer": shared} for s in one],
    }


def averaged(one: dict[int, Any], other: dict[int, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mean of two optimizer states, parameter by parameter."""
    for place, entries in one.items():
        yield (
            place,
            {
                name: (value + other[place][name]) / 2 if isinstance(value, Tensor) else value
                for name, value in entries.items()
            },
        )


def distances(end: str, pair: list[Branch]) -> dict[str, float]:
    """Distances between two branches: of what they say, and of their weights (Euclidean)."""
    said = [branch.said for branch in pair]
    found = {f"{name}_{end}": float(DIVERGENCES[name](*said)) for name in DISTANCES}
    return found | {f"weights_{end}": apart(*pair)}


def apart(one: Branch, other: Branch) -> float:
    """Euclidean distance between the weights of two branches."""
    first, second = (flat(branch.state["weights"].values()) for branch in (one, other))
    return float((first - second).norm())


STUDY = Study("back_flow", tasks, carry_out)
